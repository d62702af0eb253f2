#include "asof/engines/online/sqlite/internal/sqlite_store.h"

#include <fmt/format.h>

#include <algorithm>

#include "asof/base/clock.h"

namespace asof::engines::online::sqlite {

namespace {

using store::KeyRow;
using store::ReadGroup;
using store::Slot;
using store::Table;
using store::WriteCounts;

constexpr size_t kKeysBetweenDeadlineChecks = 32;
constexpr size_t kRowsBetweenTimeChecks = 64;
constexpr int64_t kTransactionUs = 100'000;  // then other writers have their turn
constexpr int64_t kRowsAnEraseRound = 2'000;

constexpr const char* kSelectKey =
    "select view_id, generation, row from asof_rows where table_id = ? and key = ?";
constexpr const char* kSelectTable =
    "select view_id, generation, row, key from asof_rows where table_id = ? order by key, view_id, "
    "generation";
constexpr const char* kInsert =
    "insert into asof_rows(table_id, key, view_id, generation, row) values (?, ?, ?, ?, ?) on "
    "conflict do nothing";
constexpr const char* kReplaceOlder =
    "update asof_rows set row = ?5 where table_id = ?1 and key = ?2 and view_id = ?3 and "
    "generation = ?4 and row < ?5";
constexpr const char* kReplaceExpected =
    "update asof_rows set row = ?5 where table_id = ?1 and key = ?2 and view_id = ?3 and "
    "generation = ?4 and row = ?6";
constexpr const char* kSelectBelow =
    "select key from asof_rows where table_id = ?1 and key >= ?2 and view_id = ?3 and generation = "
    "?4 and row < ?5 "
    "order by key limit ?6";
constexpr const char* kSelectAll =
    "select key from asof_rows where table_id = ?1 and key >= ?2 and view_id = ?3 and generation = "
    "?4 "
    "order by key limit ?6";
constexpr const char* kDeleteBelow =
    "delete from asof_rows where table_id = ?1 and key = ?2 and view_id = ?3 and generation = ?4 "
    "and row < ?5";
constexpr const char* kDelete =
    "delete from asof_rows where table_id = ?1 and key = ?2 and view_id = ?3 and generation = ?4";

struct Place {
  int64_t table;
  const Slot* slot;
};

Statement& bind_row(Statement& statement, const Place& place, std::string_view key) {
  return statement.bind(1, place.table)
      .bind_blob(2, key)
      .bind(3, place.slot->view_id)
      .bind(4, place.slot->generation);
}

// Hands a selected row to every slot that it is of; false where emit says so.
template <typename Emit>
bool for_each_slot(std::span<const Slot> slots, const Statement& row, const Emit& emit) {
  int64_t view = row.integer(0), generation = row.integer(1);
  for (size_t s = 0; s < slots.size(); ++s)
    if (slots[s].view_id == view && slots[s].generation == generation && !emit(s)) return false;
  return true;
}

class SqliteStore final : public store::OnlineStore {
 public:
  explicit SqliteStore(SqliteSettings settings) : settings_(std::move(settings)) {}

  Result<void> open() {
    ASOF_TRY_ASSIGN(std::shared_ptr<Database> database, Database::open(settings_));
    std::lock_guard lock(mutex_);
    database_ = std::move(database);
    return {};
  }

  store::OnlineStoreTraits traits() const override { return {.engine = "sqlite"}; }

  void read(std::span<const ReadGroup> groups, int64_t deadline_us, store::RowSink& sink,
            store::Completion done) override {
    Result<void> outcome = read_groups(groups, deadline_us, sink);
    done(std::move(outcome));
  }

  Result<WriteCounts> write(const Table& table, const Slot& slot,
                            std::span<const KeyRow> rows) override;
  Result<bool> compare_and_swap(const Table& table, const Slot& slot, std::string_view key,
                                std::optional<std::string_view> expected,
                                std::string_view row) override;
  Result<uint64_t> erase(const Table& table, const Slot& slot,
                         std::optional<std::string_view> below) override;
  Result<void> scan(const Table& table, std::span<const Slot> slots,
                    const store::ScanSink& sink) override;
  Result<std::optional<std::string>> read_mark(std::string_view name) override;
  Result<void> write_mark(std::string_view name, std::string_view value) override;

 private:
  std::shared_ptr<Database> database() {
    std::lock_guard lock(mutex_);
    return database_;
  }

  // The same after a look at the path: a file that was removed or replaced is opened anew, so that what is written goes
  // where others read, and the marks of the lost one are not taken for its own.
  Result<std::shared_ptr<Database>> database_where_path_is() {
    std::shared_ptr<Database> now = database();
    ASOF_TRY_ASSIGN(const bool is_current, now->is_current());
    if (is_current) return now;
    ASOF_TRY(open());
    return database();
  }

  Result<void> read_groups(std::span<const ReadGroup> groups, int64_t deadline_us,
                           store::RowSink& sink);
  Result<void> read_in_snapshot(Database& database, Connection& connection,
                                std::span<const ReadGroup> groups, int64_t deadline_us,
                                store::RowSink& sink);
  Result<void> write_row(Connection& connection, const Place& place, const KeyRow& given,
                         WriteCounts& counts);

  Result<std::vector<std::string>> keys_to_erase(Database& database, const Place& place,
                                                 std::string_view from,
                                                 std::optional<std::string_view> below);

  const SqliteSettings settings_;
  std::mutex mutex_;
  std::shared_ptr<Database> database_;
};

Result<void> SqliteStore::read_groups(std::span<const ReadGroup> groups, int64_t deadline_us,
                                      store::RowSink& sink) {
  std::shared_ptr<Database> now = database();
  ASOF_TRY_ASSIGN(Database::Reader reader, now->reader());
  size_t keys = 0;
  for (const ReadGroup& group : groups) keys += group.keys.size();
  if (keys <= 1)
    return read_in_snapshot(*now, *reader, groups, deadline_us, sink);  // a statement is a snapshot
  {
    ASOF_TRY_ASSIGN(Statement begin, reader->prepare("begin"));
    ASOF_TRY(begin.run());
  }
  Result<void> outcome = read_in_snapshot(*now, *reader, groups, deadline_us, sink);
  ASOF_TRY_ASSIGN(Statement end, reader->prepare("rollback"));
  ASOF_TRY(end.run());
  return outcome;
}

Result<void> SqliteStore::read_in_snapshot(Database& database, Connection& connection,
                                           std::span<const ReadGroup> groups, int64_t deadline_us,
                                           store::RowSink& sink) {
  size_t keys_read = 0;
  for (size_t g = 0; g < groups.size(); ++g) {
    const ReadGroup& group = groups[g];
    if (group.slots.empty()) continue;
    ASOF_TRY_ASSIGN(auto table, database.find_table(connection, group.table->name));
    ASOF_TRY_ASSIGN(Statement select, connection.prepare(kSelectKey));
    for (size_t k = 0; k < group.keys.size(); ++k) {
      if (keys_read++ % kKeysBetweenDeadlineChecks == 0 && steady_now_us() > deadline_us)
        return error(ErrorCode::kTimeout,
                     fmt::format("SQLite store '{}' did not answer in time", settings_.path));
      if (!table.has_value()) continue;
      select.reset();
      select.bind(1, *table).bind_blob(2, group.keys[k]);
      for (;;) {
        ASOF_TRY_ASSIGN(bool has_row, select.step());
        if (!has_row) break;
        for_each_slot(group.slots, select, [&](size_t s) {
          sink.row(g, k, s, select.blob(2));
          return true;
        });
      }
    }
  }
  return {};
}

Result<void> SqliteStore::write_row(Connection& connection, const Place& place, const KeyRow& given,
                                    WriteCounts& counts) {
  {
    ASOF_TRY_ASSIGN(Statement insert, connection.prepare(kInsert));
    ASOF_TRY_ASSIGN(int inserted, bind_row(insert, place, given.key).bind_blob(5, given.row).run());
    if (inserted != 0) {
      ++counts.inserted;
      return {};
    }
  }
  ASOF_TRY_ASSIGN(Statement replace, connection.prepare(kReplaceOlder));
  ASOF_TRY_ASSIGN(int replaced, bind_row(replace, place, given.key).bind_blob(5, given.row).run());
  ++(replaced != 0 ? counts.replaced : counts.kept);
  return {};
}

Result<WriteCounts> SqliteStore::write(const Table& table, const Slot& slot,
                                       std::span<const KeyRow> rows) {
  WriteCounts counts;
  if (rows.empty()) return counts;
  ASOF_TRY_ASSIGN(std::shared_ptr<Database> now, database_where_path_is());
  for (size_t at = 0; at < rows.size();) {
    Database::Writer writer = now->writer();
    ASOF_TRY_ASSIGN(Transaction transaction, Transaction::begin(*writer));
    ASOF_TRY_ASSIGN(int64_t number, now->make_table(*writer, table.name));
    const int64_t until = steady_now_us() + kTransactionUs;
    for (size_t n = 1; at < rows.size(); ++n, ++at) {
      ASOF_TRY(write_row(*writer, {number, &slot}, rows[at], counts));
      if (n % kRowsBetweenTimeChecks == 0 && steady_now_us() >= until) {
        ++at;
        break;
      }
    }
    ASOF_TRY(transaction.commit());
  }
  return counts;
}

Result<bool> SqliteStore::compare_and_swap(const Table& table, const Slot& slot,
                                           std::string_view key,
                                           std::optional<std::string_view> expected,
                                           std::string_view row) {
  ASOF_TRY_ASSIGN(std::shared_ptr<Database> now, database_where_path_is());
  Database::Writer writer = now->writer();
  ASOF_TRY_ASSIGN(Transaction transaction, Transaction::begin(*writer));
  ASOF_TRY_ASSIGN(int64_t number, now->make_table(*writer, table.name));
  int changed = 0;
  {
    ASOF_TRY_ASSIGN(Statement statement,
                    writer->prepare(expected.has_value() ? kReplaceExpected : kInsert));
    bind_row(statement, {number, &slot}, key).bind_blob(5, row);
    if (expected.has_value()) statement.bind_blob(6, *expected);
    ASOF_TRY_ASSIGN(changed, statement.run());
  }
  ASOF_TRY(transaction.commit());
  return changed != 0;
}

Result<std::vector<std::string>> SqliteStore::keys_to_erase(Database& database, const Place& place,
                                                            std::string_view from,
                                                            std::optional<std::string_view> below) {
  ASOF_TRY_ASSIGN(Database::Reader reader, database.reader());
  ASOF_TRY_ASSIGN(Statement select, reader->prepare(below.has_value() ? kSelectBelow : kSelectAll));
  bind_row(select, place, from).bind(6, kRowsAnEraseRound);
  if (below.has_value()) select.bind_blob(5, *below);
  std::vector<std::string> keys;
  for (;;) {
    ASOF_TRY_ASSIGN(bool has_row, select.step());
    if (!has_row) return keys;
    keys.emplace_back(select.blob(0));
  }
}

Result<uint64_t> SqliteStore::erase(const Table& table, const Slot& slot,
                                    std::optional<std::string_view> below) {
  ASOF_TRY_ASSIGN(std::shared_ptr<Database> now, database_where_path_is());
  std::optional<int64_t> number;
  {
    ASOF_TRY_ASSIGN(Database::Reader reader, now->reader());
    ASOF_TRY_ASSIGN(number, now->find_table(*reader, table.name));
  }
  if (!number.has_value()) return uint64_t{0};
  const Place place{*number, &slot};
  uint64_t erased = 0;
  // Searched beside other writers, removed in short transactions that look again.
  for (std::string from;;) {
    ASOF_TRY_ASSIGN(std::vector<std::string> keys, keys_to_erase(*now, place, from, below));
    if (keys.empty()) return erased;
    from = keys.back() + '\0';  // the next key there can be
    Database::Writer writer = now->writer();
    ASOF_TRY_ASSIGN(Transaction transaction, Transaction::begin(*writer));
    for (const std::string& key : keys) {
      ASOF_TRY_ASSIGN(Statement remove,
                      writer->prepare(below.has_value() ? kDeleteBelow : kDelete));
      bind_row(remove, place, key);
      if (below.has_value()) remove.bind_blob(5, *below);
      ASOF_TRY_ASSIGN(int removed, remove.run());
      erased += static_cast<uint64_t>(removed);
    }
    ASOF_TRY(transaction.commit());
  }
}

Result<void> SqliteStore::scan(const Table& table, std::span<const Slot> slots,
                               const store::ScanSink& sink) {
  ASOF_TRY_ASSIGN(std::shared_ptr<Database> now, database_where_path_is());
  ASOF_TRY_ASSIGN(Database::Reader reader, now->reader());
  ASOF_TRY_ASSIGN(auto number, now->find_table(*reader, table.name));
  if (!number.has_value()) return {};
  ASOF_TRY_ASSIGN(Statement select, reader->prepare(kSelectTable));
  select.bind(1, *number);
  for (;;) {
    ASOF_TRY_ASSIGN(bool has_row, select.step());
    if (!has_row) return {};
    if (!for_each_slot(slots, select,
                       [&](size_t s) { return sink(select.blob(3), s, select.blob(2)); }))
      return {};
  }
}

Result<std::optional<std::string>> SqliteStore::read_mark(std::string_view name) {
  ASOF_TRY_ASSIGN(std::shared_ptr<Database> now, database_where_path_is());
  ASOF_TRY_ASSIGN(Database::Reader reader, now->reader());
  ASOF_TRY_ASSIGN(Statement select,
                  reader->prepare("select value from asof_marks where project = ? and name = ?"));
  ASOF_TRY_ASSIGN(bool found, select.bind(1, settings_.project).bind_blob(2, name).step());
  if (!found) return std::optional<std::string>();
  return std::optional(std::string(select.blob(0)));
}

Result<void> SqliteStore::write_mark(std::string_view name, std::string_view value) {
  ASOF_TRY_ASSIGN(std::shared_ptr<Database> now, database_where_path_is());
  Database::Writer writer = now->writer();
  ASOF_TRY_ASSIGN(Statement put,
                  writer->prepare("insert into asof_marks(project, name, value) values (?, ?, ?) "
                                  "on conflict do update set value = excluded.value"));
  ASOF_TRY(put.bind(1, settings_.project).bind_blob(2, name).bind_blob(3, value).run());
  return {};
}

}  // namespace

Result<std::unique_ptr<store::OnlineStore>> open_store(SqliteSettings settings) {
  auto opened = std::make_unique<SqliteStore>(std::move(settings));
  ASOF_TRY(opened->open());
  return std::unique_ptr<store::OnlineStore>(std::move(opened));
}

}  // namespace asof::engines::online::sqlite
