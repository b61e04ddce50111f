#include "huge-buffer.h"

#include <sys/mman.h>

#include <new>
#include <utility>

namespace assistant {

huge_buffer::huge_buffer(size_t n_bytes) {
    if (n_bytes == 0) {
        return;
    }
    n_bytes_       = round_up(n_bytes, page_bytes);
    mapping_bytes_ = n_bytes_ + huge_page_bytes;
    mapping_ = mmap(nullptr, mapping_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                    -1, 0);
    if (mapping_ == MAP_FAILED) {
        mapping_ = nullptr;
        throw std::bad_alloc();
    }
    data_ = reinterpret_cast<uint8_t *>(
        round_up(reinterpret_cast<uintptr_t>(mapping_), huge_page_bytes));
#ifdef MADV_HUGEPAGE
    // Only whole huge pages: rounding the tail up would spend RAM that no plan has counted.
    const size_t whole = round_down(n_bytes_, huge_page_bytes);
    if (whole > 0) {
        madvise(data_, whole, MADV_HUGEPAGE); // a wish; 4 KiB pages are right too, only slower
    }
#endif
}

huge_buffer::~huge_buffer() {
    if (mapping_ != nullptr) {
        munmap(mapping_, mapping_bytes_);
    }
}

void huge_buffer::swap(huge_buffer & other) noexcept {
    std::swap(mapping_, other.mapping_);
    std::swap(mapping_bytes_, other.mapping_bytes_);
    std::swap(data_, other.data_);
    std::swap(n_bytes_, other.n_bytes_);
}

} // namespace assistant
