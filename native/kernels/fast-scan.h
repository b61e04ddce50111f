// Scores one-bit codes against one query, 256 at a time, by table look-ups in registers.
// Knows blocks of codes and a query's tables; filters, candidates and vectors are the caller's.
#pragma once

#include <cstdint>
#include <vector>

namespace assistant {

// A block holds 256 slots: byte j of all 256 codes side by side, for each j, then 256 float factors.
// A scan reads it strictly forwards, four registers of 64 slots sharing each load of a table (with
// blocks of 64 those four were four streams, and RAM gave half its bandwidth). One layout serves every
// instruction set, so one cache file does too.
constexpr int64_t BLOCK_SLOTS = 256;
constexpr int64_t WORD_SLOTS = 64;  // slots of one mask
constexpr int64_t BLOCK_WORDS = BLOCK_SLOTS / WORD_SLOTS;

struct code_layout {
    int32_t n_columns;  // bytes of one code, a multiple of 3

    int64_t block_bytes() const {
        return BLOCK_SLOTS * (n_columns + static_cast<int64_t>(sizeof(float)));
    }
};

// The rotated query as small integers, and the tables that one instruction set makes from them.
struct fast_query {
    using scan_function = void (*)(const fast_query &, const uint8_t *, int64_t, float, float *,
                                   uint64_t *);

    code_layout layout{0};
    int32_t bias = 0;              // sum |q|: the tables hold sums shifted to be >= 0
    std::vector<int8_t> values;    // 8 * n_columns
    std::vector<uint8_t> tables;
    scan_function scan = nullptr;  // goes with `tables`

    // rotated: 8 * n_columns floats. May throw std::bad_alloc.
    void set(const float * rotated, code_layout code);
};

// For each slot of `n_blocks` blocks: scores[slot] = factor * sum_j (+-q_j), and bit slot % 64 of
// masks[slot / 64] where that is above `threshold`. Equal to the last bit at every instruction set.
void fast_scan(const fast_query & query, const uint8_t * blocks, int64_t n_blocks, float threshold,
               float * scores, uint64_t * masks);

}  // namespace assistant
