#include "prefetcher.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>

namespace assistant {

uint64_t prefetcher::room_bytes(const stream_unit & unit) {
    return round_up(unit.offset + unit.n_bytes, page_bytes) - round_down(unit.offset, page_bytes);
}

prefetcher::prefetcher(read_pool & pool, std::vector<stream_unit> units, uint64_t ring_bytes)
    : pool_(pool), units_(std::move(units)), buffer_(units_.empty() ? 0 : ring_bytes),
      ring_(buffer_.size()) {
    for (size_t i = 0; i < units_.size(); ++i) {
        next_.push_back(static_cast<uint32_t>((i + 1) % units_.size()));
        if (3 * room_bytes(units_[i]) > buffer_.size()) {
            throw std::runtime_error("the ring is too small for three of its largest tensors");
        }
    }
    if (!units_.empty()) {
        start_read(0);
        read_ahead();
    }
}

prefetcher::~prefetcher() { drop_from(0); }

// Puts the unit behind the others and asks for its bytes; false while the ring is full.
bool prefetcher::start_read(uint32_t number) {
    const stream_unit & unit  = units_[number];
    const uint64_t      begin = round_down(unit.offset, page_bytes);
    const uint64_t      room  = room_bytes(unit);
    const auto          place = ring_.push(room);
    if (!place) {
        return false;
    }
    uint8_t * to = buffer_.data() + *place;
    slabs_.push_back({ number, to + (unit.offset - begin), std::make_unique<read_batch>() });
    const uint64_t            needed = unit.offset + unit.n_bytes - begin;
    std::vector<read_request> requests;
    for (uint64_t at = 0; at < room; at += read_bytes) {
        const uint64_t n = std::min(read_bytes, room - at);
        requests.push_back({ unit.source, to + at, n, std::min(n, needed - at), begin + at,
                             slabs_.back().batch.get() });
    }
    pool_.submit(requests, read_pool::urgency::ahead);
    return true;
}

void prefetcher::read_ahead() {
    // Never a unit twice: with a ring as large as the cycle, reading would otherwise go in circles.
    while (!slabs_.empty()) {
        const uint32_t unit = next_[slabs_.back().unit];
        const bool     there =
            std::any_of(slabs_.begin(), slabs_.end(),
                        [&](const slab & other) { return other.unit == unit; });
        if (there || !start_read(unit)) {
            return;
        }
    }
}

void prefetcher::drop_from(size_t first) {
    while (slabs_.size() > first) {
        pool_.cancel(*slabs_.back().batch);
        slabs_.pop_back();
        ring_.pop_back();
    }
}

int prefetcher::await(slab & slab) {
    if (!pool_.done(*slab.batch)) {
        const auto start = std::chrono::steady_clock::now();
        pool_.wait(*slab.batch);
        wait_s_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        n_waits_ += 1;
    }
    return slab.batch->status;
}

uint8_t * prefetcher::acquire(uint32_t unit) {
    if (last_used_ >= 0) {
        next_[last_used_] = unit;
    }
    last_used_ = unit;
    if (slabs_.size() > n_held_) {
        slab & ahead = slabs_[n_held_];
        // What failed ahead of need, perhaps long ago, is tried again now that it counts.
        const bool failed = pool_.done(*ahead.batch) && ahead.batch->status != read_ok;
        n_mispredicted_ += ahead.unit != unit;
        if (failed || ahead.unit != unit) {
            drop_from(n_held_);
        }
    }
    if (slabs_.size() == n_held_ && !start_read(unit)) {
        throw std::logic_error("more of the ring is held than may be");
    }
    read_ahead();
    slab & slab = slabs_[n_held_];
    if (const int status = await(slab); status != read_ok) {
        status_      = status;
        failed_unit_ = unit;
        drop_from(n_held_); // the next use reads it again
        return nullptr;
    }
    n_held_ += 1;
    return slab.data;
}

void prefetcher::release_all() {
    for (; n_held_ > 0; --n_held_) {
        slabs_.pop_front();
        ring_.pop();
    }
    read_ahead();
}

} // namespace assistant
