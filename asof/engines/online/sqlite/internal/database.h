// The file with its connections: one that writes, and as many that read as reads run at once.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "asof/base/result.h"
#include "asof/sqlite/connection.h"

namespace asof::engines::online::sqlite {

using asof::sqlite::Connection;
using asof::sqlite::Statement;
using asof::sqlite::Transaction;

struct SqliteSettings {
  std::string path;
  std::string project;
  uint64_t max_bytes = 0;
  int64_t busy_timeout_us = 5'000'000;
};

// Threads: all methods, from any thread.
class Database {
 public:
  // Makes the tables where the file is new. Errors: kInvalid (a folder), kCorrupt (another program's file, or of another
  // version), kUnavailable.
  static Result<std::shared_ptr<Database>> open(const SqliteSettings& settings);

  // A connection that only reads, given back when the object goes.
  class Reader {
   public:
    Reader(Database& database, std::unique_ptr<Connection> connection)
        : database_(&database), connection_(std::move(connection)) {}
    Reader(Reader&&) = default;
    Reader& operator=(Reader&&) = delete;
    ~Reader() {
      if (connection_ != nullptr) database_->give_back(std::move(connection_));
    }
    Connection& operator*() { return *connection_; }
    Connection* operator->() { return connection_.get(); }

   private:
    Database* database_;
    std::unique_ptr<Connection> connection_;
  };
  Result<Reader> reader();

  // The writing connection, held until the object goes.
  struct Writer {
    std::unique_lock<std::mutex> lock;
    Connection* connection;
    Connection* operator->() { return connection; }
    Connection& operator*() { return *connection; }
  };
  Writer writer() { return {std::unique_lock(write_mutex_), writing_.get()}; }

  // The table's number, nullopt where nothing was ever written to it.
  Result<std::optional<int64_t>> find_table(Connection& connection, std::string_view name);
  // The same, giving it a number where it has none.
  Result<int64_t> make_table(Connection& writing, std::string_view name);

  // Whether its path still leads to the file that was opened.
  Result<bool> is_current() const { return writing_->is_current(); }

 private:
  explicit Database(const SqliteSettings& settings) : settings_(settings) {}
  Result<void> prepare_file();
  void give_back(std::unique_ptr<Connection> connection);

  SqliteSettings settings_;
  std::mutex write_mutex_;
  std::unique_ptr<Connection> writing_;
  std::mutex mutex_;  // of what stands below
  std::vector<std::unique_ptr<Connection>> idle_;
  std::map<std::string, int64_t, std::less<>> tables_;
};

}  // namespace asof::engines::online::sqlite
