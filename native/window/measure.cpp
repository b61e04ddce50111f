// The two rates a plan is made from, measured with the engine's own reader and kernels.

#include "weight-window.h"

#include <algorithm>
#include <chrono>

namespace assistant {

namespace {

constexpr int n_passes = 2;

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

bool read_steps(read_pool & pool, byte_source & source, huge_buffer & buffer, uint64_t n_steps) {
    constexpr uint64_t        step    = prefetcher::read_bytes;
    const uint64_t            n_rooms = buffer.size() / step; // used in turn, as the ring is
    read_batch                batch;
    std::vector<read_request> requests;
    for (uint64_t i = 0; i < n_steps; ++i) {
        requests.push_back(
            { &source, buffer.data() + i % n_rooms * step, step, step, i * step, &batch });
    }
    pool.submit(requests, read_pool::urgency::now);
    return pool.wait(batch) == read_ok;
}

// Matrices worth about `n_bytes`, the last ones of the file: different ones, since weights that
// stay in the processor's cache are faster than any model is.
std::vector<bool> choose_matrices(const tensor_index & index, uint64_t n_bytes) {
    std::vector<bool> chosen(index.tensors.size());
    uint64_t          n_chosen = 0;
    for (size_t i = index.tensors.size(); i > 0 && n_chosen < n_bytes; --i) {
        const tensor_entry & entry = index.tensors[i - 1];
        const bool is_matrix = entry.ne[1] > 1 && entry.ne[2] == 1 && entry.ne[3] == 1;
        if (is_matrix && n_chosen + entry.n_bytes <= n_bytes) {
            chosen[i - 1] = true;
            n_chosen += entry.n_bytes;
        }
    }
    return chosen;
}

ggml_tensor make_tensor(ggml_type type, int64_t n, int64_t n_rows, size_t block_bytes,
                        size_t row_bytes, void * data) {
    ggml_tensor tensor{};
    tensor.type  = type;
    tensor.ne[0] = n;
    tensor.ne[1] = n_rows;
    tensor.ne[2] = tensor.ne[3] = 1;
    tensor.nb[0] = block_bytes;
    tensor.nb[1] = row_bytes;
    tensor.nb[2] = tensor.nb[3] = row_bytes * n_rows;
    tensor.data  = data;
    return tensor;
}

} // namespace

double weight_window::measure_disk(uint64_t n_bytes, int n_threads) const {
    const file_reader & largest = **std::max_element(
        files_.begin(), files_.end(),
        [](const auto & a, const auto & b) { return a->n_bytes() < b->n_bytes(); });
    constexpr uint64_t step = prefetcher::read_bytes, n_rooms = 8;
    const uint64_t     n_steps = std::min(n_bytes, largest.n_bytes()) / step;
    file_reader        reader(largest.path());
    huge_buffer        buffer(n_rooms * step);
    read_pool          pool(n_threads);
    // The first round faults the buffer in.
    if (n_steps == 0 || !read_steps(pool, reader, buffer, std::min(n_rooms, n_steps))) {
        return 0;
    }
    // All passes together: a disk's rate swings by a fifth from one moment to the next, and its best
    // moment is not what a token meets.
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < n_passes; ++i) {
        if (!read_steps(pool, reader, buffer, n_steps)) {
            return 0;
        }
    }
    return n_passes * n_steps * step / seconds_since(start);
}

double weight_window::measure_compute(uint64_t n_bytes, int n_threads) const {
    const std::vector<bool> chosen = choose_matrices(index_, n_bytes);
    read_pool               pool(read_pool::default_threads);
    const pinned_store      weights(index_, chosen, files_, pool);
    side_graph              side(ggml_, n_threads, nullptr, nullptr);
    uint64_t                n_done = 0;
    const auto              pass   = [&] {
        for (size_t i = 0; i < chosen.size(); ++i) {
            if (!chosen[i]) {
                continue;
            }
            const tensor_entry & entry = index_.tensors[i];
            std::vector<float>   activations(entry.ne[0], 0.5F), product(entry.ne[1]);
            ggml_tensor matrix = make_tensor(entry.type, entry.ne[0], entry.ne[1],
                                             ggml_.ggml_type_size(entry.type), entry.row_bytes,
                                             weights.find(i));
            ggml_tensor vector = make_tensor(GGML_TYPE_F32, entry.ne[0], 1, sizeof(float),
                                             entry.ne[0] * sizeof(float), activations.data());
            ggml_tensor node = make_tensor(GGML_TYPE_F32, entry.ne[1], 1, sizeof(float),
                                           entry.ne[1] * sizeof(float), product.data());
            node.op     = GGML_OP_MUL_MAT;
            node.src[0] = &matrix;
            node.src[1] = &vector;
            side.compute(node);
            n_done += entry.n_bytes;
        }
    };
    pass(); // warms the threads up
    double best = 0; // what the machine can do, not what it does beside other work
    for (int i = 0; i < n_passes; ++i) {
        n_done           = 0;
        const auto start = std::chrono::steady_clock::now();
        pass();
        best = std::max(best, n_done / seconds_since(start));
    }
    return best;
}

} // namespace assistant
