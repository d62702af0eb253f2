// Hashes: 64 bits for tables in memory, 128 bits for content. Not cryptographic.
//
// Source: XXH3 (xxHash), whose output is stable across releases and machines, so that it may be
// stored.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace asof::inline base {

uint64_t hash64(std::string_view bytes);
// 32 hexadecimal digits.
std::string content_hash(std::string_view bytes);

// The content hash of bytes that arrive in pieces.
class ContentHasher {
 public:
  ContentHasher();
  ~ContentHasher();
  ContentHasher(const ContentHasher&) = delete;
  ContentHasher& operator=(const ContentHasher&) = delete;
  void update(std::string_view bytes);
  std::string finish() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace asof::inline base
