// Callbacks: what a SQL function of ours belongs to, by a number in the query's text.
//
// DuckDB keeps a function for the life of the database, so functions are registered once and find the scan or the result
// they serve by its token; a number that nobody handed out is an error in the query, never a wild pointer.
#pragma once

#include <cstdint>
#include <mutex>
#include <unordered_map>

namespace asof::engines::offline::duckdb {

// Threads: any.
template <typename T>
class Callbacks {
 public:
  // Registers `target` for as long as the lease lives.
  class Lease {
   public:
    Lease(Callbacks& owner, T& target) : owner_(owner), token_(owner.add(target)) {}
    ~Lease() { owner_.remove(token_); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    int64_t token() const { return token_; }

   private:
    Callbacks& owner_;
    int64_t token_;
  };

  T* find(int64_t token) {
    std::lock_guard hold(lock_);
    auto found = targets_.find(token);
    return found == targets_.end() ? nullptr : found->second;
  }

 private:
  int64_t add(T& target) {
    std::lock_guard hold(lock_);
    targets_[++last_] = &target;
    return last_;
  }
  void remove(int64_t token) {
    std::lock_guard hold(lock_);
    targets_.erase(token);
  }

  std::mutex lock_;
  int64_t last_ = 0;
  std::unordered_map<int64_t, T*> targets_;
};

}  // namespace asof::engines::offline::duckdb
