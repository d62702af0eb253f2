#include "asof/client/entity_sample.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

namespace asof::client {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

constexpr std::string_view kFeatures = R"(
entities:
  - {name: user, join_keys: {user_id: string}}
  - {name: film, join_keys: {film_id: int64}}
views:
  - {name: plays, entity: user, source: {path: plays.csv, event_time: at}, features: [{minutes: int64}]}
  - {name: films, entity: film, source: {path: films.csv, event_time: at}, features: [{year: int64}]}
  - {name: seen, entities: [user, film], source: {path: seen.csv, event_time: at}, features: [{stars: int64}]}
services:
  - {name: home, features: [plays]}
  - {name: page, features: [plays, films]}
  - {name: pair, features: [films, seen]}
  - name: both
    features: [{view: plays, as: host, join_keys: {user_id: host_id}}, {view: plays, as: guest, join_keys: {user_id: guest_id}}]
)";

class EntitySampleTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "asof-sample-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    write("features/cinema.yaml", kFeatures);
    std::string plays = "user_id,at,minutes\n", films = "film_id,at,year\n";
    for (int i = 0; i < 300; ++i) plays += fmt::format("u{},2026-01-01T10:00:00Z,{}\n", i % 100, i);
    for (int i = 0; i < 7; ++i) films += fmt::format("{},2026-01-01T10:00:00Z,1990\n", i);
    write("plays.csv", plays);
    write("films.csv", films);
    write("seen.csv",
          "user_id,film_id,at,stars\nu7,70,2026-01-01T10:00:00Z,5\nu8,80,2026-01-01T10:00:00Z,4\n");
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const std::string& name, std::string_view text) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
  }
  Project open(const std::string& online) {
    write("asof.yaml", fmt::format("project: cinema\nonline: '{}'\n", online));
    OpenOptions options;
    options.now = *parse_timestamp("2026-01-10T00:00:00Z");
    auto project = Project::open(folder_.string(), options);
    EXPECT_TRUE(project) << (project ? "" : project.error().text());
    const auto applied = project->apply();
    EXPECT_TRUE(applied) << (applied ? "" : applied.error().text());
    return std::move(project).value();
  }
  Project loaded() {
    Project project = open("sqlite:.asof/online.db");
    EXPECT_TRUE(project.materialize());
    return project;
  }
  static ReadRequest service(const std::string& name) { return {name, {}, plan::Naming::kShort}; }

  fs::path folder_;
};

std::set<std::string> texts(const EntitySample& sample) {
  std::set<std::string> out;
  for (const std::vector<Value>& entity : sample.entities) {
    std::string text;
    for (const Value& value : entity) text += (text.empty() ? "" : "/") + to_string(value);
    out.insert(text);
  }
  return out;
}

TEST_F(EntitySampleTest, TakesDistinctKeysOfWhatIsOnline) {
  Project project = loaded();
  const EntitySample sample = sample_entities(project, service("home"), 20, 1).value();
  EXPECT_EQ(sample.columns, (Schema{{"user_id", DataType::scalar(TypeKind::kString)}}));
  EXPECT_EQ(sample.entities.size(), 20u);
  EXPECT_EQ(texts(sample).size(), 20u);
  EXPECT_EQ(sample.keys, 100u);
  EXPECT_EQ(sample.origin, "view plays, online");
  EXPECT_EQ(sample_entities(project, service("home"), 1000, 1)->entities.size(), 100u);
}

TEST_F(EntitySampleTest, TheSameSeedGivesTheSameKeysInTheSameOrderWhateverTheStore) {
  Project online = loaded();
  const EntitySample first = sample_entities(online, service("home"), 20, 5).value();
  EXPECT_EQ(sample_entities(online, service("home"), 20, 5)->entities, first.entities);
  EXPECT_NE(sample_entities(online, service("home"), 20, 6)->entities, first.entities);
  Project memory = open("memory:");
  const EntitySample offline = sample_entities(memory, service("home"), 20, 5).value();
  EXPECT_EQ(offline.entities, first.entities);
  EXPECT_EQ(offline.origin, "view plays, offline");
}

TEST_F(EntitySampleTest, PutsKeysOfSeveralEntitiesTogether) {
  Project project = loaded();
  const EntitySample sample = sample_entities(project, service("page"), 50, 1).value();
  ASSERT_EQ(sample.columns.size(), 2u);
  EXPECT_EQ(sample.entities.size(), 50u);
  EXPECT_EQ(sample.origin, "views plays, films, online");
  std::set<std::string> users, films;
  for (const std::vector<Value>& entity : sample.entities) {
    users.insert(to_string(entity[0]));
    films.insert(to_string(entity[1]));
  }
  EXPECT_EQ(users.size(), 50u);
  EXPECT_EQ(films.size(), 7u);
}

TEST_F(EntitySampleTest, KeepsTogetherWhatAViewHoldsTogether) {
  Project project = loaded();
  const EntitySample sample = sample_entities(project, service("pair"), 50, 1).value();
  ASSERT_EQ(sample.columns[0].name, "film_id");
  EXPECT_THAT(texts(sample), UnorderedElementsAre("70/u7", "80/u8"));
}

TEST_F(EntitySampleTest, TakesOtherKeysForEachRole) {
  Project project = loaded();
  const EntitySample sample = sample_entities(project, service("both"), 100, 1).value();
  ASSERT_EQ(sample.columns.size(), 2u);
  size_t same = 0;
  for (const std::vector<Value>& entity : sample.entities) same += entity[0] == entity[1] ? 1 : 0;
  EXPECT_EQ(sample.entities.size(), 100u);
  EXPECT_LT(same, 20u);
}

TEST_F(EntitySampleTest, SaysWhereNothingIsLoaded) {
  Project project = open("sqlite:.asof/online.db");
  const auto sample = sample_entities(project, service("page"), 10, 1);
  ASSERT_FALSE(sample.has_value());
  EXPECT_EQ(sample.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(sample.error().message,
              AllOf(HasSubstr("user_id, film_id"), HasSubstr("plays, films hold no row")));
  EXPECT_THAT(sample.error().hint, HasSubstr("asof materialize"));
  EXPECT_THAT(sample_entities(project, service("hoem"), 10, 1).error().hint, HasSubstr("'home'"));
}

TEST_F(EntitySampleTest, ReadsKeysInTheOrderOfTheirFileWithTheirTypes) {
  Project project = open("memory:");
  write("keys.csv", "n,user_id\n1,007\n2,\n3,u1\n4,007\n");
  const EntitySample sample = read_entities(project, service("home"), "keys.csv", 10).value();
  EXPECT_THAT(sample.entities, ElementsAre(ElementsAre(Value(std::string("007"))),
                                           ElementsAre(Value(std::string("u1"))),
                                           ElementsAre(Value(std::string("007")))));
  EXPECT_EQ(sample.keys, 3u);
  EXPECT_EQ(read_entities(project, service("home"), "keys.csv", 2)->entities.size(), 2u);
  const std::string query = "SELECT 'a''b' AS user_id, 9 AS film_id";
  EXPECT_THAT(texts(read_entities(project, service("page"), query, 10).value()),
              ElementsAre("a'b/9"));
}

TEST_F(EntitySampleTest, SaysWhichKeyAFileLacks) {
  Project project = open("memory:");
  write("it's.csv", "user\nu1\n");
  const auto sample = read_entities(project, service("home"), "it's.csv", 10);
  ASSERT_FALSE(sample.has_value());
  EXPECT_EQ(sample.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(sample.error().message, HasSubstr("'user_id' (string)"));
  EXPECT_THAT(sample.error().hint, HasSubstr("'user'"));
  EXPECT_FALSE(read_entities(project, service("home"), "none.csv", 10).has_value());
}

}  // namespace
}  // namespace asof::client
