#include "pinned-store.h"

#include <algorithm>
#include <stdexcept>

namespace assistant {

namespace {

struct extent { // whole pages of one file that hold pinned tensors
    uint32_t file;
    uint64_t begin;
    uint64_t end;
    uint64_t place; // in the buffer
    uint64_t needed_end; // of the last tensor's bytes, so that the file may end inside a page
};

std::vector<size_t> in_file_order(const tensor_index & index, const std::vector<bool> & chosen) {
    std::vector<size_t> order;
    for (size_t i = 0; i < index.tensors.size(); ++i) {
        if (chosen[i]) {
            order.push_back(i);
        }
    }
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
        const tensor_entry &x = index.tensors[a], &y = index.tensors[b];
        return x.file != y.file ? x.file < y.file : x.offset < y.offset;
    });
    return order;
}

uint64_t extend(std::vector<extent> & extents, const tensor_entry & tensor, uint64_t place) {
    const uint64_t begin = round_down(tensor.offset, page_bytes);
    const uint64_t end   = round_up(tensor.offset + tensor.n_bytes, page_bytes);
    if (extents.empty() || extents.back().file != tensor.file || extents.back().end < begin) {
        extents.push_back({ tensor.file, begin, begin, place, 0 });
    }
    extent & last   = extents.back();
    last.end        = std::max(last.end, end);
    last.needed_end = std::max(last.needed_end, tensor.offset + tensor.n_bytes);
    return last.place + (last.end - last.begin);
}

void append_reads(std::vector<read_request> & requests, const extent & part, uint8_t * buffer,
                  byte_source & source, read_batch & batch) {
    constexpr uint64_t step = 4 << 20;
    for (uint64_t at = part.begin; at < part.end; at += step) {
        const uint64_t n = std::min(step, part.end - at);
        requests.push_back({ &source, buffer + part.place + (at - part.begin), n,
                             std::min(n, part.needed_end - std::min(at, part.needed_end)), at,
                             &batch });
    }
}

} // namespace

pinned_store::pinned_store(const tensor_index & index, const std::vector<bool> & is_pinned,
                           const std::vector<std::unique_ptr<file_reader>> & files,
                           read_pool & pool)
    : addresses_(index.tensors.size(), nullptr) {
    const std::vector<size_t> order = in_file_order(index, is_pinned);
    std::vector<extent>       extents;
    std::vector<uint64_t>     places(index.tensors.size(), 0);
    uint64_t                  n_bytes = 0;
    for (const size_t i : order) {
        n_bytes   = extend(extents, index.tensors[i], n_bytes);
        places[i] = extents.back().place + (index.tensors[i].offset - extents.back().begin);
    }
    buffer_ = huge_buffer(n_bytes);
    read_batch                batch;
    std::vector<read_request> requests;
    for (const extent & part : extents) {
        append_reads(requests, part, buffer_.data(), *files[part.file], batch);
    }
    pool.submit(requests, read_pool::urgency::now);
    if (const int status = pool.wait(batch); status != read_ok) {
        throw std::runtime_error(read_status_text(status, files.front()->path()));
    }
    for (const size_t i : order) {
        addresses_[i] = buffer_.data() + places[i];
    }
}

} // namespace assistant
