// Database and Connection: DuckDB's C API as values that clean up after themselves, its failures as our errors.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "asof/base/result.h"
#include "asof/engines/offline/duckdb/internal/library.h"
#include "asof/engines/offline/duckdb/internal/output_codec.h"

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
  std::string directory;                            // relative paths in SQL start here
  OutputCodec compression = kOutputCodecs.front();  // of training sets
};

class Connection;

// One in-memory DuckDB, started when a connection to it is first used: that takes longer than the reading of many a file.
// Threads: all methods, from any thread.
class Database : public std::enable_shared_from_this<Database> {
 public:
  // Makes our functions known to a DuckDB that has just been started.
  using Prepare = std::function<Result<void>(duckdb_connection)>;

  // Nothing is fetched from the network: extensions are never installed or loaded on their own.
  static std::shared_ptr<Database> make(DatabaseOptions options, Prepare prepare);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  Connection connect();
  // Set once DuckDB has declared itself unusable: the next caller makes another.
  bool is_broken() const { return broken_; }

 private:
  friend class Connection;
  Database(DatabaseOptions options, Prepare prepare)
      : options_(std::move(options)), prepare_(std::move(prepare)) {}
  // A connection to the database, which is started where it has not been.
  Result<duckdb_connection> open_connection();
  Result<void> start();

  const DatabaseOptions options_;
  const Prepare prepare_;
  std::mutex starting_;
  duckdb_database handle_ = nullptr;
  std::atomic<bool> broken_ = false;
};

// Threads: one at a time.
class Connection {
 public:
  explicit Connection(std::shared_ptr<Database> database) : database_(std::move(database)) {}
  ~Connection();
  Connection(Connection&& other) noexcept;
  Connection& operator=(Connection&&) = delete;

  Result<void> execute(const std::string& sql);
  // Every column must be VARCHAR.
  Result<TextRows> query(const std::string& sql);
  // What the columns of a SELECT are called, a name twice where it says so; nothing where it cannot be prepared.
  std::vector<std::string> result_names(const std::string& sql);
  Result<duckdb_connection> handle();

 private:
  Result<void> run(const std::string& sql, duckdb_result& result);
  std::shared_ptr<Database> database_;
  duckdb_connection handle_ = nullptr;  // until it is first used
};

}  // namespace asof::engines::offline::duckdb
