// Generations: the life of a view's generations, in its state and in the online store (product.md, rule 9). Each stands in
// the state before a row of it is in the store, and leaves the state after its last row is gone.
#pragma once

#include <vector>

#include "asof/materialize/internal/run_context.h"
#include "asof/store/ledger.h"

namespace asof::materialize::internal {

// Whether readers have left what was retired then: servers follow the registry within a second, and end the requests that
// they have begun. By the real clock; one that was turned back ends the wait.
bool is_left(Timestamp retired_at, Duration reader_grace);

class Generations {
 public:
  // All outlive the object. What is to be forgotten of files is added to `writes`, for the ledger's next group.
  Generations(const RunContext& context, store::ViewState& state,
              std::vector<store::RecordWrite>& writes)
      : context_(context), state_(state), writes_(writes) {}

  // A number above those of all generations there are.
  uint32_t next_number() const;

  // The rows, the mark and the files of a generation; nothing where its number is 0.
  Result<void> erase(const store::Generation& generation);
  // The previous ones that readers have left.
  Result<void> erase_left(Duration reader_grace);
  // All previous ones: for stores that write in place, where nobody reads them.
  Result<void> erase_previous();

  // The loaded generation is served from now on, and what was served is kept (`retire`) for its readers.
  void flip(bool retire);

 private:
  const RunContext& context_;
  store::ViewState& state_;
  std::vector<store::RecordWrite>& writes_;
};

// Rows older than `bound`, of the generation (rule 8). Returns how many went.
Result<uint64_t> erase_older(store::OnlineStore& online, const store::ViewState& state,
                             store::Generation& generation, Timestamp bound);

}  // namespace asof::materialize::internal
