#include "asof/registry/internal/consequences.h"

#include "asof/registry/internal/diff.h"
#include "asof/registry/testing/columns_only.h"

namespace asof::registry::internal {

namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr const char* kShop = R"(
entities:
  - {name: user, join_keys: {user_id: string}}
sources:
  - {name: events, path: data/events.parquet, event_time: at}
views:
  - name: clicks
    entity: user
    source: events
    features:
      - clicks: int64
      - last: string
  - name: segment
    entity: user
    source: {path: data/segment.parquet, event_time: at}
    features:
      - segment: string
services:
  - name: home
    features: [clicks:clicks, segment]
)";

class ConsequencesTest : public ::testing::Test {
 protected:
  // Both views are loaded from the definitions above.
  void SetUp() override {
    for (const model::FeatureView& view : before_.views) {
      store::ViewState& state = states_[view.name];
      state.view = view.name;
      state.view_id = 1;
      state.serving.number = 1;
      state.serving.rows = view.name == "clicks" ? 1'234'567 : 1;
      state.serving.load_hash = plan::load_hash(view, before_);
    }
  }

  std::vector<Change> changes(const std::vector<std::pair<std::string, std::string>>& edits) {
    std::string text = kShop;
    for (const auto& [from, to] : edits) {
      const size_t at = text.find(from);
      EXPECT_NE(at, std::string::npos) << from;
      text.replace(at, from.size(), to);
    }
    const model::Definitions after = read_valid(text).definitions;
    std::vector<Change> out = diff(before_, after);
    add_consequences(before_, after, states_, out);
    return out;
  }

  Change only_change(const std::string& from, const std::string& to) {
    const std::vector<Change> all = changes({{from, to}});
    EXPECT_EQ(all.size(), 1u);
    return all.empty() ? Change{} : all[0];
  }

  const model::Definitions before_ = read_valid(kShop).definitions;
  std::map<std::string, store::ViewState> states_;
};

TEST_F(ConsequencesTest, AreNoneForWords) {
  const Change change =
      only_change("entity: user\n    source: events",
                  "entity: user\n    owner: ana\n    max_age: 1d\n    source: events");
  EXPECT_THAT(change.consequences, IsEmpty());
  EXPECT_FALSE(change.is_destructive);
}

TEST_F(ConsequencesTest, CountTheRowsThatAreLoadedAgain) {
  const Change change = only_change("- last: string", "- {name: last, type: string, column: page}");
  EXPECT_THAT(
      change.consequences,
      ElementsAre("new generation: 1,234,567 rows online are loaded again by the next run"));
  EXPECT_FALSE(change.is_destructive);
}

TEST_F(ConsequencesTest, AreNoneOnlineBeforeTheFirstRun) {
  states_.clear();
  EXPECT_THAT(
      only_change("- last: string", "- {name: last, type: string, column: page}").consequences,
      IsEmpty());
}

TEST_F(ConsequencesTest, NameTheViewsThatASourceMoves) {
  const Change change = only_change("data/events.parquet", "data/events2.parquet");
  EXPECT_EQ(change.object, "source");
  EXPECT_THAT(
      change.consequences,
      ElementsAre("view 'clicks': new generation: 1,234,567 rows online are loaded again by "
                  "the next run"));
}

TEST_F(ConsequencesTest, KnowWhenAChangeIsTakenBackBeforeARun) {
  // What is online is still of the definition that comes back.
  const std::string edited = [&] {
    std::string text = kShop;
    text.replace(text.find("- last: string"), 14, "- {name: last, type: string, column: page}");
    return text;
  }();
  const model::Definitions moved = read_valid(edited).definitions;
  std::vector<Change> back = diff(moved, before_);
  add_consequences(moved, before_, states_, back);
  ASSERT_EQ(back.size(), 1u);
  EXPECT_THAT(back[0].consequences, ElementsAre("what is online is of this definition already"));
}

TEST_F(ConsequencesTest, SayThatAServiceBreaksByAType) {
  const Change change = only_change("- clicks: int64", "- clicks: float64");
  EXPECT_THAT(
      change.consequences,
      Contains("breaks service 'home': the type of 'clicks' changes from int64 to float64"));
  EXPECT_TRUE(change.is_destructive);
}

TEST_F(ConsequencesTest, SayThatAServiceBreaksByWhatAWholeViewLoses) {
  const Change change = only_change("- segment: string", "- group: string");
  EXPECT_THAT(change.consequences,
              UnorderedElementsAre("removes feature 'segment'",
                                   "new generation: 1 row online is loaded again by the next run",
                                   "breaks service 'home': it does not answer 'segment' any more",
                                   "service 'home' answers 'group' too"));
  EXPECT_TRUE(change.is_destructive);
}

TEST_F(ConsequencesTest, SeeThatANewFeatureRenamesAnother) {
  const Change change =
      only_change("- segment: string", "- segment: string\n      - clicks: int64");
  EXPECT_THAT(change.consequences,
              Contains("breaks service 'home': it does not answer 'clicks' any more"));
  EXPECT_TRUE(change.is_destructive);
}

TEST_F(ConsequencesTest, SayThatAServiceBreaksByItsKeys) {
  const std::vector<Change> all = changes({{"{user_id: string}", "{user_id: int64}"}});
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].object, "entity");
  EXPECT_THAT(all[0].consequences,
              Contains("breaks service 'home': its key 'user_id' changes from string to int64"));
  EXPECT_THAT(all[0].consequences,
              Contains(HasSubstr("view 'segment': new generation: 1 row online")));
  EXPECT_TRUE(all[0].is_destructive);
}

TEST_F(ConsequencesTest, SpeakOfAnEditedServiceToItsClients) {
  const Change change = only_change("[clicks:clicks, segment]", "[segment, clicks:last]");
  EXPECT_EQ(change.object, "service");
  EXPECT_THAT(change.consequences,
              ElementsAre("breaks its clients: it does not answer 'clicks' any more"));
  EXPECT_TRUE(change.is_destructive);
  EXPECT_FALSE(only_change("[clicks:clicks, segment]", "[clicks, segment]").is_destructive);
}

TEST_F(ConsequencesTest, CountTheRowsThatARemovalDrops) {
  const std::string view = kShop;
  const size_t begin = view.find("  - name: segment"), end = view.find("services:");
  const std::vector<Change> all = changes(
      {{view.substr(begin, end - begin), ""}, {"[clicks:clicks, segment]", "[clicks:clicks]"}});
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].name, "segment");
  EXPECT_THAT(all[0].consequences,
              ElementsAre("drops 1 row online", "service 'home' does not use it any more"));
  EXPECT_TRUE(all[0].is_destructive);
  EXPECT_THAT(all[1].consequences,
              ElementsAre("breaks its clients: it does not answer 'segment' any more"));
}

TEST_F(ConsequencesTest, NameWhatGoesWithIt) {
  std::vector<Change> all = diff(before_, {});
  add_consequences(before_, {}, states_, all);
  auto of = [&](const std::string& name) {
    for (const Change& change : all)
      if (change.name == name) return change.consequences;
    return std::vector<std::string>{"no such change"};
  };
  EXPECT_THAT(of("user"), ElementsAre("view 'clicks', which used it, goes too",
                                      "view 'segment', which used it, goes too"));
  EXPECT_THAT(of("events"), ElementsAre("view 'clicks', which used it, goes too"));
  EXPECT_THAT(of("clicks"), ElementsAre("drops 1,234,567 rows online",
                                        "service 'home', which used it, goes too"));
}

TEST_F(ConsequencesTest, CountTheRowsOfAViewThatIsNotOnlineAnyMore) {
  const Change change = only_change("entity: user\n    source: events",
                                    "entity: user\n    online: false\n    source: events");
  EXPECT_THAT(change.consequences, ElementsAre("service 'home' gets nothing of it online",
                                               "not online any more: drops 1,234,567 rows online"));
  EXPECT_TRUE(change.is_destructive);
}

TEST_F(ConsequencesTest, SayThatRetentionDeletesRows) {
  const std::string head = "entity: user\n    source: events";
  auto with = [&](const std::string& keys) { return only_change(head, head + keys); };
  const Change added = with("\n    max_age: 7d\n    online_retention: 30d");
  EXPECT_THAT(added.consequences, ElementsAre("deletes rows online that are older than 30d"));
  EXPECT_TRUE(added.is_destructive);
  // From a definition that has one already.
  std::string text = kShop;
  text.replace(text.find(head), head.size(), head + "\n    max_age: 7d\n    online_retention: 30d");
  auto moved_to = [&](const std::string& retention) {
    std::string other = text;
    other.replace(other.find("online_retention: 30d"), 21, retention);
    const model::Definitions before = read_valid(text).definitions;
    const model::Definitions after = read_valid(other).definitions;
    std::vector<Change> out = diff(before, after);
    add_consequences(before, after, states_, out);
    EXPECT_EQ(out.size(), 1u);
    return out.empty() ? Change{} : out[0];
  };
  EXPECT_TRUE(moved_to("online_retention: 29d").is_destructive);
  EXPECT_FALSE(moved_to("online_retention: 31d").is_destructive);
  EXPECT_FALSE(moved_to("owner: ana").is_destructive);
  // Nothing is online yet.
  states_.clear();
  EXPECT_FALSE(moved_to("online_retention: 29d").is_destructive);
}

TEST_F(ConsequencesTest, SayThatAServiceCannotBeAnsweredAnyMore) {
  // Two views of one request call differently typed keys alike.
  const std::vector<Change> all =
      changes({{"entities:\n", "entities:\n  - {name: guest, join_keys: {user_id: int64}}\n"},
               {"  - name: segment\n    entity: user", "  - name: segment\n    entity: guest"}});
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[1].name, "segment");
  EXPECT_TRUE(all[1].is_destructive);
  EXPECT_THAT(all[1].consequences,
              Contains(HasSubstr("breaks service 'home': join key 'user_id' is int64 for view "
                                 "'segment', and string for another view")));
}

TEST(Lookalikes, FollowRenamedTimes) {
  std::string text = kShop;
  const std::string source = "  - {name: events, path: data/events.parquet, event_time: at}\n";
  text.replace(text.find(source), source.size(),
               source +
                   "  - {name: same, path: data/events.parquet, event_time: when, "
                   "columns: {when: {from: at}}}\n");
  text.replace(text.find("services:"), 9,
               "  - name: taps\n    entity: user\n    source: same\n    features:\n"
               "      - clicks: int64\nservices:");
  EXPECT_THAT(find_lookalikes({}, read_valid(text).definitions), IsEmpty());
}

TEST(Lookalikes, TellOfANameWithSeveralDefinitions) {
  const std::string other = R"(
  - name: taps
    entity: user
    source: events
    features:
      - {name: clicks, type: int64, column: taps}
services:)";
  std::string text = kShop;
  text.replace(text.find("services:"), 9, other);
  const model::Definitions before = read_valid(kShop).definitions;
  const model::Definitions after = read_valid(text).definitions;
  EXPECT_THAT(
      find_lookalikes(before, after),
      ElementsAre("feature 'clicks' has several definitions: 'clicks:clicks', 'taps:clicks'"));
  // Told once: not of what was there before.
  EXPECT_THAT(find_lookalikes(after, after), IsEmpty());
}

TEST(Lookalikes, TellOfADefinitionWithSeveralNames) {
  std::string text = kShop;
  text.replace(text.find("      - last: string"), 20,
               "      - last: string\n      - {name: newest, type: string, column: last}");
  EXPECT_THAT(find_lookalikes({}, read_valid(text).definitions),
              ElementsAre("one definition has several names: 'clicks:last', 'clicks:newest'"));
}

TEST(Lookalikes, AreFewHoweverManyThereAre) {
  std::string text = R"(
entities: [{name: user, join_keys: {user_id: string}}]
views:
)";
  for (int view = 0; view < 10; ++view) {
    text += "  - name: v" + std::to_string(view) + "\n    entity: user\n    source: {path: f" +
            std::to_string(view) + ".parquet, event_time: at}\n    features:\n";
    for (int feature = 0; feature < 30; ++feature)
      text += "      - f" + std::to_string(feature) + ": int64\n";
  }
  const std::vector<std::string> notices = find_lookalikes({}, read_valid(text).definitions);
  EXPECT_EQ(notices.size(), 21u);
  EXPECT_EQ(notices.back(), "and 10 more notices of this kind");
  EXPECT_THAT(notices[0], HasSubstr("and 5 more"));
}

}  // namespace

}  // namespace asof::registry::internal
