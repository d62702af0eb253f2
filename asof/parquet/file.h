// File: the bytes of a file, read at any place.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "asof/base/result.h"

namespace asof::parquet {

// Threads: any.
class File {
 public:
  // Errors: kNotFound, kInvalid (a directory, no permission).
  static Result<File> open(const std::string& path);
  ~File();
  File(File&& other) noexcept;
  File& operator=(File&&) = delete;

  const std::string& path() const { return path_; }
  uint64_t size() const { return size_; }
  // Fills `out`. Errors: kInvalid where the file ends before.
  Result<void> read(uint64_t offset, std::span<char> out) const;

 private:
  File(std::string path, int descriptor, uint64_t size)
      : path_(std::move(path)), descriptor_(descriptor), size_(size) {}
  std::string path_;
  int descriptor_;
  uint64_t size_;
};

}  // namespace asof::parquet
