// The footer of a file that is written: FileMetaData of Parquet's Thrift definitions.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "asof/parquet/writer.h"

namespace asof::parquet {

// A row group whose bytes are in the file, and no longer in its chunks.
struct WrittenGroup {
  uint64_t rows = 0;
  uint64_t offset = 0;
  std::vector<EncodedChunk> chunks;
  std::vector<uint64_t> sizes;  // of the chunks in the file
};

// The row groups in the order of their numbers.
std::string encode_footer(const std::vector<OutputColumn>& columns,
                          const std::map<size_t, WrittenGroup>& groups,
                          const std::map<std::string, std::string>& metadata);

}  // namespace asof::parquet
