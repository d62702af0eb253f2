#include "asof/engines/offline/duckdb/internal/cell_text.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>

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

std::string date_text(int64_t days) {
  const std::chrono::year_month_day date{
      std::chrono::sys_days{std::chrono::days{static_cast<int32_t>(days)}}};
  const int year = static_cast<int>(date.year());
  return fmt::format("{:04}-{:02}-{:02}{}", year > 0 ? year : 1 - year,
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     year > 0 ? "" : " (BC)");
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

std::string timestamp_text(int64_t count, const std::string& native_type) {
  if (native_type == "TIMESTAMP_NS") return time_text(count, 1'000'000'000);
  return time_text(count, kMicrosPerSecond) + (native_type == "TIMESTAMP" ? "" : "+00");
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
    case TypeKind::kDate: return date_text(column.at<int32_t>(row));
    case TypeKind::kDecimal: return to_string(Decimal{column.at<Int128>(row), column.type.scale});
    case TypeKind::kList: break;
  }
  ASOF_CHECK(false);
}

}  // namespace asof::engines::offline::duckdb
