#include "file-reader.h"

#include "huge-buffer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace assistant {

const file_calls system_calls = { ::pread };

static int64_t modified_ns(const struct stat & info) {
#ifdef __APPLE__
    return info.st_mtimespec.tv_sec * 1000000000LL + info.st_mtimespec.tv_nsec;
#else
    return info.st_mtim.tv_sec * 1000000000LL + info.st_mtim.tv_nsec;
#endif
}

std::string read_status_text(int status, const std::string & path) {
    switch (status) {
        case read_truncated: return path + " ends too early: the file was truncated";
        case read_changed:   return path + " was changed while the model was in use";
        case read_cancelled: return path + ": the read was cancelled";
        default:             return path + " could not be read: " + std::strerror(status);
    }
}

file_reader::file_reader(const std::string & path, const file_calls & calls)
    : path_(path), calls_(calls) {
    fd_ = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat info {};
    if (fd_ < 0 || fstat(fd_, &info) != 0) {
        const int code = errno;
        if (fd_ >= 0) {
            close(fd_);
        }
        throw std::runtime_error(read_status_text(code, path));
    }
    n_bytes_  = info.st_size;
    mtime_ns_ = modified_ns(info);
    device_   = info.st_dev;
    inode_    = info.st_ino;
    direct_   = try_direct();
}

file_reader::~file_reader() { close(fd_); }

// A file system may refuse O_DIRECT at once or only at the first read (EINVAL), so one is tried.
bool file_reader::try_direct() {
#if defined(__APPLE__)
    return fcntl(fd_, F_NOCACHE, 1) == 0;
#elif defined(O_DIRECT)
    if (fcntl(fd_, F_SETFL, fcntl(fd_, F_GETFL) | O_DIRECT) != 0) {
        return false;
    }
    alignas(page_bytes) char probe[page_bytes];
    if (::pread(fd_, probe, sizeof(probe), 0) >= 0) {
        return true;
    }
    fcntl(fd_, F_SETFL, fcntl(fd_, F_GETFL) & ~O_DIRECT);
    return false;
#else
    return false;
#endif
}

int file_reader::read(void * to, size_t n_bytes, size_t n_needed, uint64_t offset) noexcept {
    size_t n_read = 0;
    while (n_read < n_needed) {
        const ssize_t n = calls_.pread(fd_, static_cast<char *>(to) + n_read, n_bytes - n_read,
                                       static_cast<off_t>(offset + n_read));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno;
        }
        // A direct read that stops inside a block has met the end of the file.
        n_read += n;
        if (n == 0 || (n_read < n_needed && direct_ && n_read % 512 != 0)) {
            return n_read < n_needed ? read_truncated : read_ok;
        }
    }
#ifdef POSIX_FADV_DONTNEED
    if (!direct_) {
        posix_fadvise(fd_, offset, n_bytes, POSIX_FADV_DONTNEED);
    }
#endif
    return read_ok;
}

int file_reader::check_unchanged() const noexcept {
    struct stat info {};
    if (fstat(fd_, &info) != 0) {
        return errno;
    }
    const uint64_t n_bytes = info.st_size;
    if (n_bytes < n_bytes_) {
        return read_truncated;
    }
    return n_bytes == n_bytes_ && modified_ns(info) == mtime_ns_ ? read_ok : read_changed;
}

void file_reader::drop_cache() const noexcept {
#ifdef POSIX_FADV_DONTNEED
    posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED);
#endif
}

bool file_reader::same_file(dev_t device, ino_t inode) const {
    return device == device_ && inode == inode_;
}

} // namespace assistant
