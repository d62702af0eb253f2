#include "asof/registry/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "asof/model/definitions_json.h"
#include "asof/model/places.h"
#include "asof/model/validate.h"
#include "asof/plan/revisions.h"
#include "asof/registry/internal/commit.h"
#include "asof/registry/internal/consequences.h"
#include "asof/registry/internal/diff.h"
#include "asof/registry/internal/inspect.h"
#include "asof/registry/internal/plan_rules.h"

namespace asof::registry {

namespace {

using model::Definitions;
using store::Revision;

constexpr size_t kSummarizedChanges = 8;

size_t count(const std::vector<Change>& changes, ChangeKind kind) {
  return static_cast<size_t>(std::count_if(changes.begin(), changes.end(),
                                           [&](const Change& one) { return one.kind == kind; }));
}

std::string_view sign(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::kAdd: return "+";
    case ChangeKind::kChange: return "~";
    case ChangeKind::kRemove: return "-";
  }
  return "~";
}

std::string summary_of(const std::vector<Change>& changes) {
  std::string out;
  for (size_t i = 0; i < std::min(changes.size(), kSummarizedChanges); ++i)
    out += fmt::format("{}{} {} {}", i == 0 ? "" : ", ", sign(changes[i].kind), changes[i].object,
                       changes[i].name);
  if (changes.size() > kSummarizedChanges)
    out += fmt::format(" and {} more", changes.size() - kSummarizedChanges);
  return out;
}

// Sources that are new or changed, or that a new or changed view reads: what a plan has to tell about.
std::set<std::string> sources_in_the_news(const std::vector<Change>& changes,
                                          const Definitions& definitions) {
  std::set<std::string> news;
  for (const Change& change : changes) {
    if (change.object == "source") news.insert(change.name);
    if (change.object != "view") continue;
    const model::FeatureView* view = definitions.find_view(change.name);
    const bool reads_anew =
        std::any_of(change.properties.begin(), change.properties.end(),
                    [](const PropertyChange& one) { return one.property.starts_with("source"); });
    if (view != nullptr && (change.kind == ChangeKind::kAdd || reads_anew))
      news.insert(view->source);
  }
  return news;
}

Error refused_as_destructive(const Plan& plan) {
  Error refused =
      error(ErrorCode::kForbidden, "this apply removes something, drops data or breaks a service",
            {}, "look at the plan; to do it all the same, apply with --allow-delete");
  for (const Change& change : plan.changes) {
    if (!change.is_destructive) continue;
    std::string words = fmt::format("{} {} '{}'", sign(change.kind), change.object, change.name);
    for (const std::string& consequence : change.consequences) words += "; " + consequence;
    refused.details.push_back(error(ErrorCode::kForbidden, std::move(words)));
  }
  return refused;
}

// The document is all that is left of the definitions once they are applied: a value that a program made, and that prints as
// no reader takes it, must not get that far.
Result<void> reads_back(const std::string& document) {
  auto read = model::definitions_from_json(document);
  if (read) return {};
  return error(ErrorCode::kInvalid,
               fmt::format("these definitions would not read back from the registry: {}",
                           read.error().message),
               {}, "look for a default that no file could hold; nothing was changed");
}

Error no_such_revision(int64_t number, int64_t newest) {
  return error(
      ErrorCode::kNotFound, fmt::format("there is no revision {}", number), "revision",
      newest == 0 ? "nothing has been applied yet" : fmt::format("revisions are 1 to {}", newest));
}

}  // namespace

size_t Plan::adds() const { return count(changes, ChangeKind::kAdd); }
size_t Plan::changed() const { return count(changes, ChangeKind::kChange); }
size_t Plan::removes() const { return count(changes, ChangeKind::kRemove); }
bool Plan::is_destructive() const {
  return std::any_of(changes.begin(), changes.end(),
                     [](const Change& change) { return change.is_destructive; });
}

std::string summary_of(const Plan& plan) { return summary_of(plan.changes); }

Result<Registry::Base> Registry::read_base(std::optional<int64_t> number, Damage damage) const {
  Base base;
  ASOF_TRY_ASSIGN(const auto revision, catalog_.read_revision(project_, number));
  if (!revision) return base;
  base.revision = revision->number;
  auto definitions = plan::read_revision(catalog_, project_, *revision);
  if (definitions) {
    base.definitions = *std::move(definitions);
    return base;
  }
  if (damage == Damage::kRefuse) return std::move(definitions).error();
  base.is_damaged = true;
  ASOF_TRY_ASSIGN(auto readable, plan::newest_readable(catalog_, project_, base.revision));
  if (readable) base.definitions = std::move(readable->definitions);
  // Of views that only the unreadable one had, the states tell at least the names: they go like any other.
  ASOF_TRY_ASSIGN(const auto states, store::read_view_states(catalog_, project_));
  for (const auto& [name, state] : states)
    if (base.definitions.find_view(name) == nullptr)
      base.definitions.views.emplace_back().name = name;
  return base;
}

Result<Plan> Registry::plan(const model::ReadDefinitions& read,
                            store::OfflineStore* offline) const {
  ASOF_TRY_ASSIGN(const Base base, read_base(std::nullopt, Damage::kRefuse));
  return plan_on(base, read, offline);
}

Result<Plan> Registry::plan_on(const Base& base, const model::ReadDefinitions& read,
                               store::OfflineStore* offline) const {
  Plan plan;
  plan.project = project_;
  plan.base_revision = base.revision;
  plan.definitions = read.definitions;
  plan.errors = read.errors;
  auto add_errors = [&](std::vector<Error> errors) {
    plan.errors.insert(plan.errors.end(), std::make_move_iterator(errors.begin()),
                       std::make_move_iterator(errors.end()));
  };
  // What is planned may come from a program, or from an old revision: nothing invalid is ever compared or applied.
  if (plan.errors.empty()) add_errors(model::validate(read.definitions, read.locations));
  const Definitions& before = base.definitions;
  plan.changes = internal::diff(before, plan.definitions);
  if (plan.errors.empty()) {
    ASOF_TRY_ASSIGN(const auto states, store::read_view_states(catalog_, project_));
    internal::add_consequences(before, plan.definitions, states, plan.changes);
    add_errors(internal::check_services(plan.definitions, plan.changes, read.locations));
    if (rules_.shares_feature_names)
      add_errors(internal::check_shared_names(plan.definitions, read.locations));
  }
  if (offline != nullptr) {
    internal::Findings findings =
        internal::inspect_sources(plan.definitions, read.locations,
                                  sources_in_the_news(plan.changes, plan.definitions), *offline);
    add_errors(std::move(findings.errors));
    plan.notices = std::move(findings.notices);
  }
  if (plan.errors.empty()) {
    for (std::string& notice : internal::find_lookalikes(before, plan.definitions))
      plan.notices.push_back(std::move(notice));
    for (std::string& notice : internal::find_offline_only(before, plan.definitions, plan.changes))
      plan.notices.push_back(std::move(notice));
  }
  model::sort_by_place(plan.errors);
  return plan;
}

Result<Applied> Registry::apply(const Plan& plan, const ApplyOptions& options) {
  ASOF_TRY_ASSIGN(const Base base, read_base(plan.base_revision, Damage::kRefuse));
  if (base.revision != plan.base_revision)
    return error(ErrorCode::kConflict,
                 fmt::format("the plan was made on revision {}, which this registry does not have",
                             plan.base_revision),
                 {}, "plan again");
  return apply_on(base, plan, options);
}

Result<Applied> Registry::apply_on(const Base& base, const Plan& plan,
                                   const ApplyOptions& options) {
  if (!plan.errors.empty()) {
    if (plan.errors.size() == 1) return plan.errors[0];
    Error invalid = error(ErrorCode::kInvalid,
                          fmt::format("the definitions have {} mistakes", plan.errors.size()));
    invalid.details = plan.errors;
    return invalid;
  }
  // A damaged revision is replaced even where nothing else changes.
  if (plan.is_empty() && !base.is_damaged) return Applied{plan.base_revision, false, plan.notices};
  if (plan.is_destructive() && !options.allow_delete) return refused_as_destructive(plan);
  Revision revision;
  revision.at = Timestamp{clock_.now_us()};
  revision.by = options.by;
  revision.message = options.message.empty() ? summary_of(plan) : options.message;
  revision.document = model::to_json(plan.definitions);
  ASOF_TRY(reads_back(revision.document));
  const internal::Commit commit{catalog_,         project_,         plan.base_revision,
                                base.definitions, plan.definitions, revision};
  ASOF_TRY_ASSIGN(const bool committed, internal::run(commit));
  if (!committed) return conflict(plan.base_revision);
  return Applied{plan.base_revision + 1, true, plan.notices};
}

Error Registry::conflict(int64_t base) const {
  std::string message = fmt::format("revision {} is not the newest any more", base);
  auto revisions = catalog_.list_revisions(project_);
  if (revisions)
    for (const Revision& revision : *revisions) {
      if (revision.number <= base) continue;
      message +=
          fmt::format("; revision {} by {} at {}: ", revision.number,
                      revision.by.empty() ? "somebody" : revision.by, to_string(revision.at));
      auto changes = changes_of(revision.number);
      message += changes ? summary_of(*changes) : revision.message;
    }
  return error(ErrorCode::kConflict, std::move(message), {},
               "nothing was changed; plan again to see both changes together");
}

Result<std::vector<Revision>> Registry::history() const {
  return catalog_.list_revisions(project_);
}

Result<Plan> Registry::changes_of(int64_t number) const {
  ASOF_TRY_ASSIGN(const auto revision, catalog_.read_revision(project_, number));
  if (!revision) {
    ASOF_TRY_ASSIGN(const auto newest, catalog_.read_revision(project_, std::nullopt));
    return no_such_revision(number, newest ? newest->number : 0);
  }
  ASOF_TRY_ASSIGN(const Base before, read_base(number - 1, Damage::kRefuse));
  Plan plan;
  plan.project = project_;
  plan.base_revision = number - 1;
  ASOF_TRY_ASSIGN(plan.definitions, plan::read_revision(catalog_, project_, *revision));
  plan.changes = internal::diff(before.definitions, plan.definitions);
  return plan;
}

Result<Applied> Registry::rollback(int64_t number, const ApplyOptions& options) {
  ASOF_TRY_ASSIGN(const auto revision, catalog_.read_revision(project_, number));
  if (!revision) {
    ASOF_TRY_ASSIGN(const auto newest, catalog_.read_revision(project_, std::nullopt));
    return no_such_revision(number, newest ? newest->number : 0);
  }
  model::ReadDefinitions read;
  ASOF_TRY_ASSIGN(read.definitions, plan::read_revision(catalog_, project_, *revision));
  ASOF_TRY_ASSIGN(const Base base, read_base(std::nullopt, Damage::kReplace));
  ASOF_TRY_ASSIGN(const Plan plan, plan_on(base, read, nullptr));
  ApplyOptions complete = options;
  if (complete.message.empty()) complete.message = fmt::format("rollback to revision {}", number);
  return apply_on(base, plan, complete);
}

}  // namespace asof::registry
