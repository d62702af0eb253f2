// The layout `fields`: a field for each feature with its JSON value, beside `_ts:<view>` (the row in hex, which decides what
// is newest) and `_generation:<view>` ("7.2": the view and the generation that wrote it).
//
// There is one row a view. A later generation's takes the place of an earlier one's, whatever its bytes.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "asof/base/bytes.h"
#include "asof/codec/row_codec.h"
#include "asof/engines/online/redis/internal/json_value.h"
#include "asof/engines/online/redis/internal/layout.h"
#include "asof/engines/online/redis/internal/lua.h"

namespace asof::engines::online::redis {

namespace {

// later(a, b): whether the generation "7.2" came after "7.1" or "6.9".
// put(key, at): writes the row ARGV[at] with the values that follow it, under the names ARGV[4] … ARGV[3 + n].
constexpr std::string_view kPut =
    R"lua(
local view, generation, n = ARGV[1], ARGV[2], tonumber(ARGV[3])
local row_field, generation_field = '_ts:' .. view, '_generation:' .. view
local function later(a, b)
  local a_view, a_number = string.match(a, '^(%d+)%.(%d+)$')
  local b_view, b_number = string.match(b, '^(%d+)%.(%d+)$')
  if not b_view then return true end
  if a_view ~= b_view then return tonumber(a_view) > tonumber(b_view) end
  return tonumber(a_number) > tonumber(b_number)
end
local function put(key, at)
  redis.call('HSET', key, row_field, ARGV[at], generation_field, generation)
  for first = 1, n, 1000 do
    local pairs = {}
    for i = first, math.min(first + 999, n) do
      pairs[#pairs + 1] = ARGV[3 + i]
      pairs[#pairs + 1] = ARGV[at + i]
    end
    redis.call('HSET', key, unpack(pairs))
  end
end
)lua";

// KEYS: the entities. ARGV: view, generation, n, n names; for each key the row in hex and n values.
constexpr std::string_view kWrite = R"lua(
local inserted, replaced = 0, 0
for i, key in ipairs(KEYS) do
  local at = 4 + n + (i - 1) * (n + 1)
  local now = redis.call('HMGET', key, row_field, generation_field)
  if not now[1] or not now[2] or (now[2] ~= generation and later(generation, now[2])) then
    put(key, at)
    inserted = inserted + 1
  elseif now[2] == generation and now[1] ~= ARGV[at] and newer(ARGV[at], now[1]) then
    put(key, at)
    replaced = replaced + 1
  end
end
return {inserted, replaced}
)lua";

// ARGV: view, generation, n, n names, the row in hex, n values, whether a row is expected, that row in hex.
constexpr std::string_view kSwap = R"lua(
local at = 4 + n
local now = redis.call('HMGET', KEYS[1], row_field, generation_field)
local is_there = now[1] and now[2] == generation
if now[1] and now[2] and now[2] ~= generation and not later(generation, now[2]) then return 0 end
if ARGV[at + n + 1] == '1' then
  if not is_there or now[1] ~= ARGV[at + n + 2] then return 0 end
elseif is_there then
  return 0
end
put(KEYS[1], at)
return 1
)lua";

// ARGV: view, generation, whether there is a bound, the bound in hex; then four lists, each after its length: names that go
// with a row of this generation; names that go with it where the view beside them has no row there; and the same two for
// entities that a later generation has written: what only the old definition had.
constexpr std::string_view kErase = R"lua(
local erased, at = 0, 5
local row_field, generation_field = '_ts:' .. ARGV[1], '_generation:' .. ARGV[1]
local lists = {}
for i = 1, 4 do
  local list = {}
  for j = at + 1, at + tonumber(ARGV[at]) do list[#list + 1] = ARGV[j] end
  lists[i], at = list, at + 1 + #list
end
local function remove(key, names, contested)
  for _, name in ipairs(names) do redis.call('HDEL', key, name) end
  for j = 1, #contested, 2 do
    if redis.call('HEXISTS', key, '_ts:' .. contested[j + 1]) == 0 then redis.call('HDEL', key, contested[j]) end
  end
end
for i, key in ipairs(KEYS) do
  local now = redis.call('HMGET', key, row_field, generation_field)
  if now[2] == ARGV[2] then
    if ARGV[3] == '0' or newer(ARGV[4], now[1]) then
      remove(key, lists[1], lists[2])
      redis.call('HDEL', key, row_field, generation_field)
      erased = erased + 1
    end
  elseif now[2] and ARGV[3] == '0' then
    remove(key, lists[3], lists[4])
  end
end
return erased
)lua";

std::string_view write_script() {
  static const std::string script = join_lua({kNewer, kPut, kWrite});
  return script;
}
std::string_view swap_script() {
  static const std::string script = join_lua({kPut, kSwap});
  return script;
}
std::string_view erase_script() {
  static const std::string script = join_lua({kNewer, kErase});
  return script;
}

struct Generation {
  uint32_t view_id = 0;
  uint32_t number = 0;
};

std::optional<Generation> generation_of(std::string_view text) {
  Generation out;
  const char* end = text.data() + text.size();
  auto view = std::from_chars(text.data(), end, out.view_id);
  if (view.ec != std::errc() || view.ptr == end || *view.ptr != '.') return std::nullopt;
  auto number = std::from_chars(view.ptr + 1, end, out.number);
  if (number.ec != std::errc() || number.ptr != end) return std::nullopt;
  return out;
}

// Appends, each after its length, the names that no other view has, and those that one has, with that view.
void append_names(const std::vector<std::string>& names, const LaidOutFeatures& features,
                  std::vector<std::string>& out) {
  std::vector<std::string> own, contested;
  for (const std::string& name : names) {
    size_t before = contested.size();
    for (const auto& [theirs, view] : features.of_other_views)
      if (theirs == name) contested.insert(contested.end(), {name, view});
    if (contested.size() == before) own.push_back(name);
  }
  for (auto* list : {&own, &contested}) {
    out.push_back(std::to_string(list->size()));
    out.insert(out.end(), list->begin(), list->end());
  }
}

class FieldsLayout final : public Layout {
 public:
  bool holds_generations() const override { return false; }

  std::vector<std::string> fields_of(const store::Slot& slot) const override {
    return {"_ts:" + slot.view, "_generation:" + slot.view};
  }

  Result<std::optional<std::string_view>> row_of(const store::Slot& slot, Reply values,
                                                 std::string& scratch) const override {
    std::optional<std::string_view> none;
    if (values[0].kind != Node::Kind::kText || values[1].kind != Node::Kind::kText) return none;
    std::optional<Generation> written = generation_of(values[1].text);
    std::optional<std::string> row = from_hex(values[0].text);
    if (!written.has_value() || !row.has_value())
      return error(ErrorCode::kCorrupt,
                   fmt::format("the field _ts:{} or _generation:{} is not as Asof writes it",
                               slot.view, slot.view),
                   {}, "materialize the view with --full");
    scratch = *std::move(row);
    if (written->view_id != slot.view_id || written->number < slot.generation) return none;
    // A later generation writes in place: its rows serve the earlier one's readers where they have the same features.
    if (written->number > slot.generation &&
        (slot.layout == nullptr || scratch.size() < codec::kRowHeaderSize ||
         load_big_endian<uint32_t>(scratch.data() + 17) != slot.layout->fingerprint()))
      return none;
    return std::optional<std::string_view>(scratch);
  }

  Result<ScriptCall> write_call(const store::Slot& slot,
                                std::span<const store::KeyRow> rows) const override {
    ASOF_TRY_ASSIGN(ScriptCall call, begin_call(write_script(), slot));
    for (const store::KeyRow& each : rows) ASOF_TRY(append_row(slot, each.row, call.arguments));
    return call;
  }

  Result<ScriptCall> swap_call(const store::Slot& slot, std::optional<std::string_view> expected,
                               std::string_view row) const override {
    ASOF_TRY_ASSIGN(ScriptCall call, begin_call(swap_script(), slot));
    ASOF_TRY(append_row(slot, row, call.arguments));
    call.arguments.push_back(expected.has_value() ? "1" : "0");
    call.arguments.push_back(to_hex(expected.value_or("")));
    return call;
  }

  ScriptCall erase_call(const store::Slot& slot, std::optional<std::string_view> below,
                        const LaidOutFeatures& features) const override {
    std::vector<std::string> only_old;
    for (const std::string& name : features.of_slot)
      if (std::find(features.of_other_generations.begin(), features.of_other_generations.end(),
                    name) == features.of_other_generations.end())
        only_old.push_back(name);
    ScriptCall call{
        erase_script(),
        {slot.view, slot_name(slot), below.has_value() ? "1" : "0", to_hex(below.value_or(""))}};
    append_names(features.of_slot, features, call.arguments);
    append_names(only_old, features, call.arguments);
    return call;
  }

  std::vector<std::string> feature_names(const store::Slot& slot) const override {
    std::vector<std::string> names;
    if (slot.layout != nullptr)
      for (const Field& feature : slot.layout->features()) names.push_back(feature.name);
    return names;
  }

 private:
  Result<ScriptCall> begin_call(std::string_view script, const store::Slot& slot) const {
    if (slot.layout == nullptr)
      return error(ErrorCode::kInternal,
                   fmt::format("the slot of view '{}' has no row layout", slot.view));
    std::vector<std::string> names = feature_names(slot);
    ScriptCall call{script, {slot.view, slot_name(slot), std::to_string(names.size())}};
    call.arguments.insert(call.arguments.end(), names.begin(), names.end());
    return call;
  }

  static Result<void> append_row(const store::Slot& slot, std::string_view row,
                                 std::vector<std::string>& out) {
    ASOF_TRY_ASSIGN(codec::RowView view, codec::RowView::open(*slot.layout, row));
    out.push_back(to_hex(row));
    for (size_t i = 0; i < slot.layout->size(); ++i)
      append_json(view.value_at(i), out.emplace_back());
    return {};
  }
};

}  // namespace

std::unique_ptr<Layout> make_fields_layout() { return std::make_unique<FieldsLayout>(); }

}  // namespace asof::engines::online::redis
