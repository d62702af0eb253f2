// An LMDB environment, opened once a process, and its transactions as values that end with their scope.
#pragma once

#include <lmdb.h>
#include <sys/types.h>

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "asof/base/result.h"

namespace asof::engines::online::lmdb {

struct EnvironmentSettings {
  std::string path;  // the folder
  uint64_t map_bytes = uint64_t{1} << 40;
  uint32_t max_readers = 510;
};

inline MDB_val to_value(std::string_view bytes) {
  return {bytes.size(), const_cast<char*>(bytes.data())};  // LMDB never writes through it
}
inline std::string_view to_view(const MDB_val& value) {
  return {static_cast<const char*>(value.mv_data), value.mv_size};
}

// Which files an environment stands on: a folder that was removed and made again is another.
struct FileIdentity {
  dev_t device = 0;
  ino_t data = 0;
  ino_t lock = 0;
  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

// A snapshot of the environment with a cursor on it, taken from a pool of readers and given back at the end of the scope.
class ReadTransaction;
// The one writer of all processes. What was not committed when it ends never was.
class WriteTransaction;

// Threads: all methods, from any thread. Processes: any number; one that forks opens its own.
class Environment {
 public:
  // The environment of this folder: that which this process has open already, or a new one. LMDB's file locks would be lost
  // if a process opened one twice. Errors: kInvalid (the path is a file), kUnavailable (not permitted, not reachable),
  // kCorrupt (no LMDB file, or one of another version), kExhausted (disk full).
  static Result<std::shared_ptr<Environment>> open(const EnvironmentSettings& settings);
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  Result<ReadTransaction> begin_read();
  Result<WriteTransaction> begin_write();
  // Flushes what committed transactions left in the system's buffers: after it they survive a power cut.
  Result<void> sync();

  const FileIdentity& identity() const { return identity_; }
  Error to_error(int code, std::string_view doing) const;
  MDB_dbi database() const { return database_; }
  size_t page_bytes() const { return page_bytes_; }

 private:
  friend class ReadTransaction;
  friend class WriteTransaction;
  struct Reader {
    MDB_txn* transaction = nullptr;
    MDB_cursor* cursor = nullptr;
  };

  explicit Environment(const EnvironmentSettings& settings) : settings_(settings) {}
  Result<void> open_files();
  int renew(Reader& reader);
  int begin(Reader& reader);
  void give_back(Reader reader);

  EnvironmentSettings settings_;
  MDB_env* env_ = nullptr;
  MDB_dbi database_ = 0;
  size_t page_bytes_ = 0;
  FileIdentity identity_;
  pid_t process_ = 0;
  std::mutex idle_mutex_;
  std::vector<Reader> idle_;
};

// Where the folder's files stand now; nothing where there are none.
FileIdentity identify_files(const std::string& folder);

class ReadTransaction {
 public:
  ReadTransaction(Environment& environment, Environment::Reader reader)
      : environment_(&environment), reader_(reader) {}
  ReadTransaction(ReadTransaction&& other) noexcept
      : environment_(other.environment_), reader_(other.reader_) {
    other.environment_ = nullptr;
  }
  ReadTransaction& operator=(ReadTransaction&&) = delete;
  ~ReadTransaction() {
    if (environment_ != nullptr) environment_->give_back(reader_);
  }

  MDB_txn* transaction() { return reader_.transaction; }
  MDB_cursor* cursor() { return reader_.cursor; }

 private:
  Environment* environment_;
  Environment::Reader reader_;
};

class WriteTransaction {
 public:
  WriteTransaction(Environment& environment, MDB_txn* transaction, MDB_cursor* cursor)
      : environment_(&environment), transaction_(transaction), cursor_(cursor) {}
  WriteTransaction(WriteTransaction&& other) noexcept
      : environment_(other.environment_), transaction_(other.transaction_), cursor_(other.cursor_) {
    other.transaction_ = nullptr;
  }
  WriteTransaction& operator=(WriteTransaction&&) = delete;
  ~WriteTransaction();

  MDB_txn* transaction() { return transaction_; }
  MDB_cursor* cursor() { return cursor_; }
  // Visible to everyone from here on; durable after Environment::sync().
  Result<void> commit();

 private:
  Environment* environment_;
  MDB_txn* transaction_;
  MDB_cursor* cursor_;
};

}  // namespace asof::engines::online::lmdb
