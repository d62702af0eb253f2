// The syntax of a cron line: five fields, UTC. When it fires is materialize/schedule.h's.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace asof::model {

// What is wrong with the line, or nothing: minute hour day month weekday, each *, numbers, lists, ranges and steps
// ("*/15", "1-5", "0,30"); months and weekdays also by their first three letters; weekday 0 and 7 are Sunday. A line whose
// day no month has never fires and is wrong too.
std::optional<std::string> problem_of_cron(std::string_view line);

}  // namespace asof::model
