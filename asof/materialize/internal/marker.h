// The store's marker: an identity shared with the registry, and per (view, generation) the last run written
// (product.md, "a store that lost its data").
#pragma once

#include <string>

#include "asof/materialize/internal/run_context.h"
#include "asof/store/ledger.h"

namespace asof::materialize::internal {

// Makes the online store this registry's. A store that is new, empty or another's is taken over: no generation counts as
// held by it until its view is loaded anew.
Result<void> claim_store(const RunContext& context);

// Why the store does not hold the generation as of its last committed run; "" = it does.
Result<std::string> find_loss(store::OnlineStore& online, const store::ViewState& state,
                              const store::Generation& generation);

// Prepares the slot of a generation that is to be loaded: whatever an unknown hand left there is erased.
Result<void> open_generation(store::OnlineStore& online, const store::ViewState& state,
                             const store::Generation& generation);
// For stores that write in place: a number at or above `at_least` that no load of the view has ever had in this store,
// whoever's registry it was. There a row gives way to later generations only.
Result<uint32_t> find_unused_generation(store::OnlineStore& online, uint32_t view_id,
                                        uint32_t at_least);
// All data of the run is in the store: the run is marked, before the ledger says so.
Result<void> mark_run(store::OnlineStore& online, const store::ViewState& state,
                      const store::Generation& generation, int64_t run);
// The generation's rows and its mark. Returns the rows erased.
Result<uint64_t> erase_generation(store::OnlineStore& online, const store::ViewState& state,
                                  const store::Generation& generation);

}  // namespace asof::materialize::internal
