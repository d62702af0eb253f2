// Hashes: 64 bits for tables in memory, 128 bits for content. Not cryptographic.
//
// Source: XXH3 (xxHash), whose output is stable across releases and machines, so that it may be
// stored.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace asof::inline base {

uint64_t hash64(std::string_view bytes);
// hash64() of values that stand one after another: the i-th from offsets[i] to offsets[i + 1]. Cost: about 2 ns a short value.
void hash64_each(const char* bytes, std::span<const size_t> offsets, std::vector<uint64_t>& out);
// Of numbers, not of their bytes: another function, for tables in memory alone. Different numbers have different hashes. Cost: 1 ns each.
void hash64_each(std::span<const int64_t> numbers, std::vector<uint64_t>& out);
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
