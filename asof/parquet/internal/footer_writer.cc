#include "asof/parquet/internal/footer_writer.h"

#include <bit>

#include "asof/parquet/internal/output_schema.h"
#include "asof/parquet/internal/thrift_writer.h"

namespace asof::parquet {

namespace {

void append_statistics(ThriftWriter& out, const EncodedChunk& chunk, Physical physical) {
  out.begin(12);
  // The first two are for readers of old, which compare by sign whatever the type.
  if (chunk.range && physical != Physical::kByteArray) {
    out.binary(1, chunk.range->second);
    out.binary(2, chunk.range->first);
  }
  out.i64(3, static_cast<int64_t>(chunk.nulls));
  if (chunk.range) {
    out.binary(5, chunk.range->second);
    out.binary(6, chunk.range->first);
  }
  out.end();
}

void append_chunk(ThriftWriter& out, const Leaf& leaf, const EncodedChunk& chunk, uint64_t offset,
                  uint64_t size) {
  out.begin_element();
  out.i64(2, 0);
  out.begin(3);
  out.i32(1, static_cast<int32_t>(leaf.physical));
  out.list(2, ThriftWriter::kI32, static_cast<size_t>(std::popcount(chunk.encodings)));
  for (int32_t encoding = 0; encoding < 32; ++encoding)
    if ((chunk.encodings >> encoding & 1) != 0) out.element(encoding);
  out.list(3, ThriftWriter::kBinary, 1);
  out.element(leaf.name);
  out.i32(4, static_cast<int32_t>(chunk.codec));
  out.i64(5, static_cast<int64_t>(chunk.values));
  out.i64(6, static_cast<int64_t>(chunk.uncompressed_size));
  out.i64(7, static_cast<int64_t>(size));
  out.i64(9, static_cast<int64_t>(offset + chunk.data_page_offset));
  if (chunk.has_dictionary) out.i64(11, static_cast<int64_t>(offset));
  append_statistics(out, chunk, leaf.physical);
  out.end();
  out.end();
}

void append_group(ThriftWriter& out, const std::vector<Leaf>& leaves, const WrittenGroup& group) {
  uint64_t uncompressed = 0, offset = group.offset;
  out.begin_element();
  out.list(1, ThriftWriter::kStruct, leaves.size());
  for (size_t i = 0; i < leaves.size(); ++i) {
    append_chunk(out, leaves[i], group.chunks[i], offset, group.sizes[i]);
    uncompressed += group.chunks[i].uncompressed_size;
    offset += group.sizes[i];
  }
  out.i64(2, static_cast<int64_t>(uncompressed));
  out.i64(3, static_cast<int64_t>(group.rows));
  out.i64(5, static_cast<int64_t>(group.offset));
  out.i64(6, static_cast<int64_t>(offset - group.offset));
  out.end();
}

}  // namespace

std::string encode_footer(const std::vector<OutputColumn>& columns,
                          const std::map<size_t, WrittenGroup>& groups,
                          const std::map<std::string, std::string>& metadata) {
  uint64_t rows = 0;
  for (const auto& [number, group] : groups) rows += group.rows;
  std::vector<Leaf> leaves;
  leaves.reserve(columns.size());
  for (const OutputColumn& column : columns) leaves.push_back(leaf_of(column));

  std::string bytes;
  ThriftWriter out(bytes);
  out.i32(1, 1);
  append_schema(out, columns);
  out.i64(3, static_cast<int64_t>(rows));
  out.list(4, ThriftWriter::kStruct, groups.size());
  for (const auto& [number, group] : groups) append_group(out, leaves, group);
  if (!metadata.empty()) {
    out.list(5, ThriftWriter::kStruct, metadata.size());
    for (const auto& [key, value] : metadata) {
      out.begin_element();
      out.binary(1, key);
      out.binary(2, value);
      out.end();
    }
  }
  out.binary(6, "asof version 0.1.0 (build unknown)");
  // The order of the type, without which the ranges above mean nothing.
  out.list(7, ThriftWriter::kStruct, columns.size());
  for (size_t i = 0; i < columns.size(); ++i) {
    out.begin_element();
    out.empty(1);
    out.end();
  }
  out.end();
  return bytes;
}

}  // namespace asof::parquet
