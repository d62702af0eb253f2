#include "asof/model/time_unit.h"

namespace asof::model {

namespace {

constexpr TimeUnitWord kWords[] = {
    {"s", TimeUnit::kSeconds},
    {"second", TimeUnit::kSeconds},
    {"seconds", TimeUnit::kSeconds},
    {"ms", TimeUnit::kMilliseconds},
    {"millis", TimeUnit::kMilliseconds},
    {"milliseconds", TimeUnit::kMilliseconds},
    {"us", TimeUnit::kMicroseconds},
    {"micros", TimeUnit::kMicroseconds},
    {"microseconds", TimeUnit::kMicroseconds},
    {"ns", TimeUnit::kNanoseconds},
    {"nanos", TimeUnit::kNanoseconds},
    {"nanoseconds", TimeUnit::kNanoseconds},
};

}  // namespace

std::span<const TimeUnitWord> time_unit_words() { return kWords; }

std::string_view to_string(TimeUnit unit) {
  for (const TimeUnitWord& known : kWords)
    if (known.unit == unit) return known.word;
  return "";
}

}  // namespace asof::model
