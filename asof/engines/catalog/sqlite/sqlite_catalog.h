// The SQLite catalog: the registry and the ledgers in one file, shared by any number of threads and processes.
//
// Write-ahead log, so that readers never wait for a writer; every write is one BEGIN IMMEDIATE transaction that is on the
// disk when it returns. docs/formats/registry.md has the tables.
#pragma once

#include <memory>
#include <span>

#include "asof/store/catalog.h"
#include "asof/store/engine_set.h"

namespace asof::engines::catalog::sqlite {

extern const std::span<const store::EngineOption> kOptions;

store::CatalogEngine engine();

// Creates the file, and the folders above it, where there are none. Errors: kInvalid (no place, a directory), kCorrupt (not
// a registry of ours), kUnsupported (a newer version's), kUnavailable (not writable, busy), kExhausted (disk full).
// A catalog must not be carried over fork().
Result<std::unique_ptr<store::Catalog>> open(const store::EngineAddress& address);

}  // namespace asof::engines::catalog::sqlite
