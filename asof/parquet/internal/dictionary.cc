#include "asof/parquet/internal/dictionary.h"

#include <algorithm>
#include <bit>
#include <string_view>
#include <type_traits>
#include <vector>

#include "asof/base/hash.h"

namespace asof::parquet {

namespace {

constexpr size_t kFewestPlainBytes = 128;    // below, a page more costs what it saves
constexpr size_t kMostEntryBytes = 1 << 20;  // of the dictionary's page
constexpr size_t kLargestSample = 512, kSampleStretch = 8;
constexpr size_t kLargeChunk = 1 << 15;  // values; below, half the sample tells enough

uint64_t mixed(uint64_t bits) { return (bits ^ bits >> 32) * 0x9E3779B97F4A7C15; }

// What is compared and hashed instead of a value, by the values' width.
template <size_t kWidth>
struct NumberKey {
  using Bits = std::conditional_t<kWidth == 4, uint32_t, uint64_t>;
  Bits bits;
  static NumberKey of(const char* values, size_t i) { return {load_value<Bits>(values, i)}; }
  uint64_t hash() const { return mixed(bits); }
  size_t plain_size() const { return kWidth; }
  bool operator==(const NumberKey&) const = default;
};

struct WideKey {
  uint64_t first, second;
  static WideKey of(const char* values, size_t i) { return load_value<WideKey>(values, i); }
  size_t plain_size() const { return sizeof(WideKey); }
  uint64_t hash() const { return mixed(first + 0x632BE59BD9B4E019 * second); }
  bool operator==(const WideKey&) const = default;
};

// The bits of a StringSlot that mean something, by its length; all where it holds a pointer.
struct KeptBits {
  uint64_t first[StringSlot::kInlineLength + 2] = {}, second[StringSlot::kInlineLength + 2] = {};
  constexpr KeptBits() {
    for (size_t length = 0; length < StringSlot::kInlineLength + 2; ++length) {
      first[length] = ~uint64_t{0} >> (length < 4 ? 32 - 8 * length : 0);
      second[length] = length <= 4 ? 0 : ~uint64_t{0} >> (length < 12 ? 96 - 8 * length : 0);
    }
  }
};
constexpr KeptBits kKept;

// A StringSlot, with zeros behind a text that lies in it.
struct TextKey {
  uint64_t first, second;
  static TextKey of(const char* values, size_t i) {
    TextKey key = load_value<TextKey>(values, i);
    // By tables: the lengths of texts are hard to predict for a branch.
    const size_t length = std::min<size_t>(key.length(), StringSlot::kInlineLength + 1);
    key.first &= kKept.first[length];
    key.second &= kKept.second[length];
    return key;
  }
  size_t length() const { return static_cast<uint32_t>(first); }
  size_t plain_size() const { return sizeof(uint32_t) + length(); }
  std::string_view text() const { return {std::bit_cast<const char*>(second), length()}; }
  uint64_t hash() const {
    return length() > StringSlot::kInlineLength ? hash64(text())
                                                : mixed(first + 0x632BE59BD9B4E019 * second);
  }
  bool operator==(const TextKey& other) const {
    if (first != other.first) return false;
    if (second == other.second) return true;
    return length() > StringSlot::kInlineLength && text() == other.text();
  }
};

unsigned index_bits(size_t entries) {
  return std::max(1U, static_cast<unsigned>(std::bit_width(entries - 1)));
}

// The greatest dictionary that takes half of the plain bytes or less, by the mean size of a value.
size_t most_entries(size_t count, size_t plain_size) {
  const size_t value_size = (plain_size + count - 1) / count;
  size_t most = 0;
  for (unsigned bits = 1; bits <= 24 && bits * count / 8 < plain_size / 2; ++bits) {
    const size_t fit = (plain_size / 2 - bits * count / 8) / value_size;
    most = std::max(most, std::min({fit, size_t{1} << bits, kMostEntryBytes / value_size}));
  }
  return most;
}

// Whether so few distinct values are likely: by how often values of a sample meet again. Stretches
// find repetitions in a row, their uneven distances those of a period.
template <typename Key>
bool may_have_at_most(size_t most, const DenseValues& values) {
  if (values.count <= 2 * kLargestSample) return true;
  const size_t sample = values.count < kLargeChunk ? kLargestSample / 2 : kLargestSample;
  constexpr size_t kSlots = 2 * kLargestSample;
  uint64_t seen[kSlots] = {};
  size_t repeated = 0;
  const size_t stride = values.count / (sample / kSampleStretch), room = stride - kSampleStretch;
  for (size_t i = 0; i < sample; ++i) {
    const size_t stretch = i / kSampleStretch;
    const size_t start = stretch * stride + (mixed(stretch + 1) >> 40) % room;
    const size_t at = start + i % kSampleStretch;
    const uint64_t hash = Key::of(values.data, at).hash() | 1;
    size_t slot = hash >> (64 - std::bit_width(kSlots - 1));
    while (seen[slot] != 0 && seen[slot] != hash) slot = (slot + 1) % kSlots;
    repeated += seen[slot] == hash ? 1 : 0;
    seen[slot] = hash;
  }
  // Of n values of which d are distinct and equally frequent, about n * n / 2d are met again. Twice
  // as many distinct values are let through: chance, and unequal frequencies.
  return repeated * 4 * most >= sample * sample;
}

// Open addressing over the entries' numbers. At most a quarter full: a probe that goes on is a
// branch mispredicted.
template <typename Key>
class EntryTable {
 public:
  explicit EntryTable(size_t most) : most_(most) { resize(10); }

  static constexpr uint32_t kTooMany = ~uint32_t{0};
  uint32_t find_or_add(const Key& key) {
    const uint64_t hash = key.hash();
    size_t slot = hash >> shift_;
    for (; slots_[slot] != 0; slot = (slot + 1) & mask_)
      if (entries_[slots_[slot] - 1] == key) return slots_[slot] - 1;
    plain_size_ += key.plain_size();
    if (entries_.size() == most_ || plain_size_ > kMostEntryBytes) return kTooMany;
    entries_.push_back(key);
    slots_[slot] = static_cast<uint32_t>(entries_.size());
    if (entries_.size() * 4 > mask_) resize(65 - shift_);
    return static_cast<uint32_t>(entries_.size() - 1);
  }
  const std::vector<Key>& entries() const { return entries_; }
  size_t plain_size() const { return plain_size_; }

 private:
  void resize(unsigned bits) {
    slots_.assign(size_t{1} << bits, 0);
    mask_ = slots_.size() - 1;
    shift_ = 64 - bits;
    for (size_t i = 0; i < entries_.size(); ++i) {
      size_t slot = entries_[i].hash() >> shift_;
      while (slots_[slot] != 0) slot = (slot + 1) & mask_;
      slots_[slot] = static_cast<uint32_t>(i + 1);
    }
  }

  const size_t most_;
  size_t plain_size_ = 0;        // of the entries
  std::vector<uint32_t> slots_;  // an entry's number from 1 on, 0 where free
  size_t mask_ = 0;
  unsigned shift_ = 0;
  std::vector<Key> entries_;
};

template <typename Key>
std::optional<Dictionary> build(const DenseValues& values, size_t most) {
  if (!may_have_at_most<Key>(most, values)) return std::nullopt;
  Dictionary dictionary;
  dictionary.indexes = std::make_unique_for_overwrite<uint32_t[]>(values.count);
  EntryTable<Key> table(most);
  for (size_t i = 0; i < values.count; ++i) {
    const uint32_t index = table.find_or_add(Key::of(values.data, i));
    if (index == EntryTable<Key>::kTooMany) return std::nullopt;
    dictionary.indexes[i] = index;
  }
  DenseValues& entries = dictionary.entries;
  entries.count = table.entries().size();
  entries.width = sizeof(Key);
  entries.memory = std::make_unique_for_overwrite<char[]>(entries.count * sizeof(Key));
  std::memcpy(entries.memory.get(), table.entries().data(), entries.count * sizeof(Key));
  entries.data = entries.memory.get();
  dictionary.plain_size = table.plain_size();
  dictionary.bits = index_bits(entries.count);
  return dictionary;
}

}  // namespace

std::optional<Dictionary> build_dictionary(Physical physical, const DenseValues& values,
                                           size_t plain_size) {
  if (plain_size < kFewestPlainBytes || physical == Physical::kBoolean) return std::nullopt;
  const size_t most = most_entries(values.count, plain_size);
  if (most == 0) return std::nullopt;
  if (physical == Physical::kByteArray) return build<TextKey>(values, most);
  switch (values.width) {
    case 4: return build<NumberKey<4>>(values, most);
    case 8: return build<NumberKey<8>>(values, most);
    default: return build<WideKey>(values, most);
  }
}

}  // namespace asof::parquet
