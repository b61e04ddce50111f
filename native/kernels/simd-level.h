// Which instruction set the kernels use, chosen once at run time.
// Knows nothing of the kernels: each keeps its own table, indexed by simd_level.
#pragma once

#if defined(__x86_64__) || defined(_M_X64)
#  define ASSISTANT_X86 1
#elif defined(__aarch64__) || defined(_M_ARM64)
#  define ASSISTANT_ARM64 1
#endif

namespace assistant {

enum class simd_level { scalar, neon, avx2, avx512 };

simd_level simd_level_current();

}  // namespace assistant
