// Load plan: what one run reads, and into which generation it writes (product.md, rule 9). Pure: decides, touches nothing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "asof/model/definitions.h"
#include "asof/store/ledger.h"
#include "asof/store/offline_store.h"

namespace asof::materialize::internal {

// What is known when a run begins.
struct LoadQuestion {
  const model::Source* source = nullptr;
  const store::ViewState* state = nullptr;
  std::string load_hash;              // of the definition as it is now
  std::optional<Duration> retention;  // the view's online_retention as it is now
  std::optional<Timestamp> from, to;
  bool full = false;
  Timestamp now;
  std::vector<store::SourceFile> files;  // as listed now; empty where the source has none
  std::vector<store::FileEntry> serving_files;
  std::vector<store::FileEntry> loading_files;
  bool writes_in_place =
      false;  // the store holds one generation a view: a load writes over the served rows
  std::string serving_loss;  // why the store does not hold the served generation; "" = it does
  std::string loading_loss;
};

enum class Target {
  kServing,  // the rows go into the served generation
  kLoading,  // a killed run's generation is continued
  kNew,      // a generation of its own
};

struct LoadPlan {
  store::RunKind kind = store::RunKind::kIncremental;
  Target target = Target::kServing;
  store::TimeRange event_time, known_time;
  std::vector<store::SourceFile> files;  // to read, by path
  std::vector<store::FileEntry>
      gone;                       // files that were read and are no longer there, as of this run
  bool reads_everything = false;  // every row of the source
  bool nothing_to_read = false;
  bool keeps_entries = false;   // whether the files read are entered as such
  bool leaves_missing = false;  // something outside the range is left for the next incremental run
  std::vector<std::string> notes;
};

LoadPlan make_load_plan(const LoadQuestion& question);

// How far a source without files and without known_time is read again (product.md, rule 8).
inline constexpr Duration kDefaultLookback{3600 * kMicrosPerSecond};

}  // namespace asof::materialize::internal
