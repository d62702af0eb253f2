// Runs: whole numbers of a few bits each, as runs of one number and stretches of packed ones.
//
// Definition levels and the indexes of dictionaries are written so.
//
// Source: https://parquet.apache.org/docs/file-format/data-pages/encodings/ (RLE)
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace asof::parquet {

// Bytes that write_runs() may touch at most.
size_t most_run_bytes(size_t count, unsigned bits);

// Writes `count` numbers below 2^bits (1 to 32 bits); returns the bytes that they take.
// Cost: about half a nanosecond a number.
size_t write_runs(const uint32_t* numbers, size_t count, unsigned bits, char* out);

// Appends the definition levels of `rows` rows (at least 1) from `first` on, of which `present`
// have a value, behind their length in 4 bytes: what a data page begins with.
void append_levels(std::string& out, const uint64_t* validity, size_t first, size_t rows,
                   size_t present);

}  // namespace asof::parquet
