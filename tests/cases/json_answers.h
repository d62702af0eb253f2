// Answers as the JSON of interfaces.md, HTTP: {"rows":[{"user_id":…,"features":{…},"status":{…},
// "event_time":{…}}]}. Read with the types that a case expects, as JSON has few of its own.
#pragma once

#include <nlohmann/json.hpp>

#include "tests/cases/path.h"

namespace asof::cases {

// {"user_id":"a"}, one object an entity, as a request brings them.
nlohmann::json entities_json(const OnlineStep& step);
nlohmann::json to_json(const Value& value);

// A NaN that JSON shows as null is taken for the NaN that the case expects.
Result<Answers> answers_from_json(const std::string& text, const OnlineStep& step);

}  // namespace asof::cases
