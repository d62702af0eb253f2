#include "asof/parquet/internal/page_header.h"

#include <algorithm>

#include "asof/parquet/internal/thrift_reader.h"

namespace asof::parquet {

namespace {

using Type = ThriftReader::Type;

Encoding read_encoding(ThriftReader& in) {
  return static_cast<Encoding>(std::min<uint64_t>(in.natural(), 255));
}

void read_data(ThriftReader& in, PageHeader& header) {
  in.read_struct([&](int16_t id, Type type) {
    switch (id) {
      case 1: header.values = in.natural(); return;
      case 2: header.encoding = read_encoding(in); return;
      case 3: header.level_encoding = read_encoding(in); return;
      default: in.skip(type);
    }
  });
}

void read_data_v2(ThriftReader& in, PageHeader& header) {
  in.read_struct([&](int16_t id, Type type) {
    switch (id) {
      case 1: header.values = in.natural(); return;
      case 4: header.encoding = read_encoding(in); return;
      case 5: header.definition_size = in.natural(); return;
      case 6: header.repetition_size = in.natural(); return;
      case 7: header.is_compressed = type == Type::kTrue; return;
      default: in.skip(type);
    }
  });
}

void read_dictionary(ThriftReader& in, PageHeader& header) {
  in.read_struct([&](int16_t id, Type type) {
    if (id == 1)
      header.values = in.natural();
    else if (id == 2)
      header.encoding = read_encoding(in);
    else
      in.skip(type);
  });
}

}  // namespace

std::optional<PageHeader> parse_page_header(std::string_view bytes) {
  ThriftReader in(bytes);
  PageHeader header;
  in.read_struct([&](int16_t id, Type type) {
    switch (id) {
      case 1: header.type = static_cast<PageType>(std::min<uint64_t>(in.natural(), 255)); return;
      case 2: header.uncompressed_size = in.natural(); return;
      case 3: header.size = in.natural(); return;
      case 5: return type == Type::kStruct ? read_data(in, header) : in.skip(type);
      case 7: return type == Type::kStruct ? read_dictionary(in, header) : in.skip(type);
      case 8: return type == Type::kStruct ? read_data_v2(in, header) : in.skip(type);
      default: in.skip(type);
    }
  });
  if (in.failed()) return std::nullopt;
  header.header_size = in.consumed();
  return header;
}

}  // namespace asof::parquet
