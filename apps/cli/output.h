// Output: where commands write. Results go to stdout, everything else to stderr; with --json one document instead of text.
#pragma once

#include <cstdint>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "asof/base/result.h"
#include "asof/types/timestamp.h"

namespace asof::cli {

using Json = nlohmann::ordered_json;

// Text in aligned columns, two blanks apart.
struct TextTable {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
  std::vector<bool>
      right;  // per column: aligned to the right; shorter than the header = to the left
};
std::string to_string(const TextTable& table);

class Output {
 public:
  explicit Output(FILE* results = stdout, FILE* notes = stderr)
      : results_(results), notes_(notes) {}

  void set_json(bool on) { json_ = on; }
  bool json() const { return json_; }
  // Whether notes go to a terminal, so that a line may be overwritten.
  bool is_terminal() const;

  // A line of the result; nothing with --json.
  void print(std::string_view line);
  void print(const TextTable& table);
  // The result as one document; nothing without --json.
  void document(const Json& document);
  // The result in either form, whatever was asked for: files that are JSON by nature.
  void raw(std::string_view text);
  // A line on stderr.
  void note(std::string_view line);
  // A line on stderr that the next one replaces; only on a terminal. "" clears it.
  void status_line(std::string_view line);
  // `error: …` with its hint and all its details on stderr; as a document on stdout with --json.
  void failure(const Error& error);
  // Writes out what is still held back. Errors: kUnavailable where any of the results could not be written: a full disk, a
  // closed pipe. A program that prints its results calls it last.
  Result<void> finish();

 private:
  void write_result(std::string_view text);

  int write_failure_ = 0;  // errno of the first write of results that failed
  FILE* results_;
  FILE* notes_;
  bool json_ = false;
  bool status_shown_ = false;
};

Json to_json(const Error& error);

// Readable numbers: "12,034", "1.2 s", "340 ms", "48 MB", "3.4 %", "2 h".
std::string format_count(uint64_t count);
std::string format_bytes(uint64_t bytes);
std::string format_seconds(double seconds);
std::string format_percent(uint64_t part, uint64_t whole);
std::string format_age(double hours);
// The words of a list written as "a,b, c".
std::vector<std::string> split_names(std::string_view text);
// "1 row", "2 rows".
std::string plural(uint64_t count, std::string_view noun);

}  // namespace asof::cli
