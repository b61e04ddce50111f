// Random rotation without a matrix, after the fast Johnson-Lindenstrauss construction (Ailon and
// Chazelle, 2006) that RaBitQ (arXiv 2405.12497, section 3.1) allows in place of a dense matrix.
#include "rotation.h"

namespace assistant {
namespace {

constexpr int32_t ROUNDS = 3;  // two leave visible structure in sparse inputs, four gain nothing
constexpr int32_t UNIT = 24;   // dims in three bytes of code, what fast-scan.cpp reads at once

// splitmix64: one bit a call is enough here, and it is the same everywhere.
uint64_t random_next(uint64_t & state) {
    uint64_t z = (state += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

// Unnormalised Walsh-Hadamard transform of `n` values, n a power of two.
void hadamard(float * values, int32_t n) {
    for (int32_t half = 1; half < n; half *= 2) {
        for (int32_t start = 0; start < n; start += 2 * half) {
            float * low = values + start;
            float * high = low + half;
            for (int32_t i = 0; i < half; i++) {
                const float a = low[i];
                const float b = high[i];
                low[i] = a + b;
                high[i] = a - b;
            }
        }
    }
}

// x -> x - 2/m * (sum over the m blocks): the reflection I - 2/m 11^T, tensored with the identity of
// a block. A Hadamard block alone would never mix two blocks.
void reflect_blocks(float * values, int32_t n_blocks, int32_t block) {
    constexpr int32_t STEP = 8;  // UNIT is a multiple of 8, so a block is too
    const float share = 2.0f / static_cast<float>(n_blocks);
    for (int32_t i = 0; i < block; i += STEP) {
        float taken[STEP] = {};
        for (int32_t b = 0; b < n_blocks; b++) {
            for (int32_t j = 0; j < STEP; j++) {
                taken[j] += values[b * block + i + j];
            }
        }
        for (int32_t b = 0; b < n_blocks; b++) {
            for (int32_t j = 0; j < STEP; j++) {
                values[b * block + i + j] -= share * taken[j];
            }
        }
    }
}

}  // namespace

int32_t rotation_size(int32_t dim) { return (dim + UNIT - 1) / UNIT * UNIT; }

rotation::rotation(int32_t dim, uint64_t seed)
    : size_(rotation_size(dim)), block_(size_ & -size_), signs_(static_cast<std::size_t>(ROUNDS) * size_) {
    // 1 / sqrt(block) goes into the signs; block is a power of two, so halving is exact.
    float scale = 1.0f;
    for (int32_t left = block_; left > 1; left /= 4) {
        scale *= left >= 4 ? 0.5f : 0.70710678f;
    }
    for (float & sign : signs_) {
        sign = (random_next(seed) & 1) ? scale : -scale;
    }
}

void rotation::apply(float * values) const {
    const float * sign = signs_.data();
    const int32_t n_blocks = size_ / block_;
    for (int32_t round = 0; round < ROUNDS; round++, sign += size_) {
        for (int32_t i = 0; i < size_; i++) {
            values[i] *= sign[i];
        }
        for (int32_t b = 0; b < n_blocks; b++) {
            hadamard(values + b * block_, block_);
        }
        reflect_blocks(values, n_blocks, block_);
    }
}

}  // namespace assistant
