// int8 dot products: AVX-512 VNNI, AVX2, NEON and scalar, equal to the last bit.
//
// The trick on x86: vpdpbusd multiplies unsigned by signed bytes. Flipping the top bit of a code is
// adding 128, so dot(code + 128, q) - 128 * sum(q) = dot(code, q), and sum(q) is one number per query.
// AVX2 lacks vpdpbusd, and vpmaddubsw saturates; it widens to 16 bits instead, which is exact.
#include "dot-int8.h"

#include "simd-level.h"

#ifdef ASSISTANT_X86
#  include <immintrin.h>
#endif
#ifdef ASSISTANT_ARM64
#  include <arm_neon.h>
#endif

namespace assistant {
namespace {

int32_t dot_scalar(const int8_t * code, const query_int8 & query) {
    int32_t sum = 0;
    for (int32_t j = 0; j < query.dim; j++) {
        sum += static_cast<int32_t>(code[j]) * query.wide[j];
    }
    return sum;
}

#ifdef ASSISTANT_X86

__attribute__((target("avx2"))) int32_t sum_avx2(__m256i v) {
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4E));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xB1));
    return _mm_cvtsi128_si32(s);
}

__attribute__((target("avx2"))) int32_t dot_avx2(const int8_t * code, const query_int8 & query) {
    __m256i sum = _mm256_setzero_si256();
    int32_t j = 0;
    for (; j + 16 <= query.dim; j += 16) {
        const __m256i c = _mm256_cvtepi8_epi16(
            _mm_loadu_si128(reinterpret_cast<const __m128i *>(code + j)));
        const __m256i q =
            _mm256_loadu_si256(reinterpret_cast<const __m256i *>(query.wide.data() + j));
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(c, q));
    }
    int32_t total = sum_avx2(sum);
    for (; j < query.dim; j++) {
        total += static_cast<int32_t>(code[j]) * query.wide[j];
    }
    return total;
}

__attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni"))) int32_t dot_avx512(
    const int8_t * code, const query_int8 & query) {
    const __m512i flip = _mm512_set1_epi8(static_cast<char>(0x80));
    __m512i high = _mm512_setzero_si512();
    __m512i low = _mm512_setzero_si512();
    for (int32_t j = 0; j < query.dim; j += 64) {
        const int32_t left = query.dim - j;
        const __mmask64 mask = left >= 64 ? ~0ull : (1ull << left) - 1;
        const __m512i c = _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, code + j), flip);
        high = _mm512_dpbusd_epi32(high, c, _mm512_maskz_loadu_epi8(mask, query.high.data() + j));
        low = _mm512_dpbusd_epi32(low, c, _mm512_maskz_loadu_epi8(mask, query.low.data() + j));
    }
    const __m512i sum = _mm512_add_epi32(_mm512_slli_epi32(high, 7), low);
    return _mm512_reduce_add_epi32(sum) - 128 * (128 * query.high_sum + query.low_sum);
}

#endif

#ifdef ASSISTANT_ARM64

int32_t dot_neon(const int8_t * code, const query_int8 & query) {
    int32x4_t sum0 = vdupq_n_s32(0);
    int32x4_t sum1 = vdupq_n_s32(0);
    int32_t j = 0;
    for (; j + 16 <= query.dim; j += 16) {
        const int8x16_t c = vld1q_s8(code + j);
        const int16x8_t c0 = vmovl_s8(vget_low_s8(c));
        const int16x8_t c1 = vmovl_s8(vget_high_s8(c));
        const int16x8_t q0 = vld1q_s16(query.wide.data() + j);
        const int16x8_t q1 = vld1q_s16(query.wide.data() + j + 8);
        sum0 = vmlal_s16(sum0, vget_low_s16(c0), vget_low_s16(q0));
        sum1 = vmlal_s16(sum1, vget_high_s16(c0), vget_high_s16(q0));
        sum0 = vmlal_s16(sum0, vget_low_s16(c1), vget_low_s16(q1));
        sum1 = vmlal_s16(sum1, vget_high_s16(c1), vget_high_s16(q1));
    }
    int32_t total = vaddvq_s32(vaddq_s32(sum0, sum1));
    for (; j < query.dim; j++) {
        total += static_cast<int32_t>(code[j]) * query.wide[j];
    }
    return total;
}

#endif

}  // namespace

dot_function dot_int8_choose() {
    switch (simd_level_current()) {
#ifdef ASSISTANT_X86
        case simd_level::avx512:
            return dot_avx512;
        case simd_level::avx2:
            return dot_avx2;
#endif
#ifdef ASSISTANT_ARM64
        case simd_level::neon:
            return dot_neon;
#endif
        default:
            return dot_scalar;
    }
}

}  // namespace assistant
