// JsonFields: reads the fields of a stored JSON object, strictly in type and open to fields it does not know.
//
// A record may have been written by a newer version, so unknown fields are passed over and absent ones keep their default;
// a field of another type than the one written is damage. The first mistake is kept, so that a reader may read all fields
// and ask once.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "asof/base/result.h"
#include "asof/types/schema.h"
#include "asof/types/timestamp.h"

namespace asof::store::internal {

using Json = nlohmann::json;

// Errors: kCorrupt, naming `what` ("view state").
Result<Json> parse_object(std::string_view what, std::string_view body);

class JsonFields {
 public:
  // Both outlive the reader.
  JsonFields(std::string_view what, const Json& object);

  void read(std::string_view name, std::string& out);
  void read(std::string_view name, int64_t& out);
  void read(std::string_view name, uint64_t& out);
  void read(std::string_view name, uint32_t& out);
  void read(std::string_view name, bool& out);
  void read(std::string_view name, double& out);
  void read(std::string_view name, Timestamp& out);
  void read(std::string_view name, std::optional<Timestamp>& out);
  void read(std::string_view name, Schema& out);
  void read(std::string_view name, std::vector<std::string>& out);
  void read(std::string_view name, std::map<std::string, int64_t>& out);

  // An enumeration by its spellings. `to_string` must name every value in `values`.
  template <typename Enum>
  void read(std::string_view name, std::initializer_list<Enum> values, Enum& out) {
    std::string text;
    if (find(name) == nullptr) return;
    read(name, text);
    for (Enum value : values)
      if (to_string(value) == text) {
        out = value;
        return;
      }
    fail(name, "one of its known words");
  }

  // Without it the record means nothing.
  void require(std::string_view name);
  const Json* find(std::string_view name) const;
  void fail(std::string_view name, std::string_view wanted);
  Result<void> finish() const;

 private:
  std::string_view what_;
  const Json& object_;
  std::optional<Error> failure_;
};

// Times are RFC 3339 text; where that cannot say them, a number of microseconds.
Json to_json_value(Timestamp t);
Json to_json_value(const Schema& schema);
// Invalid UTF-8 (a path may hold any bytes) must not stop a ledger from being written.
std::string dump(const Json& json);

}  // namespace asof::store::internal
