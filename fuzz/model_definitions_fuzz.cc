// Definition files, asof.yaml and canonical JSON: any bytes are answered with errors that can be shown, and what was read is
// written as what reads the same.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "asof/base/bytes.h"
#include "asof/base/check.h"
#include "asof/model/definitions_json.h"
#include "asof/model/project_config.h"
#include "asof/model/read_yaml.h"
#include "asof/model/validate.h"

namespace {

using asof::model::Definitions;

void check_shown(const asof::Error& error) {
  ASOF_CHECK(error.code == asof::ErrorCode::kInvalid);
  ASOF_CHECK(!error.message.empty());
  ASOF_CHECK(asof::is_valid_utf8(error.text()));
  ASOF_CHECK(error.text().size() < 4096);
}

void check_yaml(std::string_view text) {
  auto read = asof::model::read_definitions({{"a.yaml", std::string(text)}});
  for (const asof::Error& error : read.errors) {
    check_shown(error);
    ASOF_CHECK(error.field.starts_with("a.yaml") || error.message.starts_with("and "));
  }
  for (const asof::Error& error : validate(read.definitions, read.locations)) {
    check_shown(error);
    ASOF_CHECK(error.field.starts_with("a.yaml:"));
  }
  std::string json = to_json(read.definitions);
  auto again = asof::model::definitions_from_json(json);
  ASOF_CHECK(again.has_value());
  ASOF_CHECK(to_json(*again) == json);
  ASOF_CHECK(hash_of(*again) == hash_of(read.definitions));
}

void check_json(std::string_view text) {
  auto read = asof::model::definitions_from_json(text);
  if (read) {
    ASOF_CHECK(to_json(*read) == text);
  } else {
    ASOF_CHECK(read.error().code == asof::ErrorCode::kCorrupt);
  }
}

void check_project(std::string_view text) {
  auto config = asof::model::read_project_config(
      "asof.yaml", text, [](std::string_view name) -> std::optional<std::string> {
        return name.size() % 2 == 0 ? std::nullopt : std::optional<std::string>(name);
      });
  if (config) {
    ASOF_CHECK(!config->project.empty() && !config->online.url.empty());
  } else {
    ASOF_CHECK(!config.error().details.empty());
    for (const asof::Error& error : config.error().details) check_shown(error);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  check_yaml(text);
  check_json(text);
  check_project(text);
  return 0;
}
