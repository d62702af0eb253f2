// Bodies of the feature and materialize routes: any bytes are answered; what is read has the shape that was asked for, and
// every error names what to do. The first byte chooses the dialect.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "apps/server/feature_request.h"
#include "apps/server/http_server.h"
#include "apps/server/materialize_request.h"
#include "asof/base/check.h"

namespace {

using asof::DataType;
using asof::TypeKind;

const asof::Schema& columns_of(unsigned choice) {
  static const asof::Schema user{{"user_id", DataType::scalar(TypeKind::kString)}};
  static const asof::Schema composite{{"item_id", DataType::scalar(TypeKind::kInt64)},
                                      {"shop", DataType::scalar(TypeKind::kInt32)},
                                      {"day", DataType::scalar(TypeKind::kDate)},
                                      {"device", DataType::scalar(TypeKind::kBytes)},
                                      {"active", DataType::scalar(TypeKind::kBool)}};
  static const asof::Schema none;
  return choice % 3 == 0 ? user : choice % 3 == 1 ? composite : none;
}

template <typename T>
void check_error(const asof::Result<T>& result) {
  if (!result) ASOF_CHECK(!result.error().message.empty());
}

void check_entities(const asof::serve::Entities& entities, const asof::Schema& columns,
                    size_t limit) {
  ASOF_CHECK(entities.size() <= limit);
  for (size_t entity = 0; entity < entities.size(); ++entity)
    for (size_t column = 0; column < columns.size(); ++column)
      ASOF_CHECK(asof::matches(entities.value(entity, column), columns[column].type));
}

void read_features_body(asof::server::FeatureRequestParser& parser, std::string_view body,
                        unsigned choice) {
  using asof::server::Dialect;
  constexpr size_t kLimit = 50;
  const asof::Schema& columns = columns_of(choice / 3);
  auto dialect = static_cast<Dialect>(choice % 3);
  auto request = parser.open(body, dialect);
  check_error(request);
  if (!request) return;
  if (!request->features.empty()) {
    auto references = parser.read_features(request->features);
    check_error(references);
    if (references) ASOF_CHECK(!references->empty());
  }
  asof::serve::Entities entities;
  std::vector<size_t> order;
  bool at_top = request->entities.empty();
  auto read = at_top ? parser.read_top_level(columns, entities)
                     : parser.read_entities(request->entities, columns, kLimit, entities, &order);
  check_error(read);
  if (!read) return;
  check_entities(entities, columns, kLimit);
  if (at_top) ASOF_CHECK(entities.size() == 1);
  ASOF_CHECK(order.empty() || order.size() == columns.size());
}

void read_materialize_body(std::string_view body, bool incremental) {
  auto spec = asof::server::parse_materialize_request(body, incremental);
  check_error(spec);
  if (spec && !incremental) ASOF_CHECK(*spec->from <= *spec->to);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static asof::server::FeatureRequestParser parser;
  if (size == 0) return 0;
  unsigned choice = data[0];
  std::string padded(reinterpret_cast<const char*>(data) + 1, size - 1);
  size_t length = padded.size();
  padded.append(asof::server::kBodyPadding, '\0');
  std::string_view body(padded.data(), length);
  if (choice % 11 < 9) {
    read_features_body(parser, body, choice % 11);
  } else {
    read_materialize_body(body, choice % 11 == 10);
  }
  return 0;
}
