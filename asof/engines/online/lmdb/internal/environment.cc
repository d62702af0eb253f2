#include "asof/engines/online/lmdb/internal/environment.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <map>

namespace asof::engines::online::lmdb {

namespace {

// More idle readers than threads read at once are of no use; each holds a slot of the lock file.
constexpr size_t kMaxIdleReaders = 64;

// What this process has open, by folder's identity. Entries of a parent process are dropped, never closed: after a fork
// they are the parent's.
struct OpenEnvironments {
  std::mutex mutex;
  pid_t process = getpid();
  std::map<std::pair<dev_t, ino_t>, std::weak_ptr<Environment>> by_file;
};

OpenEnvironments& open_environments() {
  static auto* all = new OpenEnvironments;  // never destroyed: stores may end after main
  return *all;
}

ErrorCode code_of(int code) {
  switch (code) {
    case MDB_MAP_FULL:
    case MDB_READERS_FULL:
    case MDB_TXN_FULL:
    case ENOSPC:
    case EDQUOT:
    case ENOMEM:
    case EMFILE:
    case EFBIG: return ErrorCode::kExhausted;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_PANIC:
    case MDB_VERSION_MISMATCH:
    case MDB_INCOMPATIBLE: return ErrorCode::kCorrupt;
    default: return code > 0 ? ErrorCode::kUnavailable : ErrorCode::kInternal;
  }
}

std::string hint_of(int code, const EnvironmentSettings& settings) {
  switch (code) {
    case MDB_MAP_FULL:
      return fmt::format("give the store more room: option map_size, now {} bytes",
                         settings.map_bytes);
    case MDB_READERS_FULL:
      return fmt::format(
          "too many readers at once: option max_readers, now {}, takes effect when no "
          "process has the store open",
          settings.max_readers);
    case ENOSPC:
    case EDQUOT: return "free some space on its disk";
    case EACCES:
    case EPERM:
    case EROFS: return "the store's folder and files must be writable by this user";
    case MDB_VERSION_MISMATCH:
    case MDB_INCOMPATIBLE:
      return "another version of LMDB made or holds it; use that one, or remove the folder and "
             "materialize again";
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_PANIC:
      return "remove the folder and materialize again: everything in it can be rebuilt";
    default: return {};
  }
}

Result<void> make_folder(const std::string& path) {
  std::error_code failure;
  std::filesystem::file_status status = std::filesystem::status(path, failure);
  if (std::filesystem::exists(status) && !std::filesystem::is_directory(status))
    return error(ErrorCode::kInvalid,
                 fmt::format("LMDB store '{}' is a file, wanted a folder", path), "online",
                 "name a folder that is empty or does not exist yet; sqlite:PATH takes a file");
  std::filesystem::create_directories(path, failure);
  if (failure)
    return error(
        ErrorCode::kUnavailable,
        fmt::format("cannot make the LMDB store's folder '{}': {}", path, failure.message()),
        "online", "its parent folder must be writable by this user");
  return {};
}

}  // namespace

FileIdentity identify_files(const std::string& folder) {
  struct stat data, lock;
  if (stat((folder + "/data.mdb").c_str(), &data) != 0) return {};
  if (stat((folder + "/lock.mdb").c_str(), &lock) != 0) return {data.st_dev, data.st_ino, 0};
  return {data.st_dev, data.st_ino, lock.st_ino};
}

Error Environment::to_error(int code, std::string_view doing) const {
  return error(code_of(code),
               fmt::format("LMDB store '{}': {}: {}", settings_.path, doing, mdb_strerror(code)),
               {}, hint_of(code, settings_));
}

Result<std::shared_ptr<Environment>> Environment::open(const EnvironmentSettings& settings) {
  ASOF_TRY(make_folder(settings.path));
  OpenEnvironments& all = open_environments();
  std::lock_guard lock(all.mutex);
  if (all.process != getpid()) {
    all.by_file.clear();
    all.process = getpid();
  }
  FileIdentity there = identify_files(settings.path);
  if (there.data != 0)
    if (auto found = all.by_file.find({there.device, there.data}); found != all.by_file.end())
      if (std::shared_ptr<Environment> open = found->second.lock()) return open;

  std::shared_ptr<Environment> environment(new Environment(settings));
  ASOF_TRY(environment->open_files());
  environment->identity_ = identify_files(settings.path);
  std::erase_if(all.by_file, [](const auto& entry) { return entry.second.expired(); });
  all.by_file[{environment->identity_.device, environment->identity_.data}] = environment;
  return environment;
}

Result<void> Environment::open_files() {
  process_ = getpid();
  if (int code = mdb_env_create(&env_); code != 0) return to_error(code, "cannot open it");
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  int code = mdb_env_set_mapsize(env_, settings_.map_bytes / page * page);
  if (code == 0) code = mdb_env_set_maxreaders(env_, settings_.max_readers);
  // NOTLS: a reader belongs to a request, not to a thread. NOMETASYNC: a commit makes the data durable, sync() the commit;
  // so a write of many transactions costs one flush each and one at its end.
  if (code == 0)
    code = mdb_env_open(env_, settings_.path.c_str(), MDB_NOTLS | MDB_NOMETASYNC, 0644);
  if (code != 0) return to_error(code, "cannot open it");
  int dead = 0;
  mdb_reader_check(env_, &dead);  // frees the slots of processes that died; harmless where it fails
  MDB_stat stat;
  mdb_env_stat(env_, &stat);  // fails only where there is no environment
  page_bytes_ = stat.ms_psize;

  MDB_txn* transaction = nullptr;
  code = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &transaction);
  if (code == 0) code = mdb_dbi_open(transaction, nullptr, 0, &database_);
  if (code == 0) {
    code = mdb_txn_commit(transaction);
  } else if (transaction != nullptr) {
    mdb_txn_abort(transaction);
  }
  if (code != 0) return to_error(code, "cannot open it");
  return {};
}

Environment::~Environment() {
  if (process_ != getpid()) return;  // the parent's; closing it here would take its locks away
  for (Reader& reader : idle_) {
    mdb_cursor_close(reader.cursor);
    mdb_txn_abort(reader.transaction);
  }
  if (env_ != nullptr) mdb_env_close(env_);
}

int Environment::begin(Reader& reader) {
  int code = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &reader.transaction);
  if (code == MDB_READERS_FULL) {
    int dead = 0;
    mdb_reader_check(env_, &dead);
    if (dead > 0) code = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &reader.transaction);
  }
  if (code != 0) return code;
  code = mdb_cursor_open(reader.transaction, database_, &reader.cursor);
  if (code != 0) mdb_txn_abort(reader.transaction);
  return code;
}

int Environment::renew(Reader& reader) {
  int code = mdb_txn_renew(reader.transaction);
  if (code == 0) code = mdb_cursor_renew(reader.transaction, reader.cursor);
  if (code == 0) return 0;
  mdb_cursor_close(reader.cursor);
  mdb_txn_abort(reader.transaction);
  return code;
}

Result<ReadTransaction> Environment::begin_read() {
  Reader reader;
  {
    std::lock_guard lock(idle_mutex_);
    if (!idle_.empty()) {
      reader = idle_.back();
      idle_.pop_back();
    }
  }
  int code = reader.transaction != nullptr ? renew(reader) : begin(reader);
  if (code != 0) return to_error(code, "cannot begin to read");
  return ReadTransaction(*this, reader);
}

void Environment::give_back(Reader reader) {
  mdb_txn_reset(reader.transaction);
  {
    std::lock_guard lock(idle_mutex_);
    if (idle_.size() < kMaxIdleReaders) {
      idle_.push_back(reader);
      return;
    }
  }
  mdb_cursor_close(reader.cursor);
  mdb_txn_abort(reader.transaction);
}

Result<WriteTransaction> Environment::begin_write() {
  MDB_txn* transaction = nullptr;
  if (int code = mdb_txn_begin(env_, nullptr, 0, &transaction); code != 0)
    return to_error(code, "cannot begin to write");
  MDB_cursor* cursor = nullptr;
  if (int code = mdb_cursor_open(transaction, database_, &cursor); code != 0) {
    mdb_txn_abort(transaction);
    return to_error(code, "cannot begin to write");
  }
  return WriteTransaction(*this, transaction, cursor);
}

Result<void> Environment::sync() {
  if (int code = mdb_env_sync(env_, 1); code != 0) return to_error(code, "cannot flush it to disk");
  return {};
}

WriteTransaction::~WriteTransaction() {
  if (transaction_ != nullptr) mdb_txn_abort(transaction_);  // closes its cursors
}

Result<void> WriteTransaction::commit() {
  MDB_txn* transaction = transaction_;
  transaction_ = nullptr;
  if (int code = mdb_txn_commit(transaction); code != 0)
    return environment_->to_error(code, "cannot commit");
  return {};
}

}  // namespace asof::engines::online::lmdb
