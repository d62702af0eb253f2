#include "asof/parquet/writer.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <string_view>

#include "asof/parquet/internal/footer_writer.h"

namespace asof::parquet {

namespace {

constexpr std::string_view kMagic = "PAR1";

Error write_failure(const std::string& path, int system) {
  const bool is_full = system == ENOSPC || system == EDQUOT;
  return error(is_full ? ErrorCode::kExhausted : ErrorCode::kInvalid,
               "cannot write '" + path + "': " + std::strerror(system), {},
               is_full ? "free space on the disk" : "");
}

// Writes the pieces one after another from `offset` on. The system's error, 0 for none.
int write_all(int file, uint64_t offset, std::vector<iovec>& pieces) {
  for (size_t next = 0; next < pieces.size();) {
    const size_t count = std::min<size_t>(pieces.size() - next, IOV_MAX);
    const ssize_t done =
        ::pwritev(file, pieces.data() + next, static_cast<int>(count), static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return errno;
    if (done == 0) return EIO;
    offset += static_cast<uint64_t>(done);
    // A write may end within a piece.
    for (auto left = static_cast<size_t>(done); next < pieces.size(); ++next) {
      iovec& piece = pieces[next];
      const size_t written = std::min(left, piece.iov_len);
      left -= written;
      piece.iov_base = static_cast<char*>(piece.iov_base) + written;
      piece.iov_len -= written;
      if (piece.iov_len > 0) break;
    }
  }
  return 0;
}

// Begins to bring what was just written to the disk, so that finish() has little left to wait for. What fails here fails there.
void start_writeback([[maybe_unused]] int file, [[maybe_unused]] uint64_t offset,
                     [[maybe_unused]] uint64_t size) {
#if defined(__linux__)
  ::sync_file_range(file, static_cast<off64_t>(offset), static_cast<off64_t>(size),
                    SYNC_FILE_RANGE_WRITE);
#endif
}

iovec piece_of(const std::string& bytes) {
  return {const_cast<char*>(bytes.data()), bytes.size()};  // which are only read
}

void append_little_endian(std::string& out, uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(value >> shift));
}

}  // namespace

bool can_write(const DataType& type) { return type.kind != TypeKind::kList; }

struct FileWriter::State {
  std::string path;
  std::vector<OutputColumn> columns;
  int file = -1;

  std::mutex mutex;
  // Guarded by `mutex`.
  uint64_t end = kMagic.size();  // of what is written or about to be
  int failure = 0;               // the system's error of an add() that failed
  std::map<size_t, WrittenGroup> groups;

  ~State() {
    if (file >= 0) ::close(file);
  }
};

FileWriter::FileWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
FileWriter::~FileWriter() = default;

Result<std::unique_ptr<FileWriter>> FileWriter::create(const std::string& path,
                                                       std::vector<OutputColumn> columns) {
  for (const OutputColumn& column : columns) ASOF_CHECK(can_write(column.type));
  auto state = std::make_unique<State>();
  state->file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (state->file < 0) return write_failure(path, errno);
  state->path = path;
  state->columns = std::move(columns);
  return std::unique_ptr<FileWriter>(new FileWriter(std::move(state)));
}

Result<void> FileWriter::add(size_t number, uint64_t rows, std::vector<EncodedChunk> chunks) {
  if (rows == 0) return {};
  ASOF_CHECK(chunks.size() == state_->columns.size());
  WrittenGroup group;
  group.rows = rows;
  std::vector<iovec> pieces;
  uint64_t size = 0;
  for (size_t i = 0; i < chunks.size(); ++i) {
    ASOF_CHECK(chunks[i].values == rows);
    if (chunks[i].is_too_long)
      return error(ErrorCode::kUnsupported, "cannot write '" + state_->path + "': a value of '" +
                                                state_->columns[i].name + "' exceeds 512 MiB");
    group.sizes.push_back(chunks[i].bytes.size());
    pieces.push_back(piece_of(chunks[i].bytes));
    size += chunks[i].bytes.size();
  }
  {
    const std::lock_guard lock(state_->mutex);
    ASOF_CHECK(!state_->groups.contains(number));
    group.offset = state_->end;
    state_->end += size;
  }
  const int failure = write_all(state_->file, group.offset, pieces);
  start_writeback(state_->file, group.offset, size);
  for (EncodedChunk& chunk : chunks) std::string().swap(chunk.bytes);
  group.chunks = std::move(chunks);

  const std::lock_guard lock(state_->mutex);
  if (failure != 0) {
    state_->failure = failure;
    return write_failure(state_->path, failure);
  }
  ASOF_CHECK(state_->groups.emplace(number, std::move(group)).second);
  return {};
}

Result<void> FileWriter::finish(const std::map<std::string, std::string>& metadata) {
  const std::lock_guard lock(state_->mutex);
  ASOF_CHECK(state_->file >= 0);
  if (state_->failure != 0) return write_failure(state_->path, state_->failure);
  std::string tail = encode_footer(state_->columns, state_->groups, metadata);
  if (tail.size() > INT32_MAX)
    return error(ErrorCode::kUnsupported,
                 "cannot write '" + state_->path + "': its footer exceeds 2 GiB", {},
                 "write fewer and larger row groups");
  append_little_endian(tail, static_cast<uint32_t>(tail.size()));
  tail += kMagic;
  std::vector<iovec> pieces = {piece_of(tail)};
  int failure = write_all(state_->file, state_->end, pieces);
  // The head comes last: before it, this is no Parquet file to anyone.
  const std::string head(kMagic);
  pieces = {piece_of(head)};
  if (failure == 0) failure = write_all(state_->file, 0, pieces);
  if (failure == 0 && ::fdatasync(state_->file) != 0) failure = errno;
  if (::close(std::exchange(state_->file, -1)) != 0 && failure == 0) failure = errno;
  if (failure != 0) return write_failure(state_->path, failure);
  return {};
}

}  // namespace asof::parquet
