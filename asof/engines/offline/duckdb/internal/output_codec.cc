#include "asof/engines/offline/duckdb/internal/output_codec.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "asof/base/nearest.h"

namespace asof::engines::offline::duckdb {

Result<OutputCodec> output_codec(const std::string& name) {
  std::vector<std::string> names;
  for (const OutputCodec& codec : kOutputCodecs) {
    if (codec.name == name) return codec;
    names.emplace_back(codec.name);
  }
  return error(ErrorCode::kInvalid,
               fmt::format("compression is '{}', wanted {}", name, fmt::join(names, ", ")),
               "offline.compression", suggestion(name, names));
}

}  // namespace asof::engines::offline::duckdb
