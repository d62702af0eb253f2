// ASOF_CHECK: a programmer's error stops the process with file, line and condition. Always on.
#pragma once

namespace asof::inline base {

[[noreturn]] void check_failed(const char* condition, const char* file, int line);

#define ASOF_CHECK(condition)             \
  (static_cast<bool>(condition) ? void(0) \
                                : ::asof::base::check_failed(#condition, __FILE__, __LINE__))

}  // namespace asof::inline base
