// DuckDB's C interface, without its library until that is needed: to load it and to find its functions takes longer than most of
// our commands, few of which ask anything of DuckDB.
#pragma once

#include <duckdb.h>

#include "asof/base/result.h"

namespace asof::engines::offline::duckdb {

// Finds libduckdb.so, as the system's linker would, and the functions below in it, until that once succeeded. Cost: some 10 ms
// the first time. Threads: any. Errors: kUnavailable, with what the linker says.
Result<void> load_library();

// Each stands for DuckDB's function of its name in this namespace, and is null before load_library().
#define ASOF_DUCKDB_FUNCTIONS(X)                    \
  X(duckdb_close)                                   \
  X(duckdb_column_count)                            \
  X(duckdb_connect)                                 \
  X(duckdb_create_config)                           \
  X(duckdb_create_decimal_type)                     \
  X(duckdb_create_list_type)                        \
  X(duckdb_create_logical_type)                     \
  X(duckdb_create_scalar_function)                  \
  X(duckdb_create_struct_type)                      \
  X(duckdb_data_chunk_get_size)                     \
  X(duckdb_data_chunk_get_vector)                   \
  X(duckdb_destroy_config)                          \
  X(duckdb_destroy_data_chunk)                      \
  X(duckdb_destroy_logical_type)                    \
  X(duckdb_destroy_prepare)                         \
  X(duckdb_destroy_result)                          \
  X(duckdb_destroy_scalar_function)                 \
  X(duckdb_disconnect)                              \
  X(duckdb_fetch_chunk)                             \
  X(duckdb_free)                                    \
  X(duckdb_list_vector_get_child)                   \
  X(duckdb_list_vector_get_size)                    \
  X(duckdb_list_vector_reserve)                     \
  X(duckdb_list_vector_set_size)                    \
  X(duckdb_open_ext)                                \
  X(duckdb_prepare)                                 \
  X(duckdb_prepared_statement_column_count)         \
  X(duckdb_prepared_statement_column_name)          \
  X(duckdb_query)                                   \
  X(duckdb_register_scalar_function)                \
  X(duckdb_result_error)                            \
  X(duckdb_result_error_type)                       \
  X(duckdb_scalar_function_add_parameter)           \
  X(duckdb_scalar_function_get_extra_info)          \
  X(duckdb_scalar_function_set_error)               \
  X(duckdb_scalar_function_set_extra_info)          \
  X(duckdb_scalar_function_set_function)            \
  X(duckdb_scalar_function_set_name)                \
  X(duckdb_scalar_function_set_return_type)         \
  X(duckdb_scalar_function_set_special_handling)    \
  X(duckdb_scalar_function_set_varargs)             \
  X(duckdb_scalar_function_set_volatile)            \
  X(duckdb_set_config)                              \
  X(duckdb_struct_vector_get_child)                 \
  X(duckdb_unsafe_vector_assign_string_element_len) \
  X(duckdb_validity_set_row_invalid)                \
  X(duckdb_vector_ensure_validity_writable)         \
  X(duckdb_vector_get_data)                         \
  X(duckdb_vector_get_validity)
#define ASOF_DECLARE(name) extern decltype(&::name) name;
ASOF_DUCKDB_FUNCTIONS(ASOF_DECLARE)
#undef ASOF_DECLARE

}  // namespace asof::engines::offline::duckdb
