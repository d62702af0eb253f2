#include "asof/engines/catalog/sqlite/sqlite_catalog.h"

#include <fmt/format.h>

#include <filesystem>
#include <mutex>

#include "asof/engines/catalog/sqlite/internal/file_lease.h"
#include "asof/sqlite/connection.h"

namespace asof::engines::catalog::sqlite {

namespace {

using asof::sqlite::Connection;
using asof::sqlite::Statement;
using asof::sqlite::Transaction;
using store::Record;
using store::RecordWrite;
using store::Revision;

constexpr int64_t kApplicationId = 0x41736F66;  // "Asof"
constexpr int64_t kFormatVersion = 1;

constexpr asof::sqlite::FileKind kRegistryFile{
    "registry", "free some space and try again",
    "restore it from a backup; the rows online stay as they are"};

constexpr const char* kCreateTables = R"sql(
CREATE TABLE projects (
  name TEXT NOT NULL PRIMARY KEY,
  change_counter INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE revisions (
  project TEXT NOT NULL,
  number INTEGER NOT NULL,
  at_us INTEGER NOT NULL,
  "by" TEXT NOT NULL,
  message TEXT NOT NULL,
  document TEXT NOT NULL,
  PRIMARY KEY (project, number)
);
CREATE TABLE records (
  project TEXT NOT NULL,
  collection TEXT NOT NULL,
  "key" TEXT NOT NULL,
  body TEXT NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (project, collection, "key")
) WITHOUT ROWID;
)sql";

// Whether the file is ours. false: it is empty, and may become ours.
Result<bool> is_registry(Connection& connection) {
  ASOF_TRY_ASSIGN(const int64_t application, connection.read_integer("PRAGMA application_id"));
  ASOF_TRY_ASSIGN(const int64_t version, connection.read_integer("PRAGMA user_version"));
  ASOF_TRY_ASSIGN(const int64_t objects,
                  connection.read_integer("SELECT count(*) FROM sqlite_schema"));
  if (application == 0 && version == 0 && objects == 0) return false;
  if (application != kApplicationId)
    return error(ErrorCode::kCorrupt,
                 fmt::format("'{}' is an SQLite database of another program", connection.path()),
                 {}, "name another file in asof.yaml, under registry");
  if (version > kFormatVersion)
    return error(ErrorCode::kUnsupported,
                 fmt::format("registry '{}' has format {}, this program knows {}",
                             connection.path(), version, kFormatVersion),
                 {}, "it was written by a newer version of asof: use that version");
  if (version < kFormatVersion)
    return error(ErrorCode::kCorrupt,
                 fmt::format("registry '{}' has format {}, which no version of asof wrote",
                             connection.path(), version),
                 {}, "restore it from a backup");
  return true;
}

Result<std::unique_ptr<Connection>> connect_writer(const std::string& path,
                                                   int64_t busy_timeout_us) {
  ASOF_TRY_ASSIGN(std::unique_ptr<Connection> connection,
                  Connection::open(path, busy_timeout_us, kRegistryFile));
  // Asked before anything is written: a file of another program stays as it is. In one transaction, as somebody else may be
  // making the tables right now.
  ASOF_TRY(connection->execute("BEGIN"));
  Result<bool> asked = is_registry(*connection);
  ASOF_TRY(connection->execute("COMMIT"));
  ASOF_TRY_ASSIGN(const bool is_ours, std::move(asked));
  ASOF_TRY(connection->use_write_ahead_log());
  ASOF_TRY(connection->execute("PRAGMA synchronous=FULL"));
  if (is_ours) return connection;
  ASOF_TRY_ASSIGN(Transaction transaction, Transaction::begin(*connection));
  // Somebody else may have come first.
  ASOF_TRY_ASSIGN(const bool is_ours_by_now, is_registry(*connection));
  if (is_ours_by_now) return connection;
  ASOF_TRY(connection->execute(kCreateTables));
  ASOF_TRY(connection->execute(fmt::format("PRAGMA application_id={}", kApplicationId)));
  ASOF_TRY(connection->execute(fmt::format("PRAGMA user_version={}", kFormatVersion)));
  ASOF_TRY(transaction.commit());
  return connection;
}

Result<std::unique_ptr<Connection>> connect_reader(const std::string& path,
                                                   int64_t busy_timeout_us) {
  ASOF_TRY_ASSIGN(auto connection, connect_writer(path, busy_timeout_us));
  ASOF_TRY(connection->execute("PRAGMA query_only=1"));
  return connection;
}

class SqliteCatalog final : public store::Catalog {
 public:
  SqliteCatalog(std::string path, int64_t busy_timeout_us, std::unique_ptr<Connection> reader,
                std::unique_ptr<Connection> writer)
      : path_(std::move(path)),
        busy_timeout_us_(busy_timeout_us),
        reader_(connect_reader, std::move(reader)),
        writer_(connect_writer, std::move(writer)) {}

  Result<std::vector<std::string>> list_projects() override;
  Result<std::optional<Revision>> read_revision(std::string_view project,
                                                std::optional<int64_t> number) override;
  Result<std::vector<Revision>> list_revisions(std::string_view project) override;
  Result<void> commit_revision(std::string_view project, int64_t expected, const Revision& revision,
                               std::span<const RecordWrite> records) override;
  Result<std::optional<Record>> read_record(std::string_view project, std::string_view collection,
                                            std::string_view key) override;
  Result<std::vector<Record>> list_records(std::string_view project, std::string_view collection,
                                           const store::ListOptions& options) override;
  Result<void> write_records(std::string_view project,
                             std::span<const RecordWrite> records) override;
  Result<int64_t> change_counter(std::string_view project) override;
  Result<std::unique_ptr<store::Lease>> acquire_lease(std::string_view project,
                                                      std::string_view name) override;

 private:
  // A connection and the lock under which it is used. Readers have their own, so that they never wait for a writer.
  struct Channel {
    using Connect = Result<std::unique_ptr<Connection>>(const std::string&, int64_t);
    Channel(Connect* how, std::unique_ptr<Connection> opened)
        : connect(how), connection(std::move(opened)) {}
    Connect* connect;
    std::mutex mutex;
    std::unique_ptr<Connection> connection;
  };

  template <typename Body>
  auto with(Channel& channel, Body body) -> decltype(body(std::declval<Connection&>())) {
    std::lock_guard lock(channel.mutex);
    // A restored backup is another file under the same name: what we hold open nobody sees any more.
    ASOF_TRY_ASSIGN(const bool is_current, channel.connection->is_current());
    if (!is_current) {
      std::error_code failure;
      if (!std::filesystem::exists(path_, failure))
        return error(ErrorCode::kUnavailable, fmt::format("registry '{}' was removed", path_), {},
                     "restore it from a backup, or apply the definitions again");
      ASOF_TRY_ASSIGN(channel.connection, channel.connect(path_, busy_timeout_us_));
    }
    return body(*channel.connection);
  }

  std::string path_;
  int64_t busy_timeout_us_;
  Channel reader_;
  Channel writer_;
};

Result<std::vector<std::string>> SqliteCatalog::list_projects() {
  return with(reader_, [](Connection& connection) -> Result<std::vector<std::string>> {
    ASOF_TRY_ASSIGN(Statement statement,
                    connection.prepare("SELECT name FROM projects ORDER BY name"));
    std::vector<std::string> names;
    while (true) {
      ASOF_TRY_ASSIGN(const bool has_row, statement.step());
      if (!has_row) return names;
      names.emplace_back(statement.text(0));
    }
  });
}

Revision revision_at(const Statement& statement) {
  return {statement.integer(0), Timestamp{statement.integer(1)}, std::string(statement.text(2)),
          std::string(statement.text(3)), std::string(statement.text(4))};
}

Result<std::optional<Revision>> SqliteCatalog::read_revision(std::string_view project,
                                                             std::optional<int64_t> number) {
  return with(reader_, [&](Connection& connection) -> Result<std::optional<Revision>> {
    const char* sql = number ? "SELECT number, at_us, \"by\", message, document FROM revisions "
                               "WHERE project = ?1 AND number = ?2"
                             : "SELECT number, at_us, \"by\", message, document FROM revisions "
                               "WHERE project = ?1 ORDER BY number DESC LIMIT 1";
    ASOF_TRY_ASSIGN(Statement statement, connection.prepare(sql));
    statement.bind(1, project);
    if (number) statement.bind(2, *number);
    ASOF_TRY_ASSIGN(const bool has_row, statement.step());
    if (!has_row) return std::optional<Revision>();
    return std::optional<Revision>(revision_at(statement));
  });
}

Result<std::vector<Revision>> SqliteCatalog::list_revisions(std::string_view project) {
  return with(reader_, [&](Connection& connection) -> Result<std::vector<Revision>> {
    ASOF_TRY_ASSIGN(Statement statement,
                    connection.prepare("SELECT number, at_us, \"by\", message, '' FROM revisions "
                                       "WHERE project = ?1 ORDER BY number"));
    statement.bind(1, project);
    std::vector<Revision> revisions;
    while (true) {
      ASOF_TRY_ASSIGN(const bool has_row, statement.step());
      if (!has_row) return revisions;
      revisions.push_back(revision_at(statement));
    }
  });
}

Record record_at(const Statement& statement) {
  return {std::string(statement.text(0)), std::string(statement.text(1)), statement.integer(2)};
}

// What follows runs inside the writer's transaction.

// 0 where there is none.
Result<int64_t> newest_number(Connection& connection, std::string_view project) {
  ASOF_TRY_ASSIGN(Statement statement,
                  connection.prepare("SELECT max(number) FROM revisions WHERE project = ?1"));
  ASOF_TRY_ASSIGN(const bool has_row, statement.bind(1, project).step());
  return has_row ? statement.integer(0) : int64_t{0};
}

Result<int64_t> bump_counter(Connection& connection, std::string_view project) {
  ASOF_TRY_ASSIGN(
      Statement statement,
      connection.prepare(
          "INSERT INTO projects (name, change_counter) VALUES (?1, 1) ON CONFLICT (name) "
          "DO UPDATE SET change_counter = change_counter + 1 RETURNING change_counter"));
  statement.bind(1, project);
  ASOF_TRY_ASSIGN(const bool has_row, statement.step());
  const int64_t counter = has_row ? statement.integer(0) : 0;
  ASOF_TRY(statement.run());
  return counter;
}

Result<void> check_versions(Connection& connection, std::string_view project,
                            std::span<const RecordWrite> records) {
  for (const RecordWrite& write : records) {
    if (!write.expected_version) continue;
    ASOF_TRY_ASSIGN(Statement statement,
                    connection.prepare("SELECT version FROM records WHERE project = ?1 "
                                       "AND collection = ?2 AND \"key\" = ?3"));
    statement.bind(1, project).bind(2, write.collection).bind(3, write.key);
    ASOF_TRY_ASSIGN(const bool has_row, statement.step());
    if ((has_row ? statement.integer(0) : 0) != *write.expected_version)
      return error(ErrorCode::kConflict,
                   fmt::format("record '{}' of '{}' was changed by somebody else", write.key,
                               write.collection));
  }
  return {};
}

Result<void> put_record(Connection& connection, std::string_view project, const RecordWrite& write,
                        int64_t version) {
  ASOF_TRY_ASSIGN(
      Statement statement,
      connection.prepare(
          write.body
              ? "INSERT INTO records (project, collection, \"key\", body, version) "
                "VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (project, collection, \"key\") "
                "DO UPDATE SET body = excluded.body, version = excluded.version"
              : "DELETE FROM records WHERE project = ?1 AND collection = ?2 AND \"key\" = ?3"));
  statement.bind(1, project).bind(2, write.collection).bind(3, write.key);
  if (write.body) statement.bind(4, *write.body).bind(5, version);
  ASOF_TRY(statement.run());
  return {};
}

// A version is the counter's value: a record that was deleted and written anew has another one.
Result<void> put_records(Connection& connection, std::string_view project,
                         std::span<const RecordWrite> records) {
  ASOF_TRY(check_versions(connection, project, records));
  ASOF_TRY_ASSIGN(const int64_t version, bump_counter(connection, project));
  for (const RecordWrite& write : records)
    ASOF_TRY(put_record(connection, project, write, version));
  return {};
}

Result<void> put_revision(Connection& connection, std::string_view project, int64_t number,
                          const Revision& revision) {
  ASOF_TRY_ASSIGN(Statement statement,
                  connection.prepare("INSERT INTO revisions (project, number, at_us, \"by\", "
                                     "message, document) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"));
  statement.bind(1, project).bind(2, number).bind(3, revision.at.us);
  statement.bind(4, revision.by).bind(5, revision.message).bind(6, revision.document);
  ASOF_TRY(statement.run());
  return {};
}

Result<void> SqliteCatalog::commit_revision(std::string_view project, int64_t expected,
                                            const Revision& revision,
                                            std::span<const RecordWrite> records) {
  return with(writer_, [&](Connection& connection) -> Result<void> {
    ASOF_TRY_ASSIGN(Transaction transaction, Transaction::begin(connection));
    ASOF_TRY_ASSIGN(const int64_t newest, newest_number(connection, project));
    if (newest != expected)
      return error(ErrorCode::kConflict, fmt::format("project '{}' is at revision {}, not {}",
                                                     project, newest, expected));
    ASOF_TRY(put_records(connection, project, records));
    ASOF_TRY(put_revision(connection, project, expected + 1, revision));
    return transaction.commit();
  });
}

Result<std::optional<Record>> SqliteCatalog::read_record(std::string_view project,
                                                         std::string_view collection,
                                                         std::string_view key) {
  return with(reader_, [&](Connection& connection) -> Result<std::optional<Record>> {
    ASOF_TRY_ASSIGN(Statement statement,
                    connection.prepare("SELECT \"key\", body, version FROM records WHERE "
                                       "project = ?1 AND collection = ?2 AND \"key\" = ?3"));
    statement.bind(1, project).bind(2, collection).bind(3, key);
    ASOF_TRY_ASSIGN(const bool has_row, statement.step());
    if (!has_row) return std::optional<Record>();
    return std::optional<Record>(record_at(statement));
  });
}

// The least text above every text with this prefix; nothing where there is none.
std::optional<std::string> end_of_prefix(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff) prefix.pop_back();
  if (prefix.empty()) return std::nullopt;
  prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

Result<std::vector<Record>> SqliteCatalog::list_records(std::string_view project,
                                                        std::string_view collection,
                                                        const store::ListOptions& options) {
  const std::optional<std::string> end = end_of_prefix(options.prefix);
  std::string sql =
      "SELECT \"key\", body, version FROM records WHERE project = ?1 AND collection = ?2 "
      "AND \"key\" >= ?3";
  if (end) sql += " AND \"key\" < ?4";
  if (options.after) sql += options.descending ? " AND \"key\" < ?5" : " AND \"key\" > ?5";
  sql += options.descending ? " ORDER BY \"key\" DESC LIMIT ?6" : " ORDER BY \"key\" LIMIT ?6";
  const int64_t limit = options.limit > INT64_MAX ? -1 : static_cast<int64_t>(options.limit);
  return with(reader_, [&](Connection& connection) -> Result<std::vector<Record>> {
    ASOF_TRY_ASSIGN(Statement statement, connection.prepare(sql));
    statement.bind(1, project).bind(2, collection).bind(3, options.prefix);
    if (end) statement.bind(4, *end);
    if (options.after) statement.bind(5, *options.after);
    statement.bind(6, limit);
    std::vector<Record> records;
    while (true) {
      ASOF_TRY_ASSIGN(const bool has_row, statement.step());
      if (!has_row) return records;
      records.push_back(record_at(statement));
    }
  });
}

Result<void> SqliteCatalog::write_records(std::string_view project,
                                          std::span<const RecordWrite> records) {
  if (records.empty()) return {};
  return with(writer_, [&](Connection& connection) -> Result<void> {
    ASOF_TRY_ASSIGN(Transaction transaction, Transaction::begin(connection));
    ASOF_TRY(put_records(connection, project, records));
    return transaction.commit();
  });
}

Result<int64_t> SqliteCatalog::change_counter(std::string_view project) {
  return with(reader_, [&](Connection& connection) -> Result<int64_t> {
    ASOF_TRY_ASSIGN(Statement statement,
                    connection.prepare("SELECT change_counter FROM projects WHERE name = ?1"));
    statement.bind(1, project);
    ASOF_TRY_ASSIGN(const bool has_row, statement.step());
    return has_row ? statement.integer(0) : 0;
  });
}

Result<std::unique_ptr<store::Lease>> SqliteCatalog::acquire_lease(std::string_view project,
                                                                   std::string_view name) {
  // SQLite follows symbolic links: one registry, by whatever path, has one folder of leases.
  std::error_code failure;
  const std::filesystem::path real = std::filesystem::canonical(path_, failure);
  return internal::acquire_file_lease((failure ? path_ : real.string()) + ".leases", project, name);
}

// sqlite:PATH, sqlite://PATH; relative ones start at the repository.
Result<std::string> resolve_path(const store::EngineAddress& address) {
  std::string_view place = address.location;
  if (place.starts_with("//")) place.remove_prefix(2);
  if (place.empty() || place == ":memory:")
    return error(ErrorCode::kInvalid,
                 fmt::format("registry '{}:{}' names no file", address.scheme, address.location),
                 "registry",
                 place.empty() ? "write sqlite:.asof/registry.db"
                               : "write memory: for a registry in memory");
  const std::filesystem::path path = std::filesystem::path(address.directory) / place;
  std::error_code failure;
  if (std::filesystem::is_directory(path, failure))
    return error(ErrorCode::kInvalid, fmt::format("registry '{}' is a directory", path.string()),
                 "registry", fmt::format("name a file in it, such as {}/registry.db", place));
  std::filesystem::create_directories(path.parent_path(), failure);
  if (failure && !path.parent_path().empty())
    return error(ErrorCode::kUnavailable,
                 fmt::format("cannot create the registry's folder '{}': {}",
                             path.parent_path().string(), failure.message()),
                 "registry", "check its rights, or name another place in asof.yaml");
  return path.string();
}

}  // namespace

Result<std::unique_ptr<store::Catalog>> open(const store::EngineAddress& address) {
  ASOF_TRY_ASSIGN(const store::OptionValues options,
                  store::OptionValues::parse(kOptions, address.options));
  const int64_t busy_timeout_us = options.duration_us("busy_timeout");
  ASOF_TRY_ASSIGN(std::string path, resolve_path(address));
  ASOF_TRY_ASSIGN(auto writer, connect_writer(path, busy_timeout_us));
  ASOF_TRY_ASSIGN(auto reader, connect_reader(path, busy_timeout_us));
  return std::unique_ptr<store::Catalog>(std::make_unique<SqliteCatalog>(
      std::move(path), busy_timeout_us, std::move(reader), std::move(writer)));
}

store::CatalogEngine engine() {
  return {"sqlite", {"sqlite"}, kOptions, "one file, shared by threads and processes", open};
}

}  // namespace asof::engines::catalog::sqlite
