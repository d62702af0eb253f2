// What an environment holds beside rows, in the table that no rows have: its format, the tables' numbers, the marks.
// Entries are found by the hash of their project and name, and carry both.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "asof/engines/online/lmdb/internal/environment.h"

namespace asof::engines::online::lmdb {

enum class MetaKind : char { kFormat = 'f', kMark = 'm', kNextTable = 'n', kTable = 't' };

inline constexpr std::string_view kFormatMagic = "asof-lmdb";
inline constexpr char kFormatVersion = 1;

// A value copied out of the environment, nullopt where there is none. Errors: kCorrupt, and what LMDB says.
Result<std::optional<std::string>> read_meta(Environment& environment, MDB_txn* transaction,
                                             MetaKind kind, std::string_view project,
                                             std::string_view name);
Result<void> write_meta(Environment& environment, MDB_txn* transaction, MetaKind kind,
                        std::string_view project, std::string_view name, std::string_view value);

// Makes an empty environment Asof's, and makes sure that any other is. Errors: kCorrupt.
Result<void> claim_environment(Environment& environment, const std::string& path);

Result<std::optional<uint32_t>> find_table(Environment& environment, MDB_txn* transaction,
                                           std::string_view project, std::string_view name);
// Gives the table a number if it has none, in a transaction of its own.
Result<uint32_t> make_table(Environment& environment, std::string_view project,
                            std::string_view name);

}  // namespace asof::engines::online::lmdb
