// Simd: which instructions the kernel's inner loops use. One program runs on every x86-64 machine since 2009 (and on others); what
// newer ones can do besides is found out when it starts.
#pragma once

#include <string_view>

namespace asof::kernel {

enum class Simd { kNone, kAvx2, kAvx512 };

// The best that this machine has.
Simd best_simd();
// "none", "avx2", "avx512".
std::string_view name_of(Simd simd);
// What the loops use: the best, or less where the environment asks for it (ASOF_SIMD=none, for tests and for comparisons).
// Under ThreadSanitizer always none: it cannot see that the lanes of a vector are read whole.
Simd simd();

}  // namespace asof::kernel
