// Streams weights through a ring ahead of the computation, in the order it has learned.
//
// The order is one successor per unit, learned from use: it holds across token boundaries, for
// prefill as for decode, and heals itself when a graph runs otherwise. A wrong guess costs time,
// never correctness. One thread calls; the reads run in the pool.

#pragma once

#include "huge-buffer.h"
#include "read-pool.h"
#include "slab-ring.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

namespace assistant {

// What is read and used as one piece: a tensor, or some rows of a large one.
struct stream_unit {
    byte_source * source;
    uint64_t      offset;
    uint64_t      n_bytes;
};

class prefetcher {
  public:
    static constexpr uint64_t read_bytes = 4 << 20; // one request; larger gained nothing (measured)

    // `units` in the order they are expected to be used. The ring holds at least three of the
    // largest; throws std::runtime_error where it does not.
    prefetcher(read_pool & pool, std::vector<stream_unit> units, uint64_t ring_bytes);
    ~prefetcher();
    prefetcher(const prefetcher &)             = delete;
    prefetcher & operator=(const prefetcher &) = delete;

    // Waits until the unit is in RAM; nullptr on failure, with the reason in status(). The bytes
    // stay until release_all(). At most a third of the ring may be held at once.
    uint8_t * acquire(uint32_t unit);
    void      release_all(); // everything acquired; reads on ahead into the room
    int       status() const { return status_; }
    uint32_t  failed_unit() const { return failed_unit_; }

    uint64_t n_mispredicted() const { return n_mispredicted_; }
    uint64_t n_waits() const { return n_waits_; }
    double   wait_s() const { return wait_s_; }
    uint64_t ring_bytes() const { return buffer_.size(); }

    static uint64_t room_bytes(const stream_unit & unit); // in whole pages

  private:
    struct slab {
        uint32_t                    unit;
        uint8_t *                   data; // of the unit's first byte
        std::unique_ptr<read_batch> batch;
    };

    bool start_read(uint32_t unit);
    void read_ahead();
    void drop_from(size_t first);
    int  await(slab & slab);

    read_pool &              pool_;
    std::vector<stream_unit> units_;
    std::vector<uint32_t>    next_; // unit -> the one used after it
    huge_buffer              buffer_;
    slab_ring                ring_;
    std::deque<slab>         slabs_;      // the ring's content, oldest first
    size_t                   n_held_ = 0; // the first of them are in use
    int64_t                  last_used_ = -1;
    int                      status_      = read_ok;
    uint32_t                 failed_unit_ = 0;
    uint64_t                 n_mispredicted_ = 0;
    uint64_t                 n_waits_        = 0;
    double                   wait_s_         = 0;
};

} // namespace assistant
