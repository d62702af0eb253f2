#include "asof/training/training.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <tuple>

#include "asof/engines/offline/duckdb/duckdb_store.h"
#include "asof/model/read_yaml.h"
#include "asof/model/validate.h"

namespace asof::training {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* kDefinitions = R"(
entities:
  - {name: user, join_keys: [{name: user_id, type: string}]}
  - {name: item, join_keys: [{name: item_id, type: int64}]}
sources:
  - {name: clicks, path: clicks.parquet, event_time: happened, known_time: seen}
  - {name: prices, path: prices.parquet, event_time: happened}
  - {name: rates, path: rates.parquet, event_time: happened}
views:
  - name: activity
    entity: user
    source: clicks
    features: [{name: count, type: int64, default: 0}, {name: place, type: string}]
  - name: price
    entity: item
    source: prices
    max_age: 1d
    features: [{count: int64}, {amount: float64}]
  - name: rate
    entities: []
    source: rates
    features: [{euro: float64}]
services:
  - {name: model, features: [activity, "price:amount", "rate:euro"]}
  - {name: clash, features: ["activity:count", "price:count"]}
  - name: pair
    features:
      - {view: activity, as: buyer, join_keys: {user_id: buyer_id}, features: [place]}
      - {view: activity, as: seller, join_keys: {user_id: seller_id}, features: [place]}
)";

// A repository in a temporary folder, with small tables made by SQL.
class TrainingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "asof-training-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    store::EngineAddress address;
    address.scheme = "duckdb";
    address.directory = directory_;
    auto opened = engines::offline::duckdb::engine().open(address);
    ASSERT_TRUE(opened) << opened.error().text();
    offline_ = *std::move(opened);
    define(kDefinitions);
    table(
        "clicks.parquet",
        "VALUES ('a', TIMESTAMP '2026-05-01 10:00', TIMESTAMP '2026-05-01 10:00', 1::BIGINT, 'x'),"
        "('a', TIMESTAMP '2026-05-01 12:00', TIMESTAMP '2026-05-03 00:00', 2::BIGINT, 'y'),"
        "('b', TIMESTAMP '2026-05-01 09:00', TIMESTAMP '2026-05-01 09:00', NULL, 'z')",
        "user_id, happened, seen, count, place");
    table("prices.parquet",
          "VALUES (1::BIGINT, TIMESTAMP '2026-05-01 00:00', 10::BIGINT, 1.5::DOUBLE),"
          "(2::BIGINT, TIMESTAMP '2026-04-01 00:00', 20::BIGINT, 2.5::DOUBLE)",
          "item_id, happened, count, amount");
    table("rates.parquet", "VALUES (TIMESTAMP '2026-01-01', 0.9::DOUBLE)", "happened, euro");
    table("labels.parquet",
          "VALUES ('b', 2::BIGINT, TIMESTAMP '2026-05-02 00:00', 1),"
          "('a', 1::BIGINT, TIMESTAMP '2026-05-02 00:00', 0),"
          "('a', 1::BIGINT, TIMESTAMP '2026-05-03 00:00', 1),"
          "('nobody', NULL, TIMESTAMP '2026-05-02 00:00', 0)",
          "user_id, item_id, event_timestamp, label");
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  void define(const std::string& yaml) {
    model::ReadDefinitions read = model::read_definitions({{"features.yaml", yaml}});
    ASSERT_THAT(read.errors, IsEmpty()) << read.errors.front().text();
    ASSERT_THAT(model::validate(read.definitions, read.locations), IsEmpty());
    snapshot_.project = "test";
    snapshot_.revision = 1;
    snapshot_.definitions = read.definitions;
  }

  void table(const std::string& file, const std::string& values, const std::string& columns) {
    store::LabelSource source;
    source.text = "SELECT * FROM (" + values + ") t(" + columns + ")";
    source.time_column = columns.find("event_timestamp") == std::string::npos ? "happened" : "";
    auto labels = offline_->open_labels(source);
    ASSERT_TRUE(labels) << labels.error().text();
    auto written = (*labels)->write({(directory_ / file).string(), {}}, {});
    ASSERT_TRUE(written) << written.error().text();
  }

  TrainingSpec spec(const std::string& service) {
    TrainingSpec out;
    out.labels = "labels.parquet";
    out.service = service;
    return out;
  }

  Result<TrainingReport> run(const TrainingSpec& spec) {
    return train(*offline_, snapshot_, spec, {});
  }

  // The rows of a training set, read back as labels: header first.
  std::vector<std::vector<std::optional<std::string>>> cells_of(const std::string& file) {
    store::LabelSource source;
    source.text = file;
    source.time_column = "event_timestamp";
    auto labels = offline_->open_labels(source);
    EXPECT_TRUE(labels) << labels.error().text();
    auto rows = (*labels)->preview({}, 100);
    EXPECT_TRUE(rows) << rows.error().text();
    return *std::move(rows);
  }

  // Column `name` of the preview as text, "-" for null.
  static std::vector<std::string> column(const TrainingReport& report, const std::string& name) {
    std::vector<std::string> cells;
    for (size_t i = 0; i < report.preview.front().size(); ++i) {
      if (report.preview.front()[i] != name) continue;
      for (size_t row = 1; row < report.preview.size(); ++row)
        cells.push_back(report.preview[row][i].value_or("-"));
    }
    return cells;
  }

  std::filesystem::path directory_;
  std::unique_ptr<store::OfflineStore> offline_;
  plan::Snapshot snapshot_;
};

TEST_F(TrainingTest, JoinsWhatWasKnownAtEachLabelsTimeInTheOrderGiven) {
  auto report = run(spec("model"));
  ASSERT_TRUE(report) << report.error().text();
  EXPECT_EQ(report->rows, 4u);
  EXPECT_THAT(column(*report, "user_id"), ElementsAre("b", "a", "a", "nobody"));
  EXPECT_THAT(column(*report, "count"), ElementsAre("0", "1", "2", "0"));
  EXPECT_THAT(column(*report, "place"), ElementsAre("z", "x", "y", "-"));
  EXPECT_THAT(column(*report, "amount"), ElementsAre("-", "1.5", "-", "-"));
  EXPECT_THAT(column(*report, "euro"), ElementsAre("0.9", "0.9", "0.9", "0.9"));
}

TEST_F(TrainingTest, SaysWhyEachValueIsWhatItIs) {
  TrainingSpec asked = spec("model");
  asked.with_status = true;
  auto report = run(asked);
  ASSERT_TRUE(report) << report.error().text();
  EXPECT_THAT(column(*report, "count__status"),
              ElementsAre("NULL_VALUE", "PRESENT", "PRESENT", "NOT_FOUND"));
  EXPECT_THAT(column(*report, "amount__status"),
              ElementsAre("OUTSIDE_MAX_AGE", "PRESENT", "OUTSIDE_MAX_AGE", "NOT_FOUND"));
  EXPECT_EQ(report->columns[0].present, 2u);
  EXPECT_EQ(report->columns[0].null_value, 1u);
  EXPECT_EQ(report->columns[0].not_found, 1u);
}

TEST_F(TrainingTest, AsOfEventLooksAtEventTimesAlone) {
  TrainingSpec asked = spec("model");
  asked.as_of = model::AsOf::kEvent;
  auto report = run(asked);
  ASSERT_TRUE(report) << report.error().text();
  EXPECT_THAT(column(*report, "count"), ElementsAre("0", "2", "2", "0"));
}

TEST_F(TrainingTest, NamesThatClashAreWrittenInFull) {
  auto report = run(spec("clash"));
  ASSERT_TRUE(report) << report.error().text();
  EXPECT_THAT(column(*report, "activity__count"), SizeIs(4));
  EXPECT_THAT(column(*report, "price__count"), SizeIs(4));
  EXPECT_THAT(column(*report, "count"), IsEmpty());
}

TEST_F(TrainingTest, AFeatureCalledLikeALabelColumnIsWrittenInFull) {
  TrainingSpec asked = spec("");
  asked.service.clear();
  asked.features = {"activity:place"};
  asked.labels = "SELECT user_id, event_timestamp, 'mine' AS place FROM 'labels.parquet'";
  auto report = run(asked);
  ASSERT_TRUE(report) << report.error().text();
  EXPECT_THAT(column(*report, "place"), Contains("mine"));
  EXPECT_THAT(column(*report, "activity__place"), ElementsAre("z", "x", "y", "-"));
}

TEST_F(TrainingTest, OneViewServesTwoRoles) {
  TrainingSpec asked = spec("pair");
  asked.labels =
      "SELECT 'a' AS buyer_id, 'b' AS seller_id, TIMESTAMP '2026-05-02' AS event_timestamp";
  auto report = run(asked);
  ASSERT_TRUE(report) << report.error().text();
  EXPECT_THAT(column(*report, "buyer__place"), ElementsAre("x"));
  EXPECT_THAT(column(*report, "seller__place"), ElementsAre("z"));
}

TEST_F(TrainingTest, AllEntitiesStandInForLabels) {
  TrainingSpec asked;
  asked.features = {"activity:place"};
  asked.all_entities = true;
  asked.at = *parse_timestamp("2026-05-04");
  auto report = run(asked);
  ASSERT_TRUE(report) << report.error().text();
  EXPECT_THAT(column(*report, "user_id"), ElementsAre("a", "b"));
  EXPECT_THAT(column(*report, "place"), ElementsAre("y", "z"));
}

TEST_F(TrainingTest, AllEntitiesOfTwoKindsAreRefused) {
  TrainingSpec asked = spec("model");
  asked.labels.clear();
  asked.all_entities = true;
  asked.at = *parse_timestamp("2026-05-04");
  auto report = run(asked);
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().text(), HasSubstr("'activity' and 'price' have different keys"));
}

TEST_F(TrainingTest, AMissingKeyColumnIsNamedWithItsNearest) {
  TrainingSpec asked = spec("model");
  asked.labels = "SELECT user_id AS userid, item_id, event_timestamp FROM 'labels.parquet'";
  auto report = run(asked);
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().text(), HasSubstr("the labels have no column 'user_id' (string)"));
  EXPECT_THAT(report.error().text(), HasSubstr("did you mean 'userid'?"));
}

TEST_F(TrainingTest, AKeyOfAnotherTypeIsAnError) {
  TrainingSpec asked = spec("model");
  asked.labels = "SELECT 7 AS user_id, item_id, event_timestamp FROM 'labels.parquet'";
  auto report = run(asked);
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().text(), HasSubstr("user_id"));
  EXPECT_THAT(report.error().text(), HasSubstr("string"));
}

TEST_F(TrainingTest, ATornSourceFileIsNamed) {
  std::filesystem::resize_file(directory_ / "clicks.parquet",
                               std::filesystem::file_size(directory_ / "clicks.parquet") / 2);
  auto report = run(spec("model"));
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().text(), HasSubstr("clicks.parquet"));
}

TEST_F(TrainingTest, TellsThatEverythingIsTooOld) {
  TrainingSpec asked;
  asked.labels =
      "SELECT 2::BIGINT AS item_id, TIMESTAMP '2026-05-08' AS event_timestamp FROM range(5)";
  asked.features = {"price:amount"};
  auto report = run(asked);
  ASSERT_TRUE(report) << report.error().text();
  EXPECT_THAT(report->notices,
              Contains("all 5 rows of price are older than its max_age 1d; the newest is 37d old"));
}

TEST_F(TrainingTest, TheFileSaysWhetherItsDefinitionsHaveMoved) {
  TrainingSpec asked = spec("model");
  asked.output = (directory_ / "train.parquet").string();
  ASSERT_TRUE(run(asked));
  auto dataset = inspect_dataset(*offline_, snapshot_, asked.output);
  ASSERT_TRUE(dataset) << dataset.error().text();
  EXPECT_THAT(dataset->moved, IsEmpty());
  EXPECT_EQ(dataset->manifest.at("asof.service"), "model");
  EXPECT_EQ(dataset->manifest.at("asof.labels_rows"), "4");

  std::string changed = kDefinitions;
  changed.replace(changed.find("max_age: 1d"), 11, "max_age: 2d");
  define(changed);
  dataset = inspect_dataset(*offline_, snapshot_, asked.output);
  ASSERT_TRUE(dataset) << dataset.error().text();
  EXPECT_THAT(dataset->moved, ElementsAre("view price: max_age 1d -> 2d"));

  changed = kDefinitions;
  changed.replace(changed.find("{amount: float64}"), 17, "{amount: float32}, {unit: string}");
  define(changed);
  dataset = inspect_dataset(*offline_, snapshot_, asked.output);
  ASSERT_TRUE(dataset) << dataset.error().text();
  EXPECT_THAT(dataset->moved, ElementsAre("view price: features.amount.type float64 -> float32",
                                          "view price: features.unit was added"));
}

TEST_F(TrainingTest, AFileWithoutManifestIsToldApart) {
  auto dataset = inspect_dataset(*offline_, snapshot_, (directory_ / "labels.parquet").string());
  ASSERT_FALSE(dataset);
  EXPECT_THAT(dataset.error().text(), HasSubstr("carries no manifest"));
}

TEST_F(TrainingTest, ExplainsWithoutReadingTheHistory) {
  auto explanation = explain(*offline_, snapshot_, spec("model"));
  ASSERT_TRUE(explanation) << explanation.error().text();
  EXPECT_EQ(explanation->label_rows, 4u);
  ASSERT_THAT(explanation->views, SizeIs(3));
  EXPECT_EQ(explanation->views[0].time_rule,
            "happened <= labels.event_timestamp and seen <= labels.event_timestamp");
  EXPECT_THAT(explanation->views[0].keys, ElementsAre("user_id = labels.user_id"));
  EXPECT_THAT(explanation->output_columns,
              ElementsAre("user_id", "item_id", "event_timestamp", "label", "count", "place",
                          "amount", "euro"));
}

TEST_F(TrainingTest, NeitherServiceNorFeaturesIsAnError) {
  TrainingSpec asked;
  asked.labels = "labels.parquet";
  auto report = run(asked);
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().text(), HasSubstr("nothing says which features are wanted"));
}

TEST_F(TrainingTest, TellsOfLocalTimesThatHappenedTwiceOrNever) {
  std::string zoned = kDefinitions;
  zoned.replace(zoned.find("path: rates.parquet"), 19,
                "path: rates.parquet, timezone: America/New_York");
  define(zoned);
  table("rates.parquet",
        "VALUES (TIMESTAMP '2025-11-02 01:30', 0.9::DOUBLE), (TIMESTAMP '2025-03-09 02:30', 0.8)",
        "happened, euro");
  auto report = run(spec("model"));
  ASSERT_TRUE(report) << report.error().text();
  EXPECT_THAT(report->notices,
              Contains("source rates: 1 local times happened twice, read as the later; 1 never "
                       "happened, moved forward by the gap"));
  EXPECT_THAT(column(*report, "euro"), ElementsAre("0.9", "0.9", "0.9", "0.9"));
}

TEST_F(TrainingTest, GivesTheSameRowsInTheSameOrderWhateverTheFilesOrder) {
  auto first = run(spec("model"));
  ASSERT_TRUE(first) << first.error().text();
  table("clicks.parquet",
        "VALUES ('b', TIMESTAMP '2026-05-01 09:00', TIMESTAMP '2026-05-01 09:00', NULL, 'z'),"
        "('a', TIMESTAMP '2026-05-01 12:00', TIMESTAMP '2026-05-03 00:00', 2::BIGINT, 'y'),"
        "('a', TIMESTAMP '2026-05-01 10:00', TIMESTAMP '2026-05-01 10:00', 1, 'x')",
        "user_id, happened, seen, count, place");
  auto second = run(spec("model"));
  ASSERT_TRUE(second) << second.error().text();
  EXPECT_EQ(first->preview, second->preview);
}

// A view of 300 features, and a source of rows for the user 'a': of each its hour, and what all its features are.
class WideTraining : public TrainingTest {
 protected:
  static constexpr int kFeatures = 300;

  void make(const std::vector<std::tuple<int, std::string, std::string>>& rows) {
    std::string features, columns = "user_id, happened", cells;
    for (int i = 0; i < kFeatures; ++i) {
      const char* types[] = {"int64", "string", "float64", "float32"};
      features += fmt::format("{}{{name: f{}, type: {}}}", i == 0 ? "" : ", ", i, types[i % 4]);
      columns += fmt::format(", f{}", i);
    }
    for (const auto& [hour, first_half, second_half] : rows) {
      cells +=
          fmt::format("{}('a', TIMESTAMP '2026-05-01 {:02}:00'", cells.empty() ? "" : ", ", hour);
      for (int i = 0; i < kFeatures; ++i) {
        const char* casts[] = {"BIGINT", "VARCHAR", "DOUBLE", "FLOAT"};
        cells +=
            fmt::format(", {}::{}", i < kFeatures / 2 ? first_half : second_half, casts[i % 4]);
      }
      cells += ")";
    }
    table("wide.parquet", "VALUES " + cells, columns);
    define(fmt::format(R"(
entities: [{{name: user, join_keys: [{{name: user_id, type: string}}]}}]
sources: [{{name: wide, path: wide.parquet, event_time: happened}}]
views: [{{name: wide, entity: user, source: wide, features: [{}]}}]
services: [{{name: model, features: [wide]}}]
)",
                       features));
    table("labels.parquet",
          "VALUES ('a', TIMESTAMP '2026-05-01 10:30'), ('a', TIMESTAMP '2026-05-01 12:30'), ('b', "
          "TIMESTAMP '2026-05-01 12:30'), ('a', TIMESTAMP '2026-05-01 12:30')",
          "user_id, event_timestamp");
  }
};

TEST_F(WideTraining, AViewIsJoinedInPartsOfItsFeatures) {
  make({{10, "10", "110"}, {12, "12", "NULL"}, {13, "13", "113"}});
  const auto report = run(spec("model"));
  ASSERT_TRUE(report) << report.error().text();
  EXPECT_EQ(report->views[0].rows_read, 3u);
  EXPECT_THAT(column(*report, "f0"), ElementsAre("10", "12", "-", "12"));
  EXPECT_THAT(column(*report, "f149"), ElementsAre("10", "12", "-", "12"));
  EXPECT_THAT(column(*report, "f151"), ElementsAre("110.0", "-", "-", "-"));
  EXPECT_THAT(column(*report, "f297"), ElementsAre("110", "-", "-", "-"));
  EXPECT_EQ(report->columns[0].present, 3u);
  EXPECT_EQ(report->columns[299].present, 1u);
  EXPECT_EQ(report->columns[299].null_value, 2u);
  EXPECT_EQ(report->columns[299].not_found, 1u);
}

TEST_F(WideTraining, EqualTimesShowOneRowNotPartsOfTwo) {
  // The greater row is the one whose first features are greater (rule 4), though its last ones are less.
  make({{10, "7", "1"}, {10, "3", "9"}, {12, "1", "2"}, {12, "1", "2"}});
  const auto report = run(spec("model"));
  ASSERT_TRUE(report) << report.error().text();
  EXPECT_THAT(column(*report, "f0"), ElementsAre("7", "1", "-", "1"));
  EXPECT_THAT(column(*report, "f296"), ElementsAre("1", "2", "-", "2"));
}

TEST_F(TrainingTest, LabelsJoinedInSlicesGiveTheSameFileAndReport) {
  for (const char* ending : {"parquet", "csv"}) {
    TrainingSpec whole = spec("model");
    whole.with_status = true;
    whole.output = fmt::format("whole.{}", ending);
    const auto wanted = run(whole);
    ASSERT_TRUE(wanted) << wanted.error().text();
    for (const uint64_t at_once : {1, 2, 3, 4}) {
      SCOPED_TRACE(at_once);
      TrainingSpec sliced = whole;
      sliced.labels_at_once = at_once;
      sliced.output = fmt::format("sliced.{}", ending);
      const auto got = run(sliced);
      ASSERT_TRUE(got) << got.error().text();
      EXPECT_EQ(got->preview, wanted->preview);
      for (size_t i = 0; i < wanted->columns.size(); ++i) {
        EXPECT_EQ(got->columns[i].present, wanted->columns[i].present);
        EXPECT_EQ(got->columns[i].null_value, wanted->columns[i].null_value);
        EXPECT_EQ(got->columns[i].not_found, wanted->columns[i].not_found);
        EXPECT_EQ(got->columns[i].outside_max_age, wanted->columns[i].outside_max_age);
      }
      for (size_t i = 0; i < wanted->views.size(); ++i) {
        EXPECT_EQ(got->views[i].rows_read, wanted->views[i].rows_read);
        EXPECT_EQ(got->views[i].newest_event, wanted->views[i].newest_event);
        EXPECT_EQ(got->views[i].from_future, 0u);
      }
      EXPECT_THAT(got->notices, at_once == 4 ? ::testing::Matcher<std::vector<std::string>>(
                                                   ::testing::Eq(wanted->notices))
                                             : SizeIs(wanted->notices.size() + 1));
      EXPECT_EQ(got->manifest, wanted->manifest);
      EXPECT_EQ(cells_of(sliced.output), cells_of(whole.output));
      EXPECT_EQ(cells_of(sliced.output).size(), 5u);
    }
  }
}

TEST_F(TrainingTest, AFeatureMayBeCalledAsThePreviewCallsItsOwnColumns) {
  define(R"(
entities: [{name: user, join_keys: [{name: user_id, type: string}]}]
sources: [{name: clicks, path: clicks.parquet, event_time: happened}]
views:
  - {name: v, entity: user, source: clicks, features: [{name: place, type: string}, {name: position, type: int64, column: count}]}
services: [{name: model, features: [v]}]
)");
  const auto report = run(spec("model"));
  ASSERT_TRUE(report) << report.error().text();
  EXPECT_THAT(column(*report, "user_id"), ElementsAre("b", "a", "a", "nobody"));
  EXPECT_THAT(column(*report, "place"), ElementsAre("z", "y", "y", "-"));
}

TEST_F(TrainingTest, RefusesASourceWhoseTimesAreAllOfAnotherUnit) {
  table("rates.parquet",
        "VALUES (TIMESTAMP '2026-01-01', make_timestamp(-9000000000000000), 0.9::DOUBLE),"
        "(TIMESTAMP '2026-01-01', NULL, 0.8)",
        "event_timestamp, happened, euro");
  auto report = run(spec("model"));
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().text(), HasSubstr("view 'rate': happened: year 1684, outside"));
}

TEST_F(TrainingTest, NamesTheLikelyUnitOnce) {
  table("rates.parquet",
        "VALUES (TIMESTAMP '2026-01-01', make_timestamp(1767225600000000000), 0.9)",
        "event_timestamp, happened, euro");
  auto report = run(spec("model"));
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().text().rfind("view 'rate': happened: year 57971: are these nanoseconds? "
                                        "declare time_unit: ns",
                                        0),
            0u)
      << report.error().text();
}

TEST_F(TrainingTest, TellsNamesApartWithoutTheirCase) {
  TrainingSpec wanted = spec("");
  wanted.features = {"price:amount"};
  wanted.labels =
      "SELECT 1::BIGINT AS item_id, TIMESTAMP '2026-05-01 12:00' AS event_timestamp, 'x' AS AMOUNT";
  auto clash = run(wanted);
  ASSERT_TRUE(clash) << clash.error().text();
  EXPECT_THAT(clash->preview[0],
              ElementsAre("item_id", "event_timestamp", "AMOUNT", "price__amount"));
  wanted.with_status = true;
  wanted.labels =
      "SELECT 1::BIGINT AS item_id, TIMESTAMP '2026-05-01 12:00' AS event_timestamp, 'x' AS "
      "Amount__Status";
  auto status = run(wanted);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().text(), HasSubstr("the labels' column 'Amount__Status'"));
}

TEST_F(TrainingTest, ShowsTheFirstFeaturesButWritesAll) {
  TrainingSpec wanted = spec("model");
  wanted.output = "train.parquet";
  auto whole = run(wanted);
  ASSERT_TRUE(whole) << whole.error().text();
  ASSERT_GT(whole->columns.size(), 1u);
  wanted.preview_features = 1;
  auto some = run(wanted);
  ASSERT_TRUE(some) << some.error().text();
  const size_t hidden = whole->columns.size() - 1;
  ASSERT_EQ(some->preview.size(), whole->preview.size());
  for (size_t row = 0; row < some->preview.size(); ++row) {
    auto first = whole->preview[row];
    first.resize(first.size() - hidden);
    EXPECT_EQ(some->preview[row], first);
  }
  EXPECT_EQ(some->columns.size(), whole->columns.size());
  EXPECT_EQ(cells_of("train.parquet").front().size(), whole->preview.front().size());
}

TEST_F(TrainingTest, NeverOverwritesWhatItReads) {
  for (const char* input : {"labels.parquet", "clicks.parquet"}) {
    TrainingSpec wanted = spec("model");
    wanted.output = input;
    const auto size = std::filesystem::file_size(directory_ / input);
    auto report = run(wanted);
    ASSERT_FALSE(report);
    EXPECT_THAT(report.error().text(), HasSubstr("one of the files that the training set is made"));
    EXPECT_EQ(std::filesystem::file_size(directory_ / input), size);
  }
}

}  // namespace
}  // namespace asof::training
