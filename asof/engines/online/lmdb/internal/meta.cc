#include "asof/engines/online/lmdb/internal/meta.h"

#include <fmt/format.h>

#include "asof/base/hash.h"
#include "asof/engines/online/lmdb/internal/row_key.h"

namespace asof::engines::online::lmdb {

namespace {

std::string identity_of(std::string_view project, std::string_view name) {
  return fmt::format("{}{}{}", project, '\0', name);
}

std::string meta_key(MetaKind kind, std::string_view identity) {
  std::string key;
  append_big_endian(key, kMetaTable);
  key.push_back(static_cast<char>(kind));
  key.append(from_hex(content_hash(identity)).value());
  return key;
}

Result<uint32_t> number_of(Environment& environment, std::string_view value) {
  if (value.size() != 4) return environment.to_error(MDB_CORRUPTED, "a table's number is none");
  return load_big_endian<uint32_t>(value.data());
}

std::string number_bytes(uint32_t number) {
  std::string bytes;
  append_big_endian(bytes, number);
  return bytes;
}

std::string format_bytes() { return std::string(kFormatMagic) + kFormatVersion; }

Result<void> check_format(const std::string& format, const std::string& path) {
  if (format == format_bytes()) return {};
  int version = format.empty() ? 0 : static_cast<unsigned char>(format.back());
  return error(ErrorCode::kCorrupt,
               fmt::format("LMDB store '{}' has format version {}, this program reads {}", path,
                           version, static_cast<int>(kFormatVersion)),
               "online", "name another folder, or remove this one and materialize again");
}

}  // namespace

Result<std::optional<std::string>> read_meta(Environment& environment, MDB_txn* transaction,
                                             MetaKind kind, std::string_view project,
                                             std::string_view name) {
  std::string identity = identity_of(project, name), key = meta_key(kind, identity);
  MDB_val stored_key = to_value(key), value;
  int code = mdb_get(transaction, environment.database(), &stored_key, &value);
  if (code == MDB_NOTFOUND) return std::optional<std::string>();
  if (code != 0) return environment.to_error(code, "cannot read");
  std::string_view bytes = to_view(value);
  uint32_t length = bytes.size() < 4 ? UINT32_MAX : load_big_endian<uint32_t>(bytes.data());
  if (bytes.size() < 4 || length > bytes.size() - 4 || bytes.substr(4, length) != identity)
    return environment.to_error(MDB_CORRUPTED, fmt::format("entry '{}' is another's", name));
  return std::optional(std::string(bytes.substr(4 + length)));
}

Result<void> write_meta(Environment& environment, MDB_txn* transaction, MetaKind kind,
                        std::string_view project, std::string_view name, std::string_view value) {
  std::string identity = identity_of(project, name), key = meta_key(kind, identity), entry;
  make_long_value(identity, value, entry);
  MDB_val stored_key = to_value(key), stored = to_value(entry);
  if (int code = mdb_put(transaction, environment.database(), &stored_key, &stored, 0); code != 0)
    return environment.to_error(code, "cannot write");
  return {};
}

Result<void> claim_environment(Environment& environment, const std::string& path) {
  {
    ASOF_TRY_ASSIGN(ReadTransaction reader, environment.begin_read());
    ASOF_TRY_ASSIGN(auto format,
                    read_meta(environment, reader.transaction(), MetaKind::kFormat, {}, {}));
    if (format.has_value()) return check_format(*format, path);
  }
  ASOF_TRY_ASSIGN(WriteTransaction writer, environment.begin_write());
  ASOF_TRY_ASSIGN(auto format,
                  read_meta(environment, writer.transaction(), MetaKind::kFormat, {}, {}));
  if (format.has_value()) return check_format(*format, path);  // another process was faster
  MDB_stat state;
  if (int code = mdb_stat(writer.transaction(), environment.database(), &state); code != 0)
    return environment.to_error(code, "cannot read");
  if (state.ms_entries != 0)
    return error(ErrorCode::kCorrupt,
                 fmt::format("LMDB file '{}/data.mdb' belongs to another program", path), "online",
                 "name a folder that is empty or does not exist yet");
  ASOF_TRY(
      write_meta(environment, writer.transaction(), MetaKind::kFormat, {}, {}, format_bytes()));
  ASOF_TRY(writer.commit());
  return environment.sync();
}

Result<std::optional<uint32_t>> find_table(Environment& environment, MDB_txn* transaction,
                                           std::string_view project, std::string_view name) {
  ASOF_TRY_ASSIGN(auto value, read_meta(environment, transaction, MetaKind::kTable, project, name));
  if (!value.has_value()) return std::optional<uint32_t>();
  ASOF_TRY_ASSIGN(uint32_t number, number_of(environment, *value));
  return std::optional(number);
}

Result<uint32_t> make_table(Environment& environment, std::string_view project,
                            std::string_view name) {
  ASOF_TRY_ASSIGN(WriteTransaction writer, environment.begin_write());
  MDB_txn* transaction = writer.transaction();
  ASOF_TRY_ASSIGN(auto known, find_table(environment, transaction, project, name));
  if (known.has_value()) return *known;
  ASOF_TRY_ASSIGN(auto next, read_meta(environment, transaction, MetaKind::kNextTable, {}, {}));
  uint32_t number = kMetaTable + 1;
  if (next.has_value()) {
    ASOF_TRY_ASSIGN(number, number_of(environment, *next));
  }
  ASOF_TRY(
      write_meta(environment, transaction, MetaKind::kTable, project, name, number_bytes(number)));
  ASOF_TRY(
      write_meta(environment, transaction, MetaKind::kNextTable, {}, {}, number_bytes(number + 1)));
  ASOF_TRY(writer.commit());
  return number;
}

}  // namespace asof::engines::online::lmdb
