// Compression: the codecs of pages.
#pragma once

#include <span>
#include <string_view>

#include "asof/base/result.h"
#include "asof/parquet/format.h"

struct ZSTD_DCtx_s;

namespace asof::parquet {

// Whether Decompressor takes it. The rarer ones are left to other readers.
bool can_decompress(Codec codec);

// Threads: one at a time; it keeps the working memory of a codec.
class Decompressor {
 public:
  Decompressor() = default;
  ~Decompressor();
  Decompressor(Decompressor&& other) noexcept;
  Decompressor& operator=(Decompressor&&) = delete;

  // Fills `out` exactly. Errors: kInvalid for bytes that do not.
  Result<void> decompress(Codec codec, std::string_view bytes, std::span<char> out);

 private:
  ZSTD_DCtx_s* zstd_ = nullptr;
};

}  // namespace asof::parquet
