#include "asof/engines/offline/duckdb/internal/library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <mutex>
#include <string>

namespace asof::engines::offline::duckdb {

#define ASOF_DEFINE(name) decltype(&::name) name = nullptr;
ASOF_DUCKDB_FUNCTIONS(ASOF_DEFINE)
#undef ASOF_DEFINE

namespace {

std::string linker_error() {
  const char* text = dlerror();
  return text == nullptr ? "the linker does not say why" : text;
}

// Nothing, or what the linker complains of.
std::string load() {
  void* library = dlopen("libduckdb.so", RTLD_LAZY | RTLD_LOCAL);
  if (library == nullptr) return linker_error();
#define ASOF_FIND(name)                                           \
  name = reinterpret_cast<decltype(name)>(dlsym(library, #name)); \
  if (name == nullptr) return linker_error();
  ASOF_DUCKDB_FUNCTIONS(ASOF_FIND)
#undef ASOF_FIND
  return {};
}

}  // namespace

Result<void> load_library() {
  static std::mutex lock;
  static bool is_loaded = false;
  std::lock_guard hold(lock);
  if (is_loaded) return {};
  const std::string failure = load();
  is_loaded = failure.empty();
  if (is_loaded) return {};
  return error(ErrorCode::kUnavailable, fmt::format("DuckDB cannot be loaded: {}", failure), {},
               "keep the libduckdb.so that came with this program beside it or in ../lib, or name "
               "its folder in LD_LIBRARY_PATH");
}

}  // namespace asof::engines::offline::duckdb
