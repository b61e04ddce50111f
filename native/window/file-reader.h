// Reads a model file past the page cache: O_DIRECT on Linux, F_NOCACHE on macOS, else buffered
// reads whose pages are dropped at once.
//
// Knows offsets and bytes, never tensors. Errors are values: a worker thread must not throw.

#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace assistant {

// 0 is success, a positive value an errno, the negative ones are ours.
enum read_status : int {
    read_ok        = 0,
    read_truncated = -1, // the file ends before the bytes that were asked for
    read_changed   = -2, // another size or modification time than at open
    read_cancelled = -3,
};

std::string read_status_text(int status, const std::string & path);

// The system calls a reader makes; tests put failing ones here.
struct file_calls {
    ssize_t (*pread)(int fd, void * to, size_t n_bytes, off_t offset);
};
extern const file_calls system_calls;

// What worker threads read from. `to`, `n_bytes` and `offset` are multiples of page_bytes; only the
// first `n_needed` bytes must exist in the file. Called from several threads at once.
class byte_source {
  public:
    virtual ~byte_source()                                                                = default;
    virtual int read(void * to, size_t n_bytes, size_t n_needed, uint64_t offset) noexcept = 0;
};

class file_reader : public byte_source {
  public:
    // Throws std::runtime_error when the file cannot be opened.
    explicit file_reader(const std::string & path, const file_calls & calls = system_calls);
    ~file_reader() override;
    file_reader(const file_reader &)             = delete;
    file_reader & operator=(const file_reader &) = delete;

    int  read(void * to, size_t n_bytes, size_t n_needed, uint64_t offset) noexcept override;
    int  check_unchanged() const noexcept; // read_ok, read_changed or an errno
    void drop_cache() const noexcept;      // forget the pages of this file that nobody maps

    const std::string & path() const { return path_; }
    uint64_t            n_bytes() const { return n_bytes_; }
    bool                direct() const { return direct_; }
    bool                same_file(dev_t device, ino_t inode) const;

  private:
    bool try_direct();

    std::string        path_;
    file_calls         calls_;
    int                fd_       = -1;
    bool               direct_   = false;
    uint64_t           n_bytes_  = 0;
    int64_t            mtime_ns_ = 0;
    dev_t              device_   = 0;
    ino_t              inode_    = 0;
};

} // namespace assistant
