// The host's side of the exact scan on a GPU: rows that stay on the device, scratch that grows, transfers,
// one launch a batch. Knows CUDA's runtime, linked statically; the kernel is scan-int8.cuh's.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <cuda_runtime.h>

#include "../dot-int8.h"
#include "assistant_cuda.h"
#include "scan-int8.cuh"

namespace assistant {
namespace {

constexpr int32_t CUDA_MAX_DIM = 1024;  // 32 queries of more do not fit into shared memory
constexpr int32_t SMALL_TILE = 8;
constexpr int32_t LARGE_TILE = 32;

void cuda_check(cudaError_t status, const char * what) {
    if (status != cudaSuccess) {
        cudaGetLastError();  // a refused launch must not be the next call's error
        throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(status));
    }
}

// Memory on the device. Grows, and forgets its content then.
class cuda_buffer {
public:
    cuda_buffer() = default;
    cuda_buffer(const cuda_buffer &) = delete;
    cuda_buffer & operator=(const cuda_buffer &) = delete;
    ~cuda_buffer() { cudaFree(data_); }

    template <typename type> type * reserve(int64_t n) {
        const size_t n_bytes = static_cast<size_t>(std::max<int64_t>(n, 1)) * sizeof(type);
        if (n_bytes > n_bytes_) {
            cudaFree(data_);
            data_ = nullptr;
            n_bytes_ = 0;
            cuda_check(cudaMalloc(&data_, n_bytes), "no memory on the device");
            n_bytes_ = n_bytes;
        }
        return static_cast<type *>(data_);
    }

    template <typename type> type * upload(const type * from, int64_t n) {
        type * to = reserve<type>(n);
        cuda_check(cudaMemcpy(to, from, static_cast<size_t>(n) * sizeof(type), cudaMemcpyHostToDevice),
                   "copying to the device");
        return to;
    }

private:
    void * data_ = nullptr;
    size_t n_bytes_ = 0;
};

class cuda_event {
public:
    cuda_event() { cuda_check(cudaEventCreate(&event_), "making an event"); }
    cuda_event(const cuda_event &) = delete;
    cuda_event & operator=(const cuda_event &) = delete;
    ~cuda_event() { cudaEventDestroy(event_); }
    void record() { cuda_check(cudaEventRecord(event_), "recording an event"); }
    float us_since(const cuda_event & earlier) const {
        float ms = 0.0f;
        cuda_check(cudaEventElapsedTime(&ms, earlier.event_, event_), "reading an event");
        return 1000.0f * ms;
    }

private:
    cudaEvent_t event_ = nullptr;
};

// The first device that can multiply bytes on tensor cores.
int32_t cuda_choose_device(cudaDeviceProp & properties) {
    int32_t n = 0;
    cuda_check(cudaGetDeviceCount(&n), "no CUDA device");
    for (int32_t device = 0; device < n; device++) {
        cuda_check(cudaGetDeviceProperties(&properties, device), "asking a device");
        if (properties.major >= 8) {
            return device;
        }
    }
    throw std::runtime_error("no CUDA device of compute capability 8.0 or later");
}

}  // namespace
}  // namespace assistant

struct assistant_cuda_rows {
    int64_t n_rows = 0;
    int32_t dim = 0;
    int32_t row_bytes = 0;
    int32_t device = 0;
    int32_t n_processors = 0;
    assistant::cuda_buffer codes, scales, allowed, queries, query_scales, zeros, found, rows,
        similarities;
    assistant::cuda_event started, ended;
};

namespace assistant {
namespace {

int64_t cuda_round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

void rows_upload(assistant_cuda_rows & rows, const int8_t * codes, const float * scales) {
    int8_t * to = rows.codes.reserve<int8_t>(rows.n_rows * rows.row_bytes);
    const size_t pitch = static_cast<size_t>(rows.row_bytes);
    const size_t width = static_cast<size_t>(rows.dim);
    if (rows.n_rows > 0) {
        cuda_check(cudaMemset(to, 0, pitch * static_cast<size_t>(rows.n_rows)), "clearing rows");
        cuda_check(cudaMemcpy2D(to, pitch, codes, width, width, static_cast<size_t>(rows.n_rows),
                                cudaMemcpyHostToDevice),
                   "copying rows to the device");
    }
    rows.scales.upload(scales, rows.n_rows);
}

void queries_upload(assistant_cuda_rows & rows, const float * queries, int32_t n, scan_args & args) {
    std::vector<int8_t> bytes(static_cast<size_t>(n) * 2 * rows.row_bytes);
    std::vector<float> scales(static_cast<size_t>(n));
    query_int8 query;
    for (int32_t q = 0; q < n; q++) {
        query.set(queries + static_cast<int64_t>(q) * rows.dim, rows.dim);
        int8_t * at = bytes.data() + static_cast<int64_t>(q) * 2 * rows.row_bytes;
        std::copy(query.high.begin(), query.high.end(), at);
        std::copy(query.low.begin(), query.low.end(), at + rows.row_bytes);
        scales[q] = query.scale;
    }
    args.queries = rows.queries.upload(bytes.data(), static_cast<int64_t>(bytes.size()));
    args.query_scales = rows.query_scales.upload(scales.data(), n);
}

const uint32_t * allowed_upload(assistant_cuda_rows & rows, const uint8_t * allowed) {
    if (!allowed) {
        return nullptr;
    }
    auto * words = rows.allowed.reserve<uint8_t>(cuda_round_up(rows.n_rows, 32) / 8);
    cuda_check(cudaMemcpy(words, allowed, static_cast<size_t>((rows.n_rows + 7) / 8),
                          cudaMemcpyHostToDevice),
               "copying the filter");
    return reinterpret_cast<const uint32_t *>(words);
}

template <int32_t N_TILE> void scan_launch(assistant_cuda_rows & rows, scan_args & args) {
    const auto kernel = scan_int8_kernel<N_TILE>;
    const int64_t shared = scan_shared_bytes(args.row_bytes, N_TILE);
    cuda_check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                    static_cast<int>(shared)),
               "asking for shared memory");
    int32_t a_processor = 0;
    cuda_check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&a_processor, kernel, SCAN_THREADS,
                                                             static_cast<size_t>(shared)),
               "asking for the occupancy");
    const int64_t n_tiles = (args.n_queries + N_TILE - 1) / N_TILE;
    const int64_t n_rounds = (rows.n_rows + ROUND_ROWS - 1) / ROUND_ROWS;
    const int64_t wanted = static_cast<int64_t>(a_processor) * rows.n_processors / n_tiles;
    const int64_t workers = std::clamp<int64_t>(wanted, 1, std::clamp<int64_t>(n_rounds, 1, 65535));

    // Thresholds, then counts, then one flag a tile: all begin as zeros.
    const int64_t n_zeros = 3LL * args.n_queries + n_tiles;
    auto * zeros = rows.zeros.reserve<uint32_t>(n_zeros);
    cuda_check(cudaMemset(zeros, 0, static_cast<size_t>(n_zeros) * sizeof(uint32_t)), "clearing");
    args.thresholds = reinterpret_cast<scan_key *>(zeros);
    args.n_found = zeros + 2LL * args.n_queries;
    args.n_done = args.n_found + args.n_queries;
    args.found = rows.found.reserve<scan_key>(workers * args.n_queries * args.k);
    const dim3 grid(static_cast<uint32_t>(n_tiles), static_cast<uint32_t>(workers));
    rows.started.record();
    kernel<<<grid, SCAN_THREADS, static_cast<size_t>(shared)>>>(args);
    rows.ended.record();
    cuda_check(cudaGetLastError(), "starting the scan");
}

void rows_scan(assistant_cuda_rows & rows, const float * queries, int32_t n_queries, int32_t k,
               const uint8_t * allowed, int64_t * found, float * similarities) {
    cuda_check(cudaSetDevice(rows.device), "choosing the device");
    const int64_t n_places = static_cast<int64_t>(n_queries) * k;
    scan_args args{};
    args.codes = rows.codes.reserve<int8_t>(0);
    args.scales = rows.scales.reserve<float>(0);
    args.allowed = allowed_upload(rows, allowed);
    queries_upload(rows, queries, n_queries, args);
    args.n_rows = static_cast<uint32_t>(rows.n_rows);
    args.row_bytes = rows.row_bytes;
    args.n_queries = n_queries;
    args.k = k;
    args.rows = rows.rows.reserve<int64_t>(n_places);
    args.similarities = rows.similarities.reserve<float>(n_places);
    if (n_queries <= SMALL_TILE) {
        scan_launch<SMALL_TILE>(rows, args);
    } else {
        scan_launch<LARGE_TILE>(rows, args);
    }
    const size_t n = static_cast<size_t>(n_places);
    cuda_check(cudaMemcpy(found, args.rows, n * sizeof(int64_t), cudaMemcpyDeviceToHost),
               "the scan");
    cuda_check(cudaMemcpy(similarities, args.similarities, n * sizeof(float), cudaMemcpyDeviceToHost),
               "the scan");
}

// work() or `failed`, with the reason in `error`.
template <typename result, typename function>
result cuda_guard(result failed, char * error, size_t n_error, const function & work) {
    try {
        return work();
    } catch (const std::exception & problem) {
        if (error && n_error > 0) {
            std::snprintf(error, n_error, "%s", problem.what());
        }
        return failed;
    }
}

}  // namespace
}  // namespace assistant

using namespace assistant;

extern "C" {

int32_t assistant_cuda_abi_version(void) { return ASSISTANT_CUDA_ABI_VERSION; }

int32_t assistant_cuda_device(char * name, size_t n_name, char * error, size_t n_error) {
    return cuda_guard(-1, error, n_error, [&] {
        cudaDeviceProp properties{};
        cuda_choose_device(properties);
        std::snprintf(name, n_name, "%s", properties.name);
        return 0;
    });
}

assistant_cuda_rows * assistant_cuda_rows_new(const int8_t * codes, const float * scales,
                                              int64_t n_rows, int32_t dim, char * error,
                                              size_t n_error) {
    return cuda_guard<assistant_cuda_rows *>(nullptr, error, n_error, [&] {
        const int64_t pieces = cuda_round_up(dim, CHUNK_BYTES) / 16;  // the kernel counts them in 32 bits
        if (n_rows < 0 || dim < 1 || dim > CUDA_MAX_DIM || n_rows >= 0xFFFFFFFFLL / pieces) {
            throw std::runtime_error("rows or dimensions out of range");
        }
        cudaDeviceProp properties{};
        const int32_t device = cuda_choose_device(properties);
        cuda_check(cudaSetDevice(device), "choosing the device");
        auto rows = std::make_unique<assistant_cuda_rows>();
        rows->n_rows = n_rows;
        rows->dim = dim;
        rows->row_bytes = static_cast<int32_t>(cuda_round_up(dim, CHUNK_BYTES));
        rows->device = device;
        rows->n_processors = properties.multiProcessorCount;
        rows_upload(*rows, codes, scales);
        return rows.release();
    });
}

void assistant_cuda_rows_free(assistant_cuda_rows * rows) { delete rows; }

int32_t assistant_cuda_scan_int8(assistant_cuda_rows * rows, const float * queries,
                                 int32_t n_queries, int32_t k, const uint8_t * allowed,
                                 int64_t * found, float * similarities, float * device_us,
                                 char * error, size_t n_error) {
    return cuda_guard(-1, error, n_error, [&] {
        if (n_queries < 0 || k < 0 || k > ASSISTANT_CUDA_MAX_K) {
            throw std::runtime_error("too many neighbours asked for");
        }
        if (n_queries > 0 && k > 0) {
            rows_scan(*rows, queries, n_queries, k, allowed, found, similarities);
            if (device_us) {
                *device_us = rows->ended.us_since(rows->started);
            }
        }
        return 0;
    });
}

}  // extern "C"
