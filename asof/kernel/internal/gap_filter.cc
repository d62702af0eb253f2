#include "asof/kernel/internal/gap_filter.h"

#include <algorithm>
#include <array>
#include <new>
#include <ranges>

#include "asof/base/check.h"
#include "asof/base/executor.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace asof::kernel {

namespace {

constexpr uint32_t kSlotsInLine = 5;  // on average
constexpr uint32_t kLinesAtOnce = 4096;
constexpr size_t kRowsAhead = 24;  // whose lines are on their way to the cache

// Inlined into functions for other machines, each of which the compiler then makes its own vectors of.
[[gnu::always_inline]] inline void write_ages(const Ages& ages, const int64_t* times_us,
                                              size_t rows, uint32_t* out) {
  for (size_t row = 0; row < rows; ++row) out[row] = ages.of(times_us[row]);
}

#if defined(__x86_64__)
[[gnu::target("avx2")]] void write_ages_avx2(const Ages& ages, const int64_t* times_us, size_t rows,
                                             uint32_t* out) {
  write_ages(ages, times_us, rows, out);
}
[[gnu::target("avx512f,avx512dq,avx512bw,avx512vl")]] void write_ages_avx512(
    const Ages& ages, const int64_t* times_us, size_t rows, uint32_t* out) {
  write_ages(ages, times_us, rows, out);
}
#endif

}  // namespace

void Ages::of_each(const int64_t* times_us, size_t rows, uint32_t* out, Simd simd) const {
#if defined(__x86_64__)
  if (simd == Simd::kAvx512) return write_ages_avx512(*this, times_us, rows, out);
  if (simd == Simd::kAvx2) return write_ages_avx2(*this, times_us, rows, out);
#endif
  ASOF_CHECK(simd == Simd::kNone);
  write_ages(*this, times_us, rows, out);
}

GapFilter::GapFilter(const LabelTable& table, size_t threads, Simd simd)
    : ages_(table.last_time_us()),
      simd_(simd),
      count_(static_cast<uint32_t>(table.slots() / kSlotsInLine + 1)),
      lines_(count_),
      first_slots_(count_ + 1) {
  first_slots_[count_] = static_cast<uint32_t>(table.slots());
  parallel_for((count_ + kLinesAtOnce - 1) / kLinesAtOnce, threads, [&](size_t part) {
    const auto begin = static_cast<uint32_t>(part) * kLinesAtOnce;
    fill(table, begin, std::min(begin + kLinesAtOnce, count_));
  });
}

void GapFilter::fill(const LabelTable& table, uint32_t begin, uint32_t end) {
  const LabelGroups& groups = table.groups();
  const std::ranges::iota_view numbers(size_t{0}, groups.size());
  size_t group = static_cast<size_t>(
      std::ranges::partition_point(
          numbers, [&](size_t candidate) { return line_of(groups[candidate].hash) < begin; }) -
      numbers.begin());
  for (uint32_t line = begin; line < end; ++line) {
    first_slots_[line] =
        group == groups.size() ? static_cast<uint32_t>(table.slots()) : groups[group].begin;
    std::array<uint32_t, kLanes> words;
    words.fill(kNoWord);
    uint32_t lane = 0;
    for (; group != groups.size() && line_of(groups[group].hash) == line; ++group) {
      uint32_t oldest = Ages::kOldest;
      const uint32_t slots_end = table.slots_end(groups[group]);
      for (uint32_t slot = groups[group].begin; slot < slots_end; ++slot, ++lane) {
        if (lane == kLanes) words[0] = kAnyWord;
        if (lane >= kLanes) continue;
        const uint32_t youngest = ages_.of(table.time_of(slot));
        words[lane] = tag_of(groups[group].hash) << kTagAt | oldest << kAgeBits | youngest;
        oldest = youngest;
      }
    }
    for (uint32_t i = 0; i < kLanes; ++i) new (&lines_[line].words[i]) std::atomic(words[i]);
  }
}

// The lanes that fit, 0 where none does.
uint32_t GapFilter::lanes_of(uint32_t line, uint64_t hash, uint32_t age) const {
  if (age == Ages::kFuture) return 0;
  const Line& slots = lines_[line];
  if (slots.words[0].load(std::memory_order_relaxed) == kAnyWord) return kAnyLane;
  uint32_t lanes = 0;
  for (uint32_t lane = 0; lane < kLanes; ++lane) {
    const uint32_t word = slots.words[lane].load(std::memory_order_relaxed);
    const bool fits =
        word >> kTagAt == tag_of(hash) && oldest_of(word) >= age && youngest_of(word) <= age;
    lanes |= static_cast<uint32_t>(fits) << lane;
  }
  return lanes;
}

// The last of the steps of candidates(), for each kind of machine: `out` holds the rows' lines, and then those that are kept. A
// vector's lanes are aligned words, so that each is read whole, whatever another thread writes beside it.
struct GapFilter::Loops {
  [[gnu::always_inline]] static void prefetch(const GapFilter& filter, const Candidate* out,
                                              size_t row, size_t rows) {
    if (row < rows) __builtin_prefetch(&filter.lines_[out[row].row]);
  }

  [[gnu::always_inline]] static size_t keep(const GapFilter& filter, const uint64_t* hashes,
                                            const uint32_t* ages, size_t rows, Candidate* out) {
    size_t kept = 0;
    for (size_t row = 0; row < rows; ++row) {
      prefetch(filter, out, row + kRowsAhead, rows);
      const uint32_t lanes = filter.lanes_of(out[row].row, hashes[row], ages[row]);
      out[kept] = {static_cast<uint32_t>(row), lanes};
      kept += lanes != 0 ? 1 : 0;
    }
    return kept;
  }

#if defined(__x86_64__)
  [[gnu::target("avx512f,avx512dq,avx512bw,avx512vl")]] static size_t keep_avx512(
      const GapFilter& filter, const uint64_t* hashes, const uint32_t* ages, size_t rows,
      Candidate* out) {
    const __m512i age_mask = _mm512_set1_epi32(kAgeMask);
    size_t kept = 0;
    for (size_t row = 0; row < rows; ++row) {
      prefetch(filter, out, row + kRowsAhead, rows);
      const __m512i words = _mm512_load_si512(&filter.lines_[out[row].row]);
      const __m512i age = _mm512_set1_epi32(static_cast<int>(ages[row]));
      const __m512i tag = _mm512_set1_epi32(static_cast<int>(tag_of(hashes[row])));
      __mmask16 fits = _mm512_cmpeq_epi32_mask(_mm512_srli_epi32(words, kTagAt), tag);
      fits = _mm512_mask_cmple_epu32_mask(fits, _mm512_and_si512(words, age_mask), age);
      fits = _mm512_mask_cmpge_epu32_mask(
          fits, _mm512_and_si512(_mm512_srli_epi32(words, kAgeBits), age_mask), age);
      const bool is_any = _mm_cvtsi128_si32(_mm512_castsi512_si128(words)) == -1;
      const uint32_t lanes = is_any ? kAnyLane : fits;
      out[kept] = {static_cast<uint32_t>(row), lanes};
      kept += lanes != 0 && ages[row] != Ages::kFuture ? 1 : 0;
    }
    return kept;
  }

  // Of one half of a line: all bits of a lane that fits. Ages have no sign bit but for that of the future, which is none's.
  [[gnu::target("avx2"), gnu::always_inline]] static inline __m256i fits_avx2(__m256i words,
                                                                              __m256i age,
                                                                              __m256i tag) {
    const __m256i age_mask = _mm256_set1_epi32(kAgeMask);
    const __m256i too_young = _mm256_cmpgt_epi32(_mm256_and_si256(words, age_mask), age);
    const __m256i too_old =
        _mm256_cmpgt_epi32(age, _mm256_and_si256(_mm256_srli_epi32(words, kAgeBits), age_mask));
    const __m256i same_tag = _mm256_cmpeq_epi32(_mm256_srli_epi32(words, kTagAt), tag);
    return _mm256_andnot_si256(_mm256_or_si256(too_young, too_old), same_tag);
  }

  [[gnu::target("avx2")]] static size_t keep_avx2(const GapFilter& filter, const uint64_t* hashes,
                                                  const uint32_t* ages, size_t rows,
                                                  Candidate* out) {
    size_t kept = 0;
    for (size_t row = 0; row < rows; ++row) {
      prefetch(filter, out, row + kRowsAhead, rows);
      const auto* halves = reinterpret_cast<const __m256i*>(&filter.lines_[out[row].row]);
      const __m256i first = _mm256_load_si256(halves), second = _mm256_load_si256(halves + 1);
      const __m256i age = _mm256_set1_epi32(static_cast<int>(ages[row]));
      const __m256i tag = _mm256_set1_epi32(static_cast<int>(tag_of(hashes[row])));
      const auto low = static_cast<uint32_t>(
          _mm256_movemask_ps(_mm256_castsi256_ps(fits_avx2(first, age, tag))));
      const auto high = static_cast<uint32_t>(
          _mm256_movemask_ps(_mm256_castsi256_ps(fits_avx2(second, age, tag))));
      const bool is_any = _mm256_cvtsi256_si32(first) == -1;
      const uint32_t lanes = is_any ? kAnyLane : low | high << 8;
      out[kept] = {static_cast<uint32_t>(row), lanes};
      kept += lanes != 0 && ages[row] != Ages::kFuture ? 1 : 0;
    }
    return kept;
  }
#endif
};

size_t GapFilter::candidates(const uint64_t* hashes, const uint32_t* ages, size_t rows,
                             Candidate* out) const {
  for (size_t row = 0; row < rows; ++row) out[row].row = line_of(hashes[row]);
  for (size_t row = 0; row < kRowsAhead; ++row) Loops::prefetch(*this, out, row, rows);
#if defined(__x86_64__)
  if (simd_ == Simd::kAvx512) return Loops::keep_avx512(*this, hashes, ages, rows, out);
  if (simd_ == Simd::kAvx2) return Loops::keep_avx2(*this, hashes, ages, rows, out);
#endif
  ASOF_CHECK(simd_ == Simd::kNone);
  return Loops::keep(*this, hashes, ages, rows, out);
}

}  // namespace asof::kernel
