// One view's rows online, held against what its source says they should be.
//
// Hash range by hash range, so that memory is bounded: in each range two collections of newest rows are made, as of the
// view's last run from the files it has read, and as of now from all. What is online must be the first; where it is newer,
// it must not be beyond the second.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "asof/audit/verify.h"
#include "asof/kernel/newest_rows.h"
#include "asof/store/ledger.h"

namespace asof::audit::internal {

class ViewComparison {
 public:
  // All outlive the comparison. The view has been loaded, by the definition that it has now.
  ViewComparison(store::OfflineStore& offline, store::OnlineStore& online,
                 const plan::Snapshot& snapshot, const model::FeatureView& view,
                 const store::ViewState& state, Timestamp now, const VerifySpec& spec);

  // `entries`: the files that the served generation has read. Errors: the stores'.
  Result<void> compare(const std::vector<store::FileEntry>& entries, ViewVerification& out);

 private:
  // The newest rows of one hash range.
  struct Range {
    kernel::NewestRows then;  // as of the last run
    kernel::NewestRows now;
    uint64_t limit;  // keys from here on are left out of a sample
    bool covers(std::string_view key) const;
  };

  Result<void> choose_files(const std::vector<store::FileEntry>& entries);
  Result<void> scan(const std::vector<std::string>& files, const store::BatchSink& sink);
  Result<bool> drop_unreadable();
  Result<void> collect(Range& range);
  Result<void> compare_online(const Range& range);
  Result<void> compare_missing(const Range& range);
  void compare_row(const Range& range, std::string_view key, std::string_view online);
  void add_missing(std::string_view key, std::string_view then);
  bool is_expired(std::string_view row) const;
  void add_difference(std::string_view key, std::string_view online, std::string_view offline,
                      const std::string& cause);
  std::string key_text(std::string_view key) const;
  void note(const std::string& text);

  store::OfflineStore& offline_;
  store::OnlineStore& online_;
  const model::FeatureView& view_;
  const model::Source& source_;
  const store::ViewState& state_;
  const VerifySpec& spec_;
  Timestamp then_;
  Timestamp now_;
  store::ScanSpec scan_;
  store::Table table_;
  store::Slot slot_;
  std::vector<std::string> read_files_;    // what the last runs have read, unchanged
  std::vector<std::string> unread_files_;  // new, changed, or not readable then
  bool has_lost_files_ = false;            // what they brought is online, and nowhere else
  std::set<std::string> unreadable_;
  uint64_t found_ = 0;  // keys of the range's `now` that are online
  ViewVerification* out_ = nullptr;
};

}  // namespace asof::audit::internal
