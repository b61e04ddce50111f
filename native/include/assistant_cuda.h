/* The C ABI of the optional CUDA library (ASSISTANT_CUDA=ON), a library of its own: a machine without it, or
 * without a driver or a device, loses nothing. assistant/native/cuda.py loads it by ctypes.
 *
 * Nothing throws across this border. Where a function fails it returns NULL or -1 and writes the reason to
 * `error`, at most n_error bytes with the closing 0.
 */
#ifndef ASSISTANT_CUDA_H
#define ASSISTANT_CUDA_H

#include "assistant_native.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Raised whenever a signature below changes. */
#define ASSISTANT_CUDA_ABI_VERSION 1
#define ASSISTANT_CUDA_MAX_K 128

ASSISTANT_API int32_t assistant_cuda_abi_version(void);

/* The name of the first device that can run the kernels (compute capability 8.0 on) into `name`. 0, or -1. */
ASSISTANT_API int32_t assistant_cuda_device(char * name, size_t n_name, char * error, size_t n_error);

/* Rows kept on the device. One thread at a time may use them. */
typedef struct assistant_cuda_rows assistant_cuda_rows;

/* Copies codes (n_rows x dim) and scales (n_rows) to the device. At most 64 GB; dim at most 1024. */
ASSISTANT_API assistant_cuda_rows * assistant_cuda_rows_new(
    const int8_t * codes, const float * scales, int64_t n_rows, int32_t dim, char * error,
    size_t n_error);
ASSISTANT_API void assistant_cuda_rows_free(assistant_cuda_rows * rows);

/* assistant_scan_int8 over these rows, equal to the last bit; k at most ASSISTANT_CUDA_MAX_K.
 * device_us, where not NULL: the kernel's own microseconds, without transfers. */
ASSISTANT_API int32_t assistant_cuda_scan_int8(
    assistant_cuda_rows * rows, const float * queries, int32_t n_queries, int32_t k,
    const uint8_t * allowed, int64_t * found, float * similarities, float * device_us, char * error,
    size_t n_error);

#ifdef __cplusplus
}
#endif

#endif
