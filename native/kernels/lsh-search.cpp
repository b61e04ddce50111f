// A search of the LSH index: scan the one-bit codes, keep the best candidates, rank them again by their
// int8 vectors (RaBitQ, arXiv 2405.12497, section 4, with int8 in place of the raw vectors). Few allowed
// rows skip the codes: ranking them all by int8 is exact and costs less.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <new>
#include <vector>

#include "assistant_native.h"
#include "candidates.h"
#include "dot-int8.h"
#include "fast-scan.h"
#include "parallel.h"
#include "rabitq.h"
#include "row-check.h"
#include "row-filter.h"
#include "top-k.h"

namespace assistant {
namespace {

// Blocks scanned between looks at the threshold: 4 x 13 KB stay in L2 for several queries.
constexpr int64_t CHUNK_BLOCKS = 4;
// One int8 row costs about as much as this many one-bit codes.
constexpr int64_t EXACT_SHARE = 24;
constexpr int32_t ROW_TAIL_BYTES = 8;  // scale and check
// Blocks looked at beforehand, spread over all of them, where there are SAMPLE_SHARE times as many.
constexpr int64_t SAMPLE_BLOCKS = 16;
constexpr int64_t SAMPLE_SHARE = 8;

struct lsh_task {
    const rabitq & quantiser;
    const assistant_lsh_view & view;
    const uint8_t * allowed;
    int64_t n_candidates;
    int32_t k;
    dot_function dot;
};

int64_t lsh_blocks(const lsh_task & task) {
    return (task.view.n_slots + BLOCK_SLOTS - 1) / BLOCK_SLOTS;
}

// As many of a sample are likely to hold the best n_candidates of all three times over. Twice over, neighbours
// that lie side by side in a sampled block made every twentieth guess too high, which costs a second scan.
int64_t lsh_sample_count(const lsh_task & task) {
    return 3 * task.n_candidates * SAMPLE_BLOCKS / std::max<int64_t>(lsh_blocks(task), SAMPLE_BLOCKS) +
           4;
}

// What one query needs while it is searched; all memory is taken here.
struct lsh_query {
    lsh_query(const lsh_task & task, const float * values, const float * head)
        : values(values), found(task.n_candidates), sample(lsh_sample_count(task)),
          best(std::min<int64_t>(task.k, task.view.n_slots)) {
        std::vector<float> rotated(static_cast<size_t>(8) * task.quantiser.layout().n_columns);
        task.quantiser.rotate(head, rotated.data());
        fast.set(rotated.data(), task.quantiser.layout());
        wide.set(values, task.quantiser.dim());
    }

    const float * values;
    fast_query fast;
    query_int8 wide;
    candidates found;
    candidates sample;
    top_k best;
    bool waiting = true;  // for a scan
};

int64_t lsh_words(const lsh_task & task) {
    return (task.view.n_slots + WORD_SLOTS - 1) / WORD_SLOTS;
}

// Which of 64 slots exist, live and are allowed.
uint64_t lsh_word_mask(const lsh_task & task, int64_t word) {
    const int64_t first = word * WORD_SLOTS;
    const uint64_t live = row_filter_word(task.view.live, first, task.view.n_slots);
    return task.allowed ? live & row_filter_word(task.allowed, first, task.view.n_slots) : live;
}

const uint8_t * lsh_row(const assistant_lsh_view & view, int64_t slot) {
    return slot < view.n_base ? view.base_rows + slot * view.base_stride
                              : view.log_rows + (slot - view.n_base) * view.log_stride;
}

// The similarity of one slot's stored vector. False where the vector is damaged.
bool lsh_measure(const lsh_task & task, const query_int8 & query, int64_t slot, float & similarity) {
    const int32_t dim = task.quantiser.dim();
    const uint8_t * row = lsh_row(task.view, slot);
    const auto * codes = reinterpret_cast<const int8_t *>(row);
    float scale;
    uint32_t check;
    std::memcpy(&scale, row + dim, sizeof(scale));
    std::memcpy(&check, row + dim + sizeof(scale), sizeof(check));
    similarity = static_cast<float>(task.dot(codes, query)) * (scale * query.scale);
    return check == row_check(codes, dim, scale, task.view.ids[slot]);
}

// Read a byte of every line that lsh_measure reads; a row may begin and end within a line. The sum is only
// there to be made.
uint64_t lsh_touch(const lsh_task & task, int64_t slot) {
    const uint8_t * row = lsh_row(task.view, slot);
    const int32_t n_bytes = task.quantiser.dim() + ROW_TAIL_BYTES;
    uint64_t sum = row[n_bytes - 1] + static_cast<uint64_t>(task.view.ids[slot]);
    for (int32_t j = 0; j < n_bytes; j += 64) {
        sum += row[j];
    }
    return sum;
}

// The same for all slot(i), i in [0, n); similarity(i) takes the result. A batch is touched before any of it
// is measured: loads that nothing waits for miss together, while a prefetch whose page the TLB lacks comes
// to nothing (of 600 rows: touched 270 us, prefetched 1 to 32 rows ahead 310 to 330).
template <typename slot_function, typename similarity_function>
bool lsh_measure_all(const lsh_task & task, const query_int8 & query, int64_t n,
                     const slot_function & slot, const similarity_function & similarity) {
    constexpr int64_t BATCH = 32;
    for (int64_t i = 0; i < n; i++) {
        if (i % BATCH == 0) {
            uint64_t sum = 0;
            for (int64_t j = i; j < std::min(n, i + BATCH); j++) {
                sum += lsh_touch(task, slot(j));
            }
            asm volatile("" : : "r"(sum));  // else the compiler leaves the loads out
        }
        if (!lsh_measure(task, query, slot(i), similarity(i))) {
            return false;
        }
    }
    return true;
}

bool lsh_rank_candidates(const lsh_task & task, lsh_query & query) {
    query.found.finish();
    scored_row * items = query.found.data();
    const auto n = static_cast<int64_t>(query.found.size());
    if (!lsh_measure_all(
            task, query.wide, n, [&](int64_t i) { return items[i].row; },
            [&](int64_t i) -> float & { return items[i].similarity; })) {
        return false;
    }
    query.best.take(items, query.found.size());
    return true;
}

// Every allowed row by int8, for all queries while the row is in L1.
bool lsh_rank_allowed(const lsh_task & task, std::vector<lsh_query> & queries) {
    for (int64_t word = 0; word < lsh_words(task); word++) {
        for (uint64_t mask = lsh_word_mask(task, word); mask; mask &= mask - 1) {
            const int64_t slot = word * WORD_SLOTS + __builtin_ctzll(mask);
            for (lsh_query & query : queries) {
                float similarity;
                if (!lsh_measure(task, query.wide, slot, similarity)) {
                    return false;
                }
                query.best.push(similarity, slot);
            }
        }
    }
    return true;
}

void lsh_scan_chunk(const lsh_task & task, const fast_query & query, candidates & found,
                    int64_t first_block, int64_t n_blocks) {
    alignas(64) float scores[CHUNK_BLOCKS * BLOCK_SLOTS];
    uint64_t masks[CHUNK_BLOCKS * BLOCK_WORDS];
    const int64_t stride = query.layout.block_bytes();
    fast_scan(query, task.view.blocks + first_block * stride, n_blocks, found.threshold(), scores,
              masks);
    const int64_t first_word = first_block * BLOCK_WORDS;
    const int64_t n_words = std::min(n_blocks * BLOCK_WORDS, lsh_words(task) - first_word);
    for (int64_t w = 0; w < n_words; w++) {
        if (!masks[w]) {
            continue;
        }
        for (uint64_t mask = masks[w] & lsh_word_mask(task, first_word + w); mask;
             mask &= mask - 1) {
            const int64_t i = WORD_SLOTS * w + __builtin_ctzll(mask);
            if (scores[i] > found.threshold()) {
                found.push(scores[i], first_block * BLOCK_SLOTS + i);
            }
        }
    }
}

// A threshold that about three times as many slots beat as are wanted, from a sample: else the first thousands
// would be collected and cut back again and again, which costs a fifth of a search.
void lsh_guess_threshold(const lsh_task & task, lsh_query & query) {
    const int64_t n_blocks = lsh_blocks(task);
    if (n_blocks >= SAMPLE_SHARE * SAMPLE_BLOCKS) {
        for (int64_t i = 0; i < SAMPLE_BLOCKS; i++) {
            lsh_scan_chunk(task, query.fast, query.sample, i * n_blocks / SAMPLE_BLOCKS, 1);
        }
        query.sample.finish();
        query.found.restart(query.sample.threshold());
    }
}

void lsh_scan_waiting(const lsh_task & task, std::vector<lsh_query> & queries) {
    const int64_t n_blocks = lsh_blocks(task);
    for (int64_t block = 0; block < n_blocks; block += CHUNK_BLOCKS) {
        for (lsh_query & query : queries) {
            if (query.waiting) {
                lsh_scan_chunk(task, query.fast, query.found, block,
                               std::min(CHUNK_BLOCKS, n_blocks - block));
            }
        }
    }
}

bool lsh_scan(const lsh_task & task, std::vector<lsh_query> & queries) {
    for (lsh_query & query : queries) {
        lsh_guess_threshold(task, query);
    }
    lsh_scan_waiting(task, queries);
    bool some = false;
    for (lsh_query & query : queries) {
        query.waiting = !query.found.full();  // the guess was too high
        if (query.waiting) {
            query.found.restart(-std::numeric_limits<float>::infinity());
            some = true;
        }
    }
    if (some) {
        lsh_scan_waiting(task, queries);
    }
    return std::all_of(queries.begin(), queries.end(), [&](lsh_query & query) {
        return lsh_rank_candidates(task, query);
    });
}

// Whether at most `limit` slots are allowed. Where they are many, a few words tell.
bool lsh_allows_at_most(const lsh_task & task, int64_t limit) {
    int64_t n = 0;
    for (int64_t word = 0; word < lsh_words(task) && n <= limit; word++) {
        n += __builtin_popcountll(lsh_word_mask(task, word));
    }
    return n <= limit;
}

}  // namespace
}  // namespace assistant

using namespace assistant;

extern "C" int32_t assistant_lsh_search(
    const assistant_lsh * lsh, const assistant_lsh_view * view, const float * queries,
    const float * heads, int32_t n_queries, int32_t k, int64_t n_candidates,
    const uint8_t * allowed, int32_t n_threads, int64_t * slots, float * similarities) {
    if (n_queries < 0 || k < 0 || view->n_slots < 0) {
        return ASSISTANT_BAD;
    }
    const int64_t count = std::clamp<int64_t>(n_candidates, std::max(k, 1),
                                              std::max<int64_t>(view->n_slots, std::max(k, 1)));
    const lsh_task task{lsh->quantiser, *view, allowed, count, k, dot_int8_choose()};
    const bool exact = lsh_allows_at_most(task, std::max(count, view->n_slots / EXACT_SHARE));
    const int64_t n_parts = parallel_parts(n_queries, 1, n_threads);
    try {
        std::vector<std::vector<lsh_query>> parts(static_cast<size_t>(n_parts));
        for (int32_t q = 0; q < n_queries; q++) {
            const float * values = queries + static_cast<int64_t>(q) * lsh->quantiser.dim();
            const float * head = heads + static_cast<int64_t>(q) * lsh->quantiser.code_dim();
            parts[static_cast<size_t>(q * n_parts / n_queries)].emplace_back(task, values, head);
        }
        std::vector<uint8_t> whole(parts.size());
        parallel_for(n_parts, [&](int64_t part) {
            whole[part] = exact ? lsh_rank_allowed(task, parts[part]) : lsh_scan(task, parts[part]);
        });
        if (std::find(whole.begin(), whole.end(), 0) != whole.end()) {
            return ASSISTANT_DAMAGED;
        }
        for (auto & part : parts) {
            for (lsh_query & query : part) {
                const int64_t at = (query.values - queries) / lsh->quantiser.dim() * k;
                query.best.write_sorted(k, slots + at, similarities + at);
            }
        }
        return 0;
    } catch (const std::bad_alloc &) {
        return ASSISTANT_BAD;
    }
}

extern "C" int32_t assistant_lsh_measure(const assistant_lsh * lsh, const assistant_lsh_view * view,
                                         const float * query, const int64_t * slots, int64_t n,
                                         float * similarities) {
    try {
        const lsh_task task{lsh->quantiser, *view, nullptr, 0, 0, dot_int8_choose()};
        query_int8 wide;
        wide.set(query, lsh->quantiser.dim());
        const bool whole = lsh_measure_all(
            task, wide, n, [&](int64_t i) { return slots[i]; },
            [&](int64_t i) -> float & { return similarities[i]; });
        return whole ? 0 : ASSISTANT_DAMAGED;
    } catch (const std::bad_alloc &) {
        return ASSISTANT_BAD;
    }
}

extern "C" int64_t assistant_lsh_verify(const assistant_lsh * lsh, const assistant_lsh_view * view,
                                        int64_t first, int64_t last) {
    const int32_t dim = lsh->quantiser.dim();
    int64_t n_bad = 0;
    for (int64_t slot = first; slot < last; slot++) {
        const uint8_t * row = lsh_row(*view, slot);
        float scale;
        uint32_t check;
        std::memcpy(&scale, row + dim, sizeof(scale));
        std::memcpy(&check, row + dim + sizeof(scale), sizeof(check));
        n_bad += check != row_check(reinterpret_cast<const int8_t *>(row), dim, scale,
                                    view->ids[slot]);
    }
    return n_bad;
}
