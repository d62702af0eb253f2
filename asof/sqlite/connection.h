// SQLite's C API as values: a connection, the statements prepared on it, transactions, and its results as our errors.
// The registry and the online store of one machine are such files. Source: https://sqlite.org/c3ref/intro.html
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "asof/base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace asof::sqlite {

class Connection;

// What a file is to its user, for the errors: each kind is mended in its own way.
struct FileKind {
  std::string_view noun;       // "registry"
  std::string_view when_full;  // what to do then
  std::string_view when_damaged;
};

// A prepared statement while it is used; reset, and its snapshot released, when it goes. Text and blobs that are bound must
// outlive its use.
class Statement {
 public:
  Statement(const Connection& connection, sqlite3_stmt* statement)
      : connection_(&connection), statement_(statement) {}
  Statement(Statement&& other) noexcept
      : connection_(other.connection_), statement_(std::exchange(other.statement_, nullptr)) {}
  Statement& operator=(Statement&&) = delete;
  ~Statement() { reset(); }

  void reset();
  // Parameters count from 1.
  Statement& bind(int parameter, int64_t number);
  Statement& bind(int parameter, std::string_view text);
  Statement& bind_blob(int parameter, std::string_view bytes);

  // Whether there is a row.
  Result<bool> step();
  // Runs it to its end; returns the number of rows changed. It can be bound and run again.
  Result<int> run();

  // Columns count from 0. Views hold until the next step.
  int64_t integer(int column) const;
  std::string_view text(int column) const;
  std::string_view blob(int column) const;

 private:
  const Connection* connection_;
  sqlite3_stmt* statement_;
};

// Threads: one at a time.
class Connection {
 public:
  // Makes an empty file where there is none; its folder exists. `kind` holds for the life of the program.
  static Result<std::unique_ptr<Connection>> open(const std::string& path, int64_t busy_timeout_us,
                                                  const FileKind& kind);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Readers never wait for a writer from now on, and the file keeps it so. Errors: kUnavailable where other processes hold the
  // file for longer than the busy timeout, or where its file system cannot hold a write-ahead log.
  Result<void> use_write_ahead_log();

  // Prepared once for each text and kept.
  Result<Statement> prepare(std::string_view sql);
  Result<void> execute(const std::string& sql);
  // The one number that a pragma or a query answers with; 0 where it has no row.
  Result<int64_t> read_integer(std::string_view sql);

  // Whether the path still leads to the file that was opened. Errors: kUnavailable where nobody can tell (a folder without
  // the right to enter it, a lost network disk).
  Result<bool> is_current() const;
  const std::string& path() const { return path_; }
  // What a code of SQLite's last call means for this file.
  Error failure(int code) const;

 private:
  Connection(std::string path, int64_t busy_timeout_us, const FileKind& kind)
      : path_(std::move(path)), busy_timeout_us_(busy_timeout_us), kind_(kind) {}

  const std::string path_;
  const int64_t busy_timeout_us_;
  const FileKind& kind_;
  sqlite3* database_ = nullptr;
  uint64_t device_ = 0;
  uint64_t inode_ = 0;
  std::map<std::string, sqlite3_stmt*, std::less<>> statements_;
};

// Begins to write at once (one that first reads, and then finds another writer, would fail); undone at the end of the scope
// unless committed.
class Transaction {
 public:
  static Result<Transaction> begin(Connection& connection);
  Transaction(Transaction&& other) noexcept
      : connection_(std::exchange(other.connection_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  Result<void> commit();

 private:
  explicit Transaction(Connection& connection) : connection_(&connection) {}
  Connection* connection_;
};

}  // namespace asof::sqlite
