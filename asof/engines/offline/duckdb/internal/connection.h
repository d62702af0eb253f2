// Database and Connection: DuckDB's C API as values that clean up after themselves, its failures as our errors.
#pragma once

#include <duckdb.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "asof/base/result.h"

namespace asof::engines::offline::duckdb {

// "a ""b""" and 'it''s': names and texts as SQL reads them back.
std::string quote_name(std::string_view name);
std::string quote_text(std::string_view text);
// A name as one would type it into a query: quoted where it must be. For hints.
std::string shown_name(std::string_view name);

// What DuckDB says, in our words: exhausted, not found, cancelled, unsupported, else invalid.
Error to_error(duckdb_error_type type, std::string_view message);

// Cells of a small result, all read as text.
using TextRows = std::vector<std::vector<std::optional<std::string>>>;

struct DatabaseOptions {
  std::string memory_limit;
  size_t threads = 1;
  std::string temp_directory;
  std::string directory;  // relative paths in SQL start here
};

class Connection;

// One in-memory DuckDB. Threads: all methods, from any thread.
class Database : public std::enable_shared_from_this<Database> {
 public:
  // Nothing is fetched from the network: extensions are never installed or loaded on their own.
  static Result<std::shared_ptr<Database>> open(const DatabaseOptions& options);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  Result<Connection> connect();
  // Set once DuckDB has declared itself unusable: the next caller opens another.
  bool is_broken() const { return broken_; }

 private:
  friend class Connection;
  Database() = default;
  duckdb_database handle_ = nullptr;
  std::atomic<bool> broken_ = false;
};

// Threads: one at a time.
class Connection {
 public:
  Connection(std::shared_ptr<Database> database, duckdb_connection handle)
      : database_(std::move(database)), handle_(handle) {}
  ~Connection();
  Connection(Connection&& other) noexcept;
  Connection& operator=(Connection&&) = delete;

  Result<void> execute(const std::string& sql);
  // Every column must be VARCHAR.
  Result<TextRows> query(const std::string& sql);
  // What the columns of a SELECT are called, a name twice where it says so; nothing where it cannot be prepared.
  std::vector<std::string> result_names(const std::string& sql);
  duckdb_connection handle() const { return handle_; }

 private:
  Result<void> run(const std::string& sql, duckdb_result& result);
  std::shared_ptr<Database> database_;
  duckdb_connection handle_;
};

}  // namespace asof::engines::offline::duckdb
