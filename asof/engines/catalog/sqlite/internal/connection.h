// Connection and Statement: SQLite's C API with our errors.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "asof/base/result.h"

namespace asof::engines::catalog::sqlite::internal {

class Connection;

// A prepared statement in use: reset, and its snapshot released, when it goes.
class Statement {
 public:
  Statement(Connection& connection, sqlite3_stmt* statement)
      : connection_(connection), statement_(statement) {}
  ~Statement();
  Statement(Statement&& other) noexcept
      : connection_(other.connection_), statement_(std::exchange(other.statement_, nullptr)) {}
  Statement& operator=(Statement&&) = delete;

  // Parameters count from 1. Text must outlive the statement's use.
  void bind(int parameter, std::string_view text);
  void bind(int parameter, int64_t number);
  // Whether there is a row.
  Result<bool> step();
  // For statements without rows.
  Result<void> run();

  int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
  std::string text(int column) const;

 private:
  Connection& connection_;
  sqlite3_stmt* statement_;
};

// Threads: one at a time.
class Connection {
 public:
  // `path` exists or is created, its folder exists.
  static Result<std::unique_ptr<Connection>> open(const std::string& path, int64_t busy_timeout_us);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Prepared once for each text and kept.
  Result<Statement> prepare(const std::string& sql);
  Result<void> execute(const std::string& sql);
  // The one number that a pragma or a query answers with.
  Result<int64_t> read_integer(const std::string& sql);
  // Runs `body` between BEGIN IMMEDIATE and COMMIT; where it fails, nothing has happened.
  Result<void> transaction(const std::function<Result<void>()>& body);
  // Whether the path still leads to the file that was opened.
  bool is_current() const;
  // The error of SQLite's last call.
  Error failure(int code) const;
  const std::string& path() const { return path_; }

 private:
  Connection(std::string path, int64_t busy_timeout_us)
      : path_(std::move(path)), busy_timeout_us_(busy_timeout_us) {}

  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };

  std::string path_;
  int64_t busy_timeout_us_;
  sqlite3* database_ = nullptr;
  uint64_t device_ = 0;
  uint64_t inode_ = 0;
  std::map<std::string, std::unique_ptr<sqlite3_stmt, Finalize>> statements_;
};

}  // namespace asof::engines::catalog::sqlite::internal
