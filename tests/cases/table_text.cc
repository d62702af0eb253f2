#include "tests/cases/table_text.h"

#include <fmt/format.h>

#include <array>

namespace asof::cases {
namespace {

constexpr std::string_view kArrow = "=>";

Error wrong(std::string message, std::string hint = {}) {
  return error(ErrorCode::kInvalid, std::move(message), {}, std::move(hint));
}

// Reads cells from one line, from left to right.
class CellReader {
 public:
  explicit CellReader(std::string_view text) : text_(text) {}

  void skip_blanks() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool is_end() {
    skip_blanks();
    return at_ == text_.size();
  }
  bool take(std::string_view wanted) {
    skip_blanks();
    if (text_.substr(at_, wanted.size()) != wanted) return false;
    at_ += wanted.size();
    return true;
  }
  std::string_view rest() const { return text_.substr(at_); }

  Result<TextCell> cell(std::string_view stops) {
    skip_blanks();
    if (at_ < text_.size() && text_[at_] == '"') return quoted();
    if (at_ < text_.size() && text_[at_] == '[') return list();
    TextCell out;
    const size_t start = at_;
    while (at_ < text_.size() && stops.find(text_[at_]) == std::string_view::npos &&
           text_.substr(at_, 2) != kArrow)
      ++at_;
    out.text = trim(text_.substr(start, at_ - start));
    if (out.text.empty()) return wrong("an empty cell", "write null, or \"\" for empty text");
    out.is_null = out.text == "null";
    return out;
  }

 private:
  Result<TextCell> quoted() {
    TextCell out;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '"') {
        ++at_;
        return out;
      }
      if (text_[at_] != '\\') {
        out.text += text_[at_];
        continue;
      }
      ASOF_TRY_ASSIGN(const char c, escaped());
      out.text += c;
    }
    return wrong("quoted text without its end", "close it with \"");
  }

  // At the backslash; leaves at the escape's last character.
  Result<char> escaped() {
    const char kind = ++at_ < text_.size() ? text_[at_] : '\0';
    if (kind == '"' || kind == '\\') return kind;
    if (kind == 'n') return '\n';
    if (kind == 'x' && at_ + 2 < text_.size()) {
      const std::string digits(text_.substr(at_ + 1, 2));
      size_t read = 0;
      const int code = std::isxdigit(static_cast<unsigned char>(digits[0])) != 0
                           ? std::stoi(digits, &read, 16)
                           : 0;
      if (read == 2) {
        at_ += 2;
        return static_cast<char>(code);
      }
    }
    return wrong(fmt::format("unknown escape \\{}", kind), "known: \\\" \\\\ \\n \\x00");
  }

  Result<TextCell> list() {
    TextCell out;
    out.is_list = true;
    ++at_;
    if (take("]")) return out;
    while (true) {
      ASOF_TRY_ASSIGN(TextCell element, cell(",]"));
      out.elements.push_back(std::move(element));
      if (take("]")) return out;
      if (!take(",")) return wrong("a list without its end", "close it with ]");
    }
  }

  std::string_view text_;
  size_t at_ = 0;
};

struct NativeType {
  std::string_view name, native;
  bool has_zone;
};
constexpr std::array<NativeType, 4> kTimeTypes{{{"timestamp_s", "TIMESTAMP_S", false},
                                                {"timestamp_ms", "TIMESTAMP_MS", false},
                                                {"timestamp_ns", "TIMESTAMP_NS", false},
                                                {"timestamptz", "TIMESTAMPTZ", true}}};

std::string native_type(const DataType& type) {
  switch (type.kind) {
    case TypeKind::kBool: return "BOOLEAN";
    case TypeKind::kInt32: return "INTEGER";
    case TypeKind::kInt64: return "BIGINT";
    case TypeKind::kFloat32: return "FLOAT";
    case TypeKind::kFloat64: return "DOUBLE";
    case TypeKind::kString: return "VARCHAR";
    case TypeKind::kBytes: return "BLOB";
    case TypeKind::kTimestamp: return "TIMESTAMP";
    case TypeKind::kDate: return "DATE";
    case TypeKind::kDecimal: return fmt::format("DECIMAL({},{})", type.precision, type.scale);
    case TypeKind::kList: return native_type(type.element_type()) + "[]";
  }
  return "";
}

Result<TextColumn> parse_column(const TextCell& cell) {
  const size_t colon = cell.text.find(':');
  if (colon == std::string::npos) {
    return wrong(fmt::format("column '{}' has no type", cell.text), "write name:type");
  }
  TextColumn out;
  out.name = cell.text.substr(0, colon);
  const std::string type = cell.text.substr(colon + 1);
  for (const NativeType& time : kTimeTypes) {
    if (type != time.name) continue;
    out.type = DataType::scalar(TypeKind::kTimestamp);
    out.native = time.native;
    out.has_zone = time.has_zone;
    return out;
  }
  ASOF_TRY_ASSIGN(out.type, parse_data_type(type));
  out.native = native_type(out.type);
  return out;
}

struct SplitLine {
  std::vector<TextCell> given, expected;
  std::vector<std::string> statuses;  // of the expected ones
};

Result<SplitLine> split_line(std::string_view text) {
  SplitLine out;
  CellReader reader(text);
  while (!reader.take(kArrow)) {
    ASOF_TRY_ASSIGN(TextCell cell, reader.cell("|"));
    out.given.push_back(std::move(cell));
    if (reader.take("|")) continue;
    if (reader.is_end()) return out;
    if (!reader.take(kArrow)) return wrong(fmt::format("text behind a cell: {}", reader.rest()));
    break;
  }
  do {
    ASOF_TRY_ASSIGN(TextCell cell, reader.cell("|!"));
    out.expected.push_back(std::move(cell));
    std::string status = "PRESENT";
    if (reader.take("!")) {
      ASOF_TRY_ASSIGN(const TextCell name, reader.cell("|"));
      status = name.text;
    }
    out.statuses.push_back(std::move(status));
  } while (reader.take("|"));
  if (!reader.is_end()) return wrong(fmt::format("text behind a cell: {}", reader.rest()));
  return out;
}

bool is_status(std::string_view text) {
  return text == "PRESENT" || text == "NULL_VALUE" || text == "NOT_FOUND" ||
         text == "OUTSIDE_MAX_AGE";
}

Result<void> add_header(TextTable& table, const std::vector<TextCell>& cells) {
  for (const TextCell& cell : cells) {
    ASOF_TRY_ASSIGN(TextColumn column, parse_column(cell));
    if (table.find(column.name)) return wrong(fmt::format("column '{}' stands twice", column.name));
    table.columns.push_back(std::move(column));
  }
  return {};
}

Result<void> add_row(TextTable& table, std::vector<TextCell> cells,
                     const std::vector<std::string>& statuses, int line) {
  if (cells.size() != table.columns.size()) {
    return wrong(
        fmt::format("{} cells where the header has {}", cells.size(), table.columns.size()));
  }
  std::vector<TableCell> row;
  for (size_t i = 0; i < cells.size(); ++i) {
    auto value = value_of(cells[i], table.columns[i].type);
    if (!value) return std::move(value).error().with_context(table.columns[i].name);
    const std::string status = statuses.empty() ? "" : statuses[i];
    if (!status.empty() && !is_status(status)) return wrong(fmt::format("no status: {}", status));
    if (status == "PRESENT" && value->is_null()) {
      return wrong("a null is expected without its status", "write null!NOT_FOUND, for instance");
    }
    row.push_back({std::move(cells[i]), std::move(value).value(), status});
  }
  table.rows.push_back(std::move(row));
  table.lines.push_back(line);
  return {};
}

}  // namespace

std::optional<size_t> TextTable::find(std::string_view name) const {
  for (size_t i = 0; i < columns.size(); ++i)
    if (columns[i].name == name) return i;
  return std::nullopt;
}

std::string trim(std::string_view text) {
  const size_t start = text.find_first_not_of(" \t\r");
  if (start == std::string_view::npos) return {};
  return std::string(text.substr(start, text.find_last_not_of(" \t\r") - start + 1));
}

Result<Value> value_of(const TextCell& cell, const DataType& type) {
  if (cell.is_null) return Value(Null{});
  if (type.kind == TypeKind::kList) {
    if (!cell.is_list) return wrong(fmt::format("'{}' is no list", cell.text), "write [1, null]");
    List out;
    for (const TextCell& element : cell.elements) {
      ASOF_TRY_ASSIGN(Value value, value_of(element, type.element_type()));
      out.push_back(std::move(value));
    }
    return Value(std::move(out));
  }
  if (cell.is_list) return wrong(fmt::format("a list where {} is wanted", to_string(type)));
  if (type.kind == TypeKind::kBytes) return Value(Bytes{cell.text});
  return parse_value(cell.text, type);
}

Result<TablePair> parse_table(const std::string& file, const std::vector<Line>& lines) {
  TablePair out;
  bool has_header = false;
  for (const Line& line : lines) {
    const auto here = [&](Error failure) {
      failure.field = fmt::format("{}:{}", file, line.number);
      return failure;
    };
    auto split = split_line(line.text);
    if (!split) return here(std::move(split).error());
    if (!has_header) {
      has_header = true;
      if (auto ok = add_header(out.given, split->given); !ok) return here(std::move(ok).error());
      if (auto ok = add_header(out.expected, split->expected); !ok)
        return here(std::move(ok).error());
      continue;
    }
    auto given = add_row(out.given, std::move(split->given), {}, line.number);
    if (!given) return here(std::move(given).error());
    auto expected = add_row(out.expected, std::move(split->expected), split->statuses, line.number);
    if (!expected) return here(std::move(expected).error());
  }
  if (!has_header) return error(ErrorCode::kInvalid, "a table without its header", file);
  return out;
}

Result<std::vector<std::string>> parse_plain_cells(std::string_view line) {
  std::vector<std::string> out;
  CellReader reader(line);
  do {
    ASOF_TRY_ASSIGN(TextCell cell, reader.cell("|"));
    out.push_back(std::move(cell.text));
  } while (reader.take("|"));
  if (!reader.is_end()) return wrong(fmt::format("text behind a cell: {}", reader.rest()));
  return out;
}

}  // namespace asof::cases
