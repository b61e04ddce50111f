// Every instruction set of this CPU gives the same bits as the scalar kernels. Through the C ABI, so that
// the sanitizers see what Python calls; the scalar kernels themselves are compared with NumPy in pytest.
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "assistant_native.h"
#include "check.h"

namespace {

constexpr int32_t K = 7;

struct fixture {
    int32_t dim;
    int64_t n;
    std::vector<int8_t> codes;
    std::vector<float> scales, queries, heads;
    std::vector<int64_t> ids;
    std::vector<uint8_t> allowed, live, rows;

    fixture(int32_t dim, int64_t n)
        : dim(dim), n(n), codes(n * dim), scales(n), queries(2 * dim), heads(n * dim), ids(n),
          allowed((n + 7) / 8), live((n + 7) / 8), rows(n * (dim + 8)) {
        std::mt19937 random(static_cast<uint32_t>(dim * 1000 + n));
        for (auto & code : codes) code = static_cast<int8_t>(random() % 255) - 127;
        for (auto & scale : scales) scale = 0.001f * static_cast<float>(1 + random() % 9);
        for (auto & value : queries) value = static_cast<float>(random() % 2001) / 1000.0f - 1.0f;
        for (auto & value : heads) value = static_cast<float>(random() % 2001) / 1000.0f - 0.9f;
        for (auto & byte : allowed) byte = static_cast<uint8_t>(random() | random());
        for (auto & byte : live) byte = static_cast<uint8_t>(random() | random() | random());
        for (int64_t i = 0; i < n; i++) ids[i] = 3 * i;
        std::vector<uint32_t> checks(n);
        assistant_row_checks(codes.data(), scales.data(), ids.data(), n, dim, checks.data());
        for (int64_t i = 0; i < n; i++) {
            uint8_t * row = rows.data() + i * (dim + 8);
            std::memcpy(row, codes.data() + i * dim, dim);
            std::memcpy(row + dim, &scales[i], 4);
            std::memcpy(row + dim + 4, &checks[i], 4);
        }
    }
};

struct outcome {
    std::vector<int64_t> rows = std::vector<int64_t>(4 * K);
    std::vector<float> similarities = std::vector<float>(4 * K);
    std::vector<uint8_t> bits;
    std::vector<float> factors;
};

outcome run(const fixture & data) {
    outcome result;
    CHECK(assistant_scan_int8(data.codes.data(), data.scales.data(), data.n, data.dim,
                              data.queries.data(), 2, K, data.allowed.data(), 2,
                              result.rows.data(), result.similarities.data()) == 0);
    assistant_lsh * lsh = assistant_lsh_new(data.dim, data.dim, 9);
    const int32_t n_bytes = assistant_lsh_code_bytes(lsh);
    result.bits.resize(data.n * n_bytes);
    result.factors.resize(data.n);
    CHECK(assistant_lsh_encode(lsh, data.heads.data(), data.n, 2, result.bits.data(), result.factors.data()) == 0);
    std::vector<uint8_t> blocks((data.n + 255) / 256 * 256 * (n_bytes + 4));
    assistant_lsh_pack(lsh, result.bits.data(), result.factors.data(), data.n, 0, blocks.data());
    const assistant_lsh_view view{blocks.data(), data.ids.data(), data.live.data(),
                                  data.rows.data(), nullptr, data.n, data.n, data.dim + 8, 0};
    CHECK(assistant_lsh_verify(lsh, &view, 0, data.n) == 0);
    CHECK(assistant_lsh_search(lsh, &view, data.queries.data(), data.queries.data(), 2, K, 20, data.allowed.data(), 2,
                               result.rows.data() + 2 * K,
                               result.similarities.data() + 2 * K) == 0);
    assistant_lsh_free(lsh);
    return result;
}

// Every instruction set that this CPU has.
void check_levels(const fixture & data) {
    CHECK(assistant_simd_force("scalar") == 0);
    const outcome expected = run(data);
    for (const char * level : {"neon", "avx2", "avx512"}) {
        if (assistant_simd_force(level) != 0) {
            continue;
        }
        const outcome found = run(data);
        CHECK(found.rows == expected.rows);
        CHECK(found.similarities == expected.similarities);
        CHECK(found.bits == expected.bits);
        CHECK(found.factors == expected.factors);
    }
}

}  // namespace

int main() {
    for (const int32_t dim : {1, 24, 100, 384}) {
        for (const int64_t n : {0, 1, 255, 257, 1500}) {
            check_levels(fixture(dim, n));
        }
    }
    check_levels(fixture(24, 130 * 256 - 9));  // so many that a sample is looked at first
    return 0;
}
