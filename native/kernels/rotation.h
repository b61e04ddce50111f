// A random orthogonal matrix that is never stored: three rounds of random signs, Hadamard transforms of
// power-of-two blocks, and a reflection that mixes the blocks. O(n log n), the same on every machine
// for the same seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace assistant {

class rotation {
public:
    // `dim` is padded with zeros to size(), a multiple of 24 (three bytes of code bits).
    rotation(int32_t dim, uint64_t seed);

    int32_t size() const { return size_; }

    // values: size() floats, in place. Keeps the L2 norm.
    void apply(float * values) const;

private:
    int32_t size_;
    int32_t block_;             // the largest power of two that divides size_
    std::vector<float> signs_;  // ROUNDS x size_, each +1 or -1 over sqrt(block_)
};

int32_t rotation_size(int32_t dim);

}  // namespace assistant
