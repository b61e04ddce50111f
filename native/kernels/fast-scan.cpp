// One-bit codes against an integer query, after "PQ fast scan" (Andre, Kermarrec, Le Scouarnec, VLDB
// 2015) as RaBitQ uses it (arXiv 2405.12497, section 3.3.2): a few code bits index a table that lies in
// a register, so 64 (AVX-512), 32 (AVX2) or 16 (NEON) codes take one look-up instruction.
//
// Two things are ours. AVX-512 looks up six bits at once (vpermb has 64 entries and ignores the two top
// bits of an index), which needs a third fewer look-ups than four bits. And the query is rounded so that
// the absolute values of any 24 neighbours sum to at most 127: the look-ups of three code bytes then
// add up in unsigned bytes without overflow, at every table width, with the same exact sum.
#include "fast-scan.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "round-even.h"
#include "simd-level.h"

#ifdef ASSISTANT_X86
#  include <immintrin.h>
#endif
#ifdef ASSISTANT_ARM64
#  include <arm_neon.h>
#endif

namespace assistant {
namespace {

constexpr int32_t TRIPLE = 24;      // dims whose look-ups are added in one byte
constexpr int32_t TRIPLE_SUM = 127;

int32_t triple_sum_largest(const std::vector<int8_t> & values) {
    int32_t largest = 0;
    for (size_t t = 0; t < values.size(); t += TRIPLE) {
        int32_t sum = 0;
        for (size_t j = t; j < t + TRIPLE; j++) {
            sum += std::abs(values[j]);
        }
        largest = std::max(largest, sum);
    }
    return largest;
}

void query_round(const float * rotated, std::vector<int8_t> & values) {
    float largest = 0.0f;
    for (size_t t = 0; t < values.size(); t += TRIPLE) {
        float sum = 0.0f;
        for (size_t j = t; j < t + TRIPLE; j++) {
            sum += std::fabs(rotated[j]);
        }
        largest = std::max(largest, sum);
    }
    float scale = largest > 0.0f ? static_cast<float>(TRIPLE_SUM) / largest : 0.0f;
    do {  // rounding may add a few units to a triple; the second or third try fits
        for (size_t j = 0; j < values.size(); j++) {
            values[j] = static_cast<int8_t>(round_even(rotated[j] * scale));
        }
        scale *= 0.98f;
    } while (triple_sum_largest(values) > TRIPLE_SUM);
}

// All sums of `n` values with the signs that the bits of an index give, plus sum |value|.
template <typename entry> void table_fill(const int8_t * values, int32_t n, entry * table) {
    int32_t lowest = 0;
    for (int32_t i = 0; i < n; i++) {
        lowest += std::abs(values[i]) - values[i];
    }
    table[0] = static_cast<entry>(lowest);
    for (int32_t i = 0; i < n; i++) {
        const entry step = static_cast<entry>(2 * values[i]);  // modulo 2^8 is fine: sums are >= 0
        for (int32_t j = 0; j < (1 << i); j++) {
            table[(1 << i) + j] = static_cast<entry>(table[j] + step);
        }
    }
}

// ---- scalar: one look-up a byte ----------------------------------------------------------------

void tables_scalar(fast_query & query) {
    query.tables.resize(static_cast<size_t>(query.layout.n_columns) * 256 * sizeof(uint16_t));
    auto * tables = reinterpret_cast<uint16_t *>(query.tables.data());
    for (int32_t c = 0; c < query.layout.n_columns; c++) {
        table_fill(query.values.data() + 8 * c, 8, tables + 256 * c);
    }
}

// 64 slots.
uint64_t scores_from_sums(const uint8_t * factors, const int32_t * sums, int32_t bias,
                          float threshold, float * scores) {
    uint64_t mask = 0;
    for (int32_t i = 0; i < WORD_SLOTS; i++) {
        float factor;
        std::memcpy(&factor, factors + sizeof(float) * i, sizeof(float));
        scores[i] = factor * static_cast<float>(sums[i] - bias);
        mask |= static_cast<uint64_t>(scores[i] > threshold) << i;
    }
    return mask;
}

// Every word of every block; `score_word(block, first slot, factors, scores)` gives a word's mask.
template <typename function>
inline void scan_words(const fast_query & query, const uint8_t * block, int64_t n_blocks,
                       float * scores, uint64_t * masks, const function & score_word) {
    for (int64_t b = 0; b < n_blocks; b++, block += query.layout.block_bytes()) {
        for (int64_t first = 0; first < BLOCK_SLOTS; first += WORD_SLOTS) {
            const uint8_t * factors =
                block + query.layout.n_columns * BLOCK_SLOTS + sizeof(float) * first;
            *masks++ = score_word(block, first, factors, scores);
            scores += WORD_SLOTS;
        }
    }
}

void scan_scalar(const fast_query & query, const uint8_t * blocks, int64_t n_blocks,
                 float threshold, float * scores, uint64_t * masks) {
    const auto * tables = reinterpret_cast<const uint16_t *>(query.tables.data());
    const auto score_word = [&](const uint8_t * block, int64_t first, const uint8_t * factors,
                                float * out) {
        int32_t sums[WORD_SLOTS] = {};
        for (int32_t c = 0; c < query.layout.n_columns; c++) {
            const uint8_t * column = block + c * BLOCK_SLOTS + first;
            for (int32_t i = 0; i < WORD_SLOTS; i++) {
                sums[i] += tables[256 * c + column[i]];
            }
        }
        return scores_from_sums(factors, sums, query.bias, threshold, out);
    };
    scan_words(query, blocks, n_blocks, scores, masks, score_word);
}

// ---- four bits: AVX2 and NEON --------------------------------------------------------------------

void tables_four(fast_query & query) {
    const int32_t n = 2 * query.layout.n_columns;
    query.tables.resize(static_cast<size_t>(n) * 16);
    for (int32_t t = 0; t < n; t++) {
        table_fill(query.values.data() + 4 * t, 4, query.tables.data() + 16 * t);
    }
}

#ifdef ASSISTANT_X86

// Asks for bytes of the next block while this one is scored: no hardware prefetcher runs as far ahead as
// RAM is away. Past the last block nothing is read, for a prefetch of no page does nothing.
inline void prefetch_lines(const uint8_t * bytes, int64_t n_bytes) {
    for (int64_t line = 0; line < n_bytes; line += 64) {
        _mm_prefetch(reinterpret_cast<const char *>(bytes + line), _MM_HINT_T0);
    }
}

#  define TARGET_AVX2 __attribute__((target("avx2")))

// The look-ups of three columns, 64 slots, as unsigned bytes. A table is loaded once for both halves.
TARGET_AVX2 inline void triple_avx2(const uint8_t * columns, const uint8_t * tables,
                                    __m256i sums[2]) {
    const __m256i nibble = _mm256_set1_epi8(0x0F);
    sums[0] = sums[1] = _mm256_setzero_si256();
    for (int32_t c = 0; c < 3; c++) {
        const __m256i low = _mm256_broadcastsi128_si256(
            _mm_loadu_si128(reinterpret_cast<const __m128i *>(tables + 32 * c)));
        const __m256i high = _mm256_broadcastsi128_si256(
            _mm_loadu_si128(reinterpret_cast<const __m128i *>(tables + 32 * c + 16)));
        for (int32_t h = 0; h < 2; h++) {
            const __m256i codes = _mm256_loadu_si256(
                reinterpret_cast<const __m256i *>(columns + c * BLOCK_SLOTS + 32 * h));
            const __m256i first = _mm256_shuffle_epi8(low, _mm256_and_si256(codes, nibble));
            const __m256i second = _mm256_shuffle_epi8(
                high, _mm256_and_si256(_mm256_srli_epi16(codes, 4), nibble));
            sums[h] = _mm256_add_epi8(sums[h], _mm256_add_epi8(first, second));
        }
    }
}

TARGET_AVX2 inline uint32_t scores_avx2(__m128i sums, const uint8_t * factors, __m256i bias,
                                        __m256 threshold, float * scores) {
    const __m256 sum = _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_cvtepu16_epi32(sums), bias));
    const __m256 score =
        _mm256_mul_ps(_mm256_loadu_ps(reinterpret_cast<const float *>(factors)), sum);
    _mm256_storeu_ps(scores, score);
    return static_cast<uint32_t>(
        _mm256_movemask_ps(_mm256_cmp_ps(score, threshold, _CMP_GT_OQ)));
}

// 32 slots: `all` holds 16-bit sums of even slots with the odd ones' spill in the top, `odd` the odd ones.
TARGET_AVX2 inline uint64_t half_avx2(__m256i all, __m256i odd, const uint8_t * factors,
                                      int32_t bias, float threshold, float * scores) {
    const __m256i even = _mm256_sub_epi16(all, _mm256_slli_epi16(odd, 8));
    const __m256i low = _mm256_unpacklo_epi16(even, odd);   // slots 0-7 and 16-23
    const __m256i high = _mm256_unpackhi_epi16(even, odd);  // slots 8-15 and 24-31
    const __m128i eights[4] = {_mm256_castsi256_si128(low), _mm256_castsi256_si128(high),
                               _mm256_extracti128_si256(low, 1), _mm256_extracti128_si256(high, 1)};
    uint64_t mask = 0;
    for (int32_t i = 0; i < 4; i++) {
        const uint64_t above = scores_avx2(eights[i], factors + 32 * i, _mm256_set1_epi32(bias),
                                           _mm256_set1_ps(threshold), scores + 8 * i);
        mask |= above << (8 * i);
    }
    return mask;
}

// A word, and meanwhile its share of the next block is asked for.
TARGET_AVX2 uint64_t word_avx2(const fast_query & query, const uint8_t * columns,
                               const uint8_t * factors, float threshold, float * scores,
                               const uint8_t * ahead) {
    __m256i all[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    __m256i odd[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    for (int32_t c = 0; c < query.layout.n_columns; c += 3, ahead += 3 * WORD_SLOTS) {
        prefetch_lines(ahead, 3 * WORD_SLOTS);
        __m256i sums[2];
        triple_avx2(columns + c * BLOCK_SLOTS, query.tables.data() + 32 * c, sums);
        for (int32_t h = 0; h < 2; h++) {
            all[h] = _mm256_add_epi16(all[h], sums[h]);
            odd[h] = _mm256_add_epi16(odd[h], _mm256_srli_epi16(sums[h], 8));
        }
    }
    prefetch_lines(ahead, 4 * WORD_SLOTS);
    const uint64_t low = half_avx2(all[0], odd[0], factors, query.bias, threshold, scores);
    return low |
           half_avx2(all[1], odd[1], factors + 128, query.bias, threshold, scores + 32) << 32;
}

TARGET_AVX2 void scan_avx2(const fast_query & query, const uint8_t * blocks, int64_t n_blocks,
                           float threshold, float * scores, uint64_t * masks) {
    const int64_t share = query.layout.block_bytes() / BLOCK_WORDS;
    const auto score_word = [&](const uint8_t * block, int64_t first, const uint8_t * factors,
                                float * out) {
        const uint8_t * ahead = block + query.layout.block_bytes() + first / WORD_SLOTS * share;
        return word_avx2(query, block + first, factors, threshold, out, ahead);
    };
    scan_words(query, blocks, n_blocks, scores, masks, score_word);
}

// ---- six bits: AVX-512 with VBMI -----------------------------------------------------------------

#  define TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi")))

// Three columns b0 b1 b2 give four indices: the low six bits of each, and their top two bits, in bits
// 4-5, 2-3 and 0-1. Two shifts and selects do that for 64 slots.
void tables_six(fast_query & query) {
    const int32_t n_triples = query.layout.n_columns / 3;
    query.tables.resize(static_cast<size_t>(n_triples) * 256);
    for (int32_t t = 0; t < n_triples; t++) {
        const int8_t * q = query.values.data() + TRIPLE * t;
        const int8_t tops[6] = {q[22], q[23], q[14], q[15], q[6], q[7]};
        uint8_t * tables = query.tables.data() + 256 * t;
        table_fill(q, 6, tables);
        table_fill(q + 8, 6, tables + 64);
        table_fill(q + 16, 6, tables + 128);
        table_fill(tops, 6, tables + 192);
    }
}

TARGET_AVX512 inline __m512i triple_avx512(const uint8_t * columns, const __m512i tables[4]) {
    const __m512i b0 = _mm512_loadu_si512(columns);
    const __m512i b1 = _mm512_loadu_si512(columns + BLOCK_SLOTS);
    const __m512i b2 = _mm512_loadu_si512(columns + 2 * BLOCK_SLOTS);
    // (mask & a) | (~mask & b) is 0xCA with the mask first; bits 6 and 7 are ignored by vpermb.
    const __m512i tops = _mm512_ternarylogic_epi32(
        _mm512_set1_epi8(0x30), _mm512_srli_epi16(b0, 2),
        _mm512_ternarylogic_epi32(_mm512_set1_epi8(0x0C), _mm512_srli_epi16(b1, 4),
                                  _mm512_srli_epi16(b2, 6), 0xCA),
        0xCA);
    const __m512i first = _mm512_add_epi8(_mm512_permutexvar_epi8(b0, tables[0]),
                                          _mm512_permutexvar_epi8(b1, tables[1]));
    const __m512i second = _mm512_add_epi8(_mm512_permutexvar_epi8(b2, tables[2]),
                                           _mm512_permutexvar_epi8(tops, tables[3]));
    return _mm512_add_epi8(first, second);
}

TARGET_AVX512 inline uint64_t scores_avx512(__m512i all, __m512i odd, const uint8_t * factors,
                                            int32_t bias, float threshold, float * scores) {
    alignas(64) static constexpr uint16_t INTERLEAVE[32] = {
        0, 32, 1, 33, 2,  34, 3,  35, 4,  36, 5,  37, 6,  38, 7,  39,
        8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47};
    const __m512i index = _mm512_load_si512(INTERLEAVE);
    const __m512i even = _mm512_sub_epi16(all, _mm512_slli_epi16(odd, 8));
    const __m512i halves[2] = {
        _mm512_permutex2var_epi16(even, index, odd),
        _mm512_permutex2var_epi16(even, _mm512_add_epi16(index, _mm512_set1_epi16(16)), odd)};
    uint64_t mask = 0;
    for (int32_t i = 0; i < 4; i++) {
        const __m256i sums = i % 2 ? _mm512_extracti64x4_epi64(halves[i / 2], 1)
                                   : _mm512_castsi512_si256(halves[i / 2]);
        const __m512 sum = _mm512_cvtepi32_ps(
            _mm512_sub_epi32(_mm512_cvtepu16_epi32(sums), _mm512_set1_epi32(bias)));
        const __m512 score = _mm512_mul_ps(_mm512_loadu_ps(factors + 64 * i), sum);
        _mm512_storeu_ps(scores + 16 * i, score);
        const __mmask16 above = _mm512_cmp_ps_mask(score, _mm512_set1_ps(threshold), _CMP_GT_OQ);
        mask |= static_cast<uint64_t>(above) << (16 * i);
    }
    return mask;
}

TARGET_AVX512 void scan_avx512(const fast_query & query, const uint8_t * block, int64_t n_blocks,
                               float threshold, float * scores, uint64_t * masks) {
    const int32_t n_columns = query.layout.n_columns;
    for (int64_t b = 0; b < n_blocks; b++, block += query.layout.block_bytes()) {
        __m512i all[BLOCK_WORDS], odd[BLOCK_WORDS];
        for (int32_t w = 0; w < BLOCK_WORDS; w++) {
            all[w] = odd[w] = _mm512_setzero_si512();
        }
        const uint8_t * at = query.tables.data();
        const uint8_t * ahead = block + query.layout.block_bytes();
        for (int32_t c = 0; c < n_columns; c += 3, at += 256, ahead += 3 * BLOCK_SLOTS) {
            prefetch_lines(ahead, 3 * BLOCK_SLOTS);
            const __m512i tables[4] = {_mm512_loadu_si512(at), _mm512_loadu_si512(at + 64),
                                       _mm512_loadu_si512(at + 128), _mm512_loadu_si512(at + 192)};
            for (int32_t w = 0; w < BLOCK_WORDS; w++) {
                const __m512i sum =
                    triple_avx512(block + c * BLOCK_SLOTS + w * WORD_SLOTS, tables);
                all[w] = _mm512_add_epi16(all[w], sum);
                odd[w] = _mm512_add_epi16(odd[w], _mm512_srli_epi16(sum, 8));
            }
        }
        prefetch_lines(ahead, BLOCK_SLOTS * static_cast<int64_t>(sizeof(float)));
        const uint8_t * factors = block + n_columns * BLOCK_SLOTS;
        for (int32_t w = 0; w < BLOCK_WORDS; w++, scores += WORD_SLOTS) {
            *masks++ = scores_avx512(all[w], odd[w], factors + w * WORD_SLOTS * sizeof(float),
                                     query.bias, threshold, scores);
        }
    }
}

#endif

#ifdef ASSISTANT_ARM64

// 16 slots.
void quarter_neon(const fast_query & query, const uint8_t * columns, int32_t * sums) {
    const uint8x16_t nibble = vdupq_n_u8(0x0F);
    uint16x8_t low = vdupq_n_u16(0);
    uint16x8_t high = vdupq_n_u16(0);
    for (int32_t c = 0; c < query.layout.n_columns; c += 3) {
        uint8x16_t sum = vdupq_n_u8(0);
        for (int32_t j = c; j < c + 3; j++) {
            const uint8x16_t codes = vld1q_u8(columns + j * BLOCK_SLOTS);
            const uint8_t * table = query.tables.data() + 32 * j;
            sum = vaddq_u8(sum, vqtbl1q_u8(vld1q_u8(table), vandq_u8(codes, nibble)));
            sum = vaddq_u8(sum, vqtbl1q_u8(vld1q_u8(table + 16), vshrq_n_u8(codes, 4)));
        }
        low = vaddw_u8(low, vget_low_u8(sum));
        high = vaddw_u8(high, vget_high_u8(sum));
    }
    vst1q_s32(sums, vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(low))));
    vst1q_s32(sums + 4, vreinterpretq_s32_u32(vmovl_u16(vget_high_u16(low))));
    vst1q_s32(sums + 8, vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(high))));
    vst1q_s32(sums + 12, vreinterpretq_s32_u32(vmovl_u16(vget_high_u16(high))));
}

void scan_neon(const fast_query & query, const uint8_t * blocks, int64_t n_blocks, float threshold,
               float * scores, uint64_t * masks) {
    const auto score_word = [&](const uint8_t * block, int64_t first, const uint8_t * factors,
                                float * out) {
        int32_t sums[WORD_SLOTS];
        for (int64_t i = 0; i < WORD_SLOTS; i += 16) {
            quarter_neon(query, block + first + i, sums + i);
        }
        return scores_from_sums(factors, sums, query.bias, threshold, out);
    };
    scan_words(query, blocks, n_blocks, scores, masks, score_word);
}

#endif

struct fast_scan_level {
    void (*make_tables)(fast_query &);
    fast_query::scan_function scan;
};

fast_scan_level fast_scan_choose() {
    switch (simd_level_current()) {
#ifdef ASSISTANT_X86
        case simd_level::avx512:
            return {tables_six, scan_avx512};
        case simd_level::avx2:
            return {tables_four, scan_avx2};
#endif
#ifdef ASSISTANT_ARM64
        case simd_level::neon:
            return {tables_four, scan_neon};
#endif
        default:
            return {tables_scalar, scan_scalar};
    }
}

}  // namespace

void fast_query::set(const float * rotated, code_layout code) {
    layout = code;
    values.resize(static_cast<size_t>(8) * code.n_columns);
    query_round(rotated, values);
    bias = 0;
    for (const int8_t value : values) {
        bias += std::abs(value);
    }
    const fast_scan_level level = fast_scan_choose();
    level.make_tables(*this);
    scan = level.scan;
}

void fast_scan(const fast_query & query, const uint8_t * blocks, int64_t n_blocks, float threshold,
               float * scores, uint64_t * masks) {
    query.scan(query, blocks, n_blocks, threshold, scores, masks);
}

}  // namespace assistant
