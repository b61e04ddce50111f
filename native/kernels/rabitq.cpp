// Encoding: rotate, keep the signs and one factor; and laying codes out in blocks.
#include "rabitq.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>

#include "assistant_native.h"
#include "parallel.h"
#include "row-check.h"

namespace assistant {

float rabitq::encode(const float * head, uint8_t * bits, float * scratch) const {
    const int32_t size = rotation_.size();
    rotate(head, scratch);
    float norm = 0.0f;
    float sum = 0.0f;
    for (int32_t j = 0; j < size; j += 8) {
        uint32_t byte = 0;
        for (int32_t i = 0; i < 8; i++) {
            const float value = scratch[j + i];
            byte |= static_cast<uint32_t>(value >= 0.0f) << i;
            norm += value * value;
            sum += std::fabs(value);
        }
        bits[j / 8] = static_cast<uint8_t>(byte);
    }
    return sum > 0.0f ? norm / sum : 0.0f;
}

void rabitq::rotate(const float * head, float * rotated) const {
    std::copy(head, head + code_dim_, rotated);
    std::fill(rotated + code_dim_, rotated + rotation_.size(), 0.0f);
    rotation_.apply(rotated);
}

}  // namespace assistant

using namespace assistant;

extern "C" {

assistant_lsh * assistant_lsh_new(int32_t dim, int32_t code_dim, uint64_t seed) {
    if (dim < 1 || code_dim < 1 || std::max(dim, code_dim) > ASSISTANT_LSH_MAX_DIM) {
        return nullptr;
    }
    try {
        return new assistant_lsh{rabitq(dim, code_dim, seed)};
    } catch (const std::bad_alloc &) {
        return nullptr;
    }
}

void assistant_lsh_free(assistant_lsh * lsh) { delete lsh; }

int32_t assistant_lsh_code_bytes(const assistant_lsh * lsh) {
    return lsh->quantiser.layout().n_columns;
}

int32_t assistant_lsh_encode(const assistant_lsh * lsh, const float * heads, int64_t n,
                             int32_t n_threads, uint8_t * bits, float * factors) {
    const rabitq & quantiser = lsh->quantiser;
    const int64_t n_columns = quantiser.layout().n_columns;
    const int64_t n_parts = parallel_parts(n, 1024, n_threads);
    try {
        std::vector<std::vector<float>> scratch(static_cast<size_t>(n_parts),
                                                std::vector<float>(8 * n_columns));
        parallel_for(n_parts, [&](int64_t part) {
            for (int64_t i = n * part / n_parts; i < n * (part + 1) / n_parts; i++) {
                factors[i] = quantiser.encode(heads + i * quantiser.code_dim(),
                                              bits + i * n_columns, scratch[part].data());
            }
        });
        return 0;
    } catch (const std::bad_alloc &) {
        return -1;
    }
}

void assistant_lsh_pack(const assistant_lsh * lsh, const uint8_t * bits, const float * factors,
                        int64_t n, int64_t first_slot, uint8_t * blocks) {
    const code_layout layout = lsh->quantiser.layout();
    for (int64_t i = 0; i < n; i++) {
        const int64_t slot = first_slot + i;
        const int64_t place = slot % BLOCK_SLOTS;
        uint8_t * block = blocks + slot / BLOCK_SLOTS * layout.block_bytes();
        for (int32_t c = 0; c < layout.n_columns; c++) {
            block[c * BLOCK_SLOTS + place] = bits[i * layout.n_columns + c];
        }
        uint8_t * factor = block + layout.n_columns * BLOCK_SLOTS + place * sizeof(float);
        std::memcpy(factor, factors + i, sizeof(float));
    }
}

void assistant_row_checks(const int8_t * codes, const float * scales, const int64_t * ids, int64_t n,
                          int32_t dim, uint32_t * checks) {
    for (int64_t i = 0; i < n; i++) {
        checks[i] = row_check(codes + i * dim, dim, scales[i], ids[i]);
    }
}

int32_t assistant_lsh_complete_records(const assistant_lsh * lsh, const float * heads, int64_t n,
                                       uint8_t * records, int64_t stride, int64_t id_at,
                                       int64_t factor_at) {
    const rabitq & quantiser = lsh->quantiser;
    const int32_t dim = quantiser.dim();
    try {
        std::vector<float> scratch(8 * static_cast<size_t>(quantiser.layout().n_columns));
        for (int64_t i = 0; i < n; i++) {
            uint8_t * record = records + i * stride;
            float scale;
            int64_t id;
            std::memcpy(&scale, record + dim, sizeof(scale));
            std::memcpy(&id, record + id_at, sizeof(id));
            const uint32_t check = row_check(reinterpret_cast<const int8_t *>(record), dim, scale, id);
            std::memcpy(record + dim + sizeof(scale), &check, sizeof(check));
            uint8_t * factor_place = record + factor_at;
            const float factor = quantiser.encode(heads + i * quantiser.code_dim(),
                                                  factor_place + sizeof(float), scratch.data());
            std::memcpy(factor_place, &factor, sizeof(factor));
        }
        return 0;
    } catch (const std::bad_alloc &) {
        return -1;
    }
}

}  // extern "C"
