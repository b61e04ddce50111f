#include "page-mapping.h"

#include <sys/mman.h>

#include <cinttypes>
#include <cstdio>

#ifdef __linux__
#include <sys/sysmacros.h>
#endif

namespace assistant {

#ifdef __linux__

static uint64_t drop_file(const file_reader & file) {
    std::FILE * maps = std::fopen("/proc/self/maps", "re");
    if (maps == nullptr) {
        return 0;
    }
    uint64_t n_bytes = 0;
    char     line[4352];
    while (std::fgets(line, sizeof(line), maps) != nullptr) {
        uint64_t begin, end, offset, inode;
        char     mode[5];
        unsigned device_major, device_minor;
        if (std::sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64, &begin,
                        &end, mode, &offset, &device_major, &device_minor, &inode) == 7 &&
            inode != 0 && file.same_file(makedev(device_major, device_minor), inode)) {
            madvise(reinterpret_cast<void *>(begin), end - begin, MADV_DONTNEED);
            n_bytes += end - begin;
        }
    }
    std::fclose(maps);
    file.drop_cache();
    return n_bytes;
}

#else

static uint64_t drop_file(const file_reader &) { return 0; }

#endif

uint64_t page_mapping_drop(const std::vector<std::unique_ptr<file_reader>> & files) {
    uint64_t n_bytes = 0;
    for (const auto & file : files) {
        n_bytes += drop_file(*file);
    }
    return n_bytes;
}

} // namespace assistant
