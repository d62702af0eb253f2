#include "asof/kernel/internal/gap_filter.h"

#include "asof/base/check.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace asof::kernel {

namespace {

// Inlined into functions for other machines, each of which the compiler then makes its own vectors of.
[[gnu::always_inline]] inline void write_ages(const GapBuckets& buckets, const int64_t* times_us,
                                              size_t rows, uint32_t* out) {
  for (size_t row = 0; row < rows; ++row) out[row] = buckets.age_of(times_us[row]);
}

#if defined(__x86_64__)
[[gnu::target("avx2")]] void write_ages_avx2(const GapBuckets& buckets, const int64_t* times_us,
                                             size_t rows, uint32_t* out) {
  write_ages(buckets, times_us, rows, out);
}
[[gnu::target("avx512f,avx512dq,avx512bw,avx512vl")]] void write_ages_avx512(
    const GapBuckets& buckets, const int64_t* times_us, size_t rows, uint32_t* out) {
  write_ages(buckets, times_us, rows, out);
}
#endif

}  // namespace

GapBuckets::GapBuckets(const LabelTable& table) {
  const auto bits = std::max(1U, static_cast<unsigned>(std::bit_width(table.slots())));
  shift_ = 64 - bits;
  starts_.resize((size_t{1} << bits) + 1);
  // Groups stand in the order of their hashes, and their slots with them.
  size_t bucket = 0;
  last_time_us_ = INT64_MIN;
  for (const LabelGroup& group : table.groups()) {
    for (; bucket <= group.hash >> shift_; ++bucket) starts_[bucket] = group.begin;
    last_time_us_ = std::max(last_time_us_, group.last_time_us);
  }
  for (; bucket < starts_.size(); ++bucket) starts_[bucket] = static_cast<uint32_t>(table.slots());
}

void GapBuckets::ages_of(const int64_t* times_us, size_t rows, uint32_t* out, Simd simd) const {
#if defined(__x86_64__)
  if (simd == Simd::kAvx512) return write_ages_avx512(*this, times_us, rows, out);
  if (simd == Simd::kAvx2) return write_ages_avx2(*this, times_us, rows, out);
#endif
  ASOF_CHECK(simd == Simd::kNone);
  write_ages(*this, times_us, rows, out);
}

GapFilter::GapFilter(const LabelTable& table, const GapBuckets& buckets, Simd simd)
    : buckets_(buckets), simd_(simd), words_(table.slots() + kPadding) {
  for (const LabelGroup& group : table.groups()) {
    uint32_t oldest = GapBuckets::kOldest;
    for (uint32_t slot = group.begin; slot < group.begin + group.count; ++slot) {
      const uint32_t youngest = buckets.age_of(table.time_of(slot));
      words_[slot].store(
          (group.hash & kTagMask) << kTagAt | uint64_t{oldest} << kAgeBits | youngest,
          std::memory_order_relaxed);
      oldest = youngest;
    }
  }
}

bool GapFilter::may_win(uint32_t begin, uint32_t end, uint64_t hash, uint32_t age) const {
  if (end - begin > kMostScanned) return age != GapBuckets::kFuture;
  for (uint32_t slot = begin; slot < end; ++slot) {
    const uint64_t word = words_[slot].load(std::memory_order_relaxed);
    if (word >> kTagAt == (hash & kTagMask) && oldest_of(word) >= age && youngest_of(word) <= age)
      return true;
  }
  return false;
}

// The last of the steps of candidates(), for each kind of machine. A vector's lanes are aligned words, so that each is read
// whole, whatever another thread writes beside it.
struct GapFilter::Loops {
  [[gnu::always_inline]] static size_t keep(const GapFilter& filter, const uint64_t* hashes,
                                            const uint32_t* ages, size_t rows, uint32_t* out) {
    size_t kept = 0;
    for (size_t row = 0; row < rows; ++row) {
      const uint32_t* start = &filter.buckets_.starts_[hashes[row] >> filter.buckets_.shift_];
      out[kept] = static_cast<uint32_t>(row);
      kept += filter.may_win(start[0], start[1], hashes[row], ages[row]) ? 1 : 0;
    }
    return kept;
  }

#if defined(__x86_64__)
  [[gnu::target("avx512f,avx512dq,avx512bw,avx512vl")]] static size_t keep_avx512(
      const GapFilter& filter, const uint64_t* hashes, const uint32_t* ages, size_t rows,
      uint32_t* out) {
    const uint32_t* starts = filter.buckets_.starts_.data();
    const unsigned shift = filter.buckets_.shift_;
    const __m512i age_mask = _mm512_set1_epi64(kAgeMask);
    size_t kept = 0;
    for (size_t row = 0; row < rows; ++row) {
      const uint64_t hash = hashes[row];
      const uint32_t* start = starts + (hash >> shift);
      const uint32_t begin = start[0], count = start[1] - begin;
      out[kept] = static_cast<uint32_t>(row);
      if (count > kPadding) [[unlikely]] {
        kept += filter.may_win(begin, begin + count, hash, ages[row]) ? 1 : 0;
        continue;
      }
      const __m512i words = _mm512_loadu_si512(&filter.words_[begin]);
      const __m512i age = _mm512_set1_epi64(ages[row]);
      __mmask8 fits = _mm512_cmpeq_epi64_mask(_mm512_srli_epi64(words, kTagAt),
                                              _mm512_set1_epi64(hash & kTagMask));
      fits = _mm512_mask_cmple_epu64_mask(fits, _mm512_and_si512(words, age_mask), age);
      fits = _mm512_mask_cmpge_epu64_mask(
          fits, _mm512_and_si512(_mm512_srli_epi64(words, kAgeBits), age_mask), age);
      kept += (fits & ((1U << count) - 1)) != 0 ? 1 : 0;
    }
    return kept;
  }

  [[gnu::target("avx2")]] static size_t keep_avx2(const GapFilter& filter, const uint64_t* hashes,
                                                  const uint32_t* ages, size_t rows,
                                                  uint32_t* out) {
    constexpr uint32_t kLanes = 4;
    const uint32_t* starts = filter.buckets_.starts_.data();
    const unsigned shift = filter.buckets_.shift_;
    const __m256i age_mask = _mm256_set1_epi64x(kAgeMask);
    size_t kept = 0;
    for (size_t row = 0; row < rows; ++row) {
      const uint64_t hash = hashes[row];
      const uint32_t* start = starts + (hash >> shift);
      const uint32_t begin = start[0], count = start[1] - begin;
      out[kept] = static_cast<uint32_t>(row);
      if (count > kLanes) [[unlikely]] {
        kept += filter.may_win(begin, begin + count, hash, ages[row]) ? 1 : 0;
        continue;
      }
      const __m256i words =
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(&filter.words_[begin]));
      const __m256i age = _mm256_set1_epi64x(ages[row]);
      const __m256i other_key = _mm256_xor_si256(
          _mm256_cmpeq_epi64(_mm256_srli_epi64(words, kTagAt),
                             _mm256_set1_epi64x(static_cast<int64_t>(hash & kTagMask))),
          _mm256_set1_epi64x(-1));
      const __m256i too_old =
          _mm256_cmpgt_epi64(age, _mm256_and_si256(_mm256_srli_epi64(words, kAgeBits), age_mask));
      const __m256i too_young = _mm256_cmpgt_epi64(_mm256_and_si256(words, age_mask), age);
      const __m256i misses = _mm256_or_si256(other_key, _mm256_or_si256(too_old, too_young));
      const unsigned fits = ~static_cast<unsigned>(_mm256_movemask_pd(_mm256_castsi256_pd(misses)));
      kept += (fits & ((1U << count) - 1)) != 0 ? 1 : 0;
    }
    return kept;
  }
#endif
};

size_t GapFilter::candidates(const uint64_t* hashes, const uint32_t* ages, size_t rows,
                             uint32_t* out) const {
  const uint32_t* starts = buckets_.starts_.data();
  for (size_t row = 0; row < rows; ++row)
    __builtin_prefetch(starts + (hashes[row] >> buckets_.shift_));
  for (size_t row = 0; row < rows; ++row)
    __builtin_prefetch(words_.data() + starts[hashes[row] >> buckets_.shift_]);
#if defined(__x86_64__)
  if (simd_ == Simd::kAvx512) return Loops::keep_avx512(*this, hashes, ages, rows, out);
  if (simd_ == Simd::kAvx2) return Loops::keep_avx2(*this, hashes, ages, rows, out);
#endif
  ASOF_CHECK(simd_ == Simd::kNone);
  return Loops::keep(*this, hashes, ages, rows, out);
}

}  // namespace asof::kernel
