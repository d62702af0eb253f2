// The names of Redis keys: `<prefix>:<columns>:<values>`, readable, and never found by another project's prefix or pattern.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "asof/base/result.h"
#include "asof/store/online_store.h"

namespace asof::engines::online::redis {

// Names of one table's entities.
class KeyNames {
 public:
  // `prefix` "" leaves the first part out.
  KeyNames(std::string_view prefix, const store::Table& table);

  // Appends the key's name. Errors: kInvalid where the key is not one of the table's columns.
  Result<void> append_name(std::string_view key, std::string& out) const;
  // The inverse; nullopt for a name that is not one of this table's.
  std::optional<std::string> key_of(std::string_view name) const;
  // What SCAN's MATCH takes to find the table's names, and few others.
  std::string pattern() const;

 private:
  const store::Table* table_;
  std::string start_;  // "shop:user_id:"
};

// The key that holds what is beside the rows: marks, and which features a layout has laid out.
std::string bookkeeping_name(std::string_view prefix, std::string_view project);

}  // namespace asof::engines::online::redis
