// Registry: features as code. Plans the difference between files and what is applied, applies it,
// keeps every revision.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "asof/base/clock.h"
#include "asof/base/result.h"
#include "asof/model/read_yaml.h"
#include "asof/plan/snapshot.h"
#include "asof/store/catalog.h"
#include "asof/store/offline_store.h"

namespace asof::registry {

enum class ChangeKind { kAdd, kChange, kRemove };

struct PropertyChange {
  std::string property;               // "features.clicks.type", "max_age"
  std::optional<std::string> before;  // absent where it was not written, which "" is not
  std::optional<std::string> after;
};

struct Change {
  ChangeKind kind;
  std::string object;  // "entity", "source", "view", "service"
  std::string name;
  std::string summary;  // "6 features, entity user"
  std::vector<PropertyChange> properties;
  // "new generation: 12,034 rows online are loaded again by the next run".
  std::vector<std::string> consequences;
  // Removes something, drops data or breaks a service: apply wants allow_delete.
  bool is_destructive = false;
};

// The difference between definitions and the registry's newest revision.
struct Plan {
  std::string project;
  int64_t base_revision = 0;
  model::Definitions definitions;
  std::vector<Change> changes;  // sorted: entities, sources, views, services
  // Zone-less times read as UTC; a feature's name that exists elsewhere; ….
  std::vector<std::string> notices;
  std::vector<Error> errors;  // what makes it inapplicable, each with file:line
  size_t adds() const;
  size_t changed() const;
  size_t removes() const;
  bool is_empty() const { return changes.empty(); }
  bool is_destructive() const;
};

// "+ entity user, ~ view clicks, - service old": what a revision's message is where none is given.
std::string summary_of(const Plan& plan);

struct Applied {
  int64_t revision = 0;  // the base revision where nothing changed
  bool changed = false;
  std::vector<std::string> notices;
};

struct ApplyOptions {
  bool allow_delete = false;
  std::string by;       // "user@host"
  std::string message;  // "" = the plan's summary line
};

struct LineageNode {
  std::string kind;  // "file", "column", "source", "entity", "view", "feature", "service"
  std::string name;
};
struct Lineage {
  std::vector<LineageNode> upstream;
  std::vector<LineageNode> downstream;
};

// What definitions have to observe for the stores that they are meant for, known without opening one.
struct StoreRules {
  // Two online views of one key may not share a feature's name (store::Engine::shares_feature_names).
  bool shares_feature_names = false;
};

// Threads: any. Holds no state of its own: everything is in the catalog.
class Registry {
 public:
  Registry(store::Catalog& catalog, std::string project, const Clock& clock, StoreRules rules = {})
      : catalog_(catalog), project_(std::move(project)), clock_(clock), rules_(rules) {}

  // Compares definitions (already validated) with the newest revision; inspects sources where
  // `offline` is given: a missing column, a type that loses, no time column, a zone-less time.
  // Mistakes come by file and line. Never writes.
  Result<Plan> plan(const model::ReadDefinitions& read, store::OfflineStore* offline) const;

  // Makes it so, as revision base + 1, by compare-and-swap. Errors: kInvalid (the plan has errors),
  // kConflict (another apply came first: says which revision, who and what), kForbidden (removals
  // without allow_delete). What is committed has been read back.
  Result<Applied> apply(const Plan& plan, const ApplyOptions& options);

  Result<std::vector<store::Revision>> history() const;
  // The changes between a revision and the one before it.
  Result<Plan> changes_of(int64_t revision) const;
  // The definitions of an old revision as a new one, also where the newest one cannot be read. Same
  // errors as apply.
  Result<Applied> rollback(int64_t revision, const ApplyOptions& options);

 private:
  // What the newest revision holds.
  struct Base {
    int64_t revision = 0;
    model::Definitions definitions;
    bool is_damaged = false;  // then they are what is known of it otherwise
  };
  enum class Damage { kRefuse, kReplace };
  Result<Base> read_base(std::optional<int64_t> number, Damage damage) const;
  Result<Plan> plan_on(const Base& base, const model::ReadDefinitions& read,
                       store::OfflineStore* offline) const;
  Result<Applied> apply_on(const Base& base, const Plan& plan, const ApplyOptions& options);
  Error conflict(int64_t base) const;

  store::Catalog& catalog_;
  std::string project_;
  const Clock& clock_;
  StoreRules rules_;
};

// Where a thing comes from and what uses it. `kind` is entity, source, view, feature
// ("view:feature") or service.
Result<Lineage> lineage_of(const plan::Snapshot& snapshot, std::string_view kind,
                           std::string_view name);

}  // namespace asof::registry
