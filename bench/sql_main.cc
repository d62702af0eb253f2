// bench_sql: runs SQL statements in DuckDB as one process: generates the data, and is the peer that
// `asof train` is measured against (the same library, whole process, Parquet to Parquet).
//
//   bench_sql [--threads N] "STATEMENT" …

#include <duckdb.h>

#include <cstdio>
#include <cstring>
#include <string>

namespace {

bool run(duckdb_connection connection, const char* sql) {
  duckdb_result result;
  bool ok = duckdb_query(connection, sql, &result) == DuckDBSuccess;
  if (!ok) std::fprintf(stderr, "bench_sql: %s\n", duckdb_result_error(&result));
  duckdb_destroy_result(&result);
  return ok;
}

}  // namespace

int main(int argc, char** argv) {
  duckdb_database database;
  duckdb_connection connection;
  if (duckdb_open(nullptr, &database) != DuckDBSuccess ||
      duckdb_connect(database, &connection) != DuckDBSuccess) {
    std::fprintf(stderr, "bench_sql: cannot start DuckDB\n");
    return 1;
  }
  bool ok = true;
  for (int i = 1; i < argc && ok; ++i) {
    if (std::strcmp(argv[i], "--threads") == 0 && i + 1 < argc) {
      ok = run(connection, (std::string("SET threads=") + argv[++i]).c_str());
    } else {
      ok = run(connection, argv[i]);
    }
  }
  duckdb_disconnect(&connection);
  duckdb_close(&database);
  return ok ? 0 : 1;
}
