/* The C ABI of the native library: what assistant/native and assistant/runtime load by ctypes.
 *
 * Plain C types only, so that one library serves every Python version. Pointers are borrowed for the
 * length of a call unless a `_new`/`_free` pair says otherwise. Nothing throws across this border:
 * a function that can fail returns a negative number or NULL.
 */
#ifndef ASSISTANT_NATIVE_H
#define ASSISTANT_NATIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#  define ASSISTANT_API __declspec(dllexport)
#else
#  define ASSISTANT_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Raised whenever a signature below changes; assistant/native refuses another number. */
#define ASSISTANT_ABI_VERSION 4

ASSISTANT_API int32_t assistant_abi_version(void);

/* ---- instruction sets ------------------------------------------------------------------------ */

/* The level in use: "scalar", "avx2", "avx512" or "neon". The best the CPU has, or the one that the
 * environment variable ASSISTANT_SIMD names, as far as the CPU has it. */
ASSISTANT_API const char * assistant_simd_name(void);

/* The bitwise or of n_bytes read once, forwards: how fast one core reads, for the benchmark. */
ASSISTANT_API uint64_t assistant_read_bytes(const uint8_t * bytes, int64_t n_bytes);

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

/* ---- the weight window: models larger than the free RAM --------------------------------------- */

struct ggml_tensor;

typedef struct assistant_window assistant_window;

/* One tensor of a GGUF model; `file` counts the splits from 0. */
typedef struct assistant_window_tensor {
    char     name[64];
    int32_t  type; /* ggml_type */
    uint32_t file;
    int64_t  ne[4];
    uint64_t offset; /* bytes from the start of its file */
    uint64_t n_bytes;
    uint64_t row_bytes;
} assistant_window_tensor;

/* How a weight comes into RAM. */
enum assistant_window_role {
    ASSISTANT_WINDOW_PINNED   = 0, /* once, for good */
    ASSISTANT_WINDOW_STREAMED = 1, /* every time it is used, in order */
    ASSISTANT_WINDOW_GATHERED = 2, /* the rows a batch names */
    ASSISTANT_WINDOW_EXPERTS  = 3  /* the experts the router chooses */
};

typedef struct assistant_window_options {
    uint64_t ring_bytes;   /* for streamed tensors; at least three of the largest piece */
    uint64_t expert_bytes; /* for the expert cache */
    int32_t  n_read_threads;
    int32_t  n_compute_threads;
    uint32_t n_gather_rows;  /* embedding rows that are kept */
    int32_t  require_mapping; /* 1: fail when llama.cpp has not mapped this very file (Linux) */
    bool (*abort)(void * data); /* may be NULL: asked while the window itself computes */
    void * abort_data;
} assistant_window_options;

typedef struct assistant_window_counters {
    uint64_t n_graphs;
    uint64_t n_bytes_read; /* since start, what was pinned included */
    uint64_t n_reads;
    uint64_t n_rows;         /* embedding rows read */
    uint64_t n_waits;        /* times the computation waited for the disk */
    double   wait_s;
    uint64_t n_mispredicted; /* streamed weights that were used in another order than learned */
    uint64_t n_unplanned;    /* weights read whole because no plan foresaw their use */
    uint64_t pinned_bytes;
    uint64_t ring_bytes;
    uint64_t expert_bytes;
    uint64_t n_expert_hits;
    uint64_t n_expert_misses;
    uint64_t n_expert_evictions;
    uint64_t n_expert_bytes_read;
} assistant_window_counters;

/* The ggml these functions were compiled for: "0.25.3 (0c1e570)". */
ASSISTANT_API const char * assistant_window_ggml_version(void);

/* Reads the tensor index of the model at `path` (its first split) with the functions of the library
 * behind `ggml_handle` (of dlopen). NULL and a reason: another ggml version, no GGUF, truncated. */
ASSISTANT_API assistant_window * assistant_window_open(void * ggml_handle, const char * path,
                                                       char * error, size_t n_error);
ASSISTANT_API void   assistant_window_close(assistant_window * window);
ASSISTANT_API size_t assistant_window_n_tensors(const assistant_window * window);
ASSISTANT_API void   assistant_window_tensor_at(const assistant_window * window, size_t i,
                                                assistant_window_tensor * out);

/* Experts the router chooses per token; 0 for a dense model. */
ASSISTANT_API uint32_t assistant_window_n_experts_used(const assistant_window * window);

/* Whether the page cache is passed by. */
ASSISTANT_API bool assistant_window_direct(const assistant_window * window);

/* Bytes per second of the file, read as the window reads, over about `n_bytes`; 0 on an error. */
ASSISTANT_API double assistant_window_measure_disk(assistant_window * window, uint64_t n_bytes,
                                                   int32_t n_threads);

/* Bytes per second of matrix weights, resident, that one token's activations are multiplied with,
 * over about `n_bytes` of this model's matrices; 0 where there are none. */
ASSISTANT_API double assistant_window_measure_compute(assistant_window * window, uint64_t n_bytes,
                                                      int32_t n_threads);

/* Loads what is pinned and starts reading ahead. The model must be loaded from the same file with
 * mmap and without extra buffer types, and its context must call assistant_window_eval with this
 * window as user data. `roles` holds one assistant_window_role per tensor, `order` the streamed
 * tensors as they will be used. 0, or -1 and a reason. */
ASSISTANT_API int  assistant_window_start(assistant_window * window, const uint8_t * roles,
                                          size_t n_roles, const uint32_t * order, size_t n_order,
                                          const assistant_window_options * options, char * error,
                                          size_t n_error);

/* Gives the tensors back to the mapping, ends all threads and frees the weights. Before the model
 * is freed. */
ASSISTANT_API void assistant_window_stop(assistant_window * window);

/* A ggml_backend_sched_eval_callback. */
ASSISTANT_API bool assistant_window_eval(struct ggml_tensor * node, bool ask, void * window);

/* After every decode, also one that failed or was aborted: 0, or -1 and why its result is void. The
 * window is ready for the next decode either way. */
ASSISTANT_API int assistant_window_finish_graph(assistant_window * window, char * error,
                                                size_t n_error);

ASSISTANT_API void assistant_window_count(assistant_window * window,
                                          assistant_window_counters * counters);

/* ---- recall: the LSH index (RaBitQ codes, ranked again by int8) --------------------------------- */

#define ASSISTANT_BAD (-1)      /* bad arguments, or no memory */
#define ASSISTANT_DAMAGED (-2)  /* a stored vector does not match its check */
#define ASSISTANT_LSH_MAX_DIM 6144

/* A rotation. Read-only once made: any number of threads may use one. What is encoded are heads: code_dim
 * numbers made from a vector of dim by the caller, centred; the same map makes a query's, not centred. */
typedef struct assistant_lsh assistant_lsh;

/* NULL on bad arguments or no memory. */
ASSISTANT_API assistant_lsh * assistant_lsh_new(int32_t dim, int32_t code_dim, uint64_t seed);
ASSISTANT_API void assistant_lsh_free(assistant_lsh * lsh);
/* Bytes of one code: code_dim / 8, rounded up to a multiple of 3. */
ASSISTANT_API int32_t assistant_lsh_code_bytes(const assistant_lsh * lsh);

/* The codes (n x code_bytes) and factors (n) of heads (n x code_dim). */
ASSISTANT_API int32_t assistant_lsh_encode(
    const assistant_lsh * lsh, const float * heads, int64_t n, int32_t n_threads, uint8_t * bits,
    float * factors);

/* Put n codes into slots first_slot... of `blocks`: 256 slots a block, byte j of every code side by
 * side, then 256 factors; (code_bytes + 4) * 256 bytes a block. */
ASSISTANT_API void assistant_lsh_pack(
    const assistant_lsh * lsh, const uint8_t * bits, const float * factors, int64_t n,
    int64_t first_slot, uint8_t * blocks);

/* The 32-bit check of each stored vector, over its codes, its scale and its id. */
ASSISTANT_API void assistant_row_checks(
    const int8_t * codes, const float * scales, const int64_t * ids, int64_t n, int32_t dim,
    uint32_t * checks);

/* Complete n records of a log, `stride` bytes each: the check of the stored vector that each begins with
 * (as in assistant_lsh_view), whose id is the int64 at `id_at`; at `factor_at` its factor, then its code,
 * of heads (n x code_dim). Nothing need be aligned. */
ASSISTANT_API int32_t assistant_lsh_complete_records(
    const assistant_lsh * lsh, const float * heads, int64_t n, uint8_t * records, int64_t stride,
    int64_t id_at, int64_t factor_at);

/* What a search reads. A stored vector is dim int8, then float scale, then uint32 check, unaligned;
 * slot s lies at base_rows + s * base_stride below n_base, else at
 * log_rows + (s - n_base) * log_stride. */
typedef struct assistant_lsh_view {
    const uint8_t * blocks;
    const int64_t * ids;      /* n_slots */
    const uint8_t * live;     /* one bit a slot, as `allowed` */
    const uint8_t * base_rows;
    const uint8_t * log_rows;
    int64_t n_slots;
    int64_t n_base;
    int64_t base_stride;
    int64_t log_stride;
} assistant_lsh_view;

/* The k slots nearest to each query (n_queries x dim; its head in n_queries x code_dim) among those live
 * and allowed (NULL: all), best first: the n_candidates best by code, ranked by int8; or all of them by
 * int8 where few are allowed.
 * slots, similarities: n_queries x k, padded with -1 and -inf. Threads share out the queries.
 * 0, ASSISTANT_BAD or ASSISTANT_DAMAGED. */
ASSISTANT_API int32_t assistant_lsh_search(
    const assistant_lsh * lsh, const assistant_lsh_view * view, const float * queries,
    const float * heads, int32_t n_queries, int32_t k, int64_t n_candidates,
    const uint8_t * allowed, int32_t n_threads, int64_t * slots, float * similarities);

/* The similarity of the query (dim) to each of `n` stored vectors, in the order of `slots`.
 * 0, ASSISTANT_BAD or ASSISTANT_DAMAGED. */
ASSISTANT_API int32_t assistant_lsh_measure(
    const assistant_lsh * lsh, const assistant_lsh_view * view, const float * query,
    const int64_t * slots, int64_t n, float * similarities);

/* How many stored vectors of slots [first, last) do not match their check. */
ASSISTANT_API int64_t assistant_lsh_verify(
    const assistant_lsh * lsh, const assistant_lsh_view * view, int64_t first, int64_t last);

#ifdef __cplusplus
}
#endif

#endif
