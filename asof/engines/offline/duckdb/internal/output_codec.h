// OutputCodec: what training sets in Parquet are compressed with.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "asof/base/result.h"
#include "asof/parquet/format.h"

namespace asof::engines::offline::duckdb {

// By the name that users and DuckDB give it.
struct OutputCodec {
  std::string_view name;
  parquet::Codec codec;
};
// The first is the default.
inline constexpr std::array<OutputCodec, 4> kOutputCodecs = {
    {{"lz4_raw", parquet::Codec::kLz4Raw},
     {"snappy", parquet::Codec::kSnappy},
     {"zstd", parquet::Codec::kZstd},
     {"uncompressed", parquet::Codec::kUncompressed}}};
// Errors: kInvalid for another name, with the nearest.
Result<OutputCodec> output_codec(const std::string& name);

}  // namespace asof::engines::offline::duckdb
