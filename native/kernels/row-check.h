// A 32-bit check of one stored vector: codes, scale and whose it is. A flipped byte, or a row in another
// row's place, changes it. For damage, not for attackers.
#pragma once

#include <cstdint>
#include <cstring>

namespace assistant {

constexpr uint64_t ROW_CHECK_FACTOR = 0x9E3779B97F4A7C15ull;  // odd, so each step is one to one

inline uint64_t row_check_step(uint64_t lane, uint64_t word) {
    const uint64_t mixed = (lane ^ word) * ROW_CHECK_FACTOR;
    return (mixed << 29) | (mixed >> 35);
}

// Four lanes of 8 bytes hide the multiplier's latency; a short last word is padded with zeros.
inline uint32_t row_check(const int8_t * codes, int32_t dim, float scale, int64_t id) {
    uint64_t lanes[4] = {1, 2, 3, 4};
    int32_t j = 0;
    for (; j + 32 <= dim; j += 32) {
        uint64_t words[4];
        std::memcpy(words, codes + j, 32);
        for (int32_t i = 0; i < 4; i++) {
            lanes[i] = row_check_step(lanes[i], words[i]);
        }
    }
    for (; j < dim; j += 8) {
        uint64_t word = 0;
        std::memcpy(&word, codes + j, static_cast<size_t>(dim - j < 8 ? dim - j : 8));
        lanes[0] = row_check_step(lanes[0], word);
    }
    uint32_t scale_bits;
    std::memcpy(&scale_bits, &scale, sizeof(scale_bits));
    uint64_t sum = row_check_step(static_cast<uint64_t>(id), scale_bits);
    for (const uint64_t lane : lanes) {
        sum = row_check_step(sum, lane);
    }
    return static_cast<uint32_t>(sum ^ (sum >> 32));
}

}  // namespace assistant
