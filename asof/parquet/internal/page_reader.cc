#include "asof/parquet/internal/page_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace asof::parquet {

namespace {

// Larger ones are a mistake, or an attack on memory.
constexpr uint64_t kLargestPage = uint64_t{1} << 30;

}  // namespace

Result<std::string_view> InputWindow::get(uint64_t offset, uint64_t size, uint64_t end) {
  if (offset >= begin_ && offset + size <= end_)
    return std::string_view(memory_.get() + (offset - begin_), size);
  const uint64_t wanted = std::max(size, std::min(kReadAtOnce, end - offset));
  const uint64_t kept = offset >= begin_ && offset < end_ ? end_ - offset : 0;
  const char* kept_from = memory_.get() + (kept != 0 ? offset - begin_ : 0);
  if (wanted > capacity_) {
    auto larger = std::make_unique_for_overwrite<char[]>(wanted);
    if (kept != 0) std::memcpy(larger.get(), kept_from, kept);
    memory_ = std::move(larger);
    capacity_ = wanted;
  } else if (kept != 0) {
    std::memmove(memory_.get(), kept_from, kept);
  }
  begin_ = end_ = offset;  // nothing is held where the reading fails
  ASOF_TRY(file_->read(offset + kept, {memory_.get() + kept, wanted - kept}));
  end_ = offset + wanted;
  return std::string_view(memory_.get(), size);
}

Result<PageHeader> PageReader::read_header() {
  for (uint64_t most = kUsualHeaderSize; true; most *= 16) {
    const uint64_t size = std::min(most, end_ - at_);
    ASOF_TRY_ASSIGN(const std::string_view bytes, input_.get(at_, size, end_));
    if (auto header = parse_page_header(bytes)) {
      at_ += header->header_size;
      if (header->size > end_ - at_)
        return error(ErrorCode::kInvalid, "a page is longer than its column");
      if (header->uncompressed_size > kLargestPage)
        return error(ErrorCode::kInvalid,
                     fmt::format("a page of {} bytes is too large", header->uncompressed_size));
      return *header;
    }
    if (size == end_ - at_ || most > kLargestHeaderSize)
      return error(ErrorCode::kInvalid, "the header of a page cannot be read");
  }
}

Result<void> PageReader::read_body(const PageHeader& header, Target target) {
  ASOF_TRY_ASSIGN(std::string_view body, input_.get(at_, header.size, end_));
  at_ += header.size;
  std::span<char> out = target.buffer->reset(header.uncompressed_size, target.lead);
  Codec codec = codec_;
  if (header.type == PageType::kDataV2) {
    const uint64_t sizes[] = {header.repetition_size, header.definition_size};
    for (const uint64_t size : sizes) {
      if (size > body.size() || size > out.size())
        return error(ErrorCode::kInvalid, "the levels of a page are longer than it is");
      if (size != 0) std::memcpy(out.data(), body.data(), size);
      body.remove_prefix(size);
      out = out.subspan(size);
    }
    if (!header.is_compressed) codec = Codec::kUncompressed;
  }
  // A page of nulls alone may have no body at all.
  if (body.empty() && out.empty()) return {};
  return decompressor_.decompress(codec, body, out);
}

}  // namespace asof::parquet
