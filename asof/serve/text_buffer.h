// TextBuffer: where an answer is written, byte after byte, without clearing memory that is about to be written.
//
// A std::string zero-fills what it grows by and checks its capacity at every append; here a writer reserves once for several
// values and writes through a pointer.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "asof/base/check.h"

namespace asof::serve {

class TextBuffer {
 public:
  TextBuffer() = default;
  TextBuffer(TextBuffer&& other) noexcept { swap(other); }
  TextBuffer& operator=(TextBuffer&& other) noexcept {
    TextBuffer(std::move(other)).swap(*this);
    return *this;
  }
  void swap(TextBuffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  size_t capacity() const { return capacity_; }
  char* data() { return data_.get(); }
  std::string_view view() const { return {data_.get(), size_}; }
  void clear() { size_ = 0; }
  // Drops what was written beyond `size`.
  void truncate(size_t size) {
    ASOF_CHECK(size <= size_);
    size_ = size;
  }
  // Gives memory back that one large answer took.
  void shrink_to(size_t capacity) {
    if (capacity_ <= capacity || size_ > capacity) return;
    data_.reset(static_cast<char*>(std::realloc(data_.release(), capacity)));
    capacity_ = capacity;
  }

  // Room for `bytes` more; write there, then commit() how far.
  char* reserve(size_t bytes) {
    if (capacity_ - size_ < bytes) grow(bytes);
    return data_.get() + size_;
  }
  void commit(const char* end) { size_ = static_cast<size_t>(end - data_.get()); }

  void append(std::string_view text) {
    char* out = reserve(text.size());
    if (!text.empty()) std::memcpy(out, text.data(), text.size());
    size_ += text.size();
  }
  // What was written from `begin` to `end`, again.
  void append_again(size_t begin, size_t end) {
    char* out = reserve(end - begin);
    std::memcpy(out, data_.get() + begin, end - begin);
    size_ += end - begin;
  }
  void push_back(char c) {
    *reserve(1) = c;
    ++size_;
  }

 private:
  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };
  void grow(size_t bytes) {
    size_t wanted = capacity_ < 2048 ? 4096 : capacity_ * 2;
    if (wanted < size_ + bytes) wanted = size_ + bytes;
    auto* grown = static_cast<char*>(std::realloc(data_.release(), wanted));
    ASOF_CHECK(grown != nullptr);
    data_.reset(grown);
    capacity_ = wanted;
  }

  std::unique_ptr<char, Free> data_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace asof::serve
