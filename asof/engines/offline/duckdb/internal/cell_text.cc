#include "asof/engines/offline/duckdb/internal/cell_text.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "asof/base/bytes.h"
#include "asof/base/check.h"
#include "asof/types/timestamp.h"

namespace asof::engines::offline::duckdb {

namespace {

template <typename T>
std::string float_text(T value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

// A day of the Gregorian calendar, whose years are counted from March here: the leap day is then the last of one.
std::string date_text(int64_t days) {
  constexpr int64_t kDaysIn400Years = 146'097, kFrom0000March1To1970 = 719'468;
  const int64_t day = days + kFrom0000March1To1970;
  const int64_t cycle = (day >= 0 ? day : day - (kDaysIn400Years - 1)) / kDaysIn400Years;
  const int64_t in_cycle = day - cycle * kDaysIn400Years;
  const int64_t year_in_cycle =
      (in_cycle - in_cycle / 1460 + in_cycle / 36'524 - in_cycle / 146'096) / 365;
  const int64_t in_year =
      in_cycle - (365 * year_in_cycle + year_in_cycle / 4 - year_in_cycle / 100);
  const int64_t month_from_march = (5 * in_year + 2) / 153;
  const int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  const int64_t year = cycle * 400 + year_in_cycle + (month <= 2 ? 1 : 0);
  return fmt::format("{:04}-{:02}-{:02}{}", year > 0 ? year : 1 - year, month,
                     in_year - (153 * month_from_march + 2) / 5 + 1, year > 0 ? "" : " (BC)");
}

// `per_second`: what the count counts; fractions lose their last zeros.
std::string time_text(int64_t count, int64_t per_second) {
  const int64_t per_day = 86'400 * per_second;
  int64_t days = count / per_day, rest = count % per_day;
  if (rest < 0) {
    --days;
    rest += per_day;
  }
  const int64_t seconds = rest / per_second;
  std::string text = fmt::format("{} {:02}:{:02}:{:02}", date_text(days), seconds / 3600,
                                 seconds / 60 % 60, seconds % 60);
  if (const int64_t fraction = rest % per_second; fraction != 0) {
    std::string digits = std::to_string(per_second + fraction).substr(1);
    digits.erase(digits.find_last_not_of('0') + 1);
    text += "." + digits;
  }
  return text;
}

template <typename T>
std::optional<std::string> infinity_text(T count) {
  if (count == std::numeric_limits<T>::max()) return "infinity";
  if (count == -std::numeric_limits<T>::max()) return "-infinity";
  return std::nullopt;
}

std::string timestamp_text(int64_t count, const std::string& native_type) {
  if (auto infinity = infinity_text(count)) return *infinity;
  if (native_type == "TIMESTAMP_NS") return time_text(count, 1'000'000'000);
  return time_text(count, kMicrosPerSecond) + (native_type == "TIMESTAMP" ? "" : "+00");
}

// Of a type that has no digits before the point, none is shown: .500.
std::string decimal_text(Int128 unscaled, const DataType& type) {
  std::string text = to_string(Decimal{unscaled, type.scale});
  if (type.precision == type.scale) text.erase(text.find('0'), 1);
  return text;
}

}  // namespace

std::optional<std::string> cell_text(const Column& column, const std::string& native_type,
                                     size_t row) {
  if (!column.is_valid(row)) return std::nullopt;
  switch (column.type.kind) {
    case TypeKind::kBool: return column.at<uint8_t>(row) != 0 ? "true" : "false";
    case TypeKind::kInt32: return std::to_string(column.at<int32_t>(row));
    case TypeKind::kInt64: return std::to_string(column.at<int64_t>(row));
    case TypeKind::kFloat32: return float_text(column.at<float>(row));
    case TypeKind::kFloat64: return float_text(column.at<double>(row));
    case TypeKind::kString: return std::string(column.at<StringSlot>(row).view());
    case TypeKind::kBytes: return to_base64(column.at<StringSlot>(row).view());
    case TypeKind::kTimestamp: return timestamp_text(column.at<int64_t>(row), native_type);
    case TypeKind::kDate:
      if (auto infinity = infinity_text(column.at<int32_t>(row))) return infinity;
      return date_text(column.at<int32_t>(row));
    case TypeKind::kDecimal: return decimal_text(column.at<Int128>(row), column.type);
    case TypeKind::kList: break;
  }
  ASOF_CHECK(false);
}

}  // namespace asof::engines::offline::duckdb
