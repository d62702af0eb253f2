#include "asof/types/value.h"

#include <gtest/gtest.h>

#include "asof/base/bytes.h"
#include "asof/types/data_type.h"

namespace asof::inline types {
namespace {

std::string read_as(std::string_view text, TypeKind kind) {
  auto value = parse_value(text, DataType::scalar(kind));
  return value ? to_string(*value) : "refused";
}

TEST(Value, NumbersTakeOneSignAtMost) {
  for (TypeKind kind : {TypeKind::kInt32, TypeKind::kInt64}) {
    EXPECT_EQ(read_as("+5", kind), "5");
    EXPECT_EQ(read_as("-5", kind), "-5");
    for (const char* text : {"+-5", "-+5", "--5", "++5", "+", "-", "", " 5", "5 "})
      EXPECT_EQ(read_as(text, kind), "refused") << text;
  }
  for (TypeKind kind : {TypeKind::kFloat32, TypeKind::kFloat64}) {
    EXPECT_EQ(read_as("+5", kind), "5.0");
    for (const char* text : {"+-5", "-+5", "+-inf", "++5", "+"})
      EXPECT_EQ(read_as(text, kind), "refused") << text;
  }
}

TEST(Value, AnErrorQuotesWholeCharactersOnly) {
  auto read = parse_value(std::string(63, 'x') + "ééé", DataType::scalar(TypeKind::kInt64));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().message, "'" + std::string(63, 'x') + "…' is not of type int64");
  EXPECT_TRUE(is_valid_utf8(read.error().message));
}

}  // namespace
}  // namespace asof::inline types
