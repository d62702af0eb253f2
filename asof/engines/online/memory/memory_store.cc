#include "asof/engines/online/memory/memory_store.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>

#include "asof/base/clock.h"
#include "asof/base/hash.h"

namespace asof::engines::online::memory {

namespace {

using store::KeyRow;
using store::ReadGroup;
using store::Slot;
using store::Table;
using store::WriteCounts;

// Map keys that are looked up by view.
struct BytesHash {
  using is_transparent = void;
  size_t operator()(std::string_view bytes) const { return hash64(bytes); }
};

struct SlotRow {
  uint32_t view_id;
  uint32_t generation;
  std::string row;
  bool is_of(const Slot& slot) const {
    return view_id == slot.view_id && generation == slot.generation;
  }
};

using SlotRows = std::vector<SlotRow>;
using TableRows = std::unordered_map<std::string, SlotRows, BytesHash, std::equal_to<>>;

SlotRow* find_row(SlotRows& rows, const Slot& slot) {
  auto found =
      std::find_if(rows.begin(), rows.end(), [&](const SlotRow& row) { return row.is_of(slot); });
  return found == rows.end() ? nullptr : &*found;
}

class MemoryStore final : public store::OnlineStore {
 public:
  store::OnlineStoreTraits traits() const override {
    return {.engine = "memory", .outlives_process = false};
  }

  void read(std::span<const ReadGroup> groups, int64_t deadline_us, store::RowSink& sink,
            store::Completion done) override {
    Result<void> outcome = read_groups(groups, deadline_us, sink);
    done(std::move(outcome));  // without the lock: the caller may go on with a write
  }

  Result<WriteCounts> write(const Table& table, const Slot& slot,
                            std::span<const KeyRow> rows) override {
    std::unique_lock lock(mutex_);
    WriteCounts counts;
    for (const KeyRow& given : rows) {
      SlotRows& slots = slots_of(table, given.key);
      SlotRow* present = find_row(slots, slot);
      if (present == nullptr) {
        slots.push_back({slot.view_id, slot.generation, std::string(given.row)});
        ++counts.inserted;
      } else if (present->row < given.row) {
        present->row = given.row;
        ++counts.replaced;
      } else {
        ++counts.kept;
      }
    }
    return counts;
  }

  Result<bool> compare_and_swap(const Table& table, const Slot& slot, std::string_view key,
                                std::optional<std::string_view> expected,
                                std::string_view row) override {
    std::unique_lock lock(mutex_);
    SlotRows* slots = find_slots(table, key);
    SlotRow* present = slots == nullptr ? nullptr : find_row(*slots, slot);
    if (present == nullptr) {
      if (expected.has_value()) return false;
      slots_of(table, key).push_back({slot.view_id, slot.generation, std::string(row)});
      return true;
    }
    if (expected != present->row) return false;
    present->row = row;
    return true;
  }

  Result<uint64_t> erase(const Table& table, const Slot& slot,
                         std::optional<std::string_view> below) override {
    std::unique_lock lock(mutex_);
    auto rows = tables_.find(table.name);
    if (rows == tables_.end()) return uint64_t{0};
    uint64_t erased = 0;
    for (auto at = rows->second.begin(); at != rows->second.end();) {
      erased += std::erase_if(at->second, [&](const SlotRow& row) {
        return row.is_of(slot) && (!below.has_value() || row.row < *below);
      });
      at = at->second.empty() ? rows->second.erase(at) : std::next(at);
    }
    return erased;
  }

  // The sink runs without the lock, on copies: it may call the store.
  Result<void> scan(const Table& table, std::span<const Slot> slots,
                    const store::ScanSink& sink) override {
    std::vector<std::pair<size_t, std::string>> rows;
    for (const std::string& key : keys_of(table)) {
      rows.clear();
      {
        std::shared_lock lock(mutex_);
        SlotRows* present = find_slots(table, key);
        if (present == nullptr) continue;
        for (size_t i = 0; i < slots.size(); ++i)
          if (const SlotRow* row = find_row(*present, slots[i])) rows.emplace_back(i, row->row);
      }
      for (const auto& [slot, row] : rows)
        if (!sink(key, slot, row)) return {};
    }
    return {};
  }

  Result<std::optional<std::string>> read_mark(std::string_view name) override {
    std::shared_lock lock(mutex_);
    auto mark = marks_.find(name);
    if (mark == marks_.end()) return std::optional<std::string>();
    return std::optional(mark->second);
  }

  Result<void> write_mark(std::string_view name, std::string_view value) override {
    std::unique_lock lock(mutex_);
    marks_.insert_or_assign(std::string(name), std::string(value));
    return {};
  }

 private:
  static constexpr size_t kKeysBetweenDeadlineChecks = 256;

  Result<void> read_groups(std::span<const ReadGroup> groups, int64_t deadline_us,
                           store::RowSink& sink) {
    std::shared_lock lock(mutex_);
    size_t keys_read = 0;
    for (size_t g = 0; g < groups.size(); ++g) {
      const ReadGroup& group = groups[g];
      for (size_t k = 0; k < group.keys.size(); ++k) {
        if (keys_read++ % kKeysBetweenDeadlineChecks == 0 && steady_now_us() > deadline_us)
          return error(ErrorCode::kTimeout, "the memory store did not answer in time");
        SlotRows* present = find_slots(*group.table, group.keys[k]);
        if (present == nullptr) continue;
        for (size_t s = 0; s < group.slots.size(); ++s)
          if (const SlotRow* row = find_row(*present, group.slots[s])) sink.row(g, k, s, row->row);
      }
    }
    return {};
  }

  SlotRows* find_slots(const Table& table, std::string_view key) {
    auto rows = tables_.find(table.name);
    if (rows == tables_.end()) return nullptr;
    auto found = rows->second.find(key);
    return found == rows->second.end() ? nullptr : &found->second;
  }

  SlotRows& slots_of(const Table& table, std::string_view key) {
    TableRows& rows = tables_[table.name];
    auto found = rows.find(key);
    return found != rows.end() ? found->second : rows[std::string(key)];
  }

  std::vector<std::string> keys_of(const Table& table) {
    std::shared_lock lock(mutex_);
    std::vector<std::string> keys;
    auto rows = tables_.find(table.name);
    if (rows == tables_.end()) return keys;
    keys.reserve(rows->second.size());
    for (const auto& [key, slots] : rows->second) keys.push_back(key);
    return keys;
  }

  std::shared_mutex mutex_;
  std::map<std::string, TableRows, std::less<>> tables_;
  std::map<std::string, std::string, std::less<>> marks_;
};

}  // namespace

std::unique_ptr<store::OnlineStore> make_store() { return std::make_unique<MemoryStore>(); }

}  // namespace asof::engines::online::memory
