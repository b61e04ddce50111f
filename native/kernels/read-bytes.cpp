// Reads memory as fast as one core can, and nothing else: the yardstick for a scan's share of the physical
// limit. Four sums that do not wait for one another; a loop left to the compiler read 16 GB/s where this
// reads 21.
#include <cstdint>
#include <cstring>

#include "assistant_native.h"
#include "simd-level.h"

#ifdef ASSISTANT_X86
#  include <immintrin.h>
#endif

namespace assistant {
namespace {

constexpr int64_t STEP_BYTES = 256;

uint64_t read_scalar(const uint8_t * bytes, int64_t n_bytes) {
    uint64_t lanes[4] = {};
    for (int64_t i = 0; i + STEP_BYTES <= n_bytes; i += STEP_BYTES) {
        for (int64_t j = 0; j < STEP_BYTES; j += 32) {
            for (int64_t lane = 0; lane < 4; lane++) {
                uint64_t word;
                std::memcpy(&word, bytes + i + j + 8 * lane, sizeof(word));
                lanes[lane] |= word;
            }
        }
    }
    return lanes[0] | lanes[1] | lanes[2] | lanes[3];
}

#ifdef ASSISTANT_X86

__attribute__((target("avx2"))) uint64_t read_avx2(const uint8_t * bytes, int64_t n_bytes) {
    __m256i sums[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(),
                       _mm256_setzero_si256()};
    for (int64_t i = 0; i + STEP_BYTES <= n_bytes; i += STEP_BYTES) {
        for (int64_t j = 0; j < 8; j++) {
            sums[j % 4] = _mm256_or_si256(
                sums[j % 4],
                _mm256_loadu_si256(reinterpret_cast<const __m256i *>(bytes + i + 32 * j)));
        }
    }
    const __m256i all =
        _mm256_or_si256(_mm256_or_si256(sums[0], sums[1]), _mm256_or_si256(sums[2], sums[3]));
    return static_cast<uint64_t>(_mm256_extract_epi64(all, 0) | _mm256_extract_epi64(all, 1) |
                                 _mm256_extract_epi64(all, 2) | _mm256_extract_epi64(all, 3));
}

__attribute__((target("avx512f"))) uint64_t read_avx512(const uint8_t * bytes, int64_t n_bytes) {
    __m512i sums[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(),
                       _mm512_setzero_si512()};
    for (int64_t i = 0; i + STEP_BYTES <= n_bytes; i += STEP_BYTES) {
        for (int64_t j = 0; j < 4; j++) {
            sums[j] = _mm512_or_si512(sums[j], _mm512_loadu_si512(bytes + i + 64 * j));
        }
    }
    return static_cast<uint64_t>(_mm512_reduce_or_epi64(
        _mm512_or_si512(_mm512_or_si512(sums[0], sums[1]), _mm512_or_si512(sums[2], sums[3]))));
}

#endif

}  // namespace
}  // namespace assistant

extern "C" uint64_t assistant_read_bytes(const uint8_t * bytes, int64_t n_bytes) {
    using namespace assistant;
    switch (simd_level_current()) {
#ifdef ASSISTANT_X86
        case simd_level::avx512:
            return read_avx512(bytes, n_bytes);
        case simd_level::avx2:
            return read_avx2(bytes, n_bytes);
#endif
        default:
            return read_scalar(bytes, n_bytes);
    }
}
