#include "asof/client/project.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace asof::client {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr std::string_view kFeatures = R"(
entities:
  - {name: user, join_keys: {user_id: string}}
views:
  - name: plays
    entity: user
    source: {path: plays.csv, event_time: at}
    features: [{name: title, type: string}, {name: minutes, type: int64}]
services:
  - {name: home, features: [plays]}
)";
constexpr std::string_view kPlays =
    "user_id,at,title,minutes\n"
    "ann,2026-01-01T10:00:00Z,Dune,155\n"
    "ann,2026-01-02T10:00:00Z,Heat,170\n"
    "bob,2026-01-03T10:00:00Z,Alien,\n";

// A repository in a folder of its own, on stores that need no server.
class ProjectTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "asof-project-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    write("asof.yaml", "project: cinema\nonline: 'memory:'\n");
    write("features/user.yaml", kFeatures);
    write("plays.csv", kPlays);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const std::string& name, std::string_view text) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
  }
  Project open() {
    OpenOptions options;
    options.now = *parse_timestamp("2026-01-10T00:00:00Z");
    auto project = Project::open(folder_.string(), options);
    EXPECT_TRUE(project) << project.error().text();
    return std::move(project).value();
  }

  fs::path folder_;
};

TEST_F(ProjectTest, SaysWhereItLookedForARepository) {
  const auto project = Project::open((folder_ / "features").string());
  ASSERT_FALSE(project);
  EXPECT_EQ(project.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(project.error().message, HasSubstr((folder_ / "features/asof.yaml").string()));
  EXPECT_THAT(project.error().hint, HasSubstr("asof init"));
}

TEST_F(ProjectTest, ReadsVariablesOfAsofYamlFromTheGivenEnvironment) {
  write("asof.yaml", "project: ${NAME}\nserver: {port: '${PORT:-7000}'}\n");
  OpenOptions options;
  options.environment = [](std::string_view name) {
    return name == "NAME" ? std::optional<std::string>("cinema") : std::nullopt;
  };
  const auto project = Project::open(folder_.string(), options);
  ASSERT_TRUE(project) << project.error().text();
  EXPECT_EQ(project->config().project, "cinema");
  EXPECT_EQ(project->config().server.port, 7000);
}

TEST_F(ProjectTest, RefusesAFolderWithoutDefinitionsInsteadOfRemovingEverything) {
  fs::remove_all(folder_ / "features");
  Project project = open();
  const auto plan = project.plan();
  ASSERT_FALSE(plan);
  EXPECT_THAT(plan.error().message, HasSubstr("features/"));
}

TEST_F(ProjectTest, TellsEveryMistakeOfTheFilesAtOnce) {
  write("features/more.yaml",
        "views:\n  - {name: x, entity: usr, source: nowhere, features: [a: int64]}\n");
  Project project = open();
  const auto applied = project.apply();
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, ErrorCode::kInvalid);
  EXPECT_GE(applied.error().details.size(), 2u);
  EXPECT_THAT(applied.error().text(), HasSubstr("features/more.yaml:2"));
}

TEST_F(ProjectTest, ListsMistakesByFileAndLineWhateverFindsThem) {
  // One of meaning in the first file, one of form in the second.
  write("features/a.yaml", "services:\n  - {name: s, features: [nothing]}\n");
  write("features/b.yaml", "services:\n  - {name: t, features: [plays], colour: red}\n");
  Project project = open();
  const auto read = project.validate();
  ASSERT_TRUE(read);
  ASSERT_EQ(read->errors.size(), 2u);
  EXPECT_EQ(read->errors[0].field, "features/a.yaml:2");
  EXPECT_EQ(read->errors[1].field, "features/b.yaml:2");
}

// No server is asked: an address says enough of what is kept there.
TEST_F(ProjectTest, RefusesFeaturesOfOneNameWhereRedisKeepsThemSideBySide) {
  write("features/more.yaml",
        "views:\n  - name: films\n    entity: user\n    source: {path: plays.csv, event_time: at}\n"
        "    features: [{title: string}]\n");
  auto errors_with = [&](const std::string& online) {
    write("asof.yaml", "project: cinema\nonline: " + online + "\n");
    Project project = open();
    const auto plan = project.plan();
    EXPECT_TRUE(plan) << plan.error().text();
    return plan ? plan->errors : std::vector<Error>();
  };
  const auto errors = errors_with("{url: 'redis://127.0.0.1:1/0', layout: fields}");
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].code, ErrorCode::kInvalid);
  EXPECT_THAT(errors[0].message, HasSubstr("feature 'title' is also one of view 'films'"));
  EXPECT_EQ(errors[0].field, "features/user.yaml:8");
  EXPECT_TRUE(errors_with("'redis://127.0.0.1:1/0'").empty());
  EXPECT_TRUE(errors_with("'memory:'").empty());
}

TEST_F(ProjectTest, TellsOfAZoneThatThereIsNotAtPlan) {
  std::string text(kFeatures);
  text.replace(text.find("event_time: at"), 14, "event_time: at, timezone: Europe/Berln");
  write("features/user.yaml", text);
  Project project = open();
  const auto plan = project.plan();
  ASSERT_TRUE(plan) << plan.error().text();
  ASSERT_EQ(plan->errors.size(), 1u);
  EXPECT_THAT(plan->errors[0].message, HasSubstr("'Europe/Berln' is not a time zone"));
  EXPECT_EQ(plan->errors[0].hint, "did you mean 'Europe/Berlin'?");
  EXPECT_EQ(plan->errors[0].field, "features/user.yaml:7");
}

TEST_F(ProjectTest, GoesFromFilesToOnlineValues) {
  Project project = open();
  const auto applied = project.apply();
  ASSERT_TRUE(applied) << applied.error().text();
  EXPECT_EQ(applied->revision, 1);
  const auto runs = project.materialize();
  ASSERT_TRUE(runs) << runs.error().text();
  ASSERT_EQ(runs->size(), 1u);
  EXPECT_EQ(runs->front().state, store::RunState::kSucceeded) << runs->front().error;
  const auto rows = project.read("home", serve::EntityRows{{"ann"}, {"bob"}, {"zoe"}});
  ASSERT_TRUE(rows) << rows.error().text();
  EXPECT_THAT(rows->names, testing::ElementsAre("title", "minutes"));
  EXPECT_EQ(rows->rows[0].cells[0].value, Value("Heat"));
  EXPECT_EQ(rows->rows[0].cells[1].value, Value(int64_t{170}));
  EXPECT_EQ(rows->rows[1].cells[1].status, serve::Status::kNullValue);
  EXPECT_EQ(rows->rows[2].cells[0].status, serve::Status::kNotFound);
  const auto verified = project.verify();
  ASSERT_TRUE(verified) << verified.error().text();
  EXPECT_EQ(verified->front().differences, 0u);
  EXPECT_EQ(verified->front().keys_compared, 2u);
}

TEST_F(ProjectTest, SeesWhatAnotherProgramApplies) {
  Project project = open();
  ASSERT_TRUE(project.apply());
  ASSERT_TRUE(project.prepare_read({.service = "home"}));
  write("features/more.yaml", "services:\n  - {name: other, features: ['plays:title']}\n");
  Project another = open();
  ASSERT_TRUE(another.apply());
  const auto plan = project.prepare_read({.service = "other"});
  ASSERT_TRUE(plan) << plan.error().text();
  EXPECT_EQ((*plan)->snapshot->revision, 2);
}

TEST_F(ProjectTest, NamesTheKeyOfAnotherType) {
  Project project = open();
  ASSERT_TRUE(project.apply());
  const auto rows = project.read("home", serve::EntityRows{{int64_t{7}}});
  ASSERT_FALSE(rows);
  EXPECT_EQ(rows.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(rows.error().text(), HasSubstr("user_id"));
}

TEST_F(ProjectTest, RecordsWhoApplied) {
  Project project = open();
  ASSERT_TRUE(project.apply());
  const auto registry = project.registry();
  ASSERT_TRUE(registry);
  const auto history = registry->history();
  ASSERT_TRUE(history);
  EXPECT_EQ(history->front().by, current_user());
  EXPECT_THAT(current_user(), testing::MatchesRegex(".+@.+"));
}

TEST_F(ProjectTest, NamesTheStoreThatCannotBeOpened) {
  write("asof.yaml", "project: cinema\nonline: lmbd:x\n");
  Project project = open();
  const auto online = project.online();
  ASSERT_FALSE(online);
  EXPECT_THAT(online.error().message, HasSubstr("lmbd:x"));
}

}  // namespace
}  // namespace asof::client
