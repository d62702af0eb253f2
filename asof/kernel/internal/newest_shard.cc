#include "asof/kernel/internal/newest_shard.h"

#include <algorithm>

namespace asof::kernel {

namespace {

// Key bytes have a tag and a length before each value; 0 where a column's length varies.
size_t fixed_key_size(const Schema& key_columns) {
  size_t size = 0;
  for (const Field& column : key_columns) {
    TypeKind kind = column.type.kind == TypeKind::kInt32 ? TypeKind::kInt64 : column.type.kind;
    if (is_variable(kind)) return 0;
    size += 2 + fixed_width(kind);
  }
  return size;
}

size_t size_in_slot(size_t size) { return size == 0 ? sizeof(Blob) : (size + 7) / 8 * 8; }

}  // namespace

SlotFormat::SlotFormat(const Schema& key_columns, const codec::RowLayout& layout)
    : key_size(fixed_key_size(key_columns)),
      row_size(layout.has_variable() ? 0 : layout.fixed_size()) {
  row_offset = size_in_slot(key_size);
  stride = row_offset + size_in_slot(row_size);
}

std::string_view SlotFormat::part(const char* at, size_t size) {
  if (size != 0) return {at, size};
  Blob blob;
  std::memcpy(&blob, at, sizeof blob);
  return blob.view();
}

size_t SlotFormat::set_part(char* at, size_t size, std::string_view bytes) {
  if (size != 0) {
    std::memcpy(at, bytes.data(), size);
    return 0;
  }
  Blob blob;
  std::memcpy(&blob, at, sizeof blob);
  size_t grown = blob.assign(bytes);
  std::memcpy(at, &blob, sizeof blob);
  return grown;
}

void SlotFormat::release(char* slot) const {
  Blob blob;
  if (key_size == 0) {
    std::memcpy(&blob, slot, sizeof blob);
    blob.release();
  }
  if (row_size == 0) {
    std::memcpy(&blob, slot + row_offset, sizeof blob);
    blob.release();
  }
}

NewestShard::~NewestShard() {
  if (format_ == nullptr || (format_->key_size != 0 && format_->row_size != 0)) return;
  for (size_t i = 0; i < size_; ++i) format_->release(slot_at(i));
}

void NewestShard::prefetch_entry(uint64_t hash) const {
  if (!table_.empty()) __builtin_prefetch(&table_[home_of(hash)]);
}

void NewestShard::prefetch_slot(uint64_t hash) const {
  if (table_.empty()) return;
  const Entry& entry = table_[home_of(hash)];
  if (entry.slot == 0) return;
  const char* slot = slot_at(entry.slot - 1);
  __builtin_prefetch(slot, 1);
  if (format_->stride > 64) __builtin_prefetch(slot + 64, 1);
}

char* NewestShard::find(uint64_t hash, std::string_view key) const {
  if (table_.empty()) return nullptr;
  for (size_t at = home_of(hash);; at = (at + 1) & (table_.size() - 1)) {
    const Entry& entry = table_[at];
    if (entry.slot == 0) return nullptr;
    if (entry.hash != hash) continue;
    char* slot = slot_at(entry.slot - 1);
    if (format_->key_of(slot) == key) return slot;
  }
}

char* NewestShard::insert(uint64_t hash, std::string_view key) {
  if (table_.size() < 2 * (size_ + 1)) grow();
  if (size_ == chunks_.size() * kSlotsPerChunk)
    chunks_.push_back(std::make_unique<char[]>(kSlotsPerChunk * format_->stride));
  char* slot = slot_at(size_++);
  hashes_.push_back(hash);
  place(hash, static_cast<uint32_t>(size_));
  bytes_ += format_->bytes_per_key() + format_->set_key(slot, key);
  return slot;
}

void NewestShard::place(uint64_t hash, uint32_t slot) {
  size_t at = home_of(hash);
  while (table_[at].slot != 0) at = (at + 1) & (table_.size() - 1);
  table_[at] = {hash, slot};
}

void NewestShard::grow() {
  table_.assign(std::max<size_t>(16, table_.size() * 2), {});
  for (size_t i = 0; i < size_; ++i) place(hashes_[i], static_cast<uint32_t>(i + 1));
}

void NewestShard::purge(uint64_t last) {
  if (std::none_of(hashes_.begin(), hashes_.end(), [&](uint64_t hash) { return hash > last; }))
    return;
  NewestShard kept;
  kept.set_format(*format_);
  for (size_t i = 0; i < size_; ++i) {
    if (hashes_[i] > last) continue;
    char* slot = kept.insert(hashes_[i], format_->key_of(slot_at(i)));
    kept.set_row(slot, format_->row_of(slot_at(i)));
  }
  std::swap(table_, kept.table_);
  std::swap(chunks_, kept.chunks_);
  std::swap(hashes_, kept.hashes_);
  std::swap(size_, kept.size_);
  std::swap(bytes_, kept.bytes_);
}

}  // namespace asof::kernel
