#include "asof/serve/plan_cache.h"

namespace asof::serve {

void PlanCache::set_snapshot(std::shared_ptr<const plan::Snapshot> snapshot) {
  snapshot_ = std::move(snapshot);
  uses_.clear();
  plans_.clear();
}

Result<std::shared_ptr<const ReadPlan>> PlanCache::find_or_make(
    std::string_view key,
    const std::function<Result<plan::Selection>(const model::Definitions&)>& select) {
  if (auto found = plans_.find(key); found != plans_.end()) {
    if (found->second.use != uses_.begin()) uses_.splice(uses_.begin(), uses_, found->second.use);
    return found->second.plan;
  }
  ASOF_TRY_ASSIGN(plan::Selection selection, select(snapshot_->definitions));
  std::shared_ptr<const ReadPlan> plan = make_read_plan(snapshot_, selection);
  if (key.size() > kLongestKey) return plan;
  if (plans_.size() >= capacity_) {
    std::string oldest = *uses_.back();
    uses_.pop_back();
    plans_.erase(oldest);
  }
  auto added = plans_.emplace(std::string(key), Entry{plan, {}}).first;
  uses_.push_front(&added->first);
  added->second.use = uses_.begin();
  return plan;
}

}  // namespace asof::serve
