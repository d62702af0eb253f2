#include "asof/kernel/internal/label_bins.h"

#include <algorithm>
#include <new>

namespace asof::kernel {

const char* KeyArena::add(std::string_view key) {
  constexpr size_t kBlock = 256 << 10;
  const auto size = static_cast<uint32_t>(key.size());
  const size_t wanted = sizeof size + key.size();
  if (wanted > room_) {
    const size_t block = std::max(kBlock, wanted);
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(block));
    next_ = blocks_.back().get();
    room_ = block;
  }
  char* place = next_;
  std::memcpy(place, &size, sizeof size);
  std::memcpy(place + sizeof size, key.data(), size);
  next_ += wanted;
  room_ -= wanted;
  return place;
}

std::string_view KeyArena::key_at(const char* place) {
  uint32_t size;
  std::memcpy(&size, place, sizeof size);
  return {place + sizeof size, size};
}

// Room for a quarter more than is expected, as workers do not share evenly, and for each bin's last run: what is not used is
// not touched.
LabelBins::LabelBins(size_t expected) {
  blocks_.emplace_back(kBins + expected / kItemsInRun * 5 / 4);
}

void LabelBins::append_run(Bin& bin) {
  if (next_run_ == blocks_.back().size()) {
    blocks_.emplace_back(std::max(kBins, blocks_.back().size() / 8));
    next_run_ = 0;
  }
  Run* run = new (&blocks_.back()[next_run_++]) Run;
  run->next = nullptr;
  run->size = 0;
  (bin.last == nullptr ? bin.first : bin.last->next) = run;
  bin.last = run;
}

}  // namespace asof::kernel
