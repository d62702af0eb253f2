// The layout `packed`: one field a row, `<view>@<view id>.<generation>`, whose value is the row.
#include <fmt/format.h>

#include "asof/engines/online/redis/internal/layout.h"
#include "asof/engines/online/redis/internal/lua.h"

namespace asof::engines::online::redis {

namespace {

// KEYS: the entities. ARGV: the field, then a row for each key.
constexpr std::string_view kWrite = R"lua(
local inserted, replaced = 0, 0
for i, key in ipairs(KEYS) do
  local row = ARGV[i + 1]
  local now = redis.call('HGET', key, ARGV[1])
  if not now then
    redis.call('HSET', key, ARGV[1], row)
    inserted = inserted + 1
  elseif now ~= row and newer(row, now) then
    redis.call('HSET', key, ARGV[1], row)
    replaced = replaced + 1
  end
end
return {inserted, replaced}
)lua";

// ARGV: the field, whether a row is expected, that row, the new one.
constexpr std::string_view kSwap = R"lua(
local now = redis.call('HGET', KEYS[1], ARGV[1])
if ARGV[2] == '1' then
  if now ~= ARGV[3] then return 0 end
elseif now then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[4])
return 1
)lua";

// ARGV: the field, whether there is a bound, the bound.
constexpr std::string_view kErase = R"lua(
local erased = 0
for i, key in ipairs(KEYS) do
  local now = redis.call('HGET', key, ARGV[1])
  if now and (ARGV[2] == '0' or newer(ARGV[3], now)) then
    redis.call('HDEL', key, ARGV[1])
    erased = erased + 1
  end
end
return erased
)lua";

std::string_view write_script() {
  static const std::string script = join_lua({kNewer, kWrite});
  return script;
}
std::string_view erase_script() {
  static const std::string script = join_lua({kNewer, kErase});
  return script;
}

std::string field_of(const store::Slot& slot) {
  return fmt::format("{}@{}", slot.view, slot_name(slot));
}

class PackedLayout final : public Layout {
 public:
  bool holds_generations() const override { return true; }

  std::vector<std::string> fields_of(const store::Slot& slot) const override {
    return {field_of(slot)};
  }

  Result<std::optional<std::string_view>> row_of(const store::Slot&, Reply values,
                                                 std::string&) const override {
    if (values[0].kind != Node::Kind::kText) return std::optional<std::string_view>();
    return std::optional(values[0].text);
  }

  Result<ScriptCall> write_call(const store::Slot& slot,
                                std::span<const store::KeyRow> rows) const override {
    ScriptCall call{write_script(), {field_of(slot)}};
    for (const store::KeyRow& each : rows) call.arguments.emplace_back(each.row);
    return call;
  }

  Result<ScriptCall> swap_call(const store::Slot& slot, std::optional<std::string_view> expected,
                               std::string_view row) const override {
    return ScriptCall{kSwap,
                      {field_of(slot), expected.has_value() ? "1" : "0",
                       std::string(expected.value_or("")), std::string(row)}};
  }

  ScriptCall erase_call(const store::Slot& slot, std::optional<std::string_view> below,
                        const LaidOutFeatures&) const override {
    return {erase_script(),
            {field_of(slot), below.has_value() ? "1" : "0", std::string(below.value_or(""))}};
  }

  std::vector<std::string> feature_names(const store::Slot&) const override { return {}; }
};

}  // namespace

std::unique_ptr<Layout> make_packed_layout() { return std::make_unique<PackedLayout>(); }

std::string slot_name(const store::Slot& slot) {
  return fmt::format("{}.{}", slot.view_id, slot.generation);
}

}  // namespace asof::engines::online::redis
