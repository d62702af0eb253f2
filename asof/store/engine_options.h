// Engine options: one table an engine, from which the parser, --help, the docs page and the errors
// come.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "asof/base/result.h"

namespace asof::store {

enum class OptionType { kString, kInteger, kByteCount, kDuration, kBoolean };

struct EngineOption {
  std::string_view name;
  OptionType type;
  std::string_view default_value;  // in the spelling that a user would write
  std::string_view doc;            // one line, with the unit
};

// The options given, checked against an engine's table; what was not given has its default.
class OptionValues {
 public:
  // Errors: kInvalid, naming the unknown option and its nearest name, or the value and what was
  // wanted.
  static Result<OptionValues> parse(std::span<const EngineOption> table,
                                    const std::map<std::string, std::string>& given);

  const std::string& string(std::string_view name) const;
  int64_t integer(std::string_view name) const;
  uint64_t byte_count(std::string_view name) const;  // "512MB", "1TiB", "4096"
  int64_t duration_us(std::string_view name) const;
  bool boolean(std::string_view name) const;

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

// "512MB", "1 TiB", "4096": powers of 1000 and of 1024.
Result<uint64_t> parse_byte_count(std::string_view text);
std::string format_byte_count(uint64_t bytes);

// Where an engine is and what it belongs to. `location` is the URL without "scheme:".
struct EngineAddress {
  std::string scheme;
  std::string location;
  std::map<std::string, std::string> options;
  std::string project;
  std::string directory;  // the repository's: relative locations start here
};

}  // namespace asof::store
