#include "asof/engines/offline/duckdb/internal/connection.h"

#include <fmt/format.h>

#include <algorithm>

#include "asof/base/text.h"
#include "asof/types/batch.h"

namespace asof::engines::offline::duckdb {

namespace {

std::string quote(std::string_view text, char mark) {
  std::string out(1, mark);
  for (char c : text) {
    if (c == mark) out.push_back(mark);
    out.push_back(c);
  }
  out.push_back(mark);
  return out;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// "Invalid Input Error: …" without the class, and without the excerpt of SQL that we wrote ourselves.
std::string_view plain_message(std::string_view message) {
  size_t colon = message.find("Error: ");
  if (colon != std::string_view::npos && colon < 40) message.remove_prefix(colon + 7);
  message = message.substr(0, message.find("\n\nLINE "));
  while (message.ends_with('\n')) message.remove_suffix(1);
  return message;
}

// DuckDB repeats what it met, which may be a text of any length.
constexpr size_t kRepeated = 200;

// What DuckDB says of a bad line, in one line: the number, the line, what is wrong, the file.
std::string csv_message(std::string_view message) {
  size_t file = message.find("\n  file = ");
  std::string path;
  if (file != std::string_view::npos) {
    path = message.substr(file + 10);
    path.resize(path.find('\n'));
  }
  std::string out;
  std::string_view rest =
      message.substr(0, std::min(message.find("\nPossible fixes"), message.find("\n\n")));
  for (char c : rest) out += c == '\n' ? std::string("; ") : std::string(1, c);
  out = shortened(out, kRepeated);
  return path.empty() ? out : fmt::format("{} in '{}'", out, path);
}

Error no_connection() { return error(ErrorCode::kExhausted, "DuckDB gives no further connection"); }

}  // namespace

std::string quote_name(std::string_view name) { return quote(name, '"'); }
std::string quote_text(std::string_view text) { return quote(text, '\''); }

std::string shown_name(std::string_view name) {
  bool plain = !name.empty() && (name[0] < '0' || name[0] > '9');
  for (char c : name)
    plain = plain && (c == '_' || (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z'));
  return plain ? std::string(name) : quote_name(name);
}

Error to_error(duckdb_error_type type, std::string_view message) {
  std::string plain(plain_message(message));
  // What our own expressions complain of is short and ends with the file.
  if (plain.starts_with("CSV Error on Line"))
    plain = csv_message(plain);
  else if (!plain.starts_with("column '"))
    plain = shortened(plain, kRepeated);
  switch (type) {
    case DUCKDB_ERROR_OUT_OF_MEMORY:
      return error(
          ErrorCode::kExhausted, fmt::format("out of memory: {}", plain), {},
          "raise the offline store's memory_limit, or give temp_directory a disk with more space");
    case DUCKDB_ERROR_MISSING_EXTENSION:
    case DUCKDB_ERROR_AUTOLOAD:
      return error(ErrorCode::kUnsupported, plain.substr(0, plain.find("\n")), {},
                   "this program reads local files only and loads no extensions; copy the data "
                   "beside the repository");
    case DUCKDB_ERROR_INTERRUPT: return error(ErrorCode::kCancelled, plain);
    case DUCKDB_ERROR_FATAL:
    case DUCKDB_ERROR_INTERNAL:
      return error(ErrorCode::kInternal, fmt::format("DuckDB: {}", plain));
    default: break;
  }
  if (contains(plain, "No space left on device") || contains(plain, "max_temp_directory_size"))
    return error(ErrorCode::kExhausted, plain, {}, "free space on the disk");
  if (contains(plain, "No files found that match") || contains(plain, "No such file or directory"))
    return error(ErrorCode::kNotFound, plain);
  return error(ErrorCode::kInvalid, plain);
}

std::shared_ptr<Database> Database::make(DatabaseOptions options, Prepare prepare) {
  return std::shared_ptr<Database>(new Database(std::move(options), std::move(prepare)));
}

Result<void> Database::start() {
  ASOF_TRY(load_library());
  duckdb_config config = nullptr;
  if (duckdb_create_config(&config) != DuckDBSuccess)
    return error(ErrorCode::kExhausted, "no memory for DuckDB");
  const std::pair<const char*, std::string> settings[] = {
      {"autoinstall_known_extensions", "false"},
      {"autoload_known_extensions", "false"},
      {"allow_community_extensions", "false"},
      {"memory_limit", options_.memory_limit},
      {"threads", std::to_string(options_.threads)},
      {"temp_directory", options_.temp_directory},
      {"file_search_path", options_.directory},
      // It keeps what was read of every file, local ones too, which the system's page cache does.
      {"enable_external_file_cache", "false"},
  };
  for (const auto& [name, value] : settings) {
    if (value.empty()) continue;
    if (duckdb_set_config(config, name, value.c_str()) == DuckDBSuccess) continue;
    duckdb_destroy_config(&config);
    return error(ErrorCode::kInvalid,
                 fmt::format("DuckDB refuses the option {} = '{}'", name, value));
  }
  duckdb_database database = nullptr;
  char* failure = nullptr;
  duckdb_state state = duckdb_open_ext(nullptr, &database, config, &failure);
  duckdb_destroy_config(&config);
  if (state != DuckDBSuccess) {
    Error out =
        to_error(DUCKDB_ERROR_INVALID, failure == nullptr ? "DuckDB cannot be opened" : failure);
    duckdb_free(failure);
    return std::move(out).with_context("the offline store");
  }
  duckdb_connection connection = nullptr;
  if (duckdb_connect(database, &connection) != DuckDBSuccess) {
    duckdb_close(&database);
    return no_connection();
  }
  auto prepared = prepare_(connection);
  duckdb_disconnect(&connection);
  if (!prepared) {
    duckdb_close(&database);
    return prepared;
  }
  handle_ = database;
  return {};
}

Database::~Database() {
  if (handle_ != nullptr) duckdb_close(&handle_);
}

Result<duckdb_connection> Database::open_connection() {
  {
    std::lock_guard hold(starting_);
    if (handle_ == nullptr) ASOF_TRY(start());
  }
  duckdb_connection connection = nullptr;
  if (duckdb_connect(handle_, &connection) != DuckDBSuccess) return no_connection();
  return connection;
}

Connection Database::connect() { return Connection(shared_from_this()); }

Result<duckdb_connection> Connection::handle() {
  if (handle_ != nullptr) return handle_;
  ASOF_TRY_ASSIGN(handle_, database_->open_connection());
  // Zone-less times are UTC unless a source says otherwise; the machine's zone must not matter.
  auto set = execute("SET TimeZone = 'UTC'");
  if (set) return handle_;
  duckdb_disconnect(&handle_);
  return std::move(set).error();
}

Connection::~Connection() {
  if (handle_ != nullptr) duckdb_disconnect(&handle_);
}

Connection::Connection(Connection&& other) noexcept
    : database_(std::move(other.database_)), handle_(std::exchange(other.handle_, nullptr)) {}

Result<void> Connection::run(const std::string& sql, duckdb_result& result) {
  ASOF_TRY_ASSIGN(duckdb_connection connection, handle());
  if (duckdb_query(connection, sql.c_str(), &result) == DuckDBSuccess) return {};
  const char* message = duckdb_result_error(&result);
  duckdb_error_type type = duckdb_result_error_type(&result);
  Error failure = to_error(type, message == nullptr ? "" : message);
  if (failure.code == ErrorCode::kInternal) database_->broken_ = true;
  duckdb_destroy_result(&result);
  return failure;
}

Result<void> Connection::execute(const std::string& sql) {
  duckdb_result result;
  ASOF_TRY(run(sql, result));
  duckdb_destroy_result(&result);
  return {};
}

std::vector<std::string> Connection::result_names(const std::string& sql) {
  std::vector<std::string> out;
  auto connection = handle();
  if (!connection) return out;
  duckdb_prepared_statement statement = nullptr;
  if (duckdb_prepare(*connection, sql.c_str(), &statement) == DuckDBSuccess) {
    for (idx_t i = 0; i < duckdb_prepared_statement_column_count(statement); ++i) {
      const char* name = duckdb_prepared_statement_column_name(statement, i);
      out.emplace_back(name == nullptr ? "" : name);
      duckdb_free(const_cast<char*>(name));
    }
  }
  duckdb_destroy_prepare(&statement);
  return out;
}

Result<TextRows> Connection::query(const std::string& sql) {
  duckdb_result result;
  ASOF_TRY(run(sql, result));
  TextRows rows;
  idx_t columns = duckdb_column_count(&result);
  while (duckdb_data_chunk chunk = duckdb_fetch_chunk(result)) {
    idx_t count = duckdb_data_chunk_get_size(chunk);
    size_t first = rows.size();
    rows.resize(first + count);
    for (idx_t c = 0; c < columns; ++c) {
      duckdb_vector vector = duckdb_data_chunk_get_vector(chunk, c);
      Column column{DataType::scalar(TypeKind::kString), duckdb_vector_get_data(vector),
                    duckdb_vector_get_validity(vector), nullptr};
      for (idx_t r = 0; r < count; ++r)
        rows[first + r].push_back(column.is_valid(r)
                                      ? std::optional(std::string(column.at<StringSlot>(r).view()))
                                      : std::nullopt);
    }
    duckdb_destroy_data_chunk(&chunk);
  }
  duckdb_destroy_result(&result);
  return rows;
}

}  // namespace asof::engines::offline::duckdb
