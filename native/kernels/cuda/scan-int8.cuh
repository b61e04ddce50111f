// Exact search over int8 rows on a GPU: one kernel multiplies, filters and selects, so no similarity is
// ever written to memory. Knows rows, queries and their k best; buffers and transfers are scan-int8.cu's.
//
// Tensor cores multiply (mma.sync m16n8k32 on signed bytes, compute capability 8.0 on). A query is two rows
// of bytes, 128 * high + low as in dot-int8.h, so the result is the CPU's to the last bit. A dot product
// does not care about the order of its dimensions: each thread takes 16 bytes at once, straight from memory
// into the registers that the multiplication wants, where the documented layout would have it take 4.
//
// The selection is a buffer per query in shared memory with the k-th best so far as its threshold, as in
// candidates.h; blocks tell each other their thresholds, and the last block to finish merges what is left.
#pragma once

#include <cstdint>

namespace assistant {

constexpr int32_t SCAN_WARPS = 8;
constexpr int32_t SCAN_THREADS = 32 * SCAN_WARPS;
constexpr int32_t WARP_ROWS = 32;
constexpr int32_t ROUND_ROWS = SCAN_WARPS * WARP_ROWS;
constexpr int32_t CHUNK_BYTES = 64;  // of a row, in one step: four threads of 16 bytes
constexpr int32_t SELECT_SIZE = 256; // keys a query's buffer holds
constexpr int32_t SELECT_MAX_K = SELECT_SIZE / 2;

// A similarity and its row as one number that grows with the similarity and, in a tie, falls with the row.
using scan_key = unsigned long long;

struct scan_args {
    const int8_t * codes;         // n_rows x row_bytes, 16-byte aligned
    const float * scales;         // n_rows
    const uint32_t * allowed;     // one bit a row, whole words; may be null
    const int8_t * queries;       // n_queries x (high, low) x row_bytes
    const float * query_scales;   // n_queries
    uint32_t n_rows;
    int32_t row_bytes;            // a multiple of CHUNK_BYTES, padded with zeros
    int32_t n_queries;
    int32_t k;                    // 1 to SELECT_MAX_K
    // Scratch; the first three begin as zeros.
    scan_key * thresholds;        // n_queries
    uint32_t * n_found;           // n_queries
    uint32_t * n_done;            // one for each tile of queries
    scan_key * found;             // n_queries x (gridDim.y * k)
    int64_t * rows;               // n_queries x k
    float * similarities;         // n_queries x k
};

// Two rows of queries that follow one another lie half of the 32 banks apart.
__host__ __device__ inline int32_t scan_query_stride(int32_t row_bytes) {
    return row_bytes % 128 == 0 ? row_bytes + 64 : row_bytes;
}

__host__ __device__ inline int64_t scan_shared_bytes(int32_t row_bytes, int32_t n_tile) {
    const int64_t keys = static_cast<int64_t>(n_tile) * (SELECT_SIZE + 1) * sizeof(scan_key);
    return keys + 2LL * n_tile * scan_query_stride(row_bytes) + 2LL * n_tile * sizeof(float) + 16;
}

__device__ __forceinline__ scan_key scan_key_make(float similarity, uint32_t row) {
    const uint32_t bits = __float_as_uint(similarity + 0.0f);  // -0 becomes 0: they tie
    const uint32_t rising = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
    return (static_cast<scan_key>(rising) << 32) | (0xFFFFFFFFu - row);
}

__device__ __forceinline__ float scan_key_similarity(scan_key key) {
    const uint32_t rising = static_cast<uint32_t>(key >> 32);
    return __uint_as_float(rising & 0x80000000u ? rising & 0x7FFFFFFFu : ~rising);
}

#ifdef __CUDACC__
// Sum of 16 rows times 8 columns over 32 bytes. PTX ISA, "Matrix fragments for mma.m16n8k32".
__device__ __forceinline__ void scan_multiply(int32_t (&sum)[4], int32_t a0, int32_t a1, int32_t a2,
                                              int32_t a3, int32_t b0, int32_t b1) {
    asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+r"(sum[0]), "+r"(sum[1]), "+r"(sum[2]), "+r"(sum[3])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

__device__ __forceinline__ uint8_t * scan_shared_memory() {
    extern __shared__ int4 shared[];
    return reinterpret_cast<uint8_t *>(shared);
}
#endif

// A block's shared memory.
template <int32_t N_TILE> struct scan_shared {
    scan_key * keys;        // N_TILE x SELECT_SIZE
    scan_key * thresholds;  // a key must beat its query's
    float * scales;         // of the queries
    uint32_t * counts;      // keys offered; more than SELECT_SIZE where some found no room
    uint32_t * last;        // whether this block merges
    int8_t * queries;       // N_TILE x (high, low) x scan_query_stride

    __device__ explicit scan_shared(uint8_t * at) {
        keys = reinterpret_cast<scan_key *>(at);
        thresholds = keys + N_TILE * SELECT_SIZE;
        scales = reinterpret_cast<float *>(thresholds + N_TILE);
        counts = reinterpret_cast<uint32_t *>(scales + N_TILE);
        last = counts + N_TILE;
        queries = reinterpret_cast<int8_t *>(last + 4);
    }
};

// One warp sorts a buffer, best first (Batcher's bitonic network).
__device__ inline void select_sort(scan_key * keys, int32_t lane) {
    for (int32_t size = 2; size <= SELECT_SIZE; size *= 2) {
        for (int32_t step = size / 2; step > 0; step /= 2) {
            __syncwarp();
            for (int32_t i = lane; i < SELECT_SIZE / 2; i += 32) {
                const int32_t low = 2 * i - (i & (step - 1));
                const scan_key a = keys[low];
                const scan_key b = keys[low + step];
                const bool falls = (low & size) == 0;
                if ((a < b) == falls) {
                    keys[low] = b;
                    keys[low + step] = a;
                }
            }
        }
    }
    __syncwarp();
}

// Leave the k best of a buffer that `count` keys were offered to, best first; how many there are. One warp.
__device__ inline uint32_t select_cut(scan_key * keys, uint32_t count, int32_t k, int32_t lane) {
    for (uint32_t i = count + lane; i < SELECT_SIZE; i += 32) {
        keys[i] = 0;  // below every key
    }
    select_sort(keys, lane);
    return count < static_cast<uint32_t>(k) ? count : static_cast<uint32_t>(k);
}

// Cut a query's buffer and raise its threshold: to this block's k-th best, or another's if that is higher.
template <int32_t N_TILE>
__device__ void scan_cut(const scan_args & args, const scan_shared<N_TILE> & shared, int32_t q,
                         int32_t first_query, int32_t lane) {
    scan_key * keys = shared.keys + q * SELECT_SIZE;
    const uint32_t offered = shared.counts[q];
    const uint32_t count =
        select_cut(keys, offered < SELECT_SIZE ? offered : SELECT_SIZE, args.k, lane);
    if (lane == 0) {
        shared.counts[q] = count;
        if (count == static_cast<uint32_t>(args.k) && keys[args.k - 1] > shared.thresholds[q]) {
            shared.thresholds[q] = keys[args.k - 1];
            atomicMax(args.thresholds + first_query + q, keys[args.k - 1]);
        }
    }
    __syncwarp();
}

// The dot products of a warp's 32 rows with the tile: sums[m][2 j] with the high bytes of queries 8 j on,
// sums[m][2 j + 1] with the low ones, m counting 16 rows.
template <int32_t N_TILE>
__device__ __forceinline__ void scan_dots(const scan_args & args, const scan_shared<N_TILE> & shared,
                                          uint32_t first, int32_t lane,
                                          int32_t (&sums)[2][N_TILE / 4][4]) {
    const auto * pieces = reinterpret_cast<const int4 *>(args.codes);
    uint32_t places[2][2];  // of this thread's pieces; 32 bits reach 64 GB and spare registers
    int4 next[2][2];
#pragma unroll
    for (int32_t i = 0; i < 4; i++) {
        const uint32_t row = min(first + 8 * i + lane / 4, args.n_rows - 1);  // masked out later
        places[i / 2][i % 2] = row * static_cast<uint32_t>(args.row_bytes / 16) + lane % 4;
        next[i / 2][i % 2] = __ldg(pieces + places[i / 2][i % 2]);
    }
    const int32_t stride = scan_query_stride(args.row_bytes);
    for (int32_t at = 0; at < args.row_bytes; at += CHUNK_BYTES) {
        int4 a[2][2];
        const bool more = at + CHUNK_BYTES < args.row_bytes;
#pragma unroll
        for (int32_t i = 0; i < 4; i++) {
            a[i / 2][i % 2] = next[i / 2][i % 2];
            if (more) {  // asked for before this step's multiplications
                next[i / 2][i % 2] = __ldg(pieces + (places[i / 2][i % 2] += CHUNK_BYTES / 16));
            }
        }
#pragma unroll
        for (int32_t n = 0; n < N_TILE / 4; n++) {
            const int32_t query = n / 2 * 8 + lane / 4;
            const int4 b = *reinterpret_cast<const int4 *>(
                shared.queries + (2 * query + n % 2) * stride + at + lane % 4 * 16);
#pragma unroll
            for (int32_t m = 0; m < 2; m++) {
                scan_multiply(sums[m][n], a[m][0].x, a[m][1].x, a[m][0].y, a[m][1].y, b.x, b.y);
                scan_multiply(sums[m][n], a[m][0].z, a[m][1].z, a[m][0].w, a[m][1].w, b.z, b.w);
            }
        }
    }
}

// Offer a warp's similarities to the buffers. Bit i of `pending` is the i-th of this thread's; what beats
// its threshold and finds no room stays set.
template <int32_t N_TILE>
__device__ __forceinline__ uint32_t scan_offer(const scan_args & args,
                                               const scan_shared<N_TILE> & shared, uint32_t first,
                                               int32_t lane,
                                               const int32_t (&sums)[2][N_TILE / 4][4],
                                               uint32_t pending) {
#pragma unroll
    for (int32_t half = 0; half < 4; half++) {  // 8 rows each
        const uint32_t row = first + 8 * half + lane / 4;
        const float scale = pending ? __ldg(args.scales + min(row, args.n_rows - 1)) : 0.0f;
#pragma unroll
        for (int32_t j = 0; j < N_TILE / 4; j++) {
            const uint32_t bit = 1u << (half * (N_TILE / 4) + j);
            if (!(pending & bit)) {
                continue;
            }
            const int32_t q = j / 2 * 8 + lane % 4 * 2 + j % 2;
            const int32_t at = half % 2 * 2 + j % 2;
            const int32_t dot =
                128 * sums[half / 2][j / 2 * 2][at] + sums[half / 2][j / 2 * 2 + 1][at];
            const scan_key key = scan_key_make(
                __fmul_rn(__int2float_rn(dot), __fmul_rn(scale, shared.scales[q])), row);
            if (key > shared.thresholds[q]) {
                const uint32_t place = atomicAdd(shared.counts + q, 1u);
                if (place >= SELECT_SIZE) {
                    continue;
                }
                shared.keys[q * SELECT_SIZE + place] = key;
            }
            pending &= ~bit;
        }
    }
    return pending;
}

// The bits of `pending` whose row and query exist and whose row is allowed.
template <int32_t N_TILE>
__device__ __forceinline__ uint32_t scan_pending(uint32_t word, int32_t n_queries, int32_t lane) {
    uint32_t pending = 0;
#pragma unroll
    for (int32_t i = 0; i < N_TILE; i++) {
        const int32_t row = i / (N_TILE / 4) * 8 + lane / 4;
        const int32_t j = i % (N_TILE / 4);
        const int32_t q = j / 2 * 8 + lane % 4 * 2 + j % 2;
        pending |= ((word >> row & 1u) && q < n_queries ? 1u : 0u) << i;
    }
    return pending;
}

__device__ __forceinline__ uint32_t scan_allowed_word(const scan_args & args, uint32_t first) {
    if (first >= args.n_rows) {
        return 0;
    }
    const uint32_t n = args.n_rows - first;
    const uint32_t exist = n >= 32 ? 0xFFFFFFFFu : (1u << n) - 1;
    return exist & (args.allowed ? __ldg(args.allowed + first / 32) : exist);
}

// Every buffer that is more than half full is cut; then all take over what other blocks know.
template <int32_t N_TILE>
__device__ void scan_cut_full(const scan_args & args, const scan_shared<N_TILE> & shared,
                              int32_t first_query, int32_t n_queries, int32_t warp, int32_t lane) {
    for (int32_t q = warp; q < n_queries; q += SCAN_WARPS) {
        if (shared.counts[q] > SELECT_SIZE / 2) {
            scan_cut(args, shared, q, first_query, lane);
        }
        if (lane == 0) {
            const scan_key other = __ldcg(args.thresholds + first_query + q);
            shared.thresholds[q] = max(shared.thresholds[q], other);
        }
    }
}

// What may still be among the k best of all blocks goes to global memory.
template <int32_t N_TILE>
__device__ void scan_publish(const scan_args & args, const scan_shared<N_TILE> & shared,
                             int32_t first_query, int32_t n_queries, int32_t warp, int32_t lane) {
    const int64_t room = static_cast<int64_t>(gridDim.y) * args.k;
    for (int32_t q = warp; q < n_queries; q += SCAN_WARPS) {
        scan_cut(args, shared, q, first_query, lane);
        const scan_key least = __ldcg(args.thresholds + first_query + q);
        for (uint32_t i = lane; i < shared.counts[q]; i += 32) {
            const scan_key key = shared.keys[q * SELECT_SIZE + i];
            if (key >= least) {
                const uint32_t place = atomicAdd(args.n_found + first_query + q, 1u);
                args.found[(first_query + q) * room + place] = key;
            }
        }
    }
}

// One warp: the k best of all that the blocks published for a query.
__device__ inline void scan_merge(const scan_args & args, scan_key * keys, int32_t query,
                                  int32_t lane) {
    const scan_key * found = args.found + static_cast<int64_t>(gridDim.y) * args.k * query;
    const uint32_t n = __ldcg(args.n_found + query);
    uint32_t count = 0;
    for (uint32_t first = 0; first < n; first += 32) {
        if (count + 32 > SELECT_SIZE) {
            count = select_cut(keys, count, args.k, lane);
        }
        if (first + lane < n) {
            keys[count + lane] = __ldcg(found + first + lane);
        }
        count += min(32u, n - first);
    }
    count = select_cut(keys, count, args.k, lane);
    for (int32_t i = lane; i < args.k; i += 32) {
        const int64_t at = static_cast<int64_t>(query) * args.k + i;
        const bool some = i < static_cast<int32_t>(count);
        args.rows[at] = some ? static_cast<int64_t>(0xFFFFFFFFu - static_cast<uint32_t>(keys[i])) : -1;
        args.similarities[at] = some ? scan_key_similarity(keys[i]) : __uint_as_float(0xFF800000u);
    }
}

template <int32_t N_TILE>
__device__ void scan_load_queries(const scan_args & args, const scan_shared<N_TILE> & shared,
                                  int32_t first_query, int32_t n_queries) {
    const int32_t thread = static_cast<int32_t>(threadIdx.x);
    const int32_t pieces = args.row_bytes / 16;
    const int32_t stride = scan_query_stride(args.row_bytes);
    for (int32_t i = thread; i < 2 * N_TILE * pieces; i += SCAN_THREADS) {
        const int32_t row = i / pieces;
        const int4 * from = reinterpret_cast<const int4 *>(
            args.queries + (2LL * first_query + row) * args.row_bytes);
        reinterpret_cast<int4 *>(shared.queries + row * stride)[i % pieces] =
            row < 2 * n_queries ? from[i % pieces] : int4{0, 0, 0, 0};
    }
    for (int32_t q = thread; q < N_TILE; q += SCAN_THREADS) {
        shared.scales[q] = q < n_queries ? args.query_scales[first_query + q] : 0.0f;
        shared.thresholds[q] = 0;
        shared.counts[q] = 0;
    }
}

// gridDim.x tiles of N_TILE queries times gridDim.y workers, which take rounds of 256 rows in turn: blocks
// that run side by side read the same rows, so several tiles share them in the cache.
template <int32_t N_TILE>
__global__ void __launch_bounds__(SCAN_THREADS, 2) scan_int8_kernel(const scan_args args) {
    const scan_shared<N_TILE> shared(scan_shared_memory());
    const int32_t warp = static_cast<int32_t>(threadIdx.x) / 32;
    const int32_t lane = static_cast<int32_t>(threadIdx.x) % 32;
    const int32_t first_query = static_cast<int32_t>(blockIdx.x) * N_TILE;
    const int32_t n_queries = min(N_TILE, args.n_queries - first_query);
    scan_load_queries(args, shared, first_query, n_queries);
    __syncthreads();
    for (uint64_t round = blockIdx.y; round * ROUND_ROWS < args.n_rows; round += gridDim.y) {
        const uint32_t first = static_cast<uint32_t>(round * ROUND_ROWS) + warp * WARP_ROWS;
        const uint32_t word = scan_allowed_word(args, first);
        int32_t sums[2][N_TILE / 4][4] = {};
        if (word) {
            scan_dots(args, shared, first, lane, sums);
        }
        uint32_t pending = scan_pending<N_TILE>(word, n_queries, lane);
        do {  // each pass takes at least one key of every query that has some left
            pending = scan_offer(args, shared, first, lane, sums, pending);
            __syncthreads();
            scan_cut_full(args, shared, first_query, n_queries, warp, lane);
        } while (__syncthreads_or(pending != 0));
    }
    scan_publish(args, shared, first_query, n_queries, warp, lane);
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) {
        *shared.last = atomicAdd(args.n_done + blockIdx.x, 1u) + 1 == gridDim.y;
    }
    __syncthreads();
    if (*shared.last) {
        __threadfence();
        for (int32_t q = warp; q < n_queries; q += SCAN_WARPS) {
            scan_merge(args, shared.keys + q * SELECT_SIZE, first_query + q, lane);
        }
    }
}

}  // namespace assistant
