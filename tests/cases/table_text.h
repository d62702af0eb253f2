// Tables as a case file writes them: typed headers, cells between bars, `=>` before what is
// expected.
//
//   user_id:string | t:timestamp => clicks:int64
//   a              | 2026-01-02  => 3
//   "b c"          | null        => null!NOT_FOUND
//
// A cell is `null`, bare text, "quoted text" (\n \" \\ \x00), or a list [1, null, 3]; one that is
// expected may end in !STATUS, and is PRESENT without.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "asof/base/result.h"
#include "asof/types/data_type.h"
#include "asof/types/value.h"

namespace asof::cases {

struct TextCell {
  bool is_null = false;
  bool is_list = false;
  std::string text;
  std::vector<TextCell> elements;
};

struct TextColumn {
  std::string name;
  DataType type;
  std::string native;  // the SQL type that a file's column gets
  bool has_zone = false;
};

struct TableCell {
  TextCell text;  // as written: keeps -0.0 and nanoseconds for the file
  Value value;    // what it means: canonical, microseconds
  std::string status;
};

struct TextTable {
  std::vector<TextColumn> columns;
  std::vector<std::vector<TableCell>> rows;
  std::vector<int> lines;  // of the rows, in the case file

  std::optional<size_t> find(std::string_view name) const;
};

// A line of a case file and its number.
struct Line {
  int number = 0;
  std::string text;
};

// What stands left and right of `=>`; `expected` is empty where there is none.
struct TablePair {
  TextTable given;
  TextTable expected;
};

// The first line is the header. Errors: kInvalid with `file`:line.
Result<TablePair> parse_table(const std::string& file, const std::vector<Line>& lines);

// A cell as a value of this type.
Result<Value> value_of(const TextCell& cell, const DataType& type);

// One line's cells as plain text, unquoted: for tables without types.
Result<std::vector<std::string>> parse_plain_cells(std::string_view line);

std::string trim(std::string_view text);

}  // namespace asof::cases
