// Entities: the join keys of one request, in flat memory that the next request uses again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "asof/base/result.h"
#include "asof/types/schema.h"
#include "asof/types/value.h"

namespace asof::serve {

// The entities of one request as values: for each those of plan.request_keys, in order. A null value: nothing is found for it.
using EntityRows = std::vector<std::vector<Value>>;

// Shapes: size() entities x columns().size() cells. Cells start as null.
// Cost: no allocation once grown.
class Entities {
 public:
  // Forgets everything, and takes the columns a plan asks for. `columns` outlives the object's use.
  void reset(const Schema& columns, size_t entities);
  // More entities, all null.
  void grow(size_t entities);

  const Schema& columns() const { return *columns_; }
  size_t size() const { return size_; }

  // Integers, dates (days) and bools (0 or 1); the column's type says which.
  void set_number(size_t entity, size_t column, int64_t value);
  // Strings and bytes.
  void set_text(size_t entity, size_t column, std::string_view text);
  // By the column's type. Errors: kInvalid where the value is of another type, naming the column.
  Result<void> set_value(size_t entity, size_t column, const Value& value);

  bool is_null(size_t entity, size_t column) const { return !cell(entity, column).present; }
  int64_t number(size_t entity, size_t column) const { return cell(entity, column).number; }
  std::string_view text(size_t entity, size_t column) const {
    const Cell& c = cell(entity, column);
    return {text_.data() + c.number, c.length};
  }
  Value value(size_t entity, size_t column) const;

  // Errors: kInvalid for a row of another length or a value of another type, with field = entities[i].column.
  static Result<Entities> from_rows(const Schema& columns, const EntityRows& rows);

 private:
  struct Cell {
    int64_t number = 0;  // the number, or where the text starts
    uint32_t length = 0;
    bool present = false;
  };
  const Cell& cell(size_t entity, size_t column) const { return cells_[entity * width_ + column]; }

  const Schema* columns_ = nullptr;
  size_t width_ = 0;
  size_t size_ = 0;
  std::vector<Cell> cells_;
  std::string text_;
};

// The text of an error about a key of another type: "'user_id' is 5, an integer; wanted a string".
Error wrong_key_type(const Field& column, std::string_view met, std::string field);

}  // namespace asof::serve
