// The label frame: labels opened for a selection, and one index of them for each set of key columns.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "asof/kernel/spine_join.h"
#include "asof/plan/selection.h"
#include "asof/plan/snapshot.h"
#include "asof/store/offline_store.h"
#include "asof/training/training.h"

namespace asof::training::internal {

// The features meant, and the labels they are joined to. The selection points into the snapshot's definitions.
struct LabelFrame {
  plan::Selection selection;
  std::unique_ptr<store::Labels> labels;
};

// Resolves the features, opens the labels and checks that every key column is there. Errors: kInvalid or kNotFound for the
// request, kNotFound for a key column that the labels lack (with the nearest name).
Result<LabelFrame> open_labels(store::OfflineStore& offline, const plan::Snapshot& snapshot,
                               const TrainingSpec& spec);

// Views that share key columns share an index.
class LabelIndexes {
 public:
  // The index of the view's key columns, built on first use. Errors: kInvalid where a label column is of another type.
  Result<const kernel::LabelIndex*> get(const plan::SelectedView& view, store::Labels& labels,
                                        size_t workers);
  // Local times of the labels, as the last get() met them.
  const store::ScanCounts& label_times() const { return label_times_; }

 private:
  store::ScanCounts label_times_;
  std::map<std::vector<std::pair<std::string, std::string>>, std::unique_ptr<kernel::LabelIndex>>
      indexes_;
};

}  // namespace asof::training::internal
