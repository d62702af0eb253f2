// Runs SQL statements in DuckDB: makes the files that end-to-end tests need, and says what is in the files that they get.
// The last statement's result goes to stdout, tab-separated, one row a line, nulls as \N.
#include <duckdb.h>

#include <cstdio>

int main(int argc, char** argv) {
  duckdb_database database = nullptr;
  duckdb_connection connection = nullptr;
  if (duckdb_open(nullptr, &database) != DuckDBSuccess ||
      duckdb_connect(database, &connection) != DuckDBSuccess) {
    std::fprintf(stderr, "sql: cannot open DuckDB\n");
    return 1;
  }
  duckdb_query(connection, "SET TimeZone = 'UTC'", nullptr);
  for (int i = 1; i < argc; ++i) {
    duckdb_result result;
    if (duckdb_query(connection, argv[i], &result) != DuckDBSuccess) {
      std::fprintf(stderr, "sql: %s\n", duckdb_result_error(&result));
      return 1;
    }
    for (idx_t row = 0; i + 1 == argc && row < duckdb_row_count(&result); ++row) {
      for (idx_t column = 0; column < duckdb_column_count(&result); ++column) {
        char* text = duckdb_value_varchar(&result, column, row);
        std::printf("%s%s", column == 0 ? "" : "\t", text == nullptr ? "\\N" : text);
        duckdb_free(text);
      }
      std::printf("\n");
    }
    duckdb_destroy_result(&result);
  }
  duckdb_disconnect(&connection);
  duckdb_close(&database);
  return 0;
}
