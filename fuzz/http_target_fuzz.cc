// Request targets: any bytes are split into a path and a query or refused; what the path means and the keys in the query are
// found or refused. The same bytes as an Accept field name a media type or do not.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "apps/server/arrow_answer.h"
#include "apps/server/feature_request.h"
#include "apps/server/routes.h"
#include "apps/server/target.h"
#include "asof/base/check.h"
#include "asof/base/text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using asof::DataType;
  using asof::TypeKind;
  static asof::server::Target target;
  static const asof::Schema columns{{"user_id", DataType::scalar(TypeKind::kString)},
                                    {"n", DataType::scalar(TypeKind::kInt32)},
                                    {"day", DataType::scalar(TypeKind::kDate)}};
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (asof::server::accepts_arrow(text))
    ASOF_CHECK(asof::lower(text).find(asof::server::kArrowStream) != std::string::npos);
  auto parsed = target.parse(text);
  if (!parsed) {
    ASOF_CHECK(parsed.error().code == asof::ErrorCode::kInvalid && !parsed.error().hint.empty());
    return 0;
  }
  ASOF_CHECK(!target.segments().empty());
  size_t decoded = 0;
  for (std::string_view segment : target.segments()) decoded += segment.size();
  for (const asof::server::QueryParameter& parameter : target.query())
    decoded += parameter.name.size() + parameter.value.size();
  ASOF_CHECK(decoded <= size);
  if (auto matched = asof::server::match_route(target.segments())) {
    ASOF_CHECK(asof::server::pattern_of(matched->info->route) == matched->info->pattern);
    ASOF_CHECK(!asof::server::allows(*matched->info, ""));
  } else {
    ASOF_CHECK(!asof::server::nearest_path(target.path()).empty());
  }
  asof::serve::Entities entities;
  if (asof::server::read_query_entity(target.query(), columns, {"status"}, entities)) {
    ASOF_CHECK(entities.size() == 1);
    for (size_t i = 0; i < columns.size(); ++i)
      ASOF_CHECK(asof::matches(entities.value(0, i), columns[i].type));
  }
  return 0;
}
