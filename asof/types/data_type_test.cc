#include "asof/types/data_type.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "asof/types/schema.h"

namespace asof::inline types {
namespace {

DataType parsed(std::string_view text) { return parse_data_type(text).value(); }

std::vector<DataType> every_scalar() {
  std::vector<DataType> types;
  for (uint8_t kind = 1; kind < static_cast<uint8_t>(TypeKind::kList); ++kind)
    types.push_back(static_cast<TypeKind>(kind) == TypeKind::kDecimal
                        ? DataType::decimal(10, 2)
                        : DataType::scalar(static_cast<TypeKind>(kind)));
  return types;
}

TEST(DataType, EveryTypeAndItsListReadBackAsPrinted) {
  for (const DataType& type : every_scalar()) {
    EXPECT_EQ(parsed(to_string(type)), type) << to_string(type);
    DataType list = DataType::list_of(type);
    EXPECT_EQ(parsed(to_string(list)), list) << to_string(list);
    EXPECT_EQ(list.element_type(), type);
  }
}

TEST(DataType, PrintsTheSpellingOfTheDocs) {
  EXPECT_EQ(to_string(DataType::scalar(TypeKind::kInt64)), "int64");
  EXPECT_EQ(to_string(DataType::decimal(10, 2)), "decimal(10,2)");
  EXPECT_EQ(to_string(DataType::list_of(DataType::scalar(TypeKind::kFloat32))), "list<float32>");
  EXPECT_EQ(to_string(DataType::list_of(DataType::decimal(38, 0))), "list<decimal(38,0)>");
}

TEST(DataType, ReadsWhatOtherToolsWrite) {
  const std::vector<std::pair<std::string_view, std::string_view>> spellings = {
      {"Int64", "int64"},
      {"int", "int64"},
      {"Int32", "int32"},
      {"str", "string"},
      {"String", "string"},
      {"VARCHAR", "string"},
      {"float", "float64"},
      {"Float32", "float32"},
      {"double", "float64"},
      {"Bytes", "bytes"},
      {"UnixTimestamp", "timestamp"},
      {"unix_timestamp", "timestamp"},
      {"Boolean", "bool"},
      {"Array(Float32)", "list<float32>"},
      {"list[str]", "list<string>"},
      {"List<Int64>", "list<int64>"},
      {"list[decimal(10, 2)]", "list<decimal(10,2)>"}};
  for (const auto& [theirs, ours] : spellings) {
    auto type = parse_data_type(theirs);
    ASSERT_TRUE(type) << theirs;
    EXPECT_EQ(to_string(*type), ours) << theirs;
  }
}

TEST(DataType, ADecimalHas1To38DigitsAndAScaleWithinThem) {
  EXPECT_EQ(parsed("decimal(1,0)"), DataType::decimal(1, 0));
  EXPECT_EQ(parsed("decimal(38,38)"), DataType::decimal(38, 38));
  EXPECT_EQ(parsed("Decimal( 10 , 2 )"), DataType::decimal(10, 2));
  for (std::string_view text :
       {"decimal", "decimal()", "decimal(10)", "decimal(0,0)", "decimal(39,0)", "decimal(10,11)",
        "decimal(10,-1)", "decimal(10,2", "decimal(10,2,3)", "decimal(a,b)", "decimal(266,0)"})
    EXPECT_FALSE(parse_data_type(text)) << text;
}

TEST(DataType, RefusesWhatIsNotInTheClosedSet) {
  for (std::string_view text :
       {"", " ", "uint64", "int128", "map<string,int64>", "struct", "list", "list<>", "list<int64",
        "list<list<int64>>", "array()", "array(int64", "int64>", "list<map>"})
    EXPECT_FALSE(parse_data_type(text)) << text;
}

TEST(DataType, AnErrorNamesTheTextAndTheKnownTypes) {
  auto failure = parse_data_type("uint64");
  ASSERT_FALSE(failure);
  EXPECT_EQ(failure.error().code, ErrorCode::kInvalid);
  EXPECT_EQ(failure.error().message, "unknown type 'uint64'");
  for (const DataType& type : every_scalar()) {
    std::string name = to_string(type).substr(0, to_string(type).find('('));
    EXPECT_NE(failure.error().hint.find(name), std::string::npos) << name;
  }
}

TEST(DataType, BracketsMatch) {
  for (std::string_view text :
       {"list<int64]", "list[int64>", "list[int64)", "list[xint64)", "list(int64)", "array(int64]"})
    EXPECT_FALSE(parse_data_type(text)) << text;
}

TEST(DataType, FixedWidthsAreThoseOfTheRowFormat) {
  EXPECT_EQ(fixed_width(TypeKind::kBool), 1U);
  EXPECT_EQ(fixed_width(TypeKind::kInt32), 4U);
  EXPECT_EQ(fixed_width(TypeKind::kFloat32), 4U);
  EXPECT_EQ(fixed_width(TypeKind::kDate), 4U);
  EXPECT_EQ(fixed_width(TypeKind::kInt64), 8U);
  EXPECT_EQ(fixed_width(TypeKind::kFloat64), 8U);
  EXPECT_EQ(fixed_width(TypeKind::kTimestamp), 8U);
  EXPECT_EQ(fixed_width(TypeKind::kDecimal), 16U);
  for (TypeKind kind : {TypeKind::kString, TypeKind::kBytes, TypeKind::kList})
    EXPECT_TRUE(is_variable(kind));
}

// Persisted: a new number for an old type would misread every stored row.
TEST(DataType, StoredNumbersNeverChange) {
  const std::vector<std::pair<TypeKind, int>> numbers = {
      {TypeKind::kBool, 1},     {TypeKind::kInt32, 2},     {TypeKind::kInt64, 3},
      {TypeKind::kFloat32, 4},  {TypeKind::kFloat64, 5},   {TypeKind::kString, 6},
      {TypeKind::kBytes, 7},    {TypeKind::kTimestamp, 8}, {TypeKind::kDate, 9},
      {TypeKind::kDecimal, 10}, {TypeKind::kList, 11}};
  for (const auto& [kind, number] : numbers) EXPECT_EQ(static_cast<int>(kind), number);
}

TEST(DataType, KeysAreStringBytesBoolIntegersOrDate) {
  std::string keys;
  for (const DataType& type : every_scalar())
    if (is_key_type(type)) keys += to_string(type) + " ";
  EXPECT_EQ(keys, "bool int32 int64 string bytes date ");
  EXPECT_FALSE(is_key_type(parsed("list<string>")));
}

TEST(DataType, WideningKeepsEveryValue) {
  const std::vector<std::pair<std::string_view, std::string_view>> wider = {
      {"int32", "int64"},
      {"int32", "float64"},
      {"float32", "float64"},
      {"date", "timestamp"},
      {"int32", "decimal(10,0)"},
      {"int64", "decimal(19,0)"},
      {"int64", "decimal(38,19)"},
      {"decimal(10,2)", "decimal(12,4)"},
      {"decimal(10,2)", "decimal(11,2)"},
      {"list<int32>", "list<int64>"}};
  for (const auto& [from, to] : wider) {
    EXPECT_TRUE(widens_to(parsed(from), parsed(to))) << from << " to " << to;
    EXPECT_FALSE(widens_to(parsed(to), parsed(from))) << to << " to " << from;
  }
  for (const DataType& type : every_scalar()) EXPECT_TRUE(widens_to(type, type)) << to_string(type);
}

TEST(DataType, NothingWidensWhereAValueCouldBeLost) {
  const std::vector<std::pair<std::string_view, std::string_view>> lossy = {
      {"int32", "float32"},
      {"int64", "float64"},
      {"int32", "decimal(9,0)"},
      {"int64", "decimal(20,2)"},
      {"bool", "int32"},
      {"int64", "timestamp"},
      {"decimal(10,2)", "decimal(10,4)"},
      {"string", "int64"},
      {"int64", "list<int64>"},
      {"list<int64>", "int64"},
      {"decimal(10,0)", "int64"},
      {"bytes", "string"}};
  for (const auto& [from, to] : lossy)
    EXPECT_FALSE(widens_to(parsed(from), parsed(to))) << from << " to " << to;
}

TEST(Schema, AFieldIsFoundByItsExactName) {
  const Schema schema = {{"user_id", parsed("int64")}, {"name", parsed("string")}};
  EXPECT_EQ(find_field(schema, "name"), 1U);
  EXPECT_EQ(find_field(schema, "Name"), std::nullopt);
  EXPECT_EQ(find_field({}, "name"), std::nullopt);
}

}  // namespace
}  // namespace asof::inline types
