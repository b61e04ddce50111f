// The rows of one block of 64 that a bitmap admits. Knows nothing of what a row holds.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace assistant {

constexpr int64_t FILTER_BLOCK = 64;

// Bit i set: row first + i exists and is allowed. `first` is a multiple of 64; `allowed` may be null.
inline uint64_t row_filter_word(const uint8_t * allowed, int64_t first, int64_t n_rows) {
    const int64_t n = std::min(FILTER_BLOCK, n_rows - first);
    const uint64_t exist = n == 64 ? ~0ull : (1ull << n) - 1;
    if (!allowed) {
        return exist;
    }
    uint64_t word = 0;  // the bitmap ends with the last row, not with a whole word
    std::memcpy(&word, allowed + first / 8, static_cast<size_t>((n + 7) / 8));
    return word & exist;
}

}  // namespace assistant
