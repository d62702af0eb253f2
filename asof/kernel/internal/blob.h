// Blob: bytes of changing length in one heap block, 16 bytes in place. For the slots of rows and keys whose size varies.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>

namespace asof::kernel {

// Trivially copyable, so that slots are plain memory: whoever owns the slots calls release().
struct Blob {
  char* data;
  uint32_t size;
  uint32_t capacity;

  std::string_view view() const { return {data, size}; }
  // Returns by how many bytes the block has grown.
  size_t assign(std::string_view bytes) {
    size_t grown = 0;
    if (bytes.size() > capacity) {
      size_t wanted = (bytes.size() + 15) / 16 * 16;
      auto* block = static_cast<char*>(std::realloc(data, wanted));
      if (block == nullptr) throw std::bad_alloc();
      grown = wanted - capacity;
      data = block;
      capacity = static_cast<uint32_t>(wanted);
    }
    if (!bytes.empty()) std::memcpy(data, bytes.data(), bytes.size());
    size = static_cast<uint32_t>(bytes.size());
    return grown;
  }
  void release() { std::free(data); }
};
static_assert(sizeof(Blob) == 16);

}  // namespace asof::kernel
