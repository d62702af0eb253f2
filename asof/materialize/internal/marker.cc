#include "asof/materialize/internal/marker.h"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <random>

#include "asof/base/hash.h"

namespace asof::materialize {

namespace internal {

namespace {

// A generation's mark while no run into it is complete, and once it is erased.
constexpr std::string_view kNoRun = "0";
constexpr std::string_view kErased = "";

std::string make_identity(const RunContext& context) {
  std::random_device random;
  return content_hash(fmt::format("{}/{}/{}/{}/{}", context.project, getpid(),
                                  SystemClock().now_us(), random(), random()));
}

// The registry's identity, made on first use. Two processes at once agree on one.
Result<std::string> get_or_make_identity(const RunContext& context) {
  while (true) {
    ASOF_TRY_ASSIGN(std::string identity,
                    store::read_store_identity(context.catalog, context.project));
    if (!identity.empty()) return identity;
    store::RecordWrite write = store::store_identity_record(make_identity(context));
    write.expected_version = 0;
    auto written = context.catalog.write_records(context.project, std::span(&write, 1));
    if (!written && written.error().code != ErrorCode::kConflict) return written.error();
  }
}

std::optional<int64_t> parse_run(const std::optional<std::string>& mark) {
  int64_t run = 0;
  if (!mark) return std::nullopt;
  auto [end, problem] = std::from_chars(mark->data(), mark->data() + mark->size(), run);
  if (problem != std::errc() || end != mark->data() + mark->size()) return std::nullopt;
  return run;
}

}  // namespace

Result<void> claim_store(const RunContext& context) {
  ASOF_TRY_ASSIGN(const std::string identity, get_or_make_identity(context));
  ASOF_TRY_ASSIGN(const auto mark, context.online.read_mark(store::kIdentityMark));
  if (mark == identity) return {};
  // Another's marks may be there under our numbers: they are voided before the store is called ours.
  ASOF_TRY_ASSIGN(const auto states, store::read_view_states(context.catalog, context.project));
  for (const auto& [view, state] : states)
    for (const store::Generation* generation : {&state.serving, &state.loading}) {
      if (generation->number == 0) continue;
      ASOF_TRY(context.online.write_mark(store::run_mark_name(state.view_id, generation->number),
                                         kNoRun));
    }
  return context.online.write_mark(store::kIdentityMark, identity);
}

Result<std::string> find_loss(store::OnlineStore& online, const store::ViewState& state,
                              const store::Generation& generation) {
  if (generation.number == 0 || generation.last_run == 0) return std::string();
  ASOF_TRY_ASSIGN(const auto mark,
                  online.read_mark(store::run_mark_name(state.view_id, generation.number)));
  const std::optional<int64_t> run = parse_run(mark);
  if (run && *run >= generation.last_run) return std::string();
  if (run.value_or(0) == 0)
    return fmt::format("the online store has lost generation {} of view '{}'", generation.number,
                       state.view);
  return fmt::format(
      "the online store has lost data of view '{}': it holds run {}, but run {} was "
      "the last",
      state.view, *run, generation.last_run);
}

Result<void> open_generation(store::OnlineStore& online, const store::ViewState& state,
                             const store::Generation& generation) {
  const std::string name = store::run_mark_name(state.view_id, generation.number);
  ASOF_TRY_ASSIGN(const auto mark, online.read_mark(name));
  if (mark && *mark != kErased && online.traits().holds_generations)
    ASOF_TRY(erase_generation(online, state, generation));
  return online.write_mark(name, kNoRun);
}

Result<uint32_t> find_unused_generation(store::OnlineStore& online, uint32_t view_id,
                                        uint32_t at_least) {
  // Every load leaves a mark; one that was killed before it wrote a row may have left none.
  constexpr uint32_t kLargestGap = 16;
  uint32_t unused = at_least;
  for (uint32_t number = at_least; number < unused + kLargestGap; ++number) {
    ASOF_TRY_ASSIGN(const auto mark, online.read_mark(store::run_mark_name(view_id, number)));
    if (mark) unused = number + 1;
  }
  return unused;
}

Result<void> mark_run(store::OnlineStore& online, const store::ViewState& state,
                      const store::Generation& generation, int64_t run) {
  return online.write_mark(store::run_mark_name(state.view_id, generation.number),
                           std::to_string(run));
}

Result<uint64_t> erase_generation(store::OnlineStore& online, const store::ViewState& state,
                                  const store::Generation& generation) {
  ASOF_TRY_ASSIGN(const uint64_t erased,
                  online.erase(store::make_table(generation.key_columns),
                               plan::slot_of(state, generation), std::nullopt));
  ASOF_TRY(online.write_mark(store::run_mark_name(state.view_id, generation.number), kErased));
  return erased;
}

}  // namespace internal

Result<std::map<std::string, std::string>> check_marker(store::OnlineStore& online,
                                                        store::Catalog& catalog,
                                                        const plan::Snapshot& snapshot) {
  std::map<std::string, std::string> lost;
  ASOF_TRY_ASSIGN(const std::string identity,
                  store::read_store_identity(catalog, snapshot.project));
  if (identity.empty()) return lost;  // no run yet: there is nothing that could be lost
  ASOF_TRY_ASSIGN(const auto mark, online.read_mark(store::kIdentityMark));
  for (const auto& [view, state] : snapshot.states) {
    if (state.serving.number == 0 || state.serving.last_run == 0) continue;
    std::string why;
    if (!mark || mark->empty()) {
      why = fmt::format("the online store is empty: it has lost run {} of view '{}'",
                        state.serving.last_run, view);
    } else if (*mark != identity) {
      why = fmt::format("the online store belongs to another registry (identity {}, wanted {})",
                        *mark, identity);
    } else {
      ASOF_TRY_ASSIGN(why, internal::find_loss(online, state, state.serving));
    }
    if (!why.empty()) lost.emplace(view, std::move(why));
  }
  return lost;
}

}  // namespace asof::materialize
