// DuckDB by its C API, for what tests do with files: write a case's tables, read results back as
// values. Nothing of the product stands in between.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "asof/base/result.h"
#include "asof/types/schema.h"
#include "asof/types/value.h"
#include "tests/cases/table_text.h"

namespace asof::cases {

struct DuckRows {
  Schema columns;
  std::vector<std::vector<Value>> rows;  // times floored to microseconds, else as they are
};

// An in-memory database. Threads: one at a time.
class Duck {
 public:
  static Result<Duck> open();
  ~Duck();
  Duck(Duck&&) noexcept;
  Duck& operator=(Duck&&) noexcept;

  Result<void> run(const std::string& sql);
  // Errors: kInvalid for SQL that fails, kUnsupported for a column of a type we do not have.
  Result<DuckRows> query(const std::string& sql);
  // Writes the file, and the folders above it; CSV where the path ends so, else Parquet.
  Result<void> write(const std::string& path, const TextTable& table);

 private:
  struct State;
  explicit Duck(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

std::string quote_name(std::string_view name);  // "user"
std::string quote_text(std::string_view text);  // 'text'
// A cell as SQL of this type, from its text as written.
std::string to_sql(const TextCell& cell, const TextColumn& column);
// What SELECTs a table's rows, in order.
std::string select_rows(const TextTable& table);

}  // namespace asof::cases
