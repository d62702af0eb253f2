// A small world for tests of materialization: a catalog, an online store, a fake offline store and a clock, all in memory,
// with one view `clicks` of entity `user`, whose rows are (user_id, at[, known], clicks, label).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "asof/base/clock.h"
#include "asof/materialize/materializer.h"
#include "asof/model/definitions.h"
#include "asof/plan/snapshot.h"
#include "tests/materialize/fake_offline_store.h"

namespace asof::testing {

// Moves only when told to, and is not `set` unless told so: rows may be deleted on its word.
class TestClock final : public Clock {
 public:
  int64_t now_us() const override { return now; }
  bool is_set() const override { return set; }
  int64_t now = 0;
  bool set = false;
};

inline const std::string kProject = "shop";
inline const std::string kView = "clicks";
inline const std::string kFiles = "data/clicks/*.parquet";

// 2026-01-01T00:00:00Z plus hours.
Timestamp at_hour(int64_t hours);
// One row of the view's source.
std::vector<Value> row(const std::string& user, int64_t hour, int64_t clicks);
std::vector<Value> row(const std::string& user, int64_t hour, int64_t known_hour, int64_t clicks);

// entity user, source clicks (files), view clicks with the feature clicks: int64.
model::Definitions make_definitions();
// The same from a source without files, with a known_time.
model::Definitions make_sql_definitions();

class World {
 public:
  explicit World(model::Definitions definitions = make_definitions());
  // On stores that may hold something already; the definitions are applied where nothing is.
  World(model::Definitions definitions, std::unique_ptr<store::Catalog> catalog,
        std::unique_ptr<store::OnlineStore> online);

  // Makes these the registry's newest definitions, as `apply` does.
  void apply(model::Definitions definitions);
  void add_file(const std::string& name, Rows rows);
  std::string path_of(const std::string& name) const { return "data/clicks/" + name; }

  std::vector<store::Run> run(materialize::MaterializeSpec spec = {});
  // The only view's run.
  store::Run run_one(const materialize::MaterializeSpec& spec = {});
  store::ViewState state(const std::string& view = kView);
  std::vector<store::FileEntry> entries();
  std::shared_ptr<const plan::Snapshot> snapshot();
  materialize::Materializer materializer();

  // What is served: "user" -> "clicks@hour", read from the served generation.
  std::map<std::string, std::string> served(const std::string& view = kView);
  // Rows of a generation, whether served or not.
  size_t rows_of(uint32_t generation);

  std::unique_ptr<store::Catalog> owned_catalog;
  store::Catalog& catalog;
  FakeOfflineStore offline;
  std::unique_ptr<store::OnlineStore> online;
  TestClock clock;
  Duration reader_grace{0};  // nobody reads but the tests
  model::Definitions definitions;

 private:
  int64_t revision_ = 0;
  uint32_t last_view_id_ = 0;
};

}  // namespace asof::testing
