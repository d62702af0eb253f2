// Result<T>: a value or an Error. The house's only way to report failure.
//
// Members are named as in std::expected, which g++ 12 does not have yet. Functions that can fail
// return Result and never throw across a module's face; ASOF_TRY passes a failure on. "The row is
// not there" is a status, not an Error.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "asof/base/check.h"

namespace asof::inline base {

// What went wrong, in the words that HTTP, the exit code and Python are mapped from (each by an
// exhaustive switch).
enum class ErrorCode {
  kInvalid,
  kNotFound,
  kAlreadyExists,
  kConflict,
  kOutOfRange,
  kUnsupported,
  kUnavailable,
  kTimeout,
  kExhausted,
  kCorrupt,
  kCancelled,
  kUnauthenticated,
  kForbidden,
  kInternal,
};

// "not_found" and so on: the spelling in JSON answers and logs.
std::string_view to_string(ErrorCode code);

// A failure: what was met and what was wanted (message), where (field: a file and line, or a path
// into a request), and what to do next (hint). `details` holds further errors found in the same
// run, so that one run can report them all.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  std::string field;
  std::string hint;
  std::vector<Error> details;

  // The same error seen from further up: "while loading view x: " + message.
  Error with_context(std::string_view context) &&;
  // One human-readable text: "field: message; hint", details on lines of their own.
  std::string text() const;

  friend bool operator==(const Error&, const Error&) = default;
};

// Shorthand: error(ErrorCode::kInvalid, "…").
Error error(ErrorCode code, std::string message, std::string field = {}, std::string hint = {});

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit by design
  Result(Error failure)
      : state_(std::in_place_index<1>, std::move(failure)) {}  // NOLINT: implicit by design

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  T& value() & {
    ASOF_CHECK(has_value());
    return std::get<0>(state_);
  }
  const T& value() const& {
    ASOF_CHECK(has_value());
    return std::get<0>(state_);
  }
  T&& value() && {
    ASOF_CHECK(has_value());
    return std::get<0>(std::move(state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const Error& error() const& {
    ASOF_CHECK(!has_value());
    return std::get<1>(state_);
  }
  Error&& error() && {
    ASOF_CHECK(!has_value());
    return std::get<1>(std::move(state_));
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error failure) : error_(std::move(failure)) {}  // NOLINT: implicit by design

  bool has_value() const { return !error_.has_value(); }
  explicit operator bool() const { return has_value(); }
  const Error& error() const& {
    ASOF_CHECK(error_.has_value());
    return *error_;
  }
  Error&& error() && {
    ASOF_CHECK(error_.has_value());
    return std::move(*error_);
  }

 private:
  std::optional<Error> error_;
};

#define ASOF_CONCAT_INNER(a, b) a##b
#define ASOF_CONCAT(a, b) ASOF_CONCAT_INNER(a, b)

// ASOF_TRY(expression);                    returns the error of a failed Result
// ASOF_TRY_ASSIGN(auto value, expression); the same, else declares or assigns the value
#define ASOF_TRY(...)                                           \
  do {                                                          \
    if (auto asof_try_result = (__VA_ARGS__); !asof_try_result) \
      return std::move(asof_try_result).error();                \
  } while (false)

#define ASOF_TRY_ASSIGN(declaration, ...) \
  ASOF_TRY_ASSIGN_INNER(ASOF_CONCAT(asof_try_result_, __COUNTER__), declaration, __VA_ARGS__)
#define ASOF_TRY_ASSIGN_INNER(name, declaration, ...) \
  auto name = (__VA_ARGS__);                          \
  if (!name) return std::move(name).error();          \
  declaration = std::move(name).value()

}  // namespace asof::inline base
