// Parquet's words: how a column lies in a file, what its values mean, and what the footer says of its pieces.
//
// Flat columns alone: those at the top level, of which a row has one value or none. What else a file may hold is known by its
// name and left to other readers.
// Source: https://parquet.apache.org/docs/file-format/
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace asof::parquet {

// The format's own numbers, as in all that follows.
enum class Physical : uint8_t {
  kBoolean = 0,
  kInt32 = 1,
  kInt64 = 2,
  kInt96 = 3,
  kFloat = 4,
  kDouble = 5,
  kByteArray = 6,
  kFixedByteArray = 7,
};

enum class Codec : uint8_t {
  kUncompressed = 0,
  kSnappy = 1,
  kGzip = 2,
  kLzo = 3,
  kBrotli = 4,
  kLz4Hadoop = 5,
  kZstd = 6,
  kLz4Raw = 7,
};

enum class Encoding : uint8_t {
  kPlain = 0,
  kPlainDictionary = 2,
  kRle = 3,
  kBitPacked = 4,
  kDeltaBinaryPacked = 5,
  kDeltaLengthByteArray = 6,
  kDeltaByteArray = 7,
  kRleDictionary = 8,
  kByteStreamSplit = 9,
};

enum class PageType : uint8_t { kData = 0, kIndex = 1, kDictionary = 2, kDataV2 = 3 };

// What values mean beyond how they lie.
enum class Meaning : uint8_t { kNone, kText, kInteger, kDate, kTimestamp, kDecimal, kOther };
enum class TimeUnit : uint8_t { kMillis, kMicros, kNanos };

// A column of values: a leaf of the file's schema.
struct Leaf {
  std::string name;
  Physical physical = Physical::kInt64;
  Meaning meaning = Meaning::kNone;
  TimeUnit unit = TimeUnit::kMicros;  // of kTimestamp
  bool is_utc = false;                // of kTimestamp: an instant, else a local time
  uint8_t bits = 0;                   // of kInteger
  bool is_signed = true;              // of kInteger
  int32_t precision = 0, scale = 0;   // of kDecimal
  int32_t length = 0;                 // bytes of a kFixedByteArray
  bool is_optional = false;
  bool is_flat = true;
};

// One column of one row group.
struct ColumnChunk {
  Codec codec = Codec::kUncompressed;
  uint64_t offset = 0;     // of its first page
  uint64_t size = 0;       // of its pages in the file
  uint64_t values = 0;     // nulls among them
  uint32_t encodings = 0;  // bit n: encoding n is used
  std::optional<uint64_t> nulls;
  // The least and the greatest value, of whole numbers where the file tells.
  std::optional<std::pair<int64_t, int64_t>> range;

  bool uses(Encoding encoding) const {
    return (encodings >> static_cast<unsigned>(encoding) & 1) != 0;
  }
};

struct RowGroup {
  uint64_t rows = 0;
  std::vector<ColumnChunk> chunks;  // in the order of the leaves
};

struct Footer {
  std::vector<Leaf> leaves;
  std::vector<RowGroup> row_groups;
  std::map<std::string, std::string> metadata;
  uint64_t rows = 0;
};

}  // namespace asof::parquet
