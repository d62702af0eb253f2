#include "asof/model/project_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace asof::model {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Result<ProjectConfig> read(std::string_view text,
                           const std::map<std::string, std::string>& variables = {}) {
  return read_project_config(
      "asof.yaml", text, [&](std::string_view name) -> std::optional<std::string> {
        auto found = variables.find(std::string(name));
        return found == variables.end() ? std::nullopt : std::optional(found->second);
      });
}

std::vector<std::string> mistakes(std::string_view text) {
  auto config = read(text);
  EXPECT_FALSE(config) << text;
  std::vector<std::string> out;
  if (config) return out;
  EXPECT_EQ(config.error().code, ErrorCode::kInvalid);
  for (const Error& detail : config.error().details) out.push_back(detail.text());
  return out;
}

TEST(ProjectConfig, EverythingButTheNameHasADefault) {
  auto config = read("project: streaming\n");
  ASSERT_TRUE(config) << config.error().text();
  ProjectConfig expected;
  expected.project = "streaming";
  EXPECT_EQ(*config, expected);
  EXPECT_EQ(config->registry.url, "sqlite:.asof/registry.db");
  EXPECT_EQ(config->online.url, "lmdb:.asof/online");
  EXPECT_EQ(config->offline.url, "duckdb:");
  EXPECT_EQ(config->server.port, 6566);
}

TEST(ProjectConfig, ReadsEngineOptionsAndTheServer) {
  auto config = read(R"(
project: streaming
registry: sqlite:/var/lib/asof/registry.db
online: {url: "redis://127.0.0.1:6379/0", layout: packed, pool: 4, tls: true}
offline: {memory_limit: 2GB}
server: {bind: 0.0.0.0, port: 7000, threads: 2, token: "s3cr3t"}
)");
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_EQ(config->registry, (EngineConfig{"sqlite:/var/lib/asof/registry.db", {}}));
  EXPECT_EQ(config->online, (EngineConfig{"redis://127.0.0.1:6379/0",
                                          {{"layout", "packed"}, {"pool", "4"}, {"tls", "true"}}}));
  EXPECT_EQ(config->offline, (EngineConfig{"duckdb:", {{"memory_limit", "2GB"}}}));
  EXPECT_EQ(config->server, (ServerConfig{"0.0.0.0", 7000, 2, "s3cr3t"}));
}

TEST(ProjectConfig, AnEngineWithoutAPlaceMayEndInAColon) {
  for (const char* text : {"project: p\nonline: memory:\noffline: duckdb:   # options: threads\n",
                           "project: p\nonline: memory\noffline: duckdb",
                           "project: p\nonline: 'memory:'\noffline: duckdb:",
                           "project: p\r\nonline:  memory:\r\noffline: {url: duckdb}\r\n"}) {
    auto config = read(text);
    ASSERT_TRUE(config) << text << config.error().text();
    EXPECT_EQ(config->online.url, "memory:") << text;
    EXPECT_EQ(config->offline.url, "duckdb:") << text;
  }
  // What the quotes change is nothing else.
  EXPECT_THAT(mistakes("project: p\nonline: memory: x\n"),
              ElementsAre(HasSubstr("asof.yaml:2: not valid YAML")));
}

TEST(ProjectConfig, ReplacesVariables) {
  auto config = read(R"(
project: ${NAME}
online: redis://${HOST:-127.0.0.1}:${PORT:-6379}/0
offline: {url: "duckdb:", note: "$$5 and ${A:-${B:-deep}}"}
server: {port: "${LISTEN}", token: "${TOKEN:-}"}
)",
                     {{"NAME", "shop"}, {"LISTEN", "7001"}, {"PORT", ""}});
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_EQ(config->project, "shop");
  EXPECT_EQ(config->online.url, "redis://127.0.0.1:6379/0");
  EXPECT_EQ(config->offline.options.at("note"), "$5 and deep");
  EXPECT_EQ(config->server.port, 7001);
  EXPECT_EQ(config->server.token, "");
}

TEST(ProjectConfig, AVariablesValueIsOnlyText) {
  auto config = read("project: p\nserver: {token: \"${T}\"}\n",
                     {{"T", "a: [b, ${X}] # no comment\n\"quoted\""}});
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_EQ(config->server.token, "a: [b, ${X}] # no comment\n\"quoted\"");
}

TEST(ProjectConfig, AVariableThatIsNotSetIsAMistake) {
  EXPECT_THAT(mistakes("project: p\nonline: redis://${REDIS_HOST}/0\n"),
              ElementsAre("asof.yaml:2: the environment variable REDIS_HOST is not set; set it, or "
                          "write ${REDIS_HOST:-default}"));
  EXPECT_THAT(mistakes("project: p\nserver:\n  token: ${A\n"),
              ElementsAre(HasSubstr("asof.yaml:3: a '${' is not closed")));
  EXPECT_THAT(mistakes("project: p\nserver:\n  token: ${A:-x\n"),
              ElementsAre(HasSubstr("a '${' is not closed")));
  EXPECT_THAT(mistakes("project: p\nserver:\n  token: ${1A}\n"),
              ElementsAre(HasSubstr("'1A' is no name of a variable")));
  EXPECT_THAT(mistakes("project: p\nserver:\n  token: \"${A-x}\"\n"),
              ElementsAre(HasSubstr("'${A' is followed by '-'; write ${NAME}")));
  std::string deep = "project: p\nserver: {token: \"";
  for (int i = 0; i < 100'000; ++i) deep += "${A:-";
  EXPECT_THAT(mistakes(deep + "\"}"), ElementsAre(HasSubstr("defaults in defaults, too deep")));
}

TEST(ProjectConfig, FindsEveryMistakeWithItsLine) {
  EXPECT_THAT(
      mistakes(R"(project: my-project
onlin: lmdb:x
online_store: redis
registry: ./registry.db
offline: [duckdb]
server:
  port: 70000
  threads: -1
  bnd: 127.0.0.1
)"),
      ElementsAre(
          "asof.yaml:1: project 'my-project': a name is letters, digits and underscores, and does "
          "not begin with "
          "a digit",
          "asof.yaml:2: unknown key 'onlin'; did you mean 'online'?",
          "asof.yaml:3: unknown key 'online_store'; Asof calls it 'online'",
          "asof.yaml:4: 'registry' wants an engine and a place, as lmdb:.asof/online, met the text "
          "'./registry.db'",
          "asof.yaml:5: 'offline' wants an address, or a map with url and options, met a list",
          "asof.yaml:7: server: 'port' wants a number from 0 to 65535, met 70000",
          "asof.yaml:8: server: 'threads' wants a number from 0 to 1024, met -1",
          "asof.yaml:9: server: unknown key 'bnd'; did you mean 'bind'?"));
}

TEST(ProjectConfig, RefusesWhatIsNoProject) {
  EXPECT_THAT(
      mistakes(""),
      ElementsAre("asof.yaml:1: wants one map, met nothing; begin with project: and a name"));
  EXPECT_THAT(mistakes("just a text"), ElementsAre(HasSubstr("met the text 'just a text'")));
  EXPECT_THAT(mistakes("project: a\n---\nproject: b\n"),
              ElementsAre(HasSubstr("met several documents")));
  EXPECT_THAT(mistakes("project: [\n"), ElementsAre(HasSubstr("not valid YAML")));
  EXPECT_THAT(mistakes("server: {port: 1}\n"),
              ElementsAre("asof.yaml:1: 'project' is missing; add project: and a name"));
  EXPECT_THAT(mistakes("project: a\nproject: b\n"),
              ElementsAre(HasSubstr("asof.yaml:2: the key 'project' is written twice")));
  EXPECT_THAT(
      mistakes("project: p\nonline: {url: , layout: [a]}\n"),
      ElementsAre(
          HasSubstr("'online' wants an engine and a place, as lmdb:.asof/online, met nothing"),
          HasSubstr("'online.layout' wants a single value, met a list")));
}

}  // namespace
}  // namespace asof::model
