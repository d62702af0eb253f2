// Spare buffers: what large answers were written in, kept for the next large ones of the same event loop.
//
// A connection between requests keeps little. Given back to the system, the memory of a large answer would be mapped, zeroed page
// by page and unmapped again with every request; here a few buffers go from connection to connection.
// Threads: its loop's only.
#pragma once

#include <vector>

#include "asof/serve/text_buffer.h"

namespace asof::server {

class SpareBuffers {
 public:
  // Units: bytes that wait here at most.
  static constexpr size_t kMostBytes = 8 << 20;

  // Takes the memory of an empty buffer; where there is enough already, it is freed.
  void give(serve::TextBuffer& buffer) {
    serve::TextBuffer given;
    given.swap(buffer);
    if (bytes_ + given.capacity() > kMostBytes) return;
    bytes_ += given.capacity();
    spare_.push_back(std::move(given));
  }
  // Gives memory, where there is some, to a buffer that has none.
  void lend(serve::TextBuffer& buffer) {
    if (buffer.capacity() != 0 || spare_.empty()) return;
    buffer.swap(spare_.back());
    spare_.pop_back();
    bytes_ -= buffer.capacity();
  }
  size_t bytes() const { return bytes_; }

 private:
  std::vector<serve::TextBuffer> spare_;
  size_t bytes_ = 0;
};

}  // namespace asof::server
