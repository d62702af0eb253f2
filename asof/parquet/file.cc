#include "asof/parquet/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace asof::parquet {

Result<File> File::open(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    return error(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kInvalid,
                 fmt::format("cannot read '{}': {}", path, std::strerror(errno)));
  struct stat status{};
  if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor);
    return error(ErrorCode::kInvalid, fmt::format("cannot read '{}': it is no file", path));
  }
  return File(path, descriptor, static_cast<uint64_t>(status.st_size));
}

File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

File::File(File&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      size_(other.size_) {}

Result<void> File::read(uint64_t offset, std::span<char> out) const {
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t count =
        pread(descriptor_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0)
      return error(ErrorCode::kInvalid,
                   fmt::format("cannot read '{}': {}", path_, std::strerror(errno)));
    if (count == 0)
      return error(ErrorCode::kInvalid,
                   fmt::format("'{}' is torn: it ends before byte {}", path_, offset + out.size()));
    done += static_cast<size_t>(count);
  }
  return {};
}

}  // namespace asof::parquet
