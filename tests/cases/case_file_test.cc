#include "tests/cases/case_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace asof::cases {
namespace {

using testing::HasSubstr;

Case parsed(const std::string& text) {
  auto out = parse_case("x/some.case", text);
  EXPECT_TRUE(out) << out.error().text();
  return out ? std::move(out).value() : Case{};
}

std::string mistake(const std::string& text) {
  auto out = parse_case("x/some.case", text);
  return out ? "no mistake" : out.error().text();
}

TEST(CaseFile, ReadsStepsInOrderWithTheirLines) {
  const Case a_case = parsed(
      "# About.\n"
      "=== definitions\n"
      "views: []  # yaml\n"
      "error: no views\n"
      "=== remove data/a.parquet\n"
      "=== materialize at 2026-01-01 views=a,b full\n"
      "view | rejected\n"
      "a    | \"null key 1, null event time 2\"\n"
      "=== materialize at 2026-01-02 from=2026-01-01\n");
  EXPECT_EQ(a_case.name, "some");
  ASSERT_EQ(a_case.steps.size(), 4u);
  EXPECT_EQ(a_case.steps[0].line, 2);
  EXPECT_EQ(a_case.steps[0].error, "no views");
  EXPECT_EQ(a_case.steps[0].get<DefineStep>()->yaml, "views: []  # yaml\n");
  EXPECT_EQ(a_case.steps[1].get<RemoveStep>()->path, "data/a.parquet");
  const MaterializeStep& run = *a_case.steps[2].get<MaterializeStep>();
  EXPECT_EQ(to_string(run.at), "2026-01-01T00:00:00Z");
  EXPECT_EQ(run.views, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(run.full);
  EXPECT_FALSE(run.from);
  ASSERT_EQ(run.runs.size(), 1u);
  EXPECT_EQ(run.runs[0][1], "null key 1, null event time 2");
  EXPECT_TRUE(a_case.steps[3].get<MaterializeStep>()->from);
}

TEST(CaseFile, ReadsCellsOfEveryKind) {
  const Case a_case = parsed(
      "=== train service=s as_of=event timezone=Europe/Berlin time=t labels=csv\n"
      "# a comment, and a blank line\n"
      "\n"
      "u:string | t:timestamp_ns => x:float64 | l:list<int32> | b:bytes\n"
      "\"a | \\\"b\\\" => \\n\" | 1969-12-31T23:59:59.999999999Z => -0.0 | [1, null] | \"\\x00z\"\n"
      "null | null => null!NULL_VALUE | []!NOT_FOUND | null!OUTSIDE_MAX_AGE\n"
      "\"null\" | null => nan | null!NOT_FOUND | \"\"\n");
  const TrainStep& train = *a_case.steps.at(0).get<TrainStep>();
  EXPECT_EQ(train.asked.service, "s");
  EXPECT_EQ(train.as_of, "event");
  EXPECT_EQ(train.timezone, "Europe/Berlin");
  EXPECT_EQ(train.time_column, "t");
  EXPECT_EQ(train.labels_format, "csv");
  const TextTable& given = train.table.given;
  EXPECT_EQ(given.columns[1].native, "TIMESTAMP_NS");
  EXPECT_EQ(given.lines, (std::vector<int>{5, 6, 7}));
  EXPECT_EQ(given.rows[0][0].value, Value(std::string("a | \"b\" => \n")));
  EXPECT_EQ(given.rows[0][1].value, Value(Timestamp{-1}));
  EXPECT_TRUE(given.rows[1][0].value.is_null());
  EXPECT_EQ(given.rows[2][0].value, Value(std::string("null")));
  const TextTable& expected = train.table.expected;
  EXPECT_EQ(expected.rows[0][0].text.text, "-0.0");
  EXPECT_FALSE(std::signbit(expected.rows[0][0].value.as<double>()));
  EXPECT_EQ(expected.rows[0][1].value, Value(List{int64_t{1}, Null{}}));
  EXPECT_EQ(expected.rows[0][2].value, Value(Bytes{std::string("\0z", 2)}));
  EXPECT_EQ(expected.rows[0][2].status, "PRESENT");
  EXPECT_EQ(expected.rows[1][0].status, "NULL_VALUE");
  EXPECT_EQ(expected.rows[1][1].value, Value(List{}));
  EXPECT_EQ(expected.rows[1][1].status, "NOT_FOUND");
  EXPECT_TRUE(std::isnan(expected.rows[2][0].value.as<double>()));
}

TEST(CaseFile, ReadsAnswersWithoutKeys) {
  const Case a_case = parsed("=== online at 2026-01-01 features=a:b,c\n=> x:bool\n=> true\n");
  const OnlineStep& online = *a_case.steps.at(0).get<OnlineStep>();
  EXPECT_EQ(online.asked.features, (std::vector<std::string>{"a:b", "c"}));
  EXPECT_TRUE(online.table.given.columns.empty());
  EXPECT_EQ(online.table.expected.rows[0][0].value, Value(true));
}

TEST(CaseFile, SaysWhereAMistakeIs) {
  EXPECT_THAT(mistake("hello\n"), HasSubstr("x/some.case:1: text before the first section"));
  EXPECT_THAT(mistake("# only a comment\n"), HasSubstr("without steps"));
  EXPECT_THAT(mistake("=== tabel a\n"),
              HasSubstr("x/some.case:1: no section 'tabel'; did you mean"));
  EXPECT_THAT(mistake("=== table\na:int64\n"), HasSubstr("table wants one path"));
  EXPECT_THAT(mistake("=== table p\n"), HasSubstr("a table without its header"));
  EXPECT_THAT(mistake("=== table p\na\n"), HasSubstr("x/some.case:2: column 'a' has no type"));
  EXPECT_THAT(mistake("=== table p\na:int63\n"), HasSubstr("x/some.case:2"));
  EXPECT_THAT(mistake("=== table p\na:int64 | a:int64\n"), HasSubstr("'a' stands twice"));
  EXPECT_THAT(mistake("=== table p\na:int64\n1 | 2\n"),
              HasSubstr("x/some.case:3: 2 cells where the header has 1"));
  EXPECT_THAT(mistake("=== table p\na:int64 | b:int64\n1 | \n"), HasSubstr("an empty cell"));
  EXPECT_THAT(mistake("=== table p\na:int64\nx\n"), HasSubstr("x/some.case:3: a"));
  EXPECT_THAT(mistake("=== table p\na:string\n\"x\n"), HasSubstr("quoted text without its end"));
  EXPECT_THAT(mistake("=== table p\na:string\n\"\\q\"\n"), HasSubstr("unknown escape \\q"));
  EXPECT_THAT(mistake("=== table p\na:list<int64>\n[1\n"), HasSubstr("a list without its end"));
  EXPECT_THAT(mistake("=== table p\na:int64 => b:int64\n"), HasSubstr("expects nothing"));
  EXPECT_THAT(mistake("=== online at 2026-01-01\na:int64\n1\n"), HasSubstr("nothing is expected"));
  EXPECT_THAT(mistake("=== online 2026-01-01\na:int64 => b:int64\n"), HasSubstr("wants a time"));
  EXPECT_THAT(mistake("=== online at noon\na:int64 => b:int64\n"), HasSubstr("x/some.case:1"));
  EXPECT_THAT(mistake("=== online at 2026-01-01\na:int64 => b:int64\n1 => null\n"),
              HasSubstr("x/some.case:3: a null is expected without its status"));
  EXPECT_THAT(mistake("=== online at 2026-01-01\na:int64 => b:int64\n1 => null!GONE\n"),
              HasSubstr("no status: GONE"));
  EXPECT_THAT(mistake("=== train tiem=t\na:int64 => b:int64\n"),
              HasSubstr("train has no option 'tiem'"));
  EXPECT_THAT(mistake("=== materialize at 2026-01-01 fully\n"), HasSubstr("'fully' means nothing"));
  EXPECT_THAT(mistake("=== materialize at 2026-01-01\nview | read\na\n"),
              HasSubstr("line 3: 1 cells where the header has 2"));
}

TEST(CaseFile, EveryCaseIsNamedWhereUsersReadHowTimeWorks) {
  std::ostringstream page;
  page << std::ifstream("docs/how-time-works.md").rdbuf();
  size_t cases = 0;
  for (const auto& entry : std::filesystem::directory_iterator("tests/cases")) {
    if (entry.path().extension() != ".case") continue;
    ++cases;
    EXPECT_THAT(page.str(), HasSubstr("(../tests/cases/" + entry.path().filename().string() + ")"));
  }
  EXPECT_GT(cases, 40u);
}

}  // namespace
}  // namespace asof::cases
