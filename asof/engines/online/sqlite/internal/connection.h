// SQLite's C API as values: a connection, the statements prepared on it, and its results as our errors.
#pragma once

#include <sqlite3.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "asof/base/result.h"

namespace asof::engines::online::sqlite {

// A prepared statement while it is used; reset when it goes. Blobs and text that are bound must outlive it.
class Statement {
 public:
  Statement(sqlite3_stmt* statement, const std::string& path)
      : statement_(statement), path_(&path) {}
  Statement(Statement&& other) noexcept : statement_(other.statement_), path_(other.path_) {
    other.statement_ = nullptr;
  }
  Statement& operator=(Statement&&) = delete;
  ~Statement() { reset(); }

  void reset();
  Statement& bind(int parameter, int64_t number);
  Statement& bind_blob(int parameter, std::string_view bytes);
  Statement& bind_text(int parameter, std::string_view text);

  // Whether there is a row.
  Result<bool> step();
  // Runs it to its end; returns the number of rows changed, and can be bound and run again.
  Result<int> run();

  int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
  // In place, until the next step.
  std::string_view blob(int column) const;

 private:
  sqlite3_stmt* statement_;
  const std::string* path_;
};

// Used by one thread at a time.
class Connection {
 public:
  // Errors: kInvalid (a folder), kUnavailable (not permitted), kCorrupt (not a database).
  static Result<std::unique_ptr<Connection>> open(const std::string& path, int64_t busy_timeout_us);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Prepared once a connection; `sql` must be a constant.
  Result<Statement> prepare(const char* sql);
  Result<void> execute(const std::string& sql);
  // The single integer that a query gives.
  Result<int64_t> query_integer(const char* sql);

 private:
  explicit Connection(std::string path) : path_(std::move(path)) {}

  std::string path_;
  sqlite3* database_ = nullptr;
  std::map<const char*, sqlite3_stmt*> statements_;
};

// `begin immediate` now, `rollback` at the end of the scope unless committed.
class Transaction {
 public:
  static Result<Transaction> begin(Connection& connection);
  Transaction(Transaction&& other) noexcept : connection_(other.connection_) {
    other.connection_ = nullptr;
  }
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  Result<void> commit();

 private:
  explicit Transaction(Connection& connection) : connection_(&connection) {}
  Connection* connection_;
};

Error to_error(int code, std::string_view message, const std::string& path);

}  // namespace asof::engines::online::sqlite
