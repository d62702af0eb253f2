#include "asof/kernel/internal/gap_filter.h"

#include <new>
#include <span>

#include "asof/base/check.h"
#include "asof/base/executor.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace asof::kernel {

namespace {

constexpr size_t kGroupsAtOnce = 16'384;

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
    : table_(table), ages_(table.last_time_us()), simd_(simd), words_(table.slots() + kPadding) {
  const std::span<const LabelGroup> groups = table.groups();
  const size_t parts = 1 + groups.size() / kGroupsAtOnce;
  parallel_for(parts, threads, [&](size_t part) {
    for (size_t i = groups.size() * part / parts; i < groups.size() * (part + 1) / parts; ++i) {
      const LabelGroup& group = groups[i];
      uint32_t oldest = Ages::kOldest;
      for (uint32_t slot = group.begin; slot < group.begin + group.count; ++slot) {
        const uint32_t youngest = ages_.of(table.time_of(slot));
        new (&words_[slot]) std::atomic<uint64_t>((group.hash & kTagMask) << kTagAt |
                                                  uint64_t{oldest} << kAgeBits | youngest);
        oldest = youngest;
      }
    }
  });
  for (size_t i = 0; i < kPadding; ++i) new (&words_[table.slots() + i]) std::atomic<uint64_t>(0);
}

bool GapFilter::may_win(uint32_t begin, uint32_t end, uint64_t hash, uint32_t age) const {
  if (end - begin > kMostScanned) return age != Ages::kFuture;
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
      const uint32_t* first =
          filter.table_.first_slots() + (hashes[row] >> filter.table_.bucket_shift());
      out[kept] = static_cast<uint32_t>(row);
      kept += filter.may_win(first[0], first[1], hashes[row], ages[row]) ? 1 : 0;
    }
    return kept;
  }

#if defined(__x86_64__)
  [[gnu::target("avx512f,avx512dq,avx512bw,avx512vl")]] static size_t keep_avx512(
      const GapFilter& filter, const uint64_t* hashes, const uint32_t* ages, size_t rows,
      uint32_t* out) {
    const uint32_t* firsts = filter.table_.first_slots();
    const unsigned shift = filter.table_.bucket_shift();
    const __m512i age_mask = _mm512_set1_epi64(kAgeMask);
    size_t kept = 0;
    for (size_t row = 0; row < rows; ++row) {
      const uint64_t hash = hashes[row];
      const uint32_t* first = firsts + (hash >> shift);
      const uint32_t begin = first[0], count = first[1] - begin;
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
    const uint32_t* firsts = filter.table_.first_slots();
    const unsigned shift = filter.table_.bucket_shift();
    const __m256i age_mask = _mm256_set1_epi64x(kAgeMask);
    size_t kept = 0;
    for (size_t row = 0; row < rows; ++row) {
      const uint64_t hash = hashes[row];
      const uint32_t* first = firsts + (hash >> shift);
      const uint32_t begin = first[0], count = first[1] - begin;
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
  const uint32_t* firsts = table_.first_slots();
  const unsigned shift = table_.bucket_shift();
  for (size_t row = 0; row < rows; ++row) __builtin_prefetch(firsts + (hashes[row] >> shift));
  for (size_t row = 0; row < rows; ++row)
    __builtin_prefetch(words_.data() + firsts[hashes[row] >> shift]);
#if defined(__x86_64__)
  if (simd_ == Simd::kAvx512) return Loops::keep_avx512(*this, hashes, ages, rows, out);
  if (simd_ == Simd::kAvx2) return Loops::keep_avx2(*this, hashes, ages, rows, out);
#endif
  ASOF_CHECK(simd_ == Simd::kNone);
  return Loops::keep(*this, hashes, ages, rows, out);
}

}  // namespace asof::kernel
