#include "apps/cli/output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace asof::cli {
namespace {

// Columns that a text takes on a terminal: code points, as good as it gets without a table of wide characters.
size_t width_of(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

// False, with errno, where it could not be written.
bool write_line(FILE* file, std::string_view line) {
  errno = 0;
  bool written = std::fwrite(line.data(), 1, line.size(), file) == line.size();
  if (line.empty() || line.back() != '\n') written = std::fputc('\n', file) != EOF && written;
  return written;
}

void append_error(std::string& out, const Error& error, const std::string& indent) {
  out += error.field.empty() ? error.message : fmt::format("{}: {}", error.field, error.message);
  if (!error.hint.empty()) out += fmt::format("\n{}  hint: {}", indent, error.hint);
  for (const Error& detail : error.details) {
    out += fmt::format("\n{}  ", indent);
    append_error(out, detail, indent + "  ");
  }
}

}  // namespace

std::string to_string(const TextTable& table) {
  std::vector<size_t> widths;
  const auto widen = [&](const std::vector<std::string>& row) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  };
  if (!table.header.empty()) widen(table.header);
  for (const auto& row : table.rows) widen(row);
  std::string out;
  const auto append = [&](const std::vector<std::string>& row) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - width_of(row[i]), ' ');
      const bool right = i < table.right.size() && table.right[i];
      line += (i == 0 ? "" : "  ") + (right ? padding + row[i] : row[i] + padding);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  };
  if (!table.header.empty()) append(table.header);
  for (const auto& row : table.rows) append(row);
  return out;
}

bool Output::is_terminal() const { return isatty(fileno(notes_)) == 1; }

void Output::print(std::string_view line) {
  if (json_) return;
  status_line("");
  write_result(line);
}

void Output::print(const TextTable& table) {
  if (!json_ && (!table.rows.empty() || !table.header.empty())) print(to_string(table));
}

void Output::document(const Json& document) {
  if (!json_) return;
  write_result(document.dump(2, ' ', false, Json::error_handler_t::replace));
}

void Output::raw(std::string_view text) { write_result(text); }

void Output::write_result(std::string_view text) {
  if (!write_line(results_, text) && write_failure_ == 0) write_failure_ = errno;
}

Result<void> Output::finish() {
  if (std::fflush(results_) != 0 && write_failure_ == 0) write_failure_ = errno;
  if (write_failure_ == 0 && std::ferror(results_) == 0) return {};
  return error(
      ErrorCode::kUnavailable,
      fmt::format("the result could not be written to standard output: {}",
                  std::generic_category().message(write_failure_ == 0 ? EIO : write_failure_)),
      {}, "what was done is done; only the output is missing");
}

void Output::note(std::string_view line) {
  status_line("");
  if (std::fflush(results_) != 0 && write_failure_ == 0) write_failure_ = errno;
  write_line(notes_, line);
}

void Output::status_line(std::string_view line) {
  if (!is_terminal() || (line.empty() && !status_shown_)) return;
  status_shown_ = !line.empty();
  fmt::print(notes_, "\r\x1b[K{}", line);
  std::fflush(notes_);
}

void Output::failure(const Error& error) {
  std::string text = "error: ";
  append_error(text, error, "");
  note(text);
  document(Json{{"error", to_json(error)}});
}

Json to_json(const Error& error) {
  Json out{{"code", to_string(error.code)}, {"message", error.message}};
  if (!error.field.empty()) out["field"] = error.field;
  if (!error.hint.empty()) out["hint"] = error.hint;
  for (const Error& detail : error.details) out["details"].push_back(to_json(detail));
  return out;
}

std::string format_count(uint64_t count) {
  std::string digits = std::to_string(count);
  for (size_t from_end = 3; from_end < digits.size(); from_end += 4)
    digits.insert(digits.size() - from_end, ",");
  return digits;
}

std::string format_bytes(uint64_t bytes) {
  const auto count = static_cast<double>(bytes);
  if (count >= 1e9) return fmt::format("{:.1f} GB", count / 1e9);
  if (count >= 1e6) return fmt::format("{:.0f} MB", count / 1e6);
  return fmt::format("{:.0f} kB", count / 1e3);
}

std::vector<std::string> split_names(std::string_view text) {
  std::vector<std::string> names;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    std::string_view name = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    while (name.starts_with(' ')) name.remove_prefix(1);
    while (name.ends_with(' ')) name.remove_suffix(1);
    if (!name.empty()) names.emplace_back(name);
  }
  return names;
}

std::string format_seconds(double seconds) {
  if (seconds < 1) return fmt::format("{:.0f} ms", seconds * 1000);
  if (seconds < 120) return fmt::format("{:.1f} s", seconds);
  return fmt::format("{:.0f} min", seconds / 60);
}

std::string format_percent(uint64_t part, uint64_t whole) {
  if (whole == 0) return "-";
  return fmt::format("{:.1f} %", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

std::string format_age(double hours) {
  if (hours < 1.0 / 60) return fmt::format("{:.0f} s", hours * 3600);
  if (hours < 2) return fmt::format("{:.0f} min", hours * 60);
  if (hours < 48) return fmt::format("{:.1f} h", hours);
  return fmt::format("{:.1f} d", hours / 24);
}

std::string plural(uint64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", format_count(count), noun, count == 1 ? "" : "s");
}

}  // namespace asof::cli
