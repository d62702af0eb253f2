#include "asof/engines/catalog/sqlite/internal/connection.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include "asof/base/check.h"
#include "asof/types/timestamp.h"

namespace asof::engines::catalog::sqlite::internal {

Statement::~Statement() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

void Statement::bind(int parameter, std::string_view text) {
  // A null pointer would bind NULL.
  const char* data = text.data() == nullptr ? "" : text.data();
  const int code =
      sqlite3_bind_text64(statement_, parameter, data, text.size(), SQLITE_STATIC, SQLITE_UTF8);
  // A text beyond SQLite's limit is found by step(): its parameter stays NULL, which no column takes.
  ASOF_CHECK(code == SQLITE_OK || code == SQLITE_TOOBIG || code == SQLITE_NOMEM);
}

void Statement::bind(int parameter, int64_t number) {
  ASOF_CHECK(sqlite3_bind_int64(statement_, parameter, number) == SQLITE_OK);
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return connection_.failure(code);
}

Result<void> Statement::run() {
  while (true) {
    ASOF_TRY_ASSIGN(const bool has_row, step());
    if (!has_row) return {};
  }
}

std::string Statement::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return {data == nullptr ? "" : data,
          static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

Result<std::unique_ptr<Connection>> Connection::open(const std::string& path,
                                                     int64_t busy_timeout_us) {
  std::unique_ptr<Connection> connection(new Connection(path, busy_timeout_us));
  const int flags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(path.c_str(), &connection->database_, flags, nullptr);
  if (code != SQLITE_OK) return connection->failure(code);
  sqlite3_busy_timeout(connection->database_,
                       static_cast<int>(std::min<int64_t>(busy_timeout_us / 1000, INT_MAX)));
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0) {
    connection->device_ = status.st_dev;
    connection->inode_ = status.st_ino;
  }
  return connection;
}

Connection::~Connection() {
  statements_.clear();
  sqlite3_close(database_);
}

bool Connection::is_current() const {
  struct stat status{};
  return ::stat(path_.c_str(), &status) == 0 && status.st_dev == device_ && status.st_ino == inode_;
}

Result<Statement> Connection::prepare(const std::string& sql) {
  auto& kept = statements_[sql];
  if (kept == nullptr) {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v3(database_, sql.c_str(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (code != SQLITE_OK) return failure(code);
    kept.reset(statement);
  }
  return Statement(*this, kept.get());
}

Result<void> Connection::execute(const std::string& sql) {
  const int code = sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return failure(code);
  return {};
}

Result<int64_t> Connection::read_integer(const std::string& sql) {
  ASOF_TRY_ASSIGN(Statement statement, prepare(sql));
  ASOF_TRY_ASSIGN(const bool has_row, statement.step());
  return has_row ? statement.integer(0) : 0;
}

Result<void> Connection::transaction(const std::function<Result<void>()>& body) {
  // Immediate: a transaction that first reads and then finds another writer would fail at once.
  ASOF_TRY(execute("BEGIN IMMEDIATE"));
  Result<void> outcome = body();
  if (outcome) outcome = execute("COMMIT");
  // Some failures (a full disk) have rolled back already: then this says so, and nobody minds.
  if (!outcome && sqlite3_get_autocommit(database_) == 0) (void)execute("ROLLBACK");
  return outcome;
}

Error Connection::failure(int code) const {
  const std::string reason = sqlite3_errmsg(database_);
  const int system = database_ == nullptr ? 0 : sqlite3_system_errno(database_);
  const std::string what = fmt::format("registry '{}'", path_);
  if (system == ENOSPC || system == EDQUOT || (code & 0xff) == SQLITE_FULL)
    return error(ErrorCode::kExhausted,
                 fmt::format("{}: the disk is full; nothing was changed", what), {},
                 "free some space and try again");
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return error(
          ErrorCode::kUnavailable,
          fmt::format("{} is busy: another process has been writing to it for more than {}", what,
                      to_string(Duration{busy_timeout_us_})),
          {}, "try again; the option busy_timeout says how long to wait");
    case SQLITE_NOMEM: return error(ErrorCode::kExhausted, fmt::format("{}: out of memory", what));
    case SQLITE_TOOBIG:
      return error(ErrorCode::kExhausted,
                   fmt::format("{}: a document beyond SQLite's limit of 1 GB", what));
    case SQLITE_NOTADB:
      return error(
          ErrorCode::kCorrupt, fmt::format("{} is not an SQLite database", what), {},
          "it is another program's file, or damaged: name another file, or restore a backup");
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN:
      return error(
          ErrorCode::kUnavailable,
          fmt::format("{} cannot be written: {}", what,
                      system != 0 ? std::strerror(system) : reason.c_str()),
          {}, "check the rights of the file and of its folder, which SQLite writes to as well");
    case SQLITE_IOERR:
      return error(ErrorCode::kUnavailable,
                   fmt::format("{}: {}{}", what, reason,
                               system != 0 ? fmt::format(" ({})", std::strerror(system)) : ""),
                   {}, "check the disk");
    case SQLITE_MISUSE: return error(ErrorCode::kInternal, fmt::format("{}: {}", what, reason));
    default:
      // A missing table, a broken page, a value where none may be: not what we wrote.
      return error(ErrorCode::kCorrupt, fmt::format("{} is damaged: {}", what, reason), {},
                   "restore it from a backup; the rows online stay as they are");
  }
}

}  // namespace asof::engines::catalog::sqlite::internal
