// The footer of a Parquet file: its columns, its row groups and where they lie.
#pragma once

#include "asof/base/result.h"
#include "asof/parquet/file.h"
#include "asof/parquet/format.h"

namespace asof::parquet {

// Errors: kInvalid for a file that is no Parquet file, or torn; kUnsupported for an encrypted one and one whose columns lie in
// other files. Cost: one read of the file's end, or two where the footer is large.
Result<Footer> read_footer(const File& file);

// The same of the footer's bytes, of a file of `file_size` bytes.
Result<Footer> parse_footer(std::string_view bytes, uint64_t file_size);

}  // namespace asof::parquet
