#include "slab-ring.h"

namespace assistant {

std::optional<uint64_t> slab_ring::push(uint64_t n_bytes) {
    const uint64_t place = head_ % n_bytes_;
    // A room never wraps: what is left before the end of the buffer is skipped with it.
    const uint64_t skipped = place + n_bytes > n_bytes_ ? n_bytes_ - place : 0;
    if (head_ + skipped + n_bytes - tail_ > n_bytes_) {
        return std::nullopt;
    }
    head_ += skipped;
    const uint64_t offset = head_ % n_bytes_;
    head_ += n_bytes;
    ends_.push_back(head_);
    return offset;
}

void slab_ring::pop() {
    tail_ = ends_.front();
    ends_.pop_front();
    if (ends_.empty()) { // empty: start at the front again, so that nothing is skipped
        head_ = tail_ = 0;
    }
}

void slab_ring::pop_back() {
    ends_.pop_back();
    head_ = ends_.empty() ? tail_ : ends_.back();
    if (ends_.empty()) {
        head_ = tail_ = 0;
    }
}

} // namespace assistant
