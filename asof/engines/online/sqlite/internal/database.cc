#include "asof/engines/online/sqlite/internal/database.h"

#include <fmt/format.h>

#include <filesystem>

namespace asof::engines::online::sqlite {

namespace {

constexpr int64_t kApplicationId = 0x41734f6e;  // "AsOn"
constexpr int64_t kFormatVersion = 1;
constexpr size_t kMaxIdleReaders = 16;
constexpr uint64_t kPageBytes = 4096;

constexpr asof::sqlite::FileKind kStoreFile{
    "SQLite store", "free some space on its disk, or raise the option max_size",
    "remove the file and materialize again: everything in it can be rebuilt"};

constexpr const char* kSchema = R"sql(
  create table asof_tables(id integer primary key, project text not null, name text not null, unique(project, name));
  create table asof_rows(table_id integer not null, key blob not null, view_id integer not null,
                         generation integer not null, row blob not null,
                         primary key(table_id, key, view_id, generation)) without rowid;
  create table asof_marks(project text not null, name blob not null, value blob not null,
                          primary key(project, name)) without rowid;
)sql";

Result<void> check_place(const std::string& path) {
  std::error_code failure;
  if (std::filesystem::is_directory(path, failure))
    return error(ErrorCode::kInvalid,
                 fmt::format("SQLite store '{}' is a folder, wanted a file", path), "online",
                 "name a file, as in `online: sqlite:.asof/online.db`; lmdb:PATH takes a folder");
  std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, failure);
  if (failure)
    return error(
        ErrorCode::kUnavailable,
        fmt::format("cannot make the folder of SQLite store '{}': {}", path, failure.message()),
        "online");
  return {};
}

}  // namespace

Result<std::shared_ptr<Database>> Database::open(const SqliteSettings& settings) {
  ASOF_TRY(check_place(settings.path));
  std::shared_ptr<Database> database(new Database(settings));
  ASOF_TRY_ASSIGN(database->writing_,
                  Connection::open(settings.path, settings.busy_timeout_us, kStoreFile));
  ASOF_TRY(database->prepare_file());
  return database;
}

Result<void> Database::prepare_file() {
  Connection& connection = *writing_;
  // Nothing may be written to a file before it is known to be ours or empty.
  ASOF_TRY_ASSIGN(int64_t application, connection.read_integer("pragma application_id"));
  ASOF_TRY_ASSIGN(int64_t objects, connection.read_integer("select count(*) from sqlite_master"));
  if (application != kApplicationId && (application != 0 || objects != 0))
    return error(ErrorCode::kCorrupt,
                 fmt::format("SQLite file '{}' belongs to another program", settings_.path),
                 "online", "name a file that does not exist yet");
  ASOF_TRY(connection.use_write_ahead_log());
  ASOF_TRY(
      connection.execute("pragma synchronous = full"));  // what is committed survives a power cut
  if (settings_.max_bytes != 0)
    ASOF_TRY(connection.execute(
        fmt::format("pragma max_page_count = {}", settings_.max_bytes / kPageBytes)));
  {
    ASOF_TRY_ASSIGN(Transaction transaction, Transaction::begin(connection));
    ASOF_TRY_ASSIGN(int64_t there, connection.read_integer("select count(*) from sqlite_master"));
    if (there == 0) {
      ASOF_TRY(connection.execute(kSchema));
      ASOF_TRY(connection.execute(fmt::format("pragma application_id = {}", kApplicationId)));
      ASOF_TRY(connection.execute(fmt::format("pragma user_version = {}", kFormatVersion)));
    }
    ASOF_TRY(transaction.commit());
  }
  ASOF_TRY_ASSIGN(int64_t version, connection.read_integer("pragma user_version"));
  if (version != kFormatVersion)
    return error(ErrorCode::kCorrupt,
                 fmt::format("SQLite store '{}' has format version {}, this program reads {}",
                             settings_.path, version, kFormatVersion),
                 "online", "name another file, or remove this one and materialize again");
  return {};
}

Result<Database::Reader> Database::reader() {
  {
    std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      Reader reader(*this, std::move(idle_.back()));
      idle_.pop_back();
      return reader;
    }
  }
  ASOF_TRY_ASSIGN(auto connection,
                  Connection::open(settings_.path, settings_.busy_timeout_us, kStoreFile));
  ASOF_TRY(connection->execute("pragma query_only = 1; pragma cache_size = -8192"));
  return Reader(*this, std::move(connection));
}

void Database::give_back(std::unique_ptr<Connection> connection) {
  std::lock_guard lock(mutex_);
  if (idle_.size() < kMaxIdleReaders) idle_.push_back(std::move(connection));
}

Result<std::optional<int64_t>> Database::find_table(Connection& connection, std::string_view name) {
  {
    std::lock_guard lock(mutex_);
    if (auto known = tables_.find(name); known != tables_.end())
      return std::optional(known->second);
  }
  ASOF_TRY_ASSIGN(Statement select,
                  connection.prepare("select id from asof_tables where project = ? and name = ?"));
  ASOF_TRY_ASSIGN(bool found, select.bind(1, settings_.project).bind(2, name).step());
  if (!found) return std::optional<int64_t>();
  std::lock_guard lock(mutex_);
  return std::optional(tables_.emplace(name, select.integer(0)).first->second);
}

Result<int64_t> Database::make_table(Connection& writing, std::string_view name) {
  ASOF_TRY_ASSIGN(auto known, find_table(writing, name));
  if (known.has_value()) return *known;
  {
    ASOF_TRY_ASSIGN(
        Statement insert,
        writing.prepare(
            "insert into asof_tables(project, name) values (?, ?) on conflict do nothing"));
    ASOF_TRY(insert.bind(1, settings_.project).bind(2, name).run());
  }
  ASOF_TRY_ASSIGN(auto made, find_table(writing, name));
  ASOF_CHECK(made.has_value());
  return *made;
}

}  // namespace asof::engines::online::sqlite
