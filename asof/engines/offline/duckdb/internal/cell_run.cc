#include "asof/engines/offline/duckdb/internal/cell_run.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <exception>

namespace asof::engines::offline::duckdb {

namespace {

duckdb_logical_type logical_type(const DataType& type) {
  switch (type.kind) {
    case TypeKind::kBool: return duckdb_create_logical_type(DUCKDB_TYPE_BOOLEAN);
    case TypeKind::kInt32: return duckdb_create_logical_type(DUCKDB_TYPE_INTEGER);
    case TypeKind::kInt64: return duckdb_create_logical_type(DUCKDB_TYPE_BIGINT);
    case TypeKind::kFloat32: return duckdb_create_logical_type(DUCKDB_TYPE_FLOAT);
    case TypeKind::kFloat64: return duckdb_create_logical_type(DUCKDB_TYPE_DOUBLE);
    case TypeKind::kString: return duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
    case TypeKind::kBytes: return duckdb_create_logical_type(DUCKDB_TYPE_BLOB);
    case TypeKind::kTimestamp: return duckdb_create_logical_type(DUCKDB_TYPE_TIMESTAMP_TZ);
    case TypeKind::kDate: return duckdb_create_logical_type(DUCKDB_TYPE_DATE);
    case TypeKind::kDecimal: return duckdb_create_decimal_type(type.precision, type.scale);
    case TypeKind::kList: {
      duckdb_logical_type element = logical_type(type.element_type());
      duckdb_logical_type list = duckdb_create_list_type(element);
      duckdb_destroy_logical_type(&element);
      return list;
    }
  }
  return duckdb_create_logical_type(DUCKDB_TYPE_SQLNULL);
}

// Writes cells into one of DuckDB's vectors, in DuckDB's widths.
class VectorSink final : public store::CellSink {
 public:
  VectorSink(duckdb_vector vector, const DataType& type)
      : vector_(vector), type_(type), data_(duckdb_vector_get_data(vector)) {}

  void null() override {
    set_nulls(row_, 1);
    if (type_.kind == TypeKind::kList) put(ListSlot{duckdb_list_vector_get_size(vector_), 0});
    ++row_;
  }
  void boolean(bool value) override { add(static_cast<uint8_t>(value)); }
  void int32(int32_t value) override { add(value); }
  void int64(int64_t value) override { add(value); }
  void float32(float value) override { add(value); }
  void float64(double value) override { add(value); }
  void decimal(Int128 unscaled) override {
    if (type_.precision <= 4) return add(static_cast<int16_t>(unscaled));
    if (type_.precision <= 9) return add(static_cast<int32_t>(unscaled));
    if (type_.precision <= 18) return add(static_cast<int64_t>(unscaled));
    add(unscaled);
  }
  void text(std::string_view value) override {
    // The bytes come from DuckDB or from a checked definition: valid where the type is VARCHAR.
    duckdb_unsafe_vector_assign_string_element_len(vector_, row_++, value.data(), value.size());
  }
  void list(const List& value) override {
    uint64_t start = duckdb_list_vector_get_size(vector_);
    if (duckdb_list_vector_reserve(vector_, start + value.size()) != DuckDBSuccess)
      throw std::bad_alloc();
    VectorSink elements(duckdb_list_vector_get_child(vector_), type_.element_type());
    elements.row_ = start;
    for (const Value& element : value) elements.add_value(element);
    duckdb_list_vector_set_size(vector_, start + value.size());
    add(ListSlot{start, value.size()});
  }

  void run(std::span<const int32_t> values, uint64_t nulls) override { add_run(values, nulls); }
  void run(std::span<const int64_t> values, uint64_t nulls) override { add_run(values, nulls); }
  void run(std::span<const float> values, uint64_t nulls) override { add_run(values, nulls); }
  void run(std::span<const double> values, uint64_t nulls) override { add_run(values, nulls); }

  void add_value(const Value& value) {
    if (value.is_null()) return null();
    switch (type_.kind) {
      case TypeKind::kBool: return boolean(value.as<bool>());
      case TypeKind::kInt32: return int32(static_cast<int32_t>(value.as<int64_t>()));
      case TypeKind::kInt64: return int64(value.as<int64_t>());
      case TypeKind::kFloat32: return float32(value.as<float>());
      case TypeKind::kFloat64: return float64(value.as<double>());
      case TypeKind::kString: return text(value.as<std::string>());
      case TypeKind::kBytes: return text(value.as<Bytes>().data);
      case TypeKind::kTimestamp: return int64(value.as<Timestamp>().us);
      case TypeKind::kDate: return int32(value.as<Date>().days);
      case TypeKind::kDecimal: return decimal(value.as<Decimal>().unscaled);
      case TypeKind::kList: return list(value.as<List>());
    }
  }

  size_t rows() const { return row_; }

 private:
  // Row `first` + i where bit i is set.
  void set_nulls(size_t first, uint64_t nulls) {
    if (nulls == 0) return;
    if (validity_ == nullptr) {
      duckdb_vector_ensure_validity_writable(vector_);
      validity_ = duckdb_vector_get_validity(vector_);
    }
    const size_t word = first / 64, bit = first % 64;
    validity_[word] &= ~(nulls << bit);
    if (bit != 0 && nulls >> (64 - bit) != 0) validity_[word + 1] &= ~(nulls >> (64 - bit));
  }
  template <typename T>
  void add_run(std::span<const T> values, uint64_t nulls) {
    std::memcpy(static_cast<T*>(data_) + row_, values.data(), values.size_bytes());
    set_nulls(row_, nulls);
    row_ += values.size();
  }
  template <typename T>
  void put(const T& value) {
    std::memcpy(static_cast<char*>(data_) + row_ * sizeof(T), &value, sizeof(T));
  }
  template <typename T>
  void add(const T& value) {
    put(value);
    ++row_;
  }

  duckdb_vector vector_;
  DataType type_;
  void* data_;
  uint64_t* validity_ = nullptr;
  size_t row_ = 0;
};

std::vector<DataType> types_of(const store::ResultColumns& results) {
  std::vector<DataType> types;
  for (const store::ResultColumn& column : results.columns) types.push_back(column.type);
  return types;
}

template <typename T>
T first_cell(duckdb_data_chunk chunk, idx_t column) {
  return *static_cast<const T*>(
      duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, column)));
}

struct Extra {
  Callbacks<const CellRun>* runs;
  std::vector<DataType> types;
};

void cell_function(duckdb_function_info info, duckdb_data_chunk chunk, duckdb_vector output) {
  size_t rows = duckdb_data_chunk_get_size(chunk);
  if (rows == 0) return;
  auto* extra = static_cast<Extra*>(duckdb_scalar_function_get_extra_info(info));
  const CellRun* run = extra->runs->find(first_cell<int64_t>(chunk, 0));
  auto index = static_cast<size_t>(first_cell<int64_t>(chunk, 1));
  if (run == nullptr || index >= run->results.size() ||
      types_of(run->results[index]) != extra->types) {
    duckdb_scalar_function_set_error(info, "this function is not for use in queries");
    return;
  }
  auto* positions =
      static_cast<const int64_t*>(duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 2)));
  try {
    std::vector<VectorSink> sinks;
    sinks.reserve(extra->types.size());
    for (size_t i = 0; i < extra->types.size(); ++i)
      sinks.emplace_back(duckdb_struct_vector_get_child(output, i), extra->types[i]);
    std::vector<store::CellSink*> cells;
    for (VectorSink& sink : sinks) cells.push_back(&sink);
    run->results[index].fill({positions, rows}, cells);
    for (const VectorSink& sink : sinks) ASOF_CHECK(sink.rows() == rows);
  } catch (const std::bad_alloc&) {
    duckdb_scalar_function_set_error(info, "out of memory");
  } catch (const std::exception& failure) {
    duckdb_scalar_function_set_error(info, failure.what());
  }
}

duckdb_logical_type struct_of(const std::vector<DataType>& types) {
  std::vector<duckdb_logical_type> members;
  std::vector<std::string> names;
  std::vector<const char*> name_pointers;
  for (const DataType& type : types) {
    names.push_back(CellFunctions::field_name(names.size()));
    members.push_back(logical_type(type));
  }
  for (const std::string& name : names) name_pointers.push_back(name.c_str());
  duckdb_logical_type out =
      duckdb_create_struct_type(members.data(), name_pointers.data(), members.size());
  for (duckdb_logical_type& member : members) duckdb_destroy_logical_type(&member);
  return out;
}

}  // namespace

std::string CellFunctions::field_name(size_t index) { return fmt::format("f{}", index); }

Result<std::string> CellFunctions::function_for(Connection& connection,
                                                const std::vector<DataType>& types) {
  std::string key;
  for (const DataType& type : types) key += to_string(type) + ",";
  std::lock_guard hold(lock_);
  std::string& name = names_[key];
  if (!name.empty()) return name;
  ASOF_TRY_ASSIGN(duckdb_connection handle, connection.handle());
  std::string wanted = fmt::format("asof_cells_{}", names_.size());
  duckdb_scalar_function scalar = duckdb_create_scalar_function();
  duckdb_logical_type bigint = duckdb_create_logical_type(DUCKDB_TYPE_BIGINT);
  duckdb_logical_type out = struct_of(types);
  duckdb_scalar_function_set_name(scalar, wanted.c_str());
  for (int i = 0; i < 3; ++i) duckdb_scalar_function_add_parameter(scalar, bigint);
  duckdb_scalar_function_set_return_type(scalar, out);
  duckdb_scalar_function_set_volatile(scalar);
  duckdb_scalar_function_set_special_handling(scalar);
  duckdb_scalar_function_set_extra_info(scalar, new Extra{&runs_, types},
                                        [](void* extra) { delete static_cast<Extra*>(extra); });
  duckdb_scalar_function_set_function(scalar, cell_function);
  duckdb_state state = duckdb_register_scalar_function(handle, scalar);
  duckdb_destroy_scalar_function(&scalar);
  duckdb_destroy_logical_type(&bigint);
  duckdb_destroy_logical_type(&out);
  if (state != DuckDBSuccess) {
    names_.erase(key);
    return error(ErrorCode::kInternal,
                 fmt::format("DuckDB does not take a function of types {}", key));
  }
  name = wanted;
  return wanted;
}

Result<std::string> CellFunctions::call(Connection& connection, int64_t token, size_t index,
                                        const store::ResultColumns& results,
                                        const std::string& row) {
  ASOF_TRY_ASSIGN(std::string name, function_for(connection, types_of(results)));
  return fmt::format("{}({}, {}, {})", name, token, index, row);
}

}  // namespace asof::engines::offline::duckdb
