// EntityReader: the join keys of a request's entities, from its JSON into flat memory. A key's JSON type must be its declared one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "apps/server/internal/json_reading.h"
#include "asof/serve/entities.h"
#include "asof/types/schema.h"

namespace asof::server::internal {

// Used again and again. Errors of all: kInvalid with the field, kOutOfRange beyond `limit`, kCorrupt where the JSON is broken.
class EntityReader {
 public:
  void start(const Schema& columns) { seen_.assign(columns.size(), 0); }

  // [{"user_id": …}, …].
  Result<void> read_rows(od::document& document, const Schema& columns, size_t limit,
                         serve::Entities& out);
  // {"user_id": […]}. `order` may be null.
  Result<void> read_columns(od::document& document, const Schema& columns, size_t limit,
                            serve::Entities& out, std::vector<size_t>* order);
  // One entity's keys. Fields that `is_other` knows are passed over.
  Result<void> read_row(od::object& object, const Schema& columns, size_t entity,
                        serve::Entities& out, const std::string& prefix,
                        bool (*is_other)(std::string_view name));

 private:
  std::vector<size_t> seen_;  // per column: the entity (counted from 1) that brought it last
};

std::vector<std::string> names_of(const Schema& columns);

}  // namespace asof::server::internal
