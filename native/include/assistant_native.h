/* The C ABI of the native library: what assistant/native.py and assistant/runtime load by ctypes.
 *
 * Plain C types only, so that one library serves every Python version. Pointers are borrowed for the
 * length of a call unless a `_new`/`_free` pair says otherwise. Nothing throws across this border:
 * a function that can fail returns a negative number or NULL.
 */
#ifndef ASSISTANT_NATIVE_H
#define ASSISTANT_NATIVE_H

#include <stdint.h>

#if defined(_WIN32)
#  define ASSISTANT_API __declspec(dllexport)
#else
#  define ASSISTANT_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Raised whenever a signature below changes; assistant/native.py refuses another number. */
#define ASSISTANT_ABI_VERSION 2

ASSISTANT_API int32_t assistant_abi_version(void);

/* ---- instruction sets ------------------------------------------------------------------------ */

/* The level in use: "scalar", "avx2", "avx512" or "neon". The best the CPU has, or the one that the
 * environment variable ASSISTANT_SIMD names, as far as the CPU has it. */
ASSISTANT_API const char * assistant_simd_name(void);

/* Use `name` from now on. 0, or -1 where this CPU or this build lacks it. For tests. */
ASSISTANT_API int32_t assistant_simd_force(const char * name);

/* ---- recall: exact int8 scan ------------------------------------------------------------------ */

/* The k rows of `codes` with the highest dot product with each query, best first; ties by row.
 *
 *   codes    n_rows x dim int8, row-major; scales  n_rows floats: a row's value is code * scale
 *   queries  n_queries x dim floats, finite
 *   allowed  NULL, or (n_rows + 7) / 8 bytes: bit i & 7 of byte i >> 3 admits row i
 *   rows, similarities   n_queries x k outputs; places without a row hold -1 and -inf
 *
 * n_threads 1 runs in the caller; more split the rows. 0, or -1 on bad arguments or no memory. */
ASSISTANT_API int32_t assistant_scan_int8(
    const int8_t * codes, const float * scales, int64_t n_rows, int32_t dim,
    const float * queries, int32_t n_queries, int32_t k, const uint8_t * allowed,
    int32_t n_threads, int64_t * rows, float * similarities);

#ifdef __cplusplus
}
#endif

#endif
