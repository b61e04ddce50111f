// The reader against a disk that fails: EIO, interruptions, short reads, truncated and changed files.

#include "check.h"
#include "file-reader.h"
#include "huge-buffer.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

using namespace assistant;

namespace {

constexpr size_t file_bytes = 5 * page_bytes + 100; // the last page is not whole

std::string make_file() {
    const std::string path =
        std::filesystem::temp_directory_path() / ("reader-" + std::to_string(getpid()));
    std::ofstream file(path, std::ios::binary);
    for (size_t i = 0; i < file_bytes; ++i) {
        file.put(static_cast<char>(i * 7));
    }
    return path;
}

bool is_content(const uint8_t * data, size_t n, uint64_t offset) {
    for (size_t i = 0; i < n; ++i) {
        if (data[i] != static_cast<uint8_t>((offset + i) * 7)) {
            return false;
        }
    }
    return true;
}

std::atomic<int> n_calls;

ssize_t interrupted(int fd, void * to, size_t n, off_t offset) {
    if (n_calls++ % 2 == 0) {
        errno = EINTR;
        return -1;
    }
    return ::pread(fd, to, n, offset);
}

ssize_t broken(int fd, void * to, size_t n, off_t offset) {
    if (n_calls++ == 1) {
        errno = EIO;
        return -1;
    }
    return ::pread(fd, to, std::min<size_t>(n, page_bytes), offset);
}

ssize_t in_pages(int fd, void * to, size_t n, off_t offset) { // short, as a busy disk may
    return ::pread(fd, to, std::min<size_t>(n, page_bytes), offset);
}

void reads_what_is_there(const file_calls & calls) {
    const std::string path = make_file();
    const file_reader opened(path, calls);
    auto &            reader = const_cast<file_reader &>(opened);
    huge_buffer       buffer(8 * page_bytes);
    CHECK(reader.n_bytes() == file_bytes);
    CHECK(reader.read(buffer.data(), 3 * page_bytes, 3 * page_bytes, page_bytes) == read_ok);
    CHECK(is_content(buffer.data(), 3 * page_bytes, page_bytes));
    // The last page ends with the file.
    CHECK(reader.read(buffer.data(), 2 * page_bytes, page_bytes + 100, 4 * page_bytes) == read_ok);
    CHECK(is_content(buffer.data(), page_bytes + 100, 4 * page_bytes));
    CHECK(reader.read(buffer.data(), 2 * page_bytes, page_bytes + 101, 4 * page_bytes) ==
          read_truncated);
    CHECK(reader.read(buffer.data(), page_bytes, 1, 64 * page_bytes) == read_truncated);
    std::filesystem::remove(path);
}

void an_io_error_is_a_value() {
    const std::string path = make_file();
    file_reader       reader(path, file_calls{ broken });
    huge_buffer       buffer(8 * page_bytes);
    n_calls = 0;
    CHECK(reader.read(buffer.data(), 4 * page_bytes, 4 * page_bytes, 0) == EIO);
    CHECK(read_status_text(EIO, path).find(path) == 0);
    CHECK(reader.read(buffer.data(), 4 * page_bytes, 4 * page_bytes, 0) == read_ok); // it recovered
    std::filesystem::remove(path);
}

void a_changed_file_is_noticed() {
    const std::string path = make_file();
    file_reader       reader(path);
    CHECK(reader.check_unchanged() == read_ok);
    std::filesystem::resize_file(path, 2 * page_bytes);
    CHECK(reader.check_unchanged() == read_truncated);
    huge_buffer buffer(4 * page_bytes);
    CHECK(reader.read(buffer.data(), 4 * page_bytes, 4 * page_bytes, 0) == read_truncated);
    std::filesystem::resize_file(path, file_bytes);
    CHECK(reader.check_unchanged() == read_changed);

    const std::string other = path + ".new"; // replaced by name: the open file is the old one
    std::filesystem::rename(make_file(), other);
    file_reader old(other);
    std::filesystem::rename(make_file(), other);
    CHECK(old.read(buffer.data(), page_bytes, page_bytes, 0) == read_ok);
    CHECK(is_content(buffer.data(), page_bytes, 0));
    std::filesystem::remove(other);
}

void a_missing_file_throws() {
    try {
        file_reader reader("/no/such/file");
    } catch (const std::runtime_error & error) {
        CHECK(std::strstr(error.what(), "No such file") != nullptr);
        return;
    }
    CHECK(false);
}

} // namespace

int main() {
    reads_what_is_there(system_calls);
    const file_calls often_interrupted{ interrupted }, short_reads{ in_pages };
    reads_what_is_there(often_interrupted);
    reads_what_is_there(short_reads);
    an_io_error_is_a_value();
    a_changed_file_is_noticed();
    a_missing_file_throws();
    return 0;
}
