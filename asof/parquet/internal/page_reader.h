// PageReader: the pages of a column chunk, one after the other, decompressed.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "asof/base/result.h"
#include "asof/parquet/file.h"
#include "asof/parquet/internal/compression.h"
#include "asof/parquet/internal/page_buffer.h"
#include "asof/parquet/internal/page_header.h"

namespace asof::parquet {

// What was last read of a file, for all columns of a reader: small chunks lie side by side. Threads: one at a time.
class InputWindow {
 public:
  // Turns to a file, which must outlive its use.
  void open(const File& file) {
    file_ = &file;
    begin_ = end_ = 0;
  }
  // `size` bytes from `offset` on, valid until the next call; reads on up to `end` where that is near.
  Result<std::string_view> get(uint64_t offset, uint64_t size, uint64_t end);

 private:
  static constexpr uint64_t kReadAtOnce = 128 << 10;
  const File* file_ = nullptr;
  std::unique_ptr<char[]> memory_;
  uint64_t capacity_ = 0;
  uint64_t begin_ = 0, end_ = 0;  // in the file
};

// Threads: one at a time.
class PageReader {
 public:
  PageReader(InputWindow& input, Decompressor& decompressor)
      : input_(input), decompressor_(decompressor) {}

  void start(const ColumnChunk& chunk) {
    codec_ = chunk.codec;
    at_ = chunk.offset;
    end_ = chunk.offset + chunk.size;
  }
  bool at_end() const { return at_ == end_; }
  // The next page that holds values or a dictionary: its header, which comes first, and where its body goes. `lead_for` says how
  // far behind an aligned address it is to lie.
  struct Target {
    PageBuffer* buffer;
    size_t lead;
  };
  template <typename Choose>
  Result<PageHeader> next(const Choose& choose) {
    while (true) {
      ASOF_TRY_ASSIGN(PageHeader header, read_header());
      if (header.type == PageType::kIndex) {
        at_ += header.size;
        continue;
      }
      const Target target = choose(header);
      ASOF_TRY(read_body(header, target));
      return header;
    }
  }

 private:
  Result<PageHeader> read_header();
  Result<void> read_body(const PageHeader& header, Target target);

  InputWindow& input_;
  Decompressor& decompressor_;
  Codec codec_ = Codec::kUncompressed;
  uint64_t at_ = 0, end_ = 0;  // in the file
};

}  // namespace asof::parquet
