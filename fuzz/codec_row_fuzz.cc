// Feature rows: any bytes are answered; what opens reads without leaving its bytes, and what was read encodes to a row that
// opens and reads the same.
#include <cstddef>
#include <cstdint>
#include <string>

#include "asof/base/check.h"
#include "asof/codec/row_codec.h"

namespace {

using asof::codec::RowLayout;
using asof::codec::RowView;

asof::Schema schema_of(const uint8_t*& data, size_t& size) {
  asof::Schema schema;
  if (size == 0) return schema;
  size_t features = *data % 10;
  for (++data, --size; schema.size() < features && size > 0; ++data, --size) {
    auto kind = static_cast<asof::TypeKind>(1 + *data % 11);
    auto element = static_cast<asof::TypeKind>(1 + *data / 11 % 10);
    auto scalar = [](asof::TypeKind of) {
      return of == asof::TypeKind::kDecimal ? asof::DataType::decimal(38, 6)
                                            : asof::DataType::scalar(of);
    };
    schema.push_back(
        {"f" + std::to_string(schema.size()),
         kind == asof::TypeKind::kList ? asof::DataType::list_of(scalar(element)) : scalar(kind)});
  }
  return schema;
}

std::vector<asof::Value> read_all(const RowLayout& layout, const RowView& row) {
  std::vector<asof::Value> values;
  for (size_t i = 0; i < layout.size(); ++i) values.push_back(row.value_at(i));
  return values;
}

}  // namespace

// A schema, then a row of it without version and fingerprint, which no search would guess.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  RowLayout layout(schema_of(data, size));
  std::string bytes(reinterpret_cast<const char*>(data), size);
  if (!RowView::open(layout, bytes)) {
    if (bytes.size() < asof::codec::kRowTimesSize) return 0;
    std::string header(1, static_cast<char>(asof::codec::kRowFormatVersion));
    asof::append_big_endian(header, layout.fingerprint());
    bytes.insert(asof::codec::kRowTimesSize, header);
  }
  auto row = RowView::open(layout, bytes);
  if (!row) {
    ASOF_CHECK(row.error().code == asof::ErrorCode::kCorrupt);
    return 0;
  }
  std::vector<asof::Value> values = read_all(layout, *row);
  for (size_t i = 0; i < values.size(); ++i)
    if (!asof::matches(values[i], layout.features()[i].type))
      return 0;  // a decimal of more digits than declared
  auto written =
      asof::codec::encode_row(layout, row->event_time().us, row->known_time_us(), values);
  ASOF_CHECK(written.has_value());
  auto again = RowView::open(layout, *written);
  ASOF_CHECK(again && again->event_time() == row->event_time());
  // Once in canonical form, a row reads and writes to itself.
  auto rewritten = asof::codec::encode_row(layout, again->event_time().us, again->known_time_us(),
                                           read_all(layout, *again));
  ASOF_CHECK(rewritten && *rewritten == *written);
  return 0;
}
