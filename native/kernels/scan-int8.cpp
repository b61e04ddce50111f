// Exact search over int8 rows: one pass, a heap of k per query, the filter inside the scan.
// Rows go in blocks of 64 (24 KB at dim 384), so several queries read a block from L1, not from RAM.
#include <algorithm>
#include <cstdint>
#include <new>
#include <vector>

#include "assistant_native.h"
#include "dot-int8.h"
#include "parallel.h"
#include "row-filter.h"
#include "top-k.h"

namespace assistant {
namespace {

struct scan_int8_task {
    const int8_t * codes;
    const float * scales;
    int64_t n_rows;
    const uint8_t * allowed;
    const std::vector<query_int8> & queries;
    dot_function dot;
};

// Block [first, first + 64) against one query. `mask`, not 0, tells the rows to look at.
void scan_int8_block(const scan_int8_task & task, const query_int8 & query, int64_t first,
                     uint64_t mask, top_k & best) {
    const int64_t dim = query.dim;
    const bool gaps = (mask & (mask + 1)) != 0;  // else the hardware's own prefetcher sees a run
    do {
        const int64_t row = first + __builtin_ctzll(mask);
        mask &= mask - 1;
        if (gaps && mask) {
            dot_int8_prefetch(task.codes + (first + __builtin_ctzll(mask)) * dim, query.dim);
        }
        const float similarity = static_cast<float>(task.dot(task.codes + row * dim, query)) *
                                 (task.scales[row] * query.scale);
        if (similarity > best.threshold()) {
            best.push(similarity, row);
        }
    } while (mask);
}

void scan_int8_range(const scan_int8_task & task, int64_t begin, int64_t end,
                     std::vector<top_k> & best) {
    for (int64_t first = begin; first < end; first += FILTER_BLOCK) {
        const uint64_t mask = row_filter_word(task.allowed, first, task.n_rows);
        if (!mask) {
            continue;
        }
        for (size_t q = 0; q < task.queries.size(); q++) {
            scan_int8_block(task, task.queries[q], first, mask, best[q]);
        }
    }
}

void scan_int8_parallel(const scan_int8_task & task, int32_t n_threads, std::vector<top_k> & best) {
    const int64_t n_blocks = (task.n_rows + FILTER_BLOCK - 1) / FILTER_BLOCK;
    const int64_t n_parts = parallel_parts(n_blocks, 16, n_threads);
    const auto edge = [&](int64_t part) {
        return std::min(n_blocks * part / n_parts * FILTER_BLOCK, task.n_rows);
    };
    std::vector<std::vector<top_k>> parts(static_cast<size_t>(n_parts), best);
    parallel_for(n_parts, [&](int64_t part) {
        scan_int8_range(task, edge(part), edge(part + 1), parts[part]);
    });
    for (const auto & part : parts) {
        for (size_t q = 0; q < best.size(); q++) {
            best[q].merge(part[q]);
        }
    }
}

}  // namespace
}  // namespace assistant

extern "C" int32_t assistant_scan_int8(
    const int8_t * codes, const float * scales, int64_t n_rows, int32_t dim, const float * queries,
    int32_t n_queries, int32_t k, const uint8_t * allowed, int32_t n_threads, int64_t * rows,
    float * similarities) {
    using namespace assistant;
    if (n_rows < 0 || dim < 1 || n_queries < 0 || k < 0) {
        return -1;
    }
    try {
        std::vector<query_int8> prepared(static_cast<size_t>(n_queries));
        for (int32_t q = 0; q < n_queries; q++) {
            prepared[q].set(queries + static_cast<int64_t>(q) * dim, dim);
        }
        std::vector<top_k> best(prepared.size(), top_k(std::min<int64_t>(k, n_rows)));
        if (k > 0) {
            scan_int8_parallel({codes, scales, n_rows, allowed, prepared, dot_int8_choose()},
                               n_threads, best);
        }
        for (int32_t q = 0; q < n_queries; q++) {
            const int64_t at = static_cast<int64_t>(q) * k;
            best[q].write_sorted(k, rows + at, similarities + at);
        }
        return 0;
    } catch (const std::bad_alloc &) {
        return -1;
    }
}
