// A file that lies in memory, with a disk's latency and, when asked, its failures.

#pragma once

#include "file-reader.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

class memory_source : public assistant::byte_source {
  public:
    explicit memory_source(size_t n_bytes, unsigned seed = 1) : bytes_(n_bytes) {
        std::mt19937 random(seed);
        for (uint8_t & byte : bytes_) {
            byte = static_cast<uint8_t>(random());
        }
    }

    int read(void * to, size_t n_bytes, size_t n_needed, uint64_t offset) noexcept override {
        const int call = n_reads++;
        std::this_thread::sleep_for(std::chrono::microseconds(call * 37 % 100));
        if (const int every = fail_every; every != 0 && call % every == every - 1) {
            return fail_with;
        }
        if (offset + n_needed > bytes_.size()) {
            return assistant::read_truncated;
        }
        std::memcpy(to, bytes_.data() + offset, std::min(n_bytes, bytes_.size() - offset));
        return assistant::read_ok;
    }

    const uint8_t * at(uint64_t offset) const { return bytes_.data() + offset; }

    std::atomic<int> n_reads    = 0;
    std::atomic<int> fail_every = 0; // every so many reads
    std::atomic<int> fail_with  = 5;

  private:
    std::vector<uint8_t> bytes_;
};
