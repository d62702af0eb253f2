// For the tests of this folder: bytes with what may be read beyond them, and no more: a sanitizer sees what goes further.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace asof::parquet {

template <size_t kReadBeyond>
class Padded {
 public:
  explicit Padded(const std::string& bytes)
      : size_(bytes.size()), memory_(new char[size_ + kReadBeyond]) {
    bytes.copy(memory_.get(), size_);
    std::fill_n(memory_.get() + size_, kReadBeyond, '\xff');
  }
  std::string_view view() const { return {memory_.get(), size_}; }

 private:
  size_t size_;
  std::unique_ptr<char[]> memory_;
};

}  // namespace asof::parquet
