// Reads memory as fast as one core can, and nothing else: the yardstick for a scan's share of the
// physical limit. The loop is left to the compiler, at each instruction set.
#include <cstdint>
#include <cstring>

#include "assistant_native.h"
#include "simd-level.h"

namespace assistant {
namespace {

#define ASSISTANT_READ_LOOP                                   \
    uint64_t lanes[32] = {};                                  \
    for (int64_t i = 0; i + 256 <= n_bytes; i += 256) {       \
        uint64_t words[32];                                   \
        std::memcpy(words, bytes + i, sizeof(words));         \
        for (int j = 0; j < 32; j++) {                        \
            lanes[j] |= words[j];                             \
        }                                                     \
    }                                                         \
    uint64_t all = 0;                                         \
    for (const uint64_t lane : lanes) {                       \
        all |= lane;                                          \
    }                                                         \
    return all;

uint64_t read_scalar(const uint8_t * bytes, int64_t n_bytes) { ASSISTANT_READ_LOOP }

#ifdef ASSISTANT_X86
__attribute__((target("avx2"))) uint64_t read_avx2(const uint8_t * bytes, int64_t n_bytes) {
    ASSISTANT_READ_LOOP
}

__attribute__((target("avx512f,prefer-vector-width=512"))) uint64_t read_avx512(
    const uint8_t * bytes, int64_t n_bytes) {
    ASSISTANT_READ_LOOP
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
