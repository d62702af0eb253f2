#include "asof/model/source_columns.h"

namespace asof::model {

const SourceColumn* find_column(const Source& source, std::string_view name) {
  for (const SourceColumn& column : source.columns)
    if (column.name == name) return &column;
  return nullptr;
}

const std::string& column_in_source(const Source& source, const std::string& name) {
  const SourceColumn* column = find_column(source, name);
  return column == nullptr || column->from.empty() ? name : column->from;
}

}  // namespace asof::model
