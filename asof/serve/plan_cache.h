// Plan cache: the read plans of one snapshot, by what was asked.
//
// One an event loop, so that nothing of it is shared between cores.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "asof/base/hash.h"
#include "asof/base/result.h"
#include "asof/serve/read_plan.h"

namespace asof::serve {

// Threads: none; belongs to one loop. Cost: one hash and one look-up; the plan used longest ago goes first.
class PlanCache {
 public:
  // Units: bytes. Plans of longer keys are made each time, so that nobody fills the memory with names.
  static constexpr size_t kLongestKey = 16 << 10;

  explicit PlanCache(size_t capacity = 1024) : capacity_(capacity) {}

  // Forgets the plans of the old snapshot.
  void set_snapshot(std::shared_ptr<const plan::Snapshot> snapshot);
  const std::shared_ptr<const plan::Snapshot>& snapshot() const { return snapshot_; }

  // `key` names a request's features and naming, however its caller spells them; `select` is asked where it is new.
  Result<std::shared_ptr<const ReadPlan>> find_or_make(
      std::string_view key,
      const std::function<Result<plan::Selection>(const model::Definitions&)>& select);
  size_t size() const { return plans_.size(); }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return hash64(text); }
  };
  struct Entry {
    std::shared_ptr<const ReadPlan> plan;
    std::list<const std::string*>::iterator use;
  };
  size_t capacity_;
  std::shared_ptr<const plan::Snapshot> snapshot_;
  std::unordered_map<std::string, Entry, Hash, std::equal_to<>> plans_;
  std::list<const std::string*> uses_;  // newest first
};

}  // namespace asof::serve
