#include "tests/cases/training_file.h"

#include <fmt/format.h>

namespace asof::cases {

Result<Answers> read_training_file(Duck& duck, const std::string& path, const TrainStep& step) {
  constexpr std::string_view kStatus = "__status";
  ASOF_TRY_ASSIGN(const DuckRows table,
                  duck.query(fmt::format("SELECT * FROM read_parquet({})", quote_text(path))));
  Answers out;
  const size_t labels = step.table.given.columns.size();
  out.has_labels = step.labels_format == "parquet";
  out.rows.resize(table.rows.size());
  out.labels.resize(table.rows.size());
  for (size_t i = 0; i < table.columns.size(); ++i) {
    const Field& column = table.columns[i];
    if (i < labels) {
      out.label_columns.push_back(column);
      for (size_t row = 0; row < table.rows.size(); ++row)
        out.labels[row].push_back(table.rows[row][i]);
      continue;
    }
    if (column.name.ends_with(kStatus)) continue;
    const auto status = find_field(table.columns, column.name + std::string(kStatus));
    if (!status) {
      return error(ErrorCode::kInvalid, fmt::format("column {} has no status", column.name), path);
    }
    out.columns.push_back(column);
    for (size_t row = 0; row < table.rows.size(); ++row) {
      const auto* text = std::get_if<std::string>(&table.rows[row][*status]);
      out.rows[row].push_back({table.rows[row][i], text != nullptr ? *text : "(null)", {}});
    }
  }
  return out;
}

}  // namespace asof::cases
