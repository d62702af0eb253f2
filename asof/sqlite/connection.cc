#include "asof/sqlite/connection.h"

#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstring>
#include <thread>

#include "asof/base/check.h"
#include "asof/base/clock.h"
#include "asof/types/timestamp.h"

namespace asof::sqlite {

namespace {

constexpr auto kWriteAheadLogPause = std::chrono::milliseconds(2);

// A null pointer would bind NULL, not the empty value.
const char* data_of(std::string_view bytes) { return bytes.data() == nullptr ? "" : bytes.data(); }

}  // namespace

void Statement::reset() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

Statement& Statement::bind(int parameter, int64_t number) {
  ASOF_CHECK(sqlite3_bind_int64(statement_, parameter, number) == SQLITE_OK);
  return *this;
}

Statement& Statement::bind(int parameter, std::string_view text) {
  const int code = sqlite3_bind_text64(statement_, parameter, data_of(text), text.size(),
                                       SQLITE_STATIC, SQLITE_UTF8);
  // A value beyond SQLite's limit is found by step(): its parameter stays NULL, which no column of ours takes.
  ASOF_CHECK(code == SQLITE_OK || code == SQLITE_TOOBIG || code == SQLITE_NOMEM);
  return *this;
}

Statement& Statement::bind_blob(int parameter, std::string_view bytes) {
  const int code =
      sqlite3_bind_blob64(statement_, parameter, data_of(bytes), bytes.size(), SQLITE_STATIC);
  ASOF_CHECK(code == SQLITE_OK || code == SQLITE_TOOBIG || code == SQLITE_NOMEM);
  return *this;
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return connection_->failure(code);
}

Result<int> Statement::run() {
  while (true) {
    ASOF_TRY_ASSIGN(const bool has_row, step());
    if (!has_row) break;
  }
  const int changes = sqlite3_changes(sqlite3_db_handle(statement_));
  sqlite3_reset(statement_);
  return changes;
}

int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_, column); }

std::string_view Statement::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return {data == nullptr ? "" : data,
          static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

std::string_view Statement::blob(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  return {data == nullptr ? "" : data,
          static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

Result<std::unique_ptr<Connection>> Connection::open(const std::string& path,
                                                     int64_t busy_timeout_us,
                                                     const FileKind& kind) {
  std::unique_ptr<Connection> connection(new Connection(path, busy_timeout_us, kind));
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
  for (auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(database_);
}

Result<void> Connection::use_write_ahead_log() {
  // Two processes that open a new file at once may each find it locked by the other, and SQLite does not wait there by itself,
  // nor tell when the lock is gone.
  const int64_t deadline_us = steady_now_us() + busy_timeout_us_;
  while (true) {
    Result<std::string> mode = [&]() -> Result<std::string> {
      ASOF_TRY_ASSIGN(Statement statement, prepare("PRAGMA journal_mode=WAL"));
      ASOF_TRY_ASSIGN(const bool has_row, statement.step());
      return std::string(has_row ? statement.text(0) : "");
    }();
    if (mode && *mode == "wal") return {};
    if (mode)
      return error(ErrorCode::kUnavailable,
                   fmt::format("{} '{}': its file system cannot hold an SQLite write-ahead log",
                               kind_.noun, path_),
                   {}, "put it on a local disk");
    if (mode.error().code != ErrorCode::kUnavailable || steady_now_us() >= deadline_us)
      return std::move(mode).error();
    std::this_thread::sleep_for(kWriteAheadLogPause);
  }
}

Result<Statement> Connection::prepare(std::string_view sql) {
  auto kept = statements_.find(sql);
  if (kept == statements_.end()) {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v3(database_, sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (code != SQLITE_OK) return failure(code);
    kept = statements_.emplace(sql, statement).first;
  }
  return Statement(*this, kept->second);
}

Result<void> Connection::execute(const std::string& sql) {
  const int code = sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return failure(code);
  return {};
}

Result<int64_t> Connection::read_integer(std::string_view sql) {
  ASOF_TRY_ASSIGN(Statement statement, prepare(sql));
  ASOF_TRY_ASSIGN(const bool has_row, statement.step());
  return has_row ? statement.integer(0) : int64_t{0};
}

Result<bool> Connection::is_current() const {
  struct stat status{};
  if (::stat(path_.c_str(), &status) == 0)
    return status.st_dev == device_ && status.st_ino == inode_;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return error(
      ErrorCode::kUnavailable,
      fmt::format("{} '{}' cannot be reached: {}", kind_.noun, path_, std::strerror(errno)), {},
      "check the rights of its folder, and its disk");
}

Error Connection::failure(int code) const {
  const std::string reason =
      database_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(database_);
  const int system = database_ == nullptr ? 0 : sqlite3_system_errno(database_);
  const std::string what = fmt::format("{} '{}'", kind_.noun, path_);
  const std::string why = system != 0 ? std::strerror(system) : reason;
  if (system == ENOSPC || system == EDQUOT)
    return error(ErrorCode::kExhausted, fmt::format("{}: the disk is full", what), {},
                 "free some space and try again");
  switch (code & 0xff) {
    case SQLITE_FULL:
      return error(ErrorCode::kExhausted, fmt::format("{} is full", what), {},
                   std::string(kind_.when_full));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
      return error(
          ErrorCode::kUnavailable,
          fmt::format("{} is busy: another process has been writing to it for more than {}", what,
                      to_string(Duration{busy_timeout_us_})),
          {}, "try again; the option busy_timeout says how long to wait");
    case SQLITE_NOMEM: return error(ErrorCode::kExhausted, fmt::format("{}: out of memory", what));
    case SQLITE_TOOBIG:
      return error(ErrorCode::kExhausted,
                   fmt::format("{}: a value beyond SQLite's limit of 1 GB", what));
    case SQLITE_NOTADB:
      return error(ErrorCode::kCorrupt, fmt::format("{} is not an SQLite database", what), {},
                   fmt::format("it is another program's file, or damaged: name another file, or {}",
                               kind_.when_damaged));
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN:
      return error(
          ErrorCode::kUnavailable, fmt::format("{} cannot be written: {}", what, why), {},
          "check the rights of the file and of its folder, which SQLite writes to as well");
    case SQLITE_IOERR:
      return error(
          ErrorCode::kUnavailable,
          fmt::format("{}: {}{}", what, reason, system != 0 ? fmt::format(" ({})", why) : ""), {},
          "check the disk");
    case SQLITE_MISUSE: return error(ErrorCode::kInternal, fmt::format("{}: {}", what, reason));
    default:
      // A missing table, a broken page, a value where none may be: not what we wrote.
      return error(ErrorCode::kCorrupt, fmt::format("{} is damaged: {}", what, reason), {},
                   std::string(kind_.when_damaged));
  }
}

Result<Transaction> Transaction::begin(Connection& connection) {
  ASOF_TRY_ASSIGN(Statement begin, connection.prepare("BEGIN IMMEDIATE"));
  ASOF_TRY(begin.run());
  return Transaction(connection);
}

Transaction::~Transaction() {
  if (connection_ == nullptr) return;
  // Some failures (a full disk) have rolled back already: then this says so, and nobody minds.
  Result<void> outcome = connection_->execute("ROLLBACK");
  (void)outcome;
}

Result<void> Transaction::commit() {
  ASOF_TRY_ASSIGN(Statement commit, connection_->prepare("COMMIT"));
  ASOF_TRY(commit.run());
  connection_ = nullptr;
  return {};
}

}  // namespace asof::sqlite
