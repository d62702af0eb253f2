// Online stores for the server's tests: one that answers from a thread of its own, or not before it is told to.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "asof/store/online_store.h"

namespace asof::server::testing {

// Passes everything on to a store, but reads, which are the doubles' own.
class PassingStore : public store::OnlineStore {
 public:
  explicit PassingStore(store::OnlineStore& inner) : inner_(inner) {}

  store::OnlineStoreTraits traits() const override { return inner_.traits(); }
  Result<store::WriteCounts> write(const store::Table& table, const store::Slot& slot,
                                   std::span<const store::KeyRow> rows) override {
    return inner_.write(table, slot, rows);
  }
  Result<bool> compare_and_swap(const store::Table& table, const store::Slot& slot,
                                std::string_view key, std::optional<std::string_view> expected,
                                std::string_view row) override {
    return inner_.compare_and_swap(table, slot, key, expected, row);
  }
  Result<uint64_t> erase(const store::Table& table, const store::Slot& slot,
                         std::optional<std::string_view> below) override {
    return inner_.erase(table, slot, below);
  }
  Result<void> scan(const store::Table& table, std::span<const store::Slot> slots,
                    const store::ScanSink& sink) override {
    return inner_.scan(table, slots, sink);
  }
  Result<std::optional<std::string>> read_mark(std::string_view name) override {
    return inner_.read_mark(name);
  }
  Result<void> write_mark(std::string_view name, std::string_view value) override {
    return inner_.write_mark(name, value);
  }

 protected:
  store::OnlineStore& inner_;
};

// Answers inline, after a call of `before` on the reading thread: what is slow there holds an event loop up.
class InlineStore final : public PassingStore {
 public:
  InlineStore(store::OnlineStore& inner, std::function<void()> before)
      : PassingStore(inner), before_(std::move(before)) {}

  void read(std::span<const store::ReadGroup> groups, int64_t deadline_us, store::RowSink& sink,
            store::Completion done) override {
    before_();
    inner_.read(groups, deadline_us, sink, std::move(done));
  }

 private:
  const std::function<void()> before_;
};

// Reads complete on its own thread; while it is held, not at all.
class AsyncStore final : public PassingStore {
 public:
  explicit AsyncStore(store::OnlineStore& inner)
      : PassingStore(inner), thread_([this] { work(); }) {}
  ~AsyncStore() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
      held_ = false;
    }
    changed_.notify_all();
    thread_.join();
  }

  void hold() {
    std::lock_guard lock(mutex_);
    held_ = true;
  }
  void release() {
    {
      std::lock_guard lock(mutex_);
      held_ = false;
    }
    changed_.notify_all();
  }
  // Reads that wait, once there are that many.
  void wait_for_reads(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return queue_.size() >= count; });
  }
  // What reads fail with from now on; nothing = they succeed.
  void fail_with(std::optional<Error> failure) {
    std::lock_guard lock(mutex_);
    failure_ = std::move(failure);
  }
  // Of the read that came last.
  int64_t deadline_us() {
    std::lock_guard lock(mutex_);
    return deadline_us_;
  }

  void read(std::span<const store::ReadGroup> groups, int64_t deadline_us, store::RowSink& sink,
            store::Completion done) override {
    {
      std::lock_guard lock(mutex_);
      deadline_us_ = deadline_us;
      queue_.push_back([this, groups, deadline_us, &sink, done = std::move(done)]() mutable {
        std::optional<Error> failure;
        {
          std::lock_guard inner(mutex_);
          failure = failure_;
        }
        if (failure) return done(*failure);
        inner_.read(groups, deadline_us, sink, std::move(done));
      });
    }
    changed_.notify_all();
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock,
                    [&] { return (!queue_.empty() && !held_) || (stopping_ && queue_.empty()); });
      if (queue_.empty()) return;
      auto next = std::move(queue_.front());
      queue_.erase(queue_.begin());
      lock.unlock();
      next();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::function<void()>> queue_;
  std::optional<Error> failure_;
  int64_t deadline_us_ = 0;
  bool held_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace asof::server::testing
