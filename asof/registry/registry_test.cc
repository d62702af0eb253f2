#include "asof/registry/registry.h"

#include <barrier>
#include <chrono>
#include <filesystem>
#include <thread>

#include "asof/engines/catalog/memory/memory_catalog.h"
#include "asof/engines/catalog/sqlite/sqlite_catalog.h"
#include "asof/model/definitions_json.h"
#include "asof/registry/testing/columns_only.h"

namespace asof::registry {

namespace {

using engines::catalog::memory::MemoryCatalog;
using internal::read;
using internal::read_valid;
using internal::texts;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* kEntity = "entities:\n  - {name: user, join_keys: {user_id: string}}\n";

std::string view(const std::string& name, const std::string& more = "") {
  return "  - {name: " + name + ", entity: user, source: {path: " + name +
         ".parquet, event_time: at}, features: [" + name + "_count: int64]" + more + "}\n";
}

std::string views(const std::vector<std::string>& names) {
  std::string out = kEntity;
  if (!names.empty()) out += "views:\n";
  for (const std::string& name : names) out += view(name);
  return out;
}

class RegistryTest : public ::testing::Test {
 protected:
  Plan plan(const std::string& yaml) {
    auto planned = registry_.plan(read(yaml), nullptr);
    EXPECT_TRUE(planned) << planned.error().text();
    return planned ? *planned : Plan{};
  }

  Result<Applied> try_apply(const Plan& plan, bool allow_delete = false) {
    return registry_.apply(plan, {allow_delete, "ana@laptop", ""});
  }

  Applied apply(const std::string& yaml, bool allow_delete = false) {
    auto applied = try_apply(plan(yaml), allow_delete);
    EXPECT_TRUE(applied) << applied.error().text();
    return applied ? *applied : Applied{};
  }

  store::ViewState state(const std::string& name) {
    auto stored = store::read_view_state(catalog_, "shop", name);
    return stored && *stored ? (*stored)->state : store::ViewState{};
  }

  // As if a run had loaded the view.
  void load(const std::string& name, uint32_t generation, int64_t rows) {
    store::ViewState loaded = state(name);
    ASSERT_EQ(loaded.view, name);
    auto snapshot = plan::read_snapshot(catalog_, "shop");
    const model::FeatureView* found = (*snapshot)->definitions.find_view(name);
    loaded.serving.number = generation;
    loaded.serving.rows = rows;
    loaded.serving.load_hash = plan::load_hash(*found, (*snapshot)->definitions);
    loaded.serving.features = model::feature_schema(*found);
    loaded.serving.key_columns = model::join_keys_of(*found, (*snapshot)->definitions);
    const std::vector<store::RecordWrite> writes = {
        store::to_record(loaded),
        store::to_record(name, generation, {"data/a.parquet", 1, 2, {}, {}, 1})};
    ASSERT_TRUE(catalog_.write_records("shop", writes));
  }

  std::vector<store::DroppedView> dropped() {
    return store::read_dropped_views(catalog_, "shop").value();
  }

  MemoryCatalog catalog_;
  SetClock clock_{1'778'198'400'000'000};  // 2026-05-08T00:00:00Z
  Registry registry_{catalog_, "shop", clock_};
};

// Plan.

TEST_F(RegistryTest, PlansEverythingAsNewAtFirst) {
  const Plan all = plan(views({"clicks", "orders"}));
  EXPECT_EQ(all.project, "shop");
  EXPECT_EQ(all.base_revision, 0);
  EXPECT_EQ(all.adds(), 3u);
  EXPECT_EQ(all.changed(), 0u);
  EXPECT_EQ(all.removes(), 0u);
  EXPECT_FALSE(all.is_destructive());
  EXPECT_EQ(summary_of(all), "+ entity user, + view clicks, + view orders");
}

TEST_F(RegistryTest, NeverWritesWhenItPlans) {
  (void)plan(views({"clicks"}));
  EXPECT_EQ(*catalog_.change_counter("shop"), 0);
}

TEST_F(RegistryTest, PlansNothingWhereNothingChanged) {
  apply(views({"clicks"}));
  const Plan again = plan(views({"clicks"}));
  EXPECT_TRUE(again.is_empty());
  EXPECT_EQ(again.base_revision, 1);
}

TEST_F(RegistryTest, CollectsMistakesOfEverySort) {
  internal::ColumnsOnly offline;
  auto planned = registry_.plan(read(R"(
entities:
  - {name: user, join_keys: {user_id: string}, colour: red}
views:
  - {name: a, entity: usr, source: {path: a.parquet, event_time: at}, features: [x: int64]}
services:
  - {name: s, features: [a:y]}
)"),
                                &offline);
  ASSERT_TRUE(planned);
  EXPECT_EQ(planned->errors.size(), 4u) << texts(planned->errors);
  EXPECT_THAT(texts(planned->errors), HasSubstr("features/all.yaml:3"));
  auto applied = try_apply(*planned);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, ErrorCode::kInvalid);
  EXPECT_EQ(applied.error().details.size(), 4u);
  EXPECT_EQ(*catalog_.change_counter("shop"), 0);
}

TEST_F(RegistryTest, ChecksDefinitionsThatAProgramMade) {
  model::ReadDefinitions made = read_valid(views({"clicks"}));
  made.definitions.views[0].entities = {"nobody"};
  auto planned = registry_.plan(made, nullptr);
  ASSERT_TRUE(planned);
  EXPECT_THAT(planned->errors, Not(IsEmpty()));
}

TEST_F(RegistryTest, TellsOfZonesOnceAndOfLookalikesOnce) {
  internal::ColumnsOnly offline;
  offline.columns["clicks.parquet"] = {internal::typed("user_id", TypeKind::kString),
                                       internal::time_column("at", false),
                                       internal::typed("clicks_count", TypeKind::kInt64)};
  const model::ReadDefinitions all = read_valid(views({"clicks"}));
  auto first = registry_.plan(all, &offline);
  ASSERT_TRUE(first);
  EXPECT_THAT(first->notices, ElementsAre(HasSubstr("carries no zone: read as UTC")));
  auto applied = try_apply(*first);
  ASSERT_TRUE(applied);
  EXPECT_EQ(applied->notices, first->notices);
  auto second = registry_.plan(all, &offline);
  EXPECT_THAT(second->notices, IsEmpty());
  // A source that changed under a registered view is an error each time.
  offline.columns["clicks.parquet"].pop_back();
  EXPECT_EQ(registry_.plan(all, &offline)->errors.size(), 1u);
}

// Apply.

TEST_F(RegistryTest, AppliesAsTheNextRevision) {
  EXPECT_EQ(apply(views({"clicks"})).revision, 1);
  const Applied second = apply(views({"clicks", "orders"}));
  EXPECT_EQ(second.revision, 2);
  EXPECT_TRUE(second.changed);
  auto history = registry_.history();
  ASSERT_EQ(history->size(), 2u);
  EXPECT_EQ((*history)[1].by, "ana@laptop");
  EXPECT_EQ((*history)[1].message, "+ view orders");
  EXPECT_EQ((*history)[1].at.us, clock_.now_us());
  auto snapshot = plan::read_snapshot(catalog_, "shop");
  EXPECT_EQ((*snapshot)->definitions, read_valid(views({"clicks", "orders"})).definitions);
}

TEST_F(RegistryTest, MakesNoRevisionWhereNothingChanged) {
  apply(views({"clicks"}));
  const int64_t before = *catalog_.change_counter("shop");
  const Applied again = apply(views({"clicks"}));
  EXPECT_EQ(again.revision, 1);
  EXPECT_FALSE(again.changed);
  EXPECT_EQ(*catalog_.change_counter("shop"), before);
}

TEST_F(RegistryTest, KeepsTheMessageThatWasGiven) {
  ASSERT_TRUE(registry_.apply(plan(views({"a"})), {false, "ci@build", "for the launch"}));
  EXPECT_EQ((*registry_.history())[0].message, "for the launch");
}

TEST_F(RegistryTest, GivesEveryViewAnIdForGood) {
  apply(views({"clicks", "orders"}));
  EXPECT_EQ(state("clicks").view_id, 1u);
  EXPECT_EQ(state("orders").view_id, 2u);
  apply(views({"clicks", "orders", "visits"}));
  EXPECT_EQ(state("visits").view_id, 3u);
  EXPECT_EQ(state("clicks").view_id, 1u);
}

TEST_F(RegistryTest, RefusesARemovalUnlessAllowed) {
  apply(views({"clicks", "orders"}));
  load("orders", 1, 12);
  const Plan removal = plan(views({"clicks"}));
  auto refused = try_apply(removal);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kForbidden);
  EXPECT_THAT(refused.error().text(), HasSubstr("- view 'orders'; drops 12 rows online"));
  EXPECT_THAT(refused.error().hint, HasSubstr("--allow-delete"));
  EXPECT_EQ(registry_.history()->size(), 1u);
  EXPECT_TRUE(try_apply(removal, true));
}

TEST_F(RegistryTest, RefusesToBreakAServiceUnlessAllowed) {
  const std::string service = "services:\n  - {name: home, features: [clicks]}\n";
  apply(views({"clicks"}) + service);
  std::string text = views({"clicks"}) + service;
  text.replace(text.find("int64"), 5, "float64");
  auto refused = try_apply(plan(text));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kForbidden);
  EXPECT_THAT(refused.error().text(), HasSubstr("breaks service 'home'"));
  EXPECT_TRUE(try_apply(plan(text), true));
}

TEST_F(RegistryTest, RefusesToRemoveAViewThatAServiceKeepsUsing) {
  const std::string service = "services:\n  - {name: home, features: [clicks]}\n";
  apply(views({"clicks", "orders"}) + service);
  auto refused = try_apply(plan(views({"orders"}) + service), true);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(refused.error().text(), HasSubstr("service 'home': unknown view 'clicks'"));
}

TEST_F(RegistryTest, HandsOverWhatARemovedViewHasOnline) {
  apply(views({"clicks", "orders"}));
  load("clicks", 3, 12);
  const int64_t before_us = SystemClock().now_us();
  apply(views({"orders"}), true);
  EXPECT_EQ(state("clicks").view, "");
  ASSERT_EQ(dropped().size(), 1u);
  EXPECT_EQ(dropped()[0].view, "clicks");
  EXPECT_EQ(dropped()[0].view_id, 1u);
  // By the real clock, whatever clock is set: readers leave in real time.
  EXPECT_GE(dropped()[0].dropped_at.us, before_us);
  EXPECT_LE(dropped()[0].dropped_at.us, SystemClock().now_us());
  ASSERT_EQ(dropped()[0].generations.size(), 1u);
  EXPECT_EQ(dropped()[0].generations[0].number, 3u);
  EXPECT_EQ(dropped()[0].generations[0].key_columns[0].name, "user_id");
  EXPECT_TRUE(store::read_files(catalog_, "shop", "clicks", 3)->empty());
  // Added again, it is another view.
  apply(views({"clicks", "orders"}));
  EXPECT_EQ(state("clicks").view_id, 3u);
  EXPECT_EQ(state("clicks").serving.number, 0u);
  EXPECT_EQ(dropped().size(), 1u);
}

TEST_F(RegistryTest, RemovesAViewThatWasNeverLoadedWithoutATrace) {
  apply(views({"clicks", "orders"}));
  apply(views({"orders"}), true);
  EXPECT_TRUE(dropped().empty());
  EXPECT_EQ(state("clicks").view, "");
}

TEST_F(RegistryTest, DropsWhatIsOnlineOfAViewThatIsNotOnlineAnyMore) {
  apply(kEntity + ("views:\n" + view("clicks")));
  load("clicks", 1, 12);
  apply(kEntity + ("views:\n" + view("clicks", ", online: false")), true);
  ASSERT_EQ(dropped().size(), 1u);
  EXPECT_EQ(dropped()[0].view_id, 1u);
  EXPECT_EQ(state("clicks").view_id, 2u);
  EXPECT_EQ(state("clicks").serving.number, 0u);
  // Back online it begins anew, under the id it has.
  apply(kEntity + ("views:\n" + view("clicks")));
  EXPECT_EQ(state("clicks").view_id, 2u);
}

TEST_F(RegistryTest, TouchesNoStateOfViewsThatStay) {
  apply(views({"clicks"}));
  load("clicks", 1, 12);
  const int64_t version = (*store::read_view_state(catalog_, "shop", "clicks"))->version;
  std::string text = views({"clicks"});
  text.replace(text.find("clicks.parquet"), 14, "other.parquet");
  apply(text);
  EXPECT_EQ((*store::read_view_state(catalog_, "shop", "clicks"))->version, version);
}

// A run that was under way when its view was removed writes its state afterwards.
TEST_F(RegistryTest, TakesOverAStateThatARunLeftBehind) {
  apply(views({"clicks", "orders"}));
  load("clicks", 1, 12);
  const store::ViewState late = state("clicks");
  apply(views({"orders"}), true);
  const std::vector<store::RecordWrite> writes = {
      store::to_record(late), store::to_record("clicks", 1, {"late.parquet", 1, 2, {}, {}, 1})};
  ASSERT_TRUE(catalog_.write_records("shop", writes));
  apply(views({"clicks", "orders"}));
  EXPECT_EQ(state("clicks").view_id, 3u);
  EXPECT_EQ(state("clicks").serving.number, 0u);
  EXPECT_TRUE(store::read_files(catalog_, "shop", "clicks", 1)->empty());
  ASSERT_EQ(dropped().size(), 1u);
  EXPECT_EQ(dropped()[0].view_id, 1u);
}

// Conflicts.

TEST_F(RegistryTest, TellsWhoCameFirstAndWhatChanged) {
  apply(views({"clicks"}));
  const Plan mine = plan(views({"clicks", "mine"}));
  Registry other(catalog_, "shop", clock_);
  ASSERT_TRUE(other.apply(plan(views({"clicks", "theirs"})), {false, "bob@ci", ""}));
  ASSERT_TRUE(other.apply(plan(views({"clicks", "theirs", "more"})), {false, "eve@ci", "words"}));
  auto refused = try_apply(mine);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kConflict);
  EXPECT_EQ(refused.error().message,
            "revision 1 is not the newest any more; revision 2 by bob@ci at 2026-05-08T00:00:00Z: "
            "+ view theirs; revision 3 by eve@ci at 2026-05-08T00:00:00Z: + view more");
  EXPECT_THAT(refused.error().hint, HasSubstr("plan again"));
  EXPECT_EQ(registry_.history()->size(), 3u);
  // Planned again it shows that the others' views would go: nothing is lost in silence.
  EXPECT_EQ(plan(views({"clicks", "mine"})).removes(), 2u);
}

TEST_F(RegistryTest, RefusesAPlanOfAnotherRegistry) {
  Plan foreign = plan(views({"clicks"}));
  foreign.base_revision = 7;
  auto refused = try_apply(foreign);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kConflict);
}

// Eight appliers, each with a view of its own, all planned on one revision, on SQLite: one wins, each other is told who
// and what came first, and nothing of the winner is lost.
TEST(RegistryOnSqlite, LetsOneOfManyApplyAndLosesNothing) {
  std::string folder = (std::filesystem::temp_directory_path() / "asof_registry_XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  auto open = [&] {
    return engines::catalog::sqlite::open({"sqlite", "registry.db", {}, "shop", folder}).value();
  };
  SystemClock clock;
  auto first = open();
  Registry setup(*first, "shop", clock);
  ASSERT_TRUE(setup.apply(*setup.plan(read_valid(views({"base"})), nullptr), {}));

  constexpr int kAppliers = 8;
  std::barrier all_have_planned(kAppliers);
  std::vector<std::optional<Result<Applied>>> ends(kAppliers);
  std::vector<std::thread> threads;
  for (int i = 0; i < kAppliers; ++i)
    threads.emplace_back([&, i] {
      auto catalog = open();
      Registry registry(*catalog, "shop", clock);
      auto planned =
          registry.plan(read_valid(views({"base", "view" + std::to_string(i)})), nullptr);
      all_have_planned.arrive_and_wait();
      if (planned)
        ends[i] = registry.apply(*planned, {false, "user" + std::to_string(i) + "@host", ""});
    });
  for (std::thread& thread : threads) thread.join();

  std::vector<std::string> winners;
  for (int i = 0; i < kAppliers; ++i) {
    ASSERT_TRUE(ends[i].has_value());
    if (*ends[i]) winners.push_back(std::to_string(i));
  }
  ASSERT_EQ(winners.size(), 1u);
  for (const auto& end : ends) {
    if (*end) continue;
    EXPECT_EQ(end->error().code, ErrorCode::kConflict) << end->error().text();
    EXPECT_THAT(end->error().message, HasSubstr("revision 2 by user" + winners[0] + "@host"));
    EXPECT_THAT(end->error().message, HasSubstr("+ view view" + winners[0]));
  }
  auto snapshot = plan::read_snapshot(*first, "shop");
  EXPECT_EQ((*snapshot)->revision, 2);
  EXPECT_EQ((*snapshot)->definitions, read_valid(views({"base", "view" + winners[0]})).definitions);
  EXPECT_EQ((*snapshot)->states.size(), 2u);
  EXPECT_EQ(setup.history()->size(), 2u);
  std::filesystem::remove_all(folder);
}

// A run that writes a view's state while the view is removed: the removal sees what was written last.
TEST_F(RegistryTest, SeesWhatARunWroteInBetween) {
  struct RunsInBetween final : store::Catalog {
    explicit RunsInBetween(store::Catalog& wrapped) : inner(wrapped) {}
    store::Catalog& inner;
    std::function<void()> before_commit;
    Result<std::vector<std::string>> list_projects() override { return inner.list_projects(); }
    Result<std::optional<store::Revision>> read_revision(std::string_view p,
                                                         std::optional<int64_t> n) override {
      return inner.read_revision(p, n);
    }
    Result<std::vector<store::Revision>> list_revisions(std::string_view p) override {
      return inner.list_revisions(p);
    }
    Result<void> commit_revision(std::string_view p, int64_t e, const store::Revision& r,
                                 std::span<const store::RecordWrite> w) override {
      if (auto once = std::exchange(before_commit, nullptr)) once();
      return inner.commit_revision(p, e, r, w);
    }
    Result<std::optional<store::Record>> read_record(std::string_view p, std::string_view c,
                                                     std::string_view k) override {
      return inner.read_record(p, c, k);
    }
    Result<std::vector<store::Record>> list_records(std::string_view p, std::string_view c,
                                                    const store::ListOptions& o) override {
      return inner.list_records(p, c, o);
    }
    Result<void> write_records(std::string_view p, std::span<const store::RecordWrite> w) override {
      return inner.write_records(p, w);
    }
    Result<int64_t> change_counter(std::string_view p) override { return inner.change_counter(p); }
    Result<std::unique_ptr<store::Lease>> acquire_lease(std::string_view p,
                                                        std::string_view n) override {
      return inner.acquire_lease(p, n);
    }
  };
  apply(views({"clicks", "orders"}));
  RunsInBetween catalog(catalog_);
  catalog.before_commit = [&] { load("clicks", 5, 99); };
  Registry registry(catalog, "shop", clock_);
  auto planned = registry.plan(read_valid(views({"orders"})), nullptr);
  ASSERT_TRUE(registry.apply(*planned, {true, "", ""}));
  ASSERT_EQ(dropped().size(), 1u);
  EXPECT_EQ(dropped()[0].generations[0].number, 5u);
}

// History and rollback.

TEST_F(RegistryTest, TellsTheChangesOfEachRevision) {
  apply(views({"clicks"}));
  apply(views({"clicks", "orders"}));
  EXPECT_EQ(summary_of(*registry_.changes_of(1)), "+ entity user, + view clicks");
  EXPECT_EQ(summary_of(*registry_.changes_of(2)), "+ view orders");
  for (int64_t number : {0, 3, -1}) {
    auto changes = registry_.changes_of(number);
    ASSERT_FALSE(changes);
    EXPECT_EQ(changes.error().code, ErrorCode::kNotFound);
    EXPECT_EQ(changes.error().hint, "revisions are 1 to 2");
  }
  EXPECT_EQ(Registry(catalog_, "empty", clock_).changes_of(1).error().hint,
            "nothing has been applied yet");
}

TEST_F(RegistryTest, RollsBackAsANewRevision) {
  apply(views({"clicks"}));
  apply(views({"clicks", "orders"}));
  auto refused = registry_.rollback(1, {false, "ana@laptop", ""});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kForbidden);
  auto rolled = registry_.rollback(1, {true, "ana@laptop", ""});
  ASSERT_TRUE(rolled) << rolled.error().text();
  EXPECT_EQ(rolled->revision, 3);
  EXPECT_EQ((*registry_.history())[2].message, "rollback to revision 1");
  EXPECT_EQ((*plan::read_snapshot(catalog_, "shop"))->definitions,
            read_valid(views({"clicks"})).definitions);
  // There already.
  auto again = registry_.rollback(1, {});
  ASSERT_TRUE(again);
  EXPECT_FALSE(again->changed);
  EXPECT_EQ(again->revision, 3);
  EXPECT_EQ(registry_.rollback(9, {}).error().code, ErrorCode::kNotFound);
}

TEST_F(RegistryTest, SaysSoWhereADocumentIsDamaged) {
  ASSERT_TRUE(catalog_.commit_revision("shop", 0, {0, {}, "", "", "{}"}, {}));
  auto planned = registry_.plan(read_valid(views({"a"})), nullptr);
  ASSERT_FALSE(planned);
  EXPECT_EQ(planned.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(planned.error().message, HasSubstr("revision 1"));
}

TEST_F(RegistryTest, RollsBackFromARevisionThatCannotBeRead) {
  apply(views({"clicks"}));
  apply(views({"clicks", "orders"}));
  load("clicks", 1, 12);
  load("orders", 1, 34);
  ASSERT_TRUE(catalog_.commit_revision("shop", 2, {0, {}, "", "", "{}"}, {}));
  auto unreadable = registry_.plan(read_valid(views({"clicks"})), nullptr);
  ASSERT_FALSE(unreadable);
  EXPECT_THAT(unreadable.error().hint, HasSubstr("asof rollback 2"));
  auto snapshot = plan::read_snapshot(catalog_, "shop");
  ASSERT_FALSE(snapshot);
  EXPECT_THAT(snapshot.error().hint, HasSubstr("asof rollback 2"));
  // To what the newest readable one holds already, too.
  auto rolled = registry_.rollback(2, {false, "ana@laptop", ""});
  ASSERT_TRUE(rolled) << rolled.error().text();
  EXPECT_EQ(rolled->revision, 4);
  EXPECT_EQ((*plan::read_snapshot(catalog_, "shop"))->definitions,
            read_valid(views({"clicks", "orders"})).definitions);
  EXPECT_EQ(state("orders").serving.number, 1u);
  EXPECT_TRUE(dropped().empty());
}

TEST_F(RegistryTest, DropsWhatOnlyTheUnreadableRevisionKnew) {
  apply(views({"clicks"}));
  store::ViewState orders;
  orders.view = "orders";
  orders.view_id = 9;
  orders.serving.number = 1;
  orders.serving.rows = 34;
  const std::vector<store::RecordWrite> writes = {store::to_record(orders)};
  ASSERT_TRUE(catalog_.commit_revision("shop", 1, {0, {}, "", "", "{}"}, writes));
  auto refused = registry_.rollback(1, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kForbidden);
  EXPECT_THAT(refused.error().text(), HasSubstr("view 'orders'; drops 34 rows online"));
  ASSERT_TRUE(registry_.rollback(1, {true, "ana@laptop", ""}));
  EXPECT_EQ(state("orders").view, "");
  ASSERT_EQ(dropped().size(), 1u);
  EXPECT_EQ(dropped()[0].view, "orders");
}

// A value that a program made and that no reader takes would leave a registry that nothing can read any more.
TEST_F(RegistryTest, CommitsNothingThatDoesNotReadBack) {
  model::ReadDefinitions made = read_valid(views({"clicks"}));
  model::Feature& feature = made.definitions.views[0].features[0];
  feature.type = DataType::scalar(TypeKind::kTimestamp);
  feature.default_value = Value(Timestamp{std::numeric_limits<int64_t>::max()});
  auto planned = registry_.plan(made, nullptr);
  ASSERT_TRUE(planned);
  ASSERT_THAT(planned->errors, IsEmpty());
  auto applied = try_apply(*planned);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(applied.error().message, HasSubstr("would not read back"));
  EXPECT_TRUE(registry_.history()->empty());
}

// Services.

constexpr const char* kTwoKeys = R"(entities:
  - {name: user, join_keys: {id: string}}
  - {name: item, join_keys: {id: int64}}
views:
  - {name: a, entity: user, source: {path: a.parquet, event_time: at}, features: [x: int64]}
  - {name: b, entity: item, source: {path: b.parquet, event_time: at}, features: [y: int64]}
)";

TEST_F(RegistryTest, RefusesAServiceThatNoRequestCouldAsk) {
  const std::string both =
      "services:\n  - {name: s, features: [a]}\n  - {name: t, features: [a, b]}\n";
  const Plan added = plan(kTwoKeys + both);
  ASSERT_EQ(added.errors.size(), 1u) << texts(added.errors);
  EXPECT_EQ(added.errors[0].field, "features/all.yaml:9");
  EXPECT_THAT(added.errors[0].message, HasSubstr("service 't': join key 'id' is int64"));
  EXPECT_FALSE(try_apply(added, true));
  // A change is refused as an addition is.
  apply(kTwoKeys + std::string("services:\n  - {name: t, features: [a]}\n"));
  EXPECT_EQ(plan(kTwoKeys + both).errors.size(), 1u);
}

TEST_F(RegistryTest, RefusesAServiceWithTwoAnswersOfOneName) {
  const Plan added = plan(kEntity + std::string(R"(views:
  - {name: a, entity: user, source: {path: a.parquet, event_time: at}, features: [x: int64, b__x: int64]}
  - {name: b, entity: user, source: {path: b.parquet, event_time: at}, features: [x: int64]}
services:
  - {name: s, features: [a, b]}
)"));
  ASSERT_EQ(added.errors.size(), 1u) << texts(added.errors);
  EXPECT_EQ(added.errors[0].field, "features/all.yaml:7");
  EXPECT_THAT(added.errors[0].message, HasSubstr("would both be called 'b__x'"));
}

TEST_F(RegistryTest, RefusesAViewThatMakesAServiceUnanswerableUnlessAllowed) {
  const std::string service = "services:\n  - {name: t, features: [a, b]}\n";
  std::string sound = kTwoKeys;
  sound.replace(sound.find("{id: int64}"), 11, "{id: string}");
  apply(sound + service);
  const Plan broken = plan(kTwoKeys + service);
  EXPECT_THAT(broken.errors, IsEmpty());
  EXPECT_TRUE(broken.is_destructive());
  auto refused = try_apply(broken);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kForbidden);
  EXPECT_THAT(refused.error().text(), HasSubstr("breaks service 't': join key 'id'"));
}

TEST_F(RegistryTest, TellsThatAServiceTakesAViewThatIsNotOnline) {
  const std::string definitions = kEntity + ("views:\n" + view("clicks", ", online: false"));
  const std::string service = "services:\n  - {name: home, features: [clicks]}\n";
  EXPECT_THAT(
      plan(definitions + service).notices,
      ElementsAre("service 'home' takes view 'clicks', which is not online: it gets nothing "
                  "of it online"));
  apply(definitions + service);
  // Told once.
  EXPECT_THAT(plan(definitions + service + "    tags: {}\n").notices, IsEmpty());
}

TEST_F(RegistryTest, RefusesFeaturesOfOneNameWhereAStoreKeepsThemTogether) {
  const std::string two = kEntity + ("views:\n" + view("a") + R"(  - name: b
    entity: user
    source: {path: b.parquet, event_time: at}
    features: [a_count: int64]
)");
  EXPECT_THAT(plan(two).errors, IsEmpty());
  const Registry shared(catalog_, "shop", clock_, {.shares_feature_names = true});
  auto planned = shared.plan(read_valid(two), nullptr);
  ASSERT_TRUE(planned);
  ASSERT_EQ(planned->errors.size(), 1u) << texts(planned->errors);
  EXPECT_EQ(planned->errors[0].field, "features/all.yaml:8");
  EXPECT_THAT(planned->errors[0].message,
              HasSubstr("view 'b': feature 'a_count' is also one of view 'a'"));
  EXPECT_THAT(shared.plan(read_valid(two + "    online: false\n"), nullptr)->errors, IsEmpty());
  // Under another key they have another place.
  std::string apart = two;
  apart.replace(apart.find("  - name: b\n    entity: user"), 28, "  - name: b\n    entities: []");
  EXPECT_THAT(shared.plan(read_valid(apart), nullptr)->errors, IsEmpty());
}

TEST_F(RegistryTest, ListsMistakesInTheOrderOfTheFiles) {
  internal::ColumnsOnly offline;
  auto planned = registry_.plan(read(kEntity + ("views:\n" + view("b") + view("a") +
                                                "services:\n  - {name: s, features: [c]}\n")),
                                &offline);
  ASSERT_TRUE(planned);
  std::vector<std::string> places;
  for (const Error& one : planned->errors) places.push_back(one.field);
  EXPECT_THAT(places,
              ElementsAre("features/all.yaml:4", "features/all.yaml:5", "features/all.yaml:7"));
}

// Printed, not asserted: a machine may be busy.
TEST_F(RegistryTest, PlansAThousandViewsOverTenSources) {
  internal::ColumnsOnly offline;
  std::string text = std::string(kEntity) + "sources:\n";
  for (int i = 0; i < 10; ++i) {
    const std::string name = "s" + std::to_string(i);
    text += "  - {name: " + name + ", path: " + name + ".parquet, event_time: at}\n";
    offline.columns[name + ".parquet"] = {internal::typed("user_id", TypeKind::kString),
                                          internal::time_column("at", true)};
    for (int f = 0; f < 10; ++f)
      offline.columns[name + ".parquet"].push_back(
          internal::typed("c" + std::to_string(f), TypeKind::kInt64));
  }
  text += "views:\n";
  for (int i = 0; i < 1000; ++i) {
    text += "  - name: v" + std::to_string(i) + "\n    entity: user\n    source: s" +
            std::to_string(i % 10) + "\n    features:\n";
    for (int f = 0; f < 5; ++f)
      text += "      - {name: f" + std::to_string(i) + "_" + std::to_string(f) +
              ", type: int64, column: c" + std::to_string((i / 10 + f) % 10) + "}\n";
  }
  const auto begun = std::chrono::steady_clock::now();
  const model::ReadDefinitions all = read(text);
  const auto were_read = std::chrono::steady_clock::now();
  auto planned = registry_.plan(all, &offline);
  const auto done = std::chrono::steady_clock::now();
  auto ms = [](auto from, auto to) {
    return static_cast<int>(
        std::chrono::duration_cast<std::chrono::milliseconds>(to - from).count());
  };
  RecordProperty("read_ms", ms(begun, were_read));
  RecordProperty("plan_ms", ms(were_read, done));
  std::printf("1,000 views: %d ms to read, %d ms to plan\n", ms(begun, were_read),
              ms(were_read, done));
  ASSERT_TRUE(planned);
  EXPECT_EQ(planned->changes.size(), 1011u);
  EXPECT_EQ(offline.inspected, 10u);
  const auto applying = std::chrono::steady_clock::now();
  ASSERT_TRUE(try_apply(*planned));
  auto again = registry_.plan(all, &offline);
  std::printf("%d ms to apply and plan again\n", ms(applying, std::chrono::steady_clock::now()));
  EXPECT_TRUE(again->is_empty());
}

}  // namespace

}  // namespace asof::registry
