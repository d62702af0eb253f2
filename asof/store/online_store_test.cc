#include "asof/store/online_store.h"

#include <gtest/gtest.h>

#include <thread>

namespace asof::store {

namespace {

// Completes a read where and how a test says.
class ScriptedStore final : public OnlineStore {
 public:
  std::function<void(RowSink&, Completion)> on_read;

  OnlineStoreTraits traits() const override { return {}; }
  void read(std::span<const ReadGroup>, int64_t deadline_us, RowSink& sink,
            Completion done) override {
    deadline_seen = deadline_us;
    on_read(sink, std::move(done));
  }
  Result<WriteCounts> write(const Table&, const Slot&, std::span<const KeyRow>) override {
    return WriteCounts{};
  }
  Result<bool> compare_and_swap(const Table&, const Slot&, std::string_view,
                                std::optional<std::string_view>, std::string_view) override {
    return false;
  }
  Result<uint64_t> erase(const Table&, const Slot&, std::optional<std::string_view>) override {
    return uint64_t{0};
  }
  Result<void> scan(const Table&, std::span<const Slot>, const ScanSink&) override { return {}; }
  Result<std::optional<std::string>> read_mark(std::string_view) override {
    return std::optional<std::string>();
  }
  Result<void> write_mark(std::string_view, std::string_view) override { return {}; }

  int64_t deadline_seen = 0;
};

struct CollectingSink final : RowSink {
  void row(size_t, size_t, size_t, std::string_view bytes) override { rows.emplace_back(bytes); }
  std::vector<std::string> rows;
};

DataType int64_type() { return DataType::scalar(TypeKind::kInt64); }
DataType string_type() { return DataType::scalar(TypeKind::kString); }

TEST(MakeTable, SortsItsKeysAndIsNamedAfterThem) {
  const Table table = make_table({{"user_id", string_type()}, {"merchant_id", int64_type()}});
  EXPECT_EQ(table.name, "merchant_id,user_id");
  EXPECT_EQ(table.key_columns, (Schema{{"merchant_id", int64_type()}, {"user_id", string_type()}}));
  EXPECT_EQ(make_table({}).name, "");
}

TEST(ReadAndWait, ReturnsWhatCompletedInline) {
  ScriptedStore store;
  CollectingSink sink;
  store.on_read = [](RowSink& rows, Completion done) {
    rows.row(0, 0, 0, "bytes");
    done({});
  };
  EXPECT_TRUE(read_and_wait(store, {}, 42, sink));
  EXPECT_EQ(sink.rows, std::vector<std::string>{"bytes"});
  EXPECT_EQ(store.deadline_seen, 42);
}

TEST(ReadAndWait, WaitsForACompletionOnAnotherThread) {
  for (int i = 0; i < 200; ++i) {
    ScriptedStore store;
    CollectingSink sink;
    std::thread other;
    store.on_read = [&](RowSink& rows, Completion done) {
      other = std::thread([&rows, done = std::move(done)] {
        rows.row(0, 0, 0, "bytes");
        done({});
      });
    };
    EXPECT_TRUE(read_and_wait(store, {}, 0, sink));
    EXPECT_EQ(sink.rows.size(), 1u);
    other.join();
  }
}

TEST(ReadAndWait, PassesAFailureOn) {
  ScriptedStore store;
  CollectingSink sink;
  store.on_read = [](RowSink&, Completion done) {
    done(error(ErrorCode::kTimeout, "the store did not answer"));
  };
  auto outcome = read_and_wait(store, {}, 0, sink);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, ErrorCode::kTimeout);
}

}  // namespace

}  // namespace asof::store
