// Timetable: when the requests of an open loop are due, whatever the server does.
#pragma once

#include <cstdint>

namespace asof::load {

// The n-th request (from 0) is due n / rate seconds after the start. Each instant is computed from its number, so that no error
// adds up. Units: requests a second, seconds; instants in microseconds from the start.
struct Timetable {
  double rate = 0;
  double seconds = 0;

  uint64_t requests() const { return static_cast<uint64_t>(rate * seconds); }
  int64_t due_us(uint64_t number) const {
    return static_cast<int64_t>(static_cast<double>(number) * 1e6 / rate);
  }
};

}  // namespace asof::load
