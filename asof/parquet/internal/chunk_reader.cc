#include "asof/parquet/internal/chunk_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "asof/base/bytes.h"
#include "asof/types/batch.h"

namespace asof::parquet {

namespace {

constexpr size_t kBatchWords = kBatchRows / 64;
// Nulls take no bytes: a page of few may say that it has any number of rows.
constexpr uint64_t kMostPageRows = uint64_t{1} << 28;

Error torn(std::string_view why) {
  return error(ErrorCode::kInvalid, fmt::format("it is torn: {}", why));
}

size_t plain_width(const Leaf& leaf) {
  switch (leaf.physical) {
    case Physical::kInt32:
    case Physical::kFloat: return 4;
    case Physical::kInt64:
    case Physical::kDouble: return 8;
    case Physical::kInt96: return 12;
    case Physical::kFixedByteArray: return static_cast<size_t>(leaf.length);
    case Physical::kBoolean:
    case Physical::kByteArray: return 0;
  }
  return 0;
}

void set_bits(std::vector<uint64_t>& words, size_t from, size_t count) {
  while (count != 0) {
    const size_t bit = from % 64, some = std::min(count, 64 - bit);
    words[from / 64] |= (some == 64 ? ~uint64_t{0} : (uint64_t{1} << some) - 1) << bit;
    from += some;
    count -= some;
  }
}

// Bits from `from` on, at most 64 of them.
uint64_t bits_at(const uint64_t* words, size_t from, size_t count) {
  const size_t word = from / 64, bit = from % 64;
  uint64_t bits = words[word] >> bit;
  if (bit != 0 && bit + count > 64) bits |= words[word + 1] << (64 - bit);
  return count == 64 ? bits : bits & ((uint64_t{1} << count) - 1);
}

// Moves `there` values that stand at the beginning of `rows` cells to the cells whose bit is set, and clears the others.
template <typename T>
void spread(T* cells, size_t rows, size_t there, const uint64_t* valid, size_t first) {
  for (size_t row = rows; row-- > 0;) {
    const bool has_value = (valid[(first + row) / 64] >> ((first + row) % 64) & 1) != 0;
    cells[row] = has_value ? cells[--there] : T{};
  }
}

bool is_ascii(std::string_view text) {
  uint64_t any = 0;
  size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    uint64_t word;
    std::memcpy(&word, text.data() + at, sizeof word);
    any |= word;
  }
  for (; at < text.size(); ++at) any |= static_cast<uint8_t>(text[at]);
  return (any & 0x8080'8080'8080'8080) == 0;
}

}  // namespace

void ChunkReader::open(const Leaf& leaf) {
  leaf_ = &leaf;
  stored_width_ = plain_width(leaf);
  if (leaf.meaning == Meaning::kDecimal) {
    form_ = Form::kDecimal;
    width_ = sizeof(Int128);
  } else if (leaf.physical == Physical::kBoolean) {
    form_ = Form::kBool;
    width_ = 1;
  } else if (leaf.physical == Physical::kByteArray || leaf.physical == Physical::kFixedByteArray) {
    form_ = Form::kBytes;
    width_ = sizeof(StringSlot);
  } else {
    form_ = Form::kFixed;
    width_ = stored_width_;
  }
}

void ChunkReader::start(const ColumnChunk& chunk) {
  pages_.start(chunk);
  rows_left_ = chunk.values;
  page_ = {};
  dictionary_size_ = 0;
}

Result<void> ChunkReader::load_page() {
  while (page_.left() == 0) {
    if (pages_.at_end()) return torn("its pages end before its rows");
    ASOF_TRY_ASSIGN(const PageHeader header, pages_.next([&](const PageHeader& next) {
      return next.type == PageType::kDictionary ? PageReader::Target{&dictionary_bytes_, 0}
                                                : PageReader::Target{&page_bytes_, lead_};
    }));
    switch (header.type) {
      case PageType::kDictionary: ASOF_TRY(open_dictionary(header)); break;
      case PageType::kData:
      case PageType::kDataV2: ASOF_TRY(open_data(header)); break;
      default: return torn("a page is of no known type");
    }
  }
  return {};
}

Result<void> ChunkReader::open_dictionary(const PageHeader& header) {
  const std::string_view bytes = dictionary_bytes_.bytes();
  if (header.encoding != Encoding::kPlain && header.encoding != Encoding::kPlainDictionary)
    return torn("a dictionary is in no known encoding");
  // Each value takes a byte at least, a text its length.
  const size_t least =
      form_ == Form::kBytes && stored_width_ == 0 ? 4 : std::max<size_t>(stored_width_, 1);
  if (form_ == Form::kBool || header.values > bytes.size() / least)
    return torn("a dictionary is shorter than it says");
  Page values;
  values.values = bytes.data();
  values.end = bytes.data() + bytes.size();
  dictionary_.resize(header.values * width_);
  dictionary_size_ = 0;
  ASOF_TRY(decode_plain(values, header.values, dictionary_.data()));
  dictionary_size_ = header.values;
  return {};
}

Result<void> ChunkReader::open_data(const PageHeader& header) {
  std::string_view body = page_bytes_.bytes();
  page_ = {};
  std::string_view levels;
  if (header.type == PageType::kDataV2) {
    if (header.repetition_size != 0) return torn("a flat column has repetition levels");
    levels = body.substr(0, header.definition_size);
    body.remove_prefix(header.definition_size);
  } else if (leaf_->is_optional) {
    uint32_t size = 0;
    if (body.size() >= sizeof size) std::memcpy(&size, body.data(), sizeof size);
    if (header.level_encoding != Encoding::kRle || body.size() < sizeof size ||
        body.size() - sizeof size < size)
      return torn("the levels of a page cannot be read");
    levels = body.substr(sizeof size, size);
    body.remove_prefix(sizeof size + size);
  }
  if (header.values > std::min(rows_left_, kMostPageRows)) return torn("a page has too many rows");
  rows_left_ -= header.values;
  if (leaf_->is_optional) ASOF_TRY(read_levels(levels, header.values));
  page_.values = body.data();
  page_.end = body.data() + body.size();
  // The next page's values lie aligned where its levels are as long as this one's.
  const size_t before = page_bytes_.bytes().size() - body.size();
  lead_ = (PageBuffer::kAlignment - before % PageBuffer::kAlignment) % PageBuffer::kAlignment;
  switch (header.encoding) {
    case Encoding::kPlain: page_.told = Told::kPlain; break;
    case Encoding::kPlainDictionary:
    case Encoding::kRleDictionary: {
      page_.told = Told::kIndexes;
      const unsigned bits = body.empty() ? 0 : static_cast<uint8_t>(body.front());
      if (bits > RunReader::kMostBits) return torn("indexes of a dictionary are too wide");
      page_.runs = RunReader(body.substr(body.empty() ? 0 : 1), bits);
      break;
    }
    case Encoding::kRle:
      if (form_ != Form::kBool || body.size() < 4) return torn("a page is in no known encoding");
      page_.told = Told::kBoolRuns;
      page_.runs = RunReader(body.substr(4), 1);
      break;
    case Encoding::kDeltaBinaryPacked:
      if (leaf_->physical != Physical::kInt32 && leaf_->physical != Physical::kInt64)
        return torn("a page is in no known encoding");
      page_.told = Told::kDeltas;
      page_.deltas = DeltaReader(body, static_cast<unsigned>(stored_width_ * 8));
      if (!body.empty() && !page_.deltas.open()) return torn("the head of a page cannot be read");
      break;
    default: return torn("a page is in no known encoding");
  }
  page_.rows = header.values;
  return {};
}

Result<void> ChunkReader::read_levels(std::string_view levels, size_t rows) {
  RunReader reader(levels, 1);
  RunReader::Run run;
  size_t done = 0, there = 0;
  page_.has_nulls = false;
  auto note_nulls = [&](size_t rows_before) {
    if (page_.has_nulls) return;
    page_.has_nulls = true;
    valid_.assign(rows / 64 + 2, 0);  // one beyond, for bits_at()
    set_bits(valid_, 0, rows_before);
  };
  while (done < rows) {
    if (!reader.next_run(run)) return torn("the levels of a page end before its rows");
    const size_t count = std::min(run.count, rows - done);
    if (!run.is_packed) {
      if (run.value > 1) return torn("a level is beyond the column's depth");
      if (run.value == 0) note_nulls(done);
      if (run.value == 1 && page_.has_nulls) set_bits(valid_, done, count);
      there += run.value * count;
    } else {
      for (size_t i = 0; i < count; i += 64) {
        const size_t some = std::min<size_t>(64, count - i);
        uint64_t bits = 0;
        std::memcpy(&bits, run.bytes + i / 8, (some + 7) / 8);
        if (some != 64) bits &= (uint64_t{1} << some) - 1;
        const auto ones = static_cast<size_t>(std::popcount(bits));
        there += ones;
        const size_t at = done + i;
        if (ones != some) note_nulls(at);
        if (!page_.has_nulls) continue;
        valid_[at / 64] |= bits << (at % 64);
        if (at % 64 != 0) valid_[at / 64 + 1] |= bits >> (64 - at % 64);
      }
    }
    done += count;
  }
  if (there == rows) page_.has_nulls = false;
  return {};
}

Result<size_t> ChunkReader::readable(size_t rows) {
  if (form_ != Form::kBytes) return rows;
  ASOF_TRY(load_page());
  return std::min(rows, page_.left());
}

Result<Cells> ChunkReader::read(size_t rows) {
  if (page_.left() == 0) ASOF_TRY(load_page());
  const bool lies_ready = form_ == Form::kFixed && page_.told == Told::kPlain && !page_.has_nulls &&
                          page_.left() >= rows &&
                          reinterpret_cast<uintptr_t>(page_.values) % width_ == 0;
  if (!lies_ready) {
    ASOF_TRY(fill(rows));
    const bool all = std::all_of(cells_valid_.begin(), cells_valid_.end(),
                                 [](uint64_t word) { return word == ~uint64_t{0}; });
    return Cells{cells_.data(), all ? nullptr : cells_valid_.data()};
  }
  if (static_cast<size_t>(page_.end - page_.values) < rows * width_)
    return torn("a page ends before its values");
  const Cells cells{page_.values, nullptr};
  page_.values += rows * width_;
  page_.row += rows;
  return cells;
}

Result<void> ChunkReader::fill(size_t rows) {
  cells_.resize(kBatchRows * width_);
  // Bits beyond the rows count as set, so that a full batch is told by its words.
  cells_valid_.assign(kBatchWords, ~uint64_t{0});
  for (size_t done = 0; done < rows;) {
    ASOF_TRY(load_page());
    const size_t some = std::min(rows - done, page_.left());
    ASOF_TRY(append(done, some));
    done += some;
  }
  return {};
}

// The next `rows` of the page, at cell `at`.
Result<void> ChunkReader::append(size_t at, size_t rows) {
  char* out = cells_.data() + at * width_;
  if (!page_.has_nulls) {
    ASOF_TRY(decode(rows, out));
    page_.row += rows;
    return {};
  }
  size_t there = 0;
  for (size_t done = 0; done < rows; done += 64) {
    const size_t some = std::min<size_t>(64, rows - done);
    const uint64_t bits = bits_at(valid_.data(), page_.row + done, some);
    there += static_cast<size_t>(std::popcount(bits));
    const uint64_t absent = ~bits & (some == 64 ? ~uint64_t{0} : (uint64_t{1} << some) - 1);
    const size_t to = at + done;
    cells_valid_[to / 64] &= ~(absent << (to % 64));
    if (to % 64 != 0 && absent >> (64 - to % 64) != 0)
      cells_valid_[to / 64 + 1] &= ~(absent >> (64 - to % 64));
  }
  ASOF_TRY(decode(there, out));
  switch (width_) {
    case 1: spread(reinterpret_cast<uint8_t*>(out), rows, there, valid_.data(), page_.row); break;
    case 4: spread(reinterpret_cast<uint32_t*>(out), rows, there, valid_.data(), page_.row); break;
    case 8: spread(reinterpret_cast<uint64_t*>(out), rows, there, valid_.data(), page_.row); break;
    default: spread(reinterpret_cast<Int128*>(out), rows, there, valid_.data(), page_.row);
  }
  page_.row += rows;
  return {};
}

Result<void> ChunkReader::decode(size_t count, char* out) {
  switch (page_.told) {
    case Told::kPlain: return decode_plain(page_, count, out);
    case Told::kIndexes: return look_up(count, out);
    case Told::kDeltas: return add_up(count, out);
    case Told::kBoolRuns: break;
  }
  indexes_.resize(kBatchRows);
  if (!page_.runs.read(indexes_.data(), count)) return torn("a page ends before its values");
  for (size_t i = 0; i < count; ++i) out[i] = static_cast<char>(indexes_[i] & 1);
  return {};
}

Result<void> ChunkReader::decode_plain(Page& page, size_t count, char* out) {
  const auto left = static_cast<size_t>(page.end - page.values);
  switch (form_) {
    case Form::kBool:
      if ((page.bit + count + 7) / 8 > left) return torn("a page ends before its values");
      for (size_t i = 0; i < count; ++i, ++page.bit)
        out[i] = static_cast<char>(page.values[page.bit / 8] >> (page.bit % 8) & 1);
      return {};
    case Form::kBytes: return decode_bytes(page, count, out);
    case Form::kDecimal: return decode_decimals(page, count, out);
    case Form::kFixed: break;
  }
  if (left / width_ < count) return torn("a page ends before its values");
  if (count != 0) std::memcpy(out, page.values, count * width_);
  page.values += count * width_;
  return {};
}

Result<void> ChunkReader::decode_bytes(Page& page, size_t count, char* out) {
  auto* slots = reinterpret_cast<StringSlot*>(out);
  for (size_t i = 0; i < count; ++i) {
    const auto left = static_cast<size_t>(page.end - page.values);
    size_t size = stored_width_;
    if (stored_width_ == 0) {
      uint32_t length = 0;
      if (left < sizeof length) return torn("a page ends before its values");
      std::memcpy(&length, page.values, sizeof length);
      page.values += sizeof length;
      size = length;
    }
    if (static_cast<size_t>(page.end - page.values) < size)
      return torn("a page ends before its values");
    const std::string_view text(page.values, size);
    if (leaf_->meaning == Meaning::kText && !is_ascii(text) && !is_valid_utf8(text))
      return error(ErrorCode::kInvalid, "a text is not valid UTF-8");
    slots[i] = StringSlot::of(text);
    page.values += size;
  }
  return {};
}

Result<void> ChunkReader::decode_decimals(Page& page, size_t count, char* out) {
  if (static_cast<size_t>(page.end - page.values) / stored_width_ < count)
    return torn("a page ends before its values");
  for (size_t i = 0; i < count; ++i) {
    Int128 value = 0;
    if (leaf_->physical == Physical::kInt32) {
      int32_t small;
      std::memcpy(&small, page.values, sizeof small);
      value = small;
    } else if (leaf_->physical == Physical::kInt64) {
      int64_t small;
      std::memcpy(&small, page.values, sizeof small);
      value = small;
    } else {
      // Big-endian, the sign in the first bit.
      value = static_cast<int8_t>(page.values[0]);
      for (size_t byte = 1; byte < stored_width_; ++byte)
        value = value * 256 + static_cast<uint8_t>(page.values[byte]);
    }
    std::memcpy(out + i * sizeof value, &value, sizeof value);
    page.values += stored_width_;
  }
  return {};
}

Result<void> ChunkReader::add_up(size_t count, char* out) {
  const bool is_decimal = form_ == Form::kDecimal;
  numbers_.resize(is_decimal ? count * stored_width_ : 0);
  char* const numbers = is_decimal ? numbers_.data() : out;
  const bool are_there = stored_width_ == sizeof(uint32_t)
                             ? page_.deltas.read(reinterpret_cast<uint32_t*>(numbers), count)
                             : page_.deltas.read(reinterpret_cast<uint64_t*>(numbers), count);
  if (!are_there) return torn("a page ends before its values");
  if (!is_decimal) return {};
  Page plain;
  plain.values = numbers;
  plain.end = numbers + numbers_.size();
  return decode_decimals(plain, count, out);
}

Result<void> ChunkReader::look_up(size_t count, char* out) {
  indexes_.resize(kBatchRows);
  if (!page_.runs.read(indexes_.data(), count)) return torn("a page ends before its values");
  uint32_t greatest = 0;
  for (size_t i = 0; i < count; ++i) greatest = std::max(greatest, indexes_[i]);
  if (count != 0 && greatest >= dictionary_size_) return torn("an index is beyond its dictionary");
  auto gather = [&]<typename T>(T*) {
    const T* values = reinterpret_cast<const T*>(dictionary_.data());
    T* cells = reinterpret_cast<T*>(out);
    for (size_t i = 0; i < count; ++i) cells[i] = values[indexes_[i]];
  };
  switch (width_) {
    case 4: gather(static_cast<uint32_t*>(nullptr)); break;
    case 8: gather(static_cast<uint64_t*>(nullptr)); break;
    default: gather(static_cast<Int128*>(nullptr));
  }
  return {};
}

}  // namespace asof::parquet
