#include "asof/engines/offline/duckdb/internal/csv_header.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace asof::engines::offline::duckdb {

namespace {

constexpr size_t kLongestHeader = 1 << 20;

Result<std::string> first_line_of_plain(const std::string& path, const std::string& shown) {
  std::ifstream file(path, std::ios::binary);
  std::string line(64 << 10, '\0');
  size_t size = 0;
  while (file) {
    file.read(line.data() + size, static_cast<std::streamsize>(line.size() - size));
    size_t read = static_cast<size_t>(file.gcount());
    size_t end = std::string_view(line.data(), size + read).find_first_of("\r\n", size);
    if (end != std::string_view::npos) return line.substr(0, end);
    size += read;
    if (file.eof()) return line.substr(0, size);
    if (size >= kLongestHeader)
      return error(ErrorCode::kInvalid,
                   fmt::format("the first line of '{}' is longer than 1 MiB", shown), {},
                   "a text file begins with a line that names its columns");
    if (file) line.resize(std::min(line.size() * 2, kLongestHeader));
  }
  return error(ErrorCode::kInvalid,
               fmt::format("'{}' cannot be read: {}", shown, std::strerror(errno)));
}

Result<std::string> first_line_of_packed(Connection& connection, const std::string& path) {
  ASOF_TRY_ASSIGN(TextRows rows,
                  connection.query(fmt::format("SELECT line FROM read_csv({}, columns = {{'line': "
                                               "'VARCHAR'}}, header = false, auto_detect = false, "
                                               "delim = '\x01', quote = '', escape = '') LIMIT 1",
                                               quote_text(path))));
  return rows.empty() ? std::string() : rows[0][0].value_or("");
}

// The cells of a header; quotes as in RFC 4180.
std::vector<std::string> split_header(std::string_view line, char delimiter) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    char c = line[i];
    if (c == '"') {
      if (quoted && i + 1 < line.size() && line[i + 1] == '"')
        cells.back().push_back(line[i++]);
      else
        quoted = !quoted;
    } else if (c == delimiter && !quoted) {
      cells.emplace_back();
    } else {
      cells.back().push_back(c);
    }
  }
  return cells;
}

char delimiter_of(std::string_view header) {
  char best = ',';
  for (char candidate : {',', ';', '\t', '|'})
    if (split_header(header, candidate).size() > split_header(header, best).size())
      best = candidate;
  return best;
}

}  // namespace

Result<CsvHeader> read_csv_header(Connection& connection, const std::string& path,
                                  const std::string& shown) {
  bool is_packed = path.ends_with(".gz") || path.ends_with(".zst");
  ASOF_TRY_ASSIGN(std::string line, is_packed ? first_line_of_packed(connection, path)
                                              : first_line_of_plain(path, shown));
  if (line.starts_with("\xef\xbb\xbf")) line.erase(0, 3);
  CsvHeader header{delimiter_of(line), {}};
  header.names = split_header(line, header.delimiter);
  return header;
}

std::string csv_column(size_t index) { return fmt::format(":{}", index); }

std::string csv_dialect(const CsvHeader& header) {
  return fmt::format("header = true, delim = {}, quote = '\"', escape = '\"', skip = 0",
                     quote_text(std::string_view(&header.delimiter, 1)));
}

}  // namespace asof::engines::offline::duckdb
