#include "apps/cli/plan_text.h"

#include <fmt/format.h>

#include <algorithm>

namespace asof::cli {
namespace {

char sign_of(registry::ChangeKind kind) {
  switch (kind) {
    case registry::ChangeKind::kAdd: return '+';
    case registry::ChangeKind::kChange: return '~';
    case registry::ChangeKind::kRemove: return '-';
  }
  return '?';
}

std::string_view name_of(registry::ChangeKind kind) {
  switch (kind) {
    case registry::ChangeKind::kAdd: return "add";
    case registry::ChangeKind::kChange: return "change";
    case registry::ChangeKind::kRemove: return "remove";
  }
  return "";
}

// Quoted where the bare text would not tell what it is.
std::string shown(const std::optional<std::string>& value) {
  if (!value) return "(none)";
  auto is_odd = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  if (value->empty() || *value == "(none)" || value->front() == ' ' || value->back() == ' ' ||
      std::any_of(value->begin(), value->end(), is_odd))
    return Json(*value).dump(-1, ' ', false, Json::error_handler_t::replace);
  return *value;
}

Json json_of(const std::optional<std::string>& value) { return value ? Json(*value) : Json(); }

}  // namespace

std::string to_string(const registry::Plan& plan) {
  size_t name_width = 0;
  for (const registry::Change& change : plan.changes)
    name_width = std::max(name_width, change.name.size());
  std::string out;
  for (const registry::Change& change : plan.changes) {
    out += fmt::format("  {} {:<7}  {:<{}}", sign_of(change.kind), change.object, change.name,
                       name_width);
    if (!change.summary.empty()) out += "  " + change.summary;
    out.erase(out.find_last_not_of(' ') + 1);
    out += '\n';
    // What is new is told by its summary; what changes, by its properties.
    if (change.kind == registry::ChangeKind::kChange) {
      size_t width = 0;
      for (const auto& property : change.properties)
        width = std::max(width, property.property.size());
      for (const auto& property : change.properties) {
        out += fmt::format("        {:<{}}  {} -> {}\n", property.property, width,
                           shown(property.before), shown(property.after));
      }
    }
    for (const std::string& consequence : change.consequences)
      out += fmt::format("        ! {}\n", consequence);
  }
  if (!plan.notices.empty()) {
    if (!out.empty()) out += '\n';
    for (const std::string& notice : plan.notices) out += fmt::format("  note: {}\n", notice);
  }
  return out;
}

std::string summary_line(const registry::Plan& plan) {
  return fmt::format("Plan: {} to add, {} to change, {} to remove.", plan.adds(), plan.changed(),
                     plan.removes());
}

Json to_json(const registry::Plan& plan) {
  Json out{{"project", plan.project},  {"base_revision", plan.base_revision},
           {"add", plan.adds()},       {"change", plan.changed()},
           {"remove", plan.removes()}, {"changes", Json::array()},
           {"notices", plan.notices},  {"errors", Json::array()}};
  for (const registry::Change& change : plan.changes) {
    Json entry{{"action", name_of(change.kind)},
               {"object", change.object},
               {"name", change.name},
               {"summary", change.summary},
               {"properties", Json::array()},
               {"consequences", change.consequences}};
    for (const auto& property : change.properties) {
      entry["properties"].push_back({{"property", property.property},
                                     {"before", json_of(property.before)},
                                     {"after", json_of(property.after)}});
    }
    out["changes"].push_back(std::move(entry));
  }
  for (const Error& failure : plan.errors) out["errors"].push_back(to_json(failure));
  return out;
}

}  // namespace asof::cli
