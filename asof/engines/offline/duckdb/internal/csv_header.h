// CsvHeader: the first line of a text file, which names the columns and shows the delimiter.
//
// Left to guess, DuckDB takes a file with one bad line for another dialect and loses rows in silence; and it takes all files
// of a list to be like the first. So each file's header is read, and says how the file is to be read.
#pragma once

#include <string>
#include <vector>

#include "asof/base/result.h"
#include "asof/engines/offline/duckdb/internal/connection.h"

namespace asof::engines::offline::duckdb {

struct CsvHeader {
  char delimiter = ',';
  std::vector<std::string> names;  // as the file has them: a name may stand there twice
  friend bool operator==(const CsvHeader&, const CsvHeader&) = default;
};

// Errors: kInvalid, naming `shown`. Cost: one block of the file; a query where it is compressed.
Result<CsvHeader> read_csv_header(Connection& connection, const std::string& path,
                                  const std::string& shown);

// ":0", ":1", …: what the columns are called in SQL, where a file's own names may clash in case or with ours.
std::string csv_column(size_t index);

// "delim = …, quote = …, …": the dialect as read_csv takes it.
std::string csv_dialect(const CsvHeader& header);

}  // namespace asof::engines::offline::duckdb
