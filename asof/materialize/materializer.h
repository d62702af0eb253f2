// Materialization: the newest row of each key, from the offline store to the online store, with a
// ledger of runs.
//
// A run writes data first and the ledger second, so that a killed run is harmless: the next one
// resumes. A changed definition, or `full`, loads a new generation beside the served one and flips
// to it at the end (product.md, rule 9).
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "asof/base/clock.h"
#include "asof/base/result.h"
#include "asof/plan/snapshot.h"
#include "asof/store/catalog.h"
#include "asof/store/ledger.h"
#include "asof/store/offline_store.h"
#include "asof/store/online_store.h"

namespace asof::materialize {

struct MaterializeSpec {
  std::vector<std::string> views;  // empty = all online views
  std::optional<Timestamp> from;   // with or without `to`: a ranged run over (from, to]
  std::optional<Timestamp> to;
  bool full = false;
  uint64_t memory_budget_bytes = 512ull << 20;
  uint64_t files_at_once_bytes =
      2ull << 30;  // what is finished of a long load is entered in steps of about this size
  // How long rows stay that readers have just been told to leave: a server learns of it within a second.
  Duration reader_grace{5 * kMicrosPerSecond};
  // Set by another thread or a signal's handler to end the runs soon, between two batches of rows: the one under way is
  // entered as failed, and the next one resumes it.
  const std::atomic<bool>* stop = nullptr;
};

struct RunProgress {
  std::string view;
  uint64_t rows_read = 0;
  uint64_t rows_written = 0;
  std::optional<uint64_t> rows_expected;
  double seconds = 0;
};
using Progress = std::function<void(const RunProgress&)>;

// Threads: any; a lease lets only one process run a view at a time.
class Materializer {
 public:
  Materializer(store::Catalog& catalog, store::OfflineStore& offline, store::OnlineStore& online,
               const Clock& clock)
      : catalog_(catalog), offline_(offline), online_(online), clock_(clock) {}

  // One run a view, one after another; a failed one does not stop the others and stands in the
  // result as it stands in the ledger. A view that another process is running is kRefused, which stands in no ledger.
  // Errors: of the request itself (unknown view, from after to), or of the catalog.
  Result<std::vector<store::Run>> run(const std::string& project, const MaterializeSpec& spec,
                                      const Progress& progress);

  // Deletes rows older than each view's online_retention (rule 8). Never under a set clock. Returns
  // rows deleted.
  Result<uint64_t> sweep(const std::string& project);

 private:
  store::Catalog& catalog_;
  store::OfflineStore& offline_;
  store::OnlineStore& online_;
  const Clock& clock_;
};

// The views that a run of `asked` concerns, in the order given; all online ones where none is. Errors: kNotFound with the
// nearest name, kInvalid for one that is not online, with `field`[i].
Result<std::vector<std::string>> choose_views(const model::Definitions& definitions,
                                              const std::vector<std::string>& asked,
                                              std::string_view field);

// Whether a run (or a sweep) of the view is under way, in this process or another. A look, not a claim: it may be over, or
// another may have begun, when this returns. Errors: the catalog's.
Result<bool> is_running(store::Catalog& catalog, const std::string& project,
                        const std::string& view);

// Whether the online store holds what the ledger committed: per view, nothing or why its reads must
// be refused. Checked on connect and every second by the server.
Result<std::map<std::string, std::string>> check_marker(store::OnlineStore& online,
                                                        store::Catalog& catalog,
                                                        const plan::Snapshot& snapshot);

}  // namespace asof::materialize
