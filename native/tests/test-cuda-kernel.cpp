// The CUDA kernel's own source, on the CPU, gives what assistant_scan_int8 gives: every way through its
// selection, its filter and its last block. On a device, tests/native/test_cuda.py asks the same.
#include "cuda-on-cpu.h"

#include <random>
#include <vector>

#include "assistant_native.h"
#include "check.h"
#include "dot-int8.h"

#include "../kernels/cuda/scan-int8.cuh"

using namespace assistant;

namespace {

struct scan_case {
    int64_t n_rows;
    int32_t dim;
    int32_t n_queries;
    int32_t k;
    uint32_t workers;
    int32_t step;  // every step-th row is allowed; 0: no filter
    bool ties;
    bool rising;   // every round of 256 rows better than all before: each of its keys is wanted
};

struct scan_data {
    std::vector<int8_t> codes;
    std::vector<float> scales, queries;
    std::vector<uint8_t> allowed;

    explicit scan_data(const scan_case & c)
        : codes(c.n_rows * c.dim), scales(c.n_rows), queries(c.n_queries * c.dim),
          allowed((c.n_rows + 31) / 32 * 4) {
        std::mt19937 random(static_cast<uint32_t>(c.n_rows + c.dim));
        for (auto & code : codes) {
            code = static_cast<int8_t>(c.ties ? random() % 3 : random() % 256);
        }
        for (int64_t i = 0; i < c.n_rows; i++) {
            scales[i] = c.ties ? 0.5f : 0.001f * static_cast<float>(1 + random() % 90);
            if (c.rising) {
                std::fill_n(codes.begin() + i * c.dim, c.dim, 1);
                scales[i] = 0.001f * static_cast<float>(i / 256 * 256 + i * 37 % 256 + 1);
            }
            if (c.step && i % c.step == 0) {
                allowed[i / 8] |= static_cast<uint8_t>(1 << i % 8);
            }
        }
        for (auto & value : queries) {
            value = c.rising ? 1.0f : static_cast<float>(random() % 2001) / 1000.0f - 1.0f;
        }
    }
};

// What scan-int8.cu does on a device.
template <int32_t N_TILE>
void scan_on_cpu(const scan_case & c, const scan_data & data, std::vector<int64_t> & rows,
                 std::vector<float> & similarities) {
    const int32_t row_bytes = (c.dim + CHUNK_BYTES - 1) / CHUNK_BYTES * CHUNK_BYTES;
    std::vector<int8_t> codes(c.n_rows * row_bytes), queries(c.n_queries * 2 * row_bytes);
    for (int64_t i = 0; i < c.n_rows; i++) {
        std::copy_n(data.codes.begin() + i * c.dim, c.dim, codes.begin() + i * row_bytes);
    }
    std::vector<float> query_scales(c.n_queries);
    for (int32_t q = 0; q < c.n_queries; q++) {
        query_int8 query;
        query.set(data.queries.data() + q * c.dim, c.dim);
        std::copy(query.high.begin(), query.high.end(), queries.begin() + 2 * q * row_bytes);
        std::copy(query.low.begin(), query.low.end(), queries.begin() + (2 * q + 1) * row_bytes);
        query_scales[q] = query.scale;
    }
    std::vector<uint32_t> allowed(data.allowed.size() / 4);
    std::memcpy(allowed.data(), data.allowed.data(), data.allowed.size());
    const uint32_t n_tiles = (c.n_queries + N_TILE - 1) / N_TILE;
    std::vector<scan_key> thresholds(c.n_queries), found(c.n_queries * c.workers * c.k);
    std::vector<uint32_t> n_found(c.n_queries), n_done(n_tiles);
    const scan_args args{codes.data(), data.scales.data(), c.step ? allowed.data() : nullptr,
                         queries.data(), query_scales.data(), static_cast<uint32_t>(c.n_rows),
                         row_bytes, c.n_queries, c.k, thresholds.data(), n_found.data(),
                         n_done.data(), found.data(), rows.data(), similarities.data()};
    cuda_on_cpu::launch({n_tiles, c.workers}, SCAN_THREADS, scan_shared_bytes(row_bytes, N_TILE),
                        [&] { scan_int8_kernel<N_TILE>(args); });
}

template <int32_t N_TILE> void check_case(const scan_case & c) {
    const scan_data data(c);
    const size_t n = static_cast<size_t>(c.n_queries) * c.k;
    std::vector<int64_t> expected(n), rows(n, -7);
    std::vector<float> expected_similarities(n), similarities(n, -7.0f);
    CHECK(assistant_scan_int8(data.codes.data(), data.scales.data(), c.n_rows, c.dim,
                              data.queries.data(), c.n_queries, c.k,
                              c.step ? data.allowed.data() : nullptr, 1, expected.data(),
                              expected_similarities.data()) == 0);
    scan_on_cpu<N_TILE>(c, data, rows, similarities);
    CHECK(rows == expected);
    CHECK(similarities == expected_similarities);
}

}  // namespace

int main() {
    const scan_case cases[] = {
        {0, 64, 2, 3, 1, 0, false, false},      // nothing there
        {1, 1, 1, 5, 1, 0, false, false},       // fewer rows than asked for
        {300, 100, 3, 10, 2, 0, false, false},  // a last round that is not whole
        {1400, 48, 9, 7, 3, 3, false, false},   // a filter; two tiles of eight
        {700, 48, 2, 128, 2, 0, true, false},   // ties, and the largest k
        {1024, 32, 2, 20, 1, 0, false, true},   // every buffer overflows, in the last round too
        {1024, 32, 2, 128, 4, 0, false, true},  // the last block finds more than a buffer holds
        {900, 48, 4, 6, 2, 1000, false, false}, // one row allowed
    };
    for (const scan_case & c : cases) {
        check_case<8>(c);
    }
    check_case<32>({600, 64, 33, 12, 2, 0, false, false});
    check_case<32>({530, 130, 20, 40, 1, 2, true, false});
    return 0;
}
