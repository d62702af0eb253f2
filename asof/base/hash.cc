#include "asof/base/hash.h"

// Inlined, so that hashing many short keys is a loop without calls.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "asof/base/bytes.h"
#include "asof/base/check.h"

namespace asof::inline base {

namespace {

std::string hex_of(XXH128_hash_t hash) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, hash);
  return to_hex({reinterpret_cast<const char*>(canonical.digest), sizeof canonical.digest});
}

}  // namespace

uint64_t hash64(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

void hash64_each(const char* bytes, std::span<const size_t> offsets, std::vector<uint64_t>& out) {
  out.resize(offsets.empty() ? 0 : offsets.size() - 1);
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = XXH3_64bits(bytes + offsets[i], offsets[i + 1] - offsets[i]);
}

// Each step has an inverse. Source: the output function of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
// Generators, 2014).
void hash64_each(std::span<const int64_t> numbers, std::vector<uint64_t>& out) {
  out.resize(numbers.size());
  for (size_t i = 0; i < numbers.size(); ++i) {
    auto bits = static_cast<uint64_t>(numbers[i]) + 0x9e3779b97f4a7c15;
    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111eb;
    out[i] = bits ^ (bits >> 31);
  }
}

std::string content_hash(std::string_view bytes) {
  return hex_of(XXH3_128bits(bytes.data(), bytes.size()));
}

struct ContentHasher::State {
  XXH3_state_t* xxh = XXH3_createState();
  ~State() { XXH3_freeState(xxh); }
};

ContentHasher::ContentHasher() : state_(std::make_unique<State>()) {
  ASOF_CHECK(XXH3_128bits_reset(state_->xxh) == XXH_OK);
}
ContentHasher::~ContentHasher() = default;

void ContentHasher::update(std::string_view bytes) {
  ASOF_CHECK(XXH3_128bits_update(state_->xxh, bytes.data(), bytes.size()) == XXH_OK);
}

std::string ContentHasher::finish() const { return hex_of(XXH3_128bits_digest(state_->xxh)); }

}  // namespace asof::inline base
