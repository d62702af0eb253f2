#include "apps/cli/output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>

namespace asof::cli {
namespace {

// What an Output writes to its two files.
struct Captured {
  std::FILE* results = std::tmpfile();
  std::FILE* notes = std::tmpfile();
  ~Captured() {
    std::fclose(results);
    std::fclose(notes);
  }
  static std::string text(std::FILE* file) {
    std::rewind(file);
    std::string out;
    for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) out += static_cast<char>(c);
    return out;
  }
};

TEST(TextTable, AlignsColumnsByCodePointsAndLeavesNoBlanksAtTheEnd) {
  const TextTable table{
      {"name", "n", "note"}, {{"über", "1", ""}, {"x", "1,000", "far"}}, {false, true}};
  EXPECT_EQ(to_string(table),
            "name      n  note\n"
            "über      1\n"
            "x     1,000  far\n");
}

TEST(Numbers, AreReadable) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1'000), "1,000");
  EXPECT_EQ(format_count(1'234'567), "1,234,567");
  EXPECT_EQ(format_seconds(0.0123), "12 ms");
  EXPECT_EQ(format_seconds(1.26), "1.3 s");
  EXPECT_EQ(format_seconds(600), "10 min");
  EXPECT_EQ(format_bytes(48'123'456), "48 MB");
  EXPECT_EQ(format_percent(1, 3), "33.3 %");
  EXPECT_EQ(format_percent(0, 0), "-");
  EXPECT_EQ(format_age(0.5), "30 min");
  EXPECT_EQ(format_age(72), "3.0 d");
  EXPECT_EQ(plural(1, "row"), "1 row");
  EXPECT_EQ(plural(2, "row"), "2 rows");
}

TEST(SplitNames, TakesBlanksAndEmptyPartsAway) {
  EXPECT_THAT(split_names("a, b:c,,d"), testing::ElementsAre("a", "b:c", "d"));
  EXPECT_THAT(split_names(""), testing::IsEmpty());
}

TEST(Output, KeepsResultsAndNotesApart) {
  Captured captured;
  Output out(captured.results, captured.notes);
  out.print("result");
  out.note("note");
  out.document(Json{{"a", 1}});
  EXPECT_EQ(Captured::text(captured.results), "result\n");
  EXPECT_EQ(Captured::text(captured.notes), "note\n");
}

TEST(Output, PrintsOneDocumentAndNoTextWithJson) {
  Captured captured;
  Output out(captured.results, captured.notes);
  out.set_json(true);
  out.print("result");
  out.document(Json{{"b", 1}, {"a", "\xff"}});
  EXPECT_EQ(Captured::text(captured.results), "{\n  \"b\": 1,\n  \"a\": \"\xEF\xBF\xBD\"\n}\n");
}

TEST(Output, TellsAnErrorWithItsHintAndAllItsDetails) {
  Captured captured;
  Output out(captured.results, captured.notes);
  Error all = error(ErrorCode::kInvalid, "2 mistakes");
  all.details = {
      error(ErrorCode::kInvalid, "unknown key 'ttl'", "f.yaml:3", "it is called max_age"),
      error(ErrorCode::kNotFound, "no view is called 'x'")};
  out.failure(all);
  EXPECT_EQ(Captured::text(captured.notes),
            "error: 2 mistakes\n"
            "  f.yaml:3: unknown key 'ttl'\n"
            "    hint: it is called max_age\n"
            "  no view is called 'x'\n");
}

}  // namespace
}  // namespace asof::cli
