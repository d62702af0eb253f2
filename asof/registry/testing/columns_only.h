// What the registry's tests share: definitions from YAML, and an offline store that only knows columns.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "asof/model/read_yaml.h"
#include "asof/model/validate.h"
#include "asof/store/offline_store.h"

namespace asof::registry::internal {

inline model::ReadDefinitions read(const std::string& yaml) {
  model::ReadDefinitions out = model::read_definitions({{"features/all.yaml", yaml}});
  std::vector<Error> errors = model::validate(out.definitions, out.locations);
  out.errors.insert(out.errors.end(), errors.begin(), errors.end());
  return out;
}

inline model::ReadDefinitions read_valid(const std::string& yaml) {
  model::ReadDefinitions out = read(yaml);
  for (const Error& failure : out.errors) ADD_FAILURE() << failure.text();
  return out;
}

inline store::ColumnInfo column(std::string name, std::string native,
                                std::optional<DataType> type) {
  store::ColumnInfo out;
  out.name = std::move(name);
  out.native_type = std::move(native);
  out.type = type;
  return out;
}

inline store::ColumnInfo typed(std::string name, TypeKind kind) {
  return column(std::move(name), "", DataType::scalar(kind));
}

inline store::ColumnInfo time_column(std::string name, bool has_zone) {
  store::ColumnInfo out =
      column(std::move(name), has_zone ? "TIMESTAMP WITH TIME ZONE" : "TIMESTAMP",
             DataType::scalar(TypeKind::kTimestamp));
  out.is_time = true;
  out.has_zone = has_zone;
  return out;
}

// Answers inspect() by path or SQL, and counts how often it was asked.
class ColumnsOnly final : public store::OfflineStore {
 public:
  std::map<std::string, std::vector<store::ColumnInfo>> columns;
  size_t inspected = 0;
  std::string unknown_zone;  // refused as an offline store refuses it

  Result<store::SourceInspection> inspect(const model::Source& source) override {
    ++inspected;
    const std::string& place = source.kind == model::SourceKind::kSql ? source.sql : source.path;
    auto found = columns.find(place);
    if (found == columns.end())
      return error(ErrorCode::kNotFound, "no file matches '" + place + "'", place,
                   "check the path");
    if (!source.timezone.empty() && source.timezone == unknown_zone)
      return error(ErrorCode::kInvalid, "'" + unknown_zone + "' is not a time zone", "timezone",
                   "did you mean 'Europe/Berlin'?");
    return store::SourceInspection{found->second, {}, std::nullopt};
  }
  size_t workers() const override { return 1; }
  Result<store::ScanCounts> scan(const store::ScanSpec&, const store::BatchSink&) override {
    return store::ScanCounts{};
  }
  Result<void> check_file(const store::ScanSpec&, const std::string&) override { return {}; }
  Result<std::unique_ptr<store::Labels>> open_labels(const store::LabelSource&) override {
    return error(ErrorCode::kUnsupported, "holds no labels");
  }
  Result<std::map<std::string, std::string>> read_metadata(const std::string&) override {
    return std::map<std::string, std::string>();
  }
};

inline std::string texts(const std::vector<Error>& errors) {
  std::string out;
  for (const Error& one : errors) out += one.text() + "\n";
  return out;
}

}  // namespace asof::registry::internal
