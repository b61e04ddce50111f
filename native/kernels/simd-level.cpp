// Picks the instruction set. Level avx512 means F, BW, DQ, VL, VNNI and VBMI together (Ice Lake,
// Zen 4 and later): a CPU with only some of them runs avx2, which loses little and keeps two x86 paths.
#include "simd-level.h"

#include <atomic>
#include <cstdlib>
#include <cstring>

#include "assistant_native.h"

namespace assistant {
namespace {

struct named_level {
    const char * name;
    simd_level level;
};

constexpr named_level LEVELS[] = {
    {"scalar", simd_level::scalar},
    {"neon", simd_level::neon},
    {"avx2", simd_level::avx2},
    {"avx512", simd_level::avx512},
};

bool simd_level_supported(simd_level level) {
    switch (level) {
        case simd_level::scalar:
            return true;
#ifdef ASSISTANT_X86
        case simd_level::avx2:
            return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
        case simd_level::avx512:
            return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni") &&
                   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vbmi");
#endif
#ifdef ASSISTANT_ARM64
        case simd_level::neon:
            return true;  // part of every 64-bit ARM
#endif
        default:
            return false;
    }
}

const named_level * simd_level_find(const char * name) {
    for (const named_level & entry : LEVELS) {
        if (std::strcmp(entry.name, name) == 0 && simd_level_supported(entry.level)) {
            return &entry;
        }
    }
    return nullptr;
}

simd_level simd_level_choose() {
    if (const char * name = std::getenv("ASSISTANT_SIMD")) {
        if (const named_level * entry = simd_level_find(name)) {
            return entry->level;
        }
    }
    simd_level best = simd_level::scalar;
    for (const named_level & entry : LEVELS) {
        best = simd_level_supported(entry.level) ? entry.level : best;
    }
    return best;
}

std::atomic<simd_level> & simd_level_slot() {
    static std::atomic<simd_level> level{simd_level_choose()};
    return level;
}

}  // namespace

simd_level simd_level_current() { return simd_level_slot().load(std::memory_order_relaxed); }

}  // namespace assistant

extern "C" {

int32_t assistant_abi_version(void) { return ASSISTANT_ABI_VERSION; }

const char * assistant_simd_name(void) {
    const assistant::simd_level level = assistant::simd_level_current();
    for (const auto & entry : assistant::LEVELS) {
        if (entry.level == level) {
            return entry.name;
        }
    }
    return "scalar";
}

int32_t assistant_simd_force(const char * name) {
    const auto * entry = name ? assistant::simd_level_find(name) : nullptr;
    if (!entry) {
        return -1;
    }
    assistant::simd_level_slot().store(entry->level, std::memory_order_relaxed);
    return 0;
}

}  // extern "C"
