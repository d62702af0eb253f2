// PageHeader: what stands before each page of a column.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "asof/parquet/format.h"

namespace asof::parquet {

struct PageHeader {
  PageType type = PageType::kData;
  uint64_t size = 0;               // in the file
  uint64_t uncompressed_size = 0;  // levels among it
  uint64_t values = 0;             // nulls among them
  Encoding encoding = Encoding::kPlain;
  Encoding level_encoding = Encoding::kRle;  // of kData
  // Of kDataV2, whose levels come first and are not compressed.
  uint64_t repetition_size = 0, definition_size = 0;
  bool is_compressed = true;

  uint64_t header_size = 0;
};

// A header takes no more than this, but for statistics that nobody needs.
inline constexpr uint64_t kUsualHeaderSize = 256;
inline constexpr uint64_t kLargestHeaderSize = 1 << 20;

// Nothing where the bytes hold no whole header.
std::optional<PageHeader> parse_page_header(std::string_view bytes);

}  // namespace asof::parquet
