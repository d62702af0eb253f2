// Join keys: any bytes are answered, and what decodes encodes to the same bytes, so that there is one spelling a key.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "asof/base/check.h"
#include "asof/codec/key_codec.h"

// The first byte is the number of columns, then one of type each; the rest is the key.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using asof::TypeKind;
  constexpr TypeKind kTypes[] = {TypeKind::kBool,   TypeKind::kInt32, TypeKind::kInt64,
                                 TypeKind::kString, TypeKind::kBytes, TypeKind::kDate};
  if (size == 0) return 0;
  size_t columns = data[0] % 5;
  if (size < 1 + columns) return 0;
  asof::Schema schema;
  for (size_t i = 0; i < columns; ++i)
    schema.push_back({std::string(1, static_cast<char>('a' + i)),
                      asof::DataType::scalar(kTypes[data[1 + i] % std::size(kTypes)])});
  std::string_view key(reinterpret_cast<const char*>(data) + 1 + columns, size - 1 - columns);
  auto values = asof::codec::decode_key(key, schema);
  if (!values) {
    ASOF_CHECK(values.error().code == asof::ErrorCode::kCorrupt);
    return 0;
  }
  auto again = asof::codec::encode_key(*values, schema);
  ASOF_CHECK(again && *again == key);
  return 0;
}
