#include "asof/engines/online/sqlite/internal/connection.h"

#include <fmt/format.h>

namespace asof::engines::online::sqlite {

namespace {

ErrorCode code_of(int code) {
  switch (code & 0xff) {
    case SQLITE_FULL:
    case SQLITE_NOMEM:
    case SQLITE_TOOBIG: return ErrorCode::kExhausted;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
    case SQLITE_SCHEMA: return ErrorCode::kCorrupt;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_IOERR:
    case SQLITE_AUTH:
    case SQLITE_PROTOCOL: return ErrorCode::kUnavailable;
    default: return ErrorCode::kInternal;
  }
}

std::string hint_of(int code) {
  switch (code & 0xff) {
    case SQLITE_FULL: return "free some space on its disk, or raise the option max_size";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return "remove the file and materialize again: everything in it can be rebuilt";
    case SQLITE_BUSY:
      return "another process holds the file; the option busy_timeout says how long to wait";
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY: return "the file and its folder must be writable by this user";
    default: return {};
  }
}

}  // namespace

Error to_error(int code, std::string_view message, const std::string& path) {
  return error(code_of(code), fmt::format("SQLite store '{}': {}", path, message), {},
               hint_of(code));
}

void Statement::reset() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

Statement& Statement::bind(int parameter, int64_t number) {
  sqlite3_bind_int64(statement_, parameter, number);
  return *this;
}

Statement& Statement::bind_blob(int parameter, std::string_view bytes) {
  // A null pointer would be NULL, not the empty blob.
  sqlite3_bind_blob64(statement_, parameter, bytes.empty() ? "" : bytes.data(), bytes.size(),
                      SQLITE_STATIC);
  return *this;
}

Statement& Statement::bind_text(int parameter, std::string_view text) {
  sqlite3_bind_text64(statement_, parameter, text.empty() ? "" : text.data(), text.size(),
                      SQLITE_STATIC, SQLITE_UTF8);
  return *this;
}

Result<bool> Statement::step() {
  int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return to_error(code, sqlite3_errmsg(sqlite3_db_handle(statement_)), *path_);
}

Result<int> Statement::run() {
  for (;;) {
    ASOF_TRY_ASSIGN(bool has_row, step());
    if (!has_row) break;
  }
  int changes = sqlite3_changes(sqlite3_db_handle(statement_));
  sqlite3_reset(statement_);
  return changes;
}

std::string_view Statement::blob(int column) const {
  const void* bytes = sqlite3_column_blob(statement_, column);
  return {static_cast<const char*>(bytes),
          static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

Result<std::unique_ptr<Connection>> Connection::open(const std::string& path,
                                                     int64_t busy_timeout_us) {
  std::unique_ptr<Connection> connection(new Connection(path));
  int code =
      sqlite3_open_v2(path.c_str(), &connection->database_,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  if (code != SQLITE_OK)
    return to_error(code,
                    connection->database_ == nullptr ? sqlite3_errstr(code)
                                                     : sqlite3_errmsg(connection->database_),
                    path);
  sqlite3_extended_result_codes(connection->database_, 1);
  sqlite3_busy_timeout(connection->database_, static_cast<int>(busy_timeout_us / 1'000));
  return connection;
}

Connection::~Connection() {
  for (auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(database_);
}

Result<Statement> Connection::prepare(const char* sql) {
  sqlite3_stmt*& statement = statements_[sql];
  if (statement == nullptr) {
    int code =
        sqlite3_prepare_v3(database_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (code != SQLITE_OK) return to_error(code, sqlite3_errmsg(database_), path_);
  }
  return Statement(statement, path_);
}

Result<void> Connection::execute(const std::string& sql) {
  int code = sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return to_error(code, sqlite3_errmsg(database_), path_);
  return {};
}

Result<int64_t> Connection::query_integer(const char* sql) {
  ASOF_TRY_ASSIGN(Statement statement, prepare(sql));
  ASOF_TRY_ASSIGN(bool has_row, statement.step());
  return has_row ? statement.integer(0) : int64_t{0};
}

Result<Transaction> Transaction::begin(Connection& connection) {
  ASOF_TRY_ASSIGN(Statement begin, connection.prepare("begin immediate"));
  ASOF_TRY(begin.run());
  return Transaction(connection);
}

Transaction::~Transaction() {
  if (connection_ == nullptr) return;
  // SQLite may have rolled back already, after a full disk for one: then this fails, and that is fine.
  Result<void> outcome = connection_->execute("rollback");
  (void)outcome;
}

Result<void> Transaction::commit() {
  ASOF_TRY_ASSIGN(Statement commit, connection_->prepare("commit"));
  ASOF_TRY(commit.run());
  connection_ = nullptr;
  return {};
}

}  // namespace asof::engines::online::sqlite
