// How rows lie in Redis: the names of keys and fields, the commands that read them, the scripts that change them. Two
// layouts, one small class each; the store knows neither.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "asof/base/result.h"
#include "asof/engines/online/redis/internal/client.h"
#include "asof/store/online_store.h"

namespace asof::engines::online::redis {

// Features that stand as fields of their own in a table's hashes, where the layout has such.
struct LaidOutFeatures {
  std::vector<std::string> of_slot;
  std::vector<std::string> of_other_generations;                    // of the same view
  std::vector<std::pair<std::string, std::string>> of_other_views;  // feature and view
};

// A script and what it takes beside the keys, which the store names.
struct ScriptCall {
  std::string_view script;
  std::vector<std::string> arguments;
};

class Layout {
 public:
  virtual ~Layout() = default;

  virtual bool holds_generations() const = 0;

  // The fields of an entity's hash that hold a slot's row: the same number for every slot.
  virtual std::vector<std::string> fields_of(const store::Slot& slot) const = 0;
  // The packed row in the values of those fields, nullopt where there is none. `scratch` holds it where the reply does not.
  // Errors: kCorrupt.
  virtual Result<std::optional<std::string_view>> row_of(const store::Slot& slot, Reply values,
                                                         std::string& scratch) const = 0;

  // Keeps the newest of `rows` under their keys' names. The script answers {inserted, replaced}.
  virtual Result<ScriptCall> write_call(const store::Slot& slot,
                                        std::span<const store::KeyRow> rows) const = 0;
  // Answers 1 where it swapped.
  virtual Result<ScriptCall> swap_call(const store::Slot& slot,
                                       std::optional<std::string_view> expected,
                                       std::string_view row) const = 0;
  // Removes rows of the slot, all or those below; answers their number.
  virtual ScriptCall erase_call(const store::Slot& slot, std::optional<std::string_view> below,
                                const LaidOutFeatures& features) const = 0;

  // The names of the features that the slot's rows lay out as fields of their own; empty where none.
  virtual std::vector<std::string> feature_names(const store::Slot& slot) const = 0;
};

std::unique_ptr<Layout> make_packed_layout();
std::unique_ptr<Layout> make_fields_layout();

// "7.2": view and generation in names that people read.
std::string slot_name(const store::Slot& slot);

}  // namespace asof::engines::online::redis
