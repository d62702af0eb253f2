#include "asof/parquet/footer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include "asof/parquet/internal/thrift_reader.h"

namespace asof::parquet {

namespace {

using Type = ThriftReader::Type;

// Nearly all footers are read at once with the length behind them.
constexpr uint64_t kReadAtOnce = 64 << 10;
constexpr std::string_view kMagic = "PAR1", kEncryptedMagic = "PARE";
constexpr uint64_t kTail = 8;  // the footer's length, and the magic
// Of the schema tree. Each level holds its path: without a limit, a footer of 1 MB would take gigabytes.
constexpr size_t kMostDeep = 64;

// A node of the schema tree, which the footer lists depth first.
struct Element {
  Leaf leaf;
  bool has_type = false;
  bool is_repeated = false;
  uint64_t children = 0;
};

void apply_converted(int32_t converted, Leaf& leaf) {
  auto integer = [&](uint8_t bits, bool is_signed) {
    leaf.meaning = Meaning::kInteger;
    leaf.bits = bits;
    leaf.is_signed = is_signed;
  };
  switch (converted) {
    case 0: leaf.meaning = Meaning::kText; return;
    case 5: leaf.meaning = Meaning::kDecimal; return;
    case 6: leaf.meaning = Meaning::kDate; return;
    case 9:
    case 10:
      leaf.meaning = Meaning::kTimestamp;
      // Writers that know no more than this had no way to say that a time is local: it is taken for one, as DuckDB does.
      leaf.unit = converted == 9 ? TimeUnit::kMillis : TimeUnit::kMicros;
      return;
    case 11: return integer(8, false);
    case 12: return integer(16, false);
    case 13: return integer(32, false);
    case 14: return integer(64, false);
    case 15: return integer(8, true);
    case 16: return integer(16, true);
    case 17: return integer(32, true);
    case 18: return integer(64, true);
    default: leaf.meaning = Meaning::kOther;
  }
}

void read_timestamp_type(ThriftReader& in, Leaf& leaf) {
  leaf.meaning = Meaning::kTimestamp;
  in.read_struct([&](int16_t id, Type type) {
    if (id == 1) {
      leaf.is_utc = type == Type::kTrue;
    } else if (id == 2 && type == Type::kStruct) {
      in.read_struct([&](int16_t unit, Type member) {
        if (unit >= 1 && unit <= 3)
          leaf.unit = static_cast<TimeUnit>(unit - 1);
        else
          leaf.meaning = Meaning::kOther;
        in.skip(member);
      });
    } else {
      in.skip(type);
    }
  });
}

void read_decimal_type(ThriftReader& in, Leaf& leaf) {
  leaf.meaning = Meaning::kDecimal;
  in.read_struct([&](int16_t id, Type type) {
    if (id == 1)
      leaf.scale = in.int32();
    else if (id == 2)
      leaf.precision = in.int32();
    else
      in.skip(type);
  });
}

void read_integer_type(ThriftReader& in, Leaf& leaf) {
  leaf.meaning = Meaning::kInteger;
  in.read_struct([&](int16_t id, Type type) {
    if (id == 1 && type == Type::kByte)
      leaf.bits = static_cast<uint8_t>(in.int8());
    else if (id == 2)
      leaf.is_signed = type == Type::kTrue;
    else
      in.skip(type);
  });
}

// A union: the member that is there says what the values mean.
void read_logical(ThriftReader& in, Leaf& leaf) {
  in.read_struct([&](int16_t id, Type type) {
    switch (id) {
      case 1: leaf.meaning = Meaning::kText; return in.skip(type);
      case 5: return read_decimal_type(in, leaf);
      case 6: leaf.meaning = Meaning::kDate; return in.skip(type);
      case 8: return read_timestamp_type(in, leaf);
      case 10: return read_integer_type(in, leaf);
      default: leaf.meaning = Meaning::kOther; return in.skip(type);
    }
  });
}

Element read_element(ThriftReader& in) {
  Element element;
  Leaf& leaf = element.leaf;
  Leaf logical;
  bool has_logical = false;
  in.read_struct([&](int16_t id, Type type) {
    switch (id) {
      case 1:
        leaf.physical = static_cast<Physical>(std::min<uint64_t>(in.natural(), 255));
        element.has_type = true;
        return;
      case 2: leaf.length = in.int32(); return;
      case 3: {
        const int32_t repetition = in.int32();
        leaf.is_optional = repetition == 1;
        element.is_repeated = repetition == 2;
        return;
      }
      case 4: leaf.name = in.binary(); return;
      case 5: element.children = in.natural(); return;
      case 6: return apply_converted(in.int32(), leaf);
      case 7: leaf.scale = in.int32(); return;
      case 8: leaf.precision = in.int32(); return;
      case 10:
        if (type != Type::kStruct) return in.skip(type);
        has_logical = true;
        return read_logical(in, logical);
      default: in.skip(type);
    }
  });
  if (has_logical) {
    leaf.meaning = logical.meaning;
    leaf.unit = logical.unit;
    leaf.is_utc = logical.is_utc;
    leaf.bits = logical.bits;
    leaf.is_signed = logical.is_signed;
    if (logical.meaning == Meaning::kDecimal) {
      leaf.precision = logical.precision;
      leaf.scale = logical.scale;
    }
  }
  return element;
}

// The leaves below the root, which comes first. False where the tree is none.
bool flatten(std::vector<Element> elements, std::vector<Leaf>& leaves) {
  if (elements.empty()) return false;
  struct Open {
    uint64_t left;
    std::string prefix;
  };
  std::vector<Open> open = {{elements.front().children, ""}};
  for (size_t i = 1; i < elements.size(); ++i) {
    while (!open.empty() && open.back().left == 0) open.pop_back();
    if (open.empty()) return false;
    --open.back().left;
    Element& element = elements[i];
    const bool is_top = open.size() == 1;
    std::string path = open.back().prefix + element.leaf.name;
    if (element.children != 0 || !element.has_type) {
      if (open.size() == kMostDeep) return false;
      open.push_back({element.children, path + "."});
      continue;
    }
    element.leaf.name = std::move(path);
    element.leaf.is_flat = is_top && !element.is_repeated;
    leaves.push_back(std::move(element.leaf));
  }
  return std::all_of(open.begin(), open.end(), [](const Open& level) { return level.left == 0; });
}

std::optional<int64_t> whole_number(std::string_view bytes) {
  if (bytes.size() == 4) {
    int32_t value;
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  if (bytes.size() != 8) return std::nullopt;
  int64_t value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

void read_statistics(ThriftReader& in, ColumnChunk& chunk) {
  // Older writers fill the first pair.
  std::optional<int64_t> old_least, old_greatest, least, greatest;
  in.read_struct([&](int16_t id, Type type) {
    switch (id) {
      case 1: old_greatest = whole_number(in.binary()); return;
      case 2: old_least = whole_number(in.binary()); return;
      case 3: chunk.nulls = in.natural(); return;
      case 5: greatest = whole_number(in.binary()); return;
      case 6: least = whole_number(in.binary()); return;
      default: in.skip(type);
    }
  });
  if (!least || !greatest) {
    least = old_least;
    greatest = old_greatest;
  }
  if (least && greatest) chunk.range = {*least, *greatest};
}

void read_chunk_facts(ThriftReader& in, ColumnChunk& chunk, Physical& physical) {
  uint64_t dictionary = 0;
  in.read_struct([&](int16_t id, Type type) {
    switch (id) {
      case 1: physical = static_cast<Physical>(std::min<uint64_t>(in.natural(), 255)); return;
      case 2:
        return in.read_list([&](Type) {
          // What is beyond the numbers that there are counts as unknown, as the last bit.
          chunk.encodings |= uint32_t{1} << std::min<uint64_t>(in.natural(), 31);
        });
      case 4: chunk.codec = static_cast<Codec>(std::min<uint64_t>(in.natural(), 255)); return;
      case 5: chunk.values = in.natural(); return;
      case 7: chunk.size = in.natural(); return;
      case 9: chunk.offset = in.natural(); return;
      case 11: dictionary = in.natural(); return;
      case 12:
        if (type != Type::kStruct) return in.skip(type);
        return read_statistics(in, chunk);
      default: in.skip(type);
    }
  });
  if (dictionary != 0) chunk.offset = std::min(chunk.offset, dictionary);
}

struct Reading {
  Footer footer;
  bool is_elsewhere = false;  // encrypted, or in other files
  bool has_odd_types = false;
};

ColumnChunk read_chunk(ThriftReader& in, Reading& reading, size_t leaf) {
  ColumnChunk chunk;
  Physical physical = Physical::kInt64;
  bool has_facts = false;
  in.read_struct([&](int16_t id, Type type) {
    if (id == 3 && type == Type::kStruct) {
      has_facts = true;
      read_chunk_facts(in, chunk, physical);
      return;
    }
    if (id == 1 || id == 8 || id == 9) reading.is_elsewhere = true;
    in.skip(type);
  });
  if (!has_facts) reading.is_elsewhere = true;
  const std::vector<Leaf>& leaves = reading.footer.leaves;
  if (leaf >= leaves.size() || leaves[leaf].physical != physical) reading.has_odd_types = true;
  return chunk;
}

RowGroup read_row_group(ThriftReader& in, Reading& reading) {
  RowGroup group;
  in.read_struct([&](int16_t id, Type type) {
    if (id == 1 && type == Type::kList) {
      in.read_list(
          [&](Type) { group.chunks.push_back(read_chunk(in, reading, group.chunks.size())); });
    } else if (id == 3) {
      group.rows = in.natural();
    } else {
      in.skip(type);
    }
  });
  return group;
}

void read_metadata(ThriftReader& in, std::map<std::string, std::string>& metadata) {
  in.read_list([&](Type) {
    std::string key, value;
    in.read_struct([&](int16_t id, Type type) {
      if (id == 1)
        key = in.binary();
      else if (id == 2)
        value = in.binary();
      else
        in.skip(type);
    });
    metadata.emplace(std::move(key), std::move(value));
  });
}

// Whether the pieces can be where the footer says they are.
bool is_sound(const Footer& footer, uint64_t file_size) {
  uint64_t rows = 0;
  for (const RowGroup& group : footer.row_groups) {
    if (group.chunks.size() != footer.leaves.size()) return false;
    if (group.rows > footer.rows - rows) return false;
    rows += group.rows;
    for (size_t i = 0; i < group.chunks.size(); ++i) {
      const ColumnChunk& chunk = group.chunks[i];
      if (chunk.offset > file_size || chunk.size > file_size - chunk.offset) return false;
      if (footer.leaves[i].is_flat && chunk.values != group.rows) return false;
    }
  }
  return rows == footer.rows;
}

Error torn(std::string_view why) {
  return error(ErrorCode::kInvalid, fmt::format("the file is torn: {}", why));
}

}  // namespace

Result<Footer> parse_footer(std::string_view bytes, uint64_t file_size) {
  ThriftReader in(bytes);
  Reading reading;
  bool is_tree = true;
  in.read_struct([&](int16_t id, Type type) {
    if (id == 2 && type == Type::kList) {
      std::vector<Element> elements;
      in.read_list([&](Type) { elements.push_back(read_element(in)); });
      is_tree = !in.failed() && flatten(std::move(elements), reading.footer.leaves);
    } else if (id == 3) {
      reading.footer.rows = in.natural();
    } else if (id == 4 && type == Type::kList) {
      in.read_list([&](Type) { reading.footer.row_groups.push_back(read_row_group(in, reading)); });
    } else if (id == 5 && type == Type::kList) {
      read_metadata(in, reading.footer.metadata);
    } else {
      if (id == 8) reading.is_elsewhere = true;
      in.skip(type);
    }
  });
  if (in.failed() || !is_tree) return torn("its footer cannot be read");
  if (reading.is_elsewhere)
    return error(ErrorCode::kUnsupported, "it is encrypted, or its columns lie in other files");
  if (reading.has_odd_types || !is_sound(reading.footer, file_size))
    return torn("its footer contradicts itself");
  return std::move(reading.footer);
}

Result<Footer> read_footer(const File& file) {
  auto fail = [&](Error failure) {
    failure.message = fmt::format("'{}': {}", file.path(), failure.message);
    return failure;
  };
  if (file.size() < kTail + kMagic.size()) return fail(torn("it is too short"));
  std::string end(std::min(file.size(), kReadAtOnce), '\0');
  ASOF_TRY(file.read(file.size() - end.size(), end));
  const std::string_view magic = std::string_view(end).substr(end.size() - kMagic.size());
  if (magic == kEncryptedMagic) return fail(error(ErrorCode::kUnsupported, "it is encrypted"));
  if (magic != kMagic) return fail(error(ErrorCode::kInvalid, "it is no Parquet file"));
  uint32_t length;
  std::memcpy(&length, end.data() + end.size() - kTail, sizeof length);
  if (length > file.size() - kTail) return fail(torn("its footer has no beginning"));
  if (length > end.size() - kTail) {
    end.resize(length + kTail);
    ASOF_TRY(file.read(file.size() - end.size(), end));
  }
  auto footer =
      parse_footer(std::string_view(end).substr(end.size() - kTail - length, length), file.size());
  if (!footer) return fail(std::move(footer).error());
  return footer;
}

}  // namespace asof::parquet
