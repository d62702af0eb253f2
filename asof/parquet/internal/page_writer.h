// Pages of a chunk: compressed as far as that pays, and each behind its header.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "asof/parquet/writer.h"

namespace asof::parquet {

// A page before compression: its head and its body, one after the other.
struct OutputPage {
  PageType type = PageType::kData;
  Encoding encoding = Encoding::kPlain;
  uint32_t values = 0;    // nulls among them; of a dictionary's page, its entries
  std::string head;       // of a data page: its levels, and what else comes before the body
  std::string_view body;  // must outlive the call below
};

// Sets the chunk's bytes, codec, sizes, encodings and offsets. The dictionary's page, where there
// is one, comes first. Where `codec` does not save a twentieth of the bytes, the chunk stays
// uncompressed, which is quicker to read.
// Threads: any; for Zstandard, each keeps a context of its own.
void write_pages(std::span<const OutputPage> pages, Codec codec, EncodedChunk& chunk);

}  // namespace asof::parquet
