// First in, first out room in one buffer: bookkeeping only, no memory and no threads.
//
// Dense weights are needed in the same order for every token, so the room of the oldest is always
// the next to come free, and no search and no fragmentation arise.

#pragma once

#include <cstdint>
#include <deque>
#include <optional>

namespace assistant {

class slab_ring {
  public:
    explicit slab_ring(uint64_t n_bytes) : n_bytes_(n_bytes) {}

    // Room for `n_bytes` on end, as an offset into the buffer; nothing when it must wait for pop().
    std::optional<uint64_t> push(uint64_t n_bytes);
    void                    pop();      // give the oldest room back
    void                    pop_back(); // give the newest room back
    bool                    empty() const { return ends_.empty(); }
    uint64_t                n_bytes() const { return n_bytes_; }
    uint64_t                n_used() const { return head_ - tail_; }

  private:
    uint64_t             n_bytes_;
    uint64_t             head_ = 0; // both only grow; the place in the buffer is taken modulo n_bytes_
    uint64_t             tail_ = 0;
    std::deque<uint64_t> ends_;     // where each room ends, oldest first
};

} // namespace assistant
