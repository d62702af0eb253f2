#include "asof/kernel/internal/simd.h"

#include <algorithm>
#include <cstdlib>

namespace asof::kernel {

Simd best_simd() {
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
    return Simd::kAvx512;
  if (__builtin_cpu_supports("avx2")) return Simd::kAvx2;
#endif
  return Simd::kNone;
}

std::string_view name_of(Simd simd) {
  switch (simd) {
    case Simd::kNone: return "none";
    case Simd::kAvx2: return "avx2";
    case Simd::kAvx512: return "avx512";
  }
  return "none";
}

Simd simd() {
  static const Simd chosen = [] {
    const char* wanted = std::getenv("ASOF_SIMD");
    Simd most = best_simd();
    for (const Simd lesser : {Simd::kNone, Simd::kAvx2})
      if (wanted != nullptr && wanted == name_of(lesser)) most = std::min(most, lesser);
    return most;
  }();
  return chosen;
}

}  // namespace asof::kernel
