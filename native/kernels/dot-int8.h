// Dot products of int8 rows with one query, exact in integers, so every instruction set gives the same
// bits. Knows rows and one query; ranking is the caller's.
#pragma once

#include <cstdint>
#include <vector>

namespace assistant {

// A float query as integers: value ~ q * scale, q = 128 * high + low.
// About 15 bits instead of 8 cost a second multiply that hides behind the memory, and leave the rows'
// own rounding as the only error that matters.
struct query_int8 {
    int32_t dim = 0;
    float scale = 0.0f;
    int32_t high_sum = 0;
    int32_t low_sum = 0;
    std::vector<int16_t> wide;  // dim, q
    std::vector<int8_t> high;   // dim
    std::vector<int8_t> low;    // dim

    void set(const float * query, int32_t n);  // may throw std::bad_alloc
};

// sum_j code[j] * q[j] over the dim codes of one row.
using dot_function = int32_t (*)(const int8_t * code, const query_int8 & query);

dot_function dot_int8_choose();

// Ask for a row before it is needed: a row that is not the next one is a random access.
inline void dot_int8_prefetch(const int8_t * code, int32_t dim) {
    for (int32_t j = 0; j < dim; j += 64) {
        __builtin_prefetch(code + j);
    }
}

}  // namespace assistant
