// PageBuffer: memory for a page, that grows and is used again.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace asof::parquet {

class PageBuffer {
 public:
  static constexpr size_t kAlignment = 16;
  static constexpr size_t kReadBeyond = 16;  // bytes behind the page that may be read

  // Room for `size` bytes, `lead` bytes (fewer than kAlignment) behind an aligned address.
  std::span<char> reset(size_t size, size_t lead) {
    const size_t wanted = size + 2 * kAlignment + kReadBeyond;
    if (wanted > capacity_) {
      memory_.reset();
      memory_ = std::make_unique_for_overwrite<char[]>(wanted);
      capacity_ = wanted;
    }
    const auto at = reinterpret_cast<uintptr_t>(memory_.get());
    const size_t to_aligned = (kAlignment - at % kAlignment) % kAlignment;
    page_ = {memory_.get() + to_aligned + lead, size};
    return page_;
  }
  std::string_view bytes() const { return {page_.data(), page_.size()}; }

 private:
  std::unique_ptr<char[]> memory_;
  size_t capacity_ = 0;
  std::span<char> page_;
};

}  // namespace asof::parquet
