#include "asof/engines/catalog/sqlite/internal/file_lease.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "asof/base/hash.h"

namespace asof::engines::catalog::sqlite::internal {

namespace {

constexpr size_t kLongestFileName = 200;

class FileLease final : public store::Lease {
 public:
  explicit FileLease(int file) : file_(file) {}
  // Closing releases the lock. The file stays: removing it would race with whoever opens it now.
  ~FileLease() override { ::close(file_); }

 private:
  int file_;
};

void append_escaped(std::string& out, std::string_view text) {
  for (char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '_' || c == '-';
    if (is_plain)
      out.push_back(c);
    else
      out.append(fmt::format("%{:02x}", static_cast<unsigned char>(c)));
  }
}

std::string file_name(std::string_view project, std::string_view name) {
  std::string out;
  append_escaped(out, project);
  out.push_back('.');
  append_escaped(out, name);
  if (out.size() > kLongestFileName) out = content_hash(out);
  return out + ".lock";
}

std::string read_holder(int file) {
  std::array<char, 32> text{};
  const ssize_t size = ::pread(file, text.data(), text.size(), 0);
  std::string holder(text.data(), size > 0 ? static_cast<size_t>(size) : 0);
  if (const size_t end = holder.find('\n'); end != std::string::npos) holder.resize(end);
  return holder.empty() ? "another process" : "process " + holder;
}

// Who holds the lock, for the message that others get: where it cannot be written, they only learn less.
void write_holder(int file) {
  const std::string text = fmt::format("{}\n", ::getpid());
  if (::ftruncate(file, 0) != 0) return;
  [[maybe_unused]] const ssize_t written = ::pwrite(file, text.data(), text.size(), 0);
}

}  // namespace

Result<std::unique_ptr<store::Lease>> acquire_file_lease(const std::string& folder,
                                                         std::string_view project,
                                                         std::string_view name) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  const std::string path = folder + "/" + file_name(project, name);
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (file < 0)
    return error(ErrorCode::kUnavailable,
                 fmt::format("cannot open the lock '{}': {}", path, std::strerror(errno)), {},
                 "check the rights of the folder");
  auto lease = std::make_unique<FileLease>(file);
  int locked;
  do {
    locked = ::flock(file, LOCK_EX | LOCK_NB);
  } while (locked != 0 && errno == EINTR);
  if (locked != 0 && errno == EWOULDBLOCK)
    return error(ErrorCode::kConflict, fmt::format("'{}' of project '{}' is held by {}", name,
                                                   project, read_holder(file)));
  if (locked != 0)
    return error(ErrorCode::kUnavailable,
                 fmt::format("cannot lock '{}': {}", path, std::strerror(errno)), {},
                 "the registry must stand on a file system that has locks");
  write_holder(file);
  return std::unique_ptr<store::Lease>(std::move(lease));
}

}  // namespace asof::engines::catalog::sqlite::internal
