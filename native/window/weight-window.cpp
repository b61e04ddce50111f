#include "weight-window.h"

#include "page-mapping.h"

#include <algorithm>
#include <stdexcept>

namespace assistant {

weight_window::weight_window(void * ggml_handle, const std::string & path)
    : ggml_(ggml_handle), index_(tensor_index_read(ggml_, path)) {
    for (size_t i = 0; i < index_.files.size(); ++i) {
        files_.push_back(std::make_unique<file_reader>(index_.files[i]));
        if (files_.back()->n_bytes() != index_.file_bytes[i]) {
            throw std::runtime_error(read_status_text(read_changed, index_.files[i]));
        }
    }
}

bool weight_window::direct() const {
    return std::all_of(files_.begin(), files_.end(),
                       [](const auto & file) { return file->direct(); });
}

// Rows in a piece of a tensor that is too large for the ring. Which kernel ggml takes depends on
// the number of rows modulo 16 and on there being 16 for each thread; both must stay as they are
// for the whole, or the last bits of the product change.
static int64_t rows_per_piece(const tensor_entry & entry, uint64_t piece_bytes) {
    constexpr int64_t unit = 16, n_units_min = 8;
    const int64_t     rest = (unit - entry.ne[1] % unit) % unit;
    const int64_t     fit  = static_cast<int64_t>(piece_bytes / entry.row_bytes) / unit;
    const int64_t     most = std::max(fit, n_units_min) * unit - rest;
    // Equal pieces, or the last one repeats many rows of the one before.
    const int64_t n_pieces = (entry.ne[1] + most - 1) / most;
    const int64_t equal    = (entry.ne[1] + n_pieces - 1) / n_pieces;
    const int64_t rows     = (equal + rest + unit - 1) / unit * unit - rest;
    return std::min(std::max(rows, n_units_min * unit - rest), entry.ne[1]);
}

std::vector<stream_unit> weight_window::cut(std::vector<weight> &         weights,
                                            const std::vector<uint32_t> & order,
                                            uint64_t                      ring_bytes) const {
    // A third of the ring per unit: one in use, one complete, one being read.
    const uint64_t           unit_bytes = ring_bytes / 3 - 2 * page_bytes;
    std::vector<stream_unit> units;
    for (const uint32_t tensor : order) {
        const tensor_entry & entry  = index_.tensors.at(tensor);
        weight &             weight = weights.at(tensor);
        const bool    whole = entry.n_bytes <= unit_bytes;
        const int64_t rows  = whole ? entry.ne[1] : rows_per_piece(entry, ring_bytes / 6);
        weight.first_unit   = static_cast<uint32_t>(units.size());
        weight.unit_rows    = rows;
        if (whole || rows == entry.ne[1]) {
            weight.n_units = 1;
            units.push_back({ files_[entry.file].get(), entry.offset, entry.n_bytes });
            continue;
        }
        weight.n_units = static_cast<uint32_t>((entry.ne[1] + rows - 1) / rows);
        for (uint32_t i = 0; i < weight.n_units; ++i) {
            const int64_t first = std::min(i * rows, entry.ne[1] - rows);
            units.push_back({ files_[entry.file].get(), entry.offset + first * entry.row_bytes,
                              rows * entry.row_bytes });
        }
    }
    return units;
}

void weight_window::start(const std::vector<weight_role> &       roles,
                          const std::vector<uint32_t> &      order,
                          const assistant_window_options & options) {
    stop();
    if (roles.size() != index_.tensors.size()) {
        throw std::runtime_error("the plan is for another model");
    }
    const bool is_mapped = page_mapping_drop(files_) > 0 || !page_mapping_is_known;
    if (!is_mapped && options.require_mapping) {
        throw std::runtime_error("llama.cpp does not map the file the plan was made for");
    }
    pool_ = std::make_unique<read_pool>(options.n_read_threads);
    std::vector<bool>   is_pinned(roles.size());
    std::vector<weight> weights;
    for (size_t i = 0; i < roles.size(); ++i) {
        is_pinned[i] = roles[i] == weight_role::pinned;
        weights.emplace_back(i, roles[i]);
    }
    pinned_ = std::make_unique<pinned_store>(index_, is_pinned, files_, *pool_);
    for (size_t i = 0; i < roles.size(); ++i) {
        weights[i].address = pinned_->find(i);
    }
    auto units = cut(weights, order, options.ring_bytes);
    for (const weight & weight : weights) {
        if (weight.role == weight_role::streamed && weight.n_units == 0) {
            throw std::runtime_error("the plan streams " + index_.tensors[weight.tensor].name +
                                     " but does not say when");
        }
    }
    stream_ = std::make_unique<prefetcher>(*pool_, std::move(units), options.ring_bytes);
    side_   = std::make_unique<side_graph>(ggml_, options.n_compute_threads, options.abort,
                                           options.abort_data);
    std::vector<size_t> experts;
    for (const weight & weight : weights) {
        if (weight.role == weight_role::experts) {
            experts.push_back(weight.tensor);
        }
    }
    if (!experts.empty()) {
        experts_ = std::make_unique<expert_runner>(index_, experts, files_, *pool_,
                                                   options.expert_bytes);
    }
    hook_ = std::make_unique<eval_hook>(
        hook_parts{ ggml_, index_, files_, *pool_, *stream_, *side_, experts_.get(),
                    options.n_gather_rows },
        std::move(weights));
    for (const auto & file : files_) {
        file->drop_cache(); // what a file system without direct reads has kept
    }
}

void weight_window::stop() {
    hook_.reset();
    experts_.reset();
    side_.reset();
    stream_.reset();
    pinned_.reset();
    pool_.reset();
}

void weight_window::count(assistant_window_counters & counters) {
    counters = {};
    if (!hook_) {
        return;
    }
    counters.n_graphs       = hook_->n_graphs();
    counters.n_bytes_read   = pool_->n_bytes_read();
    counters.n_reads        = pool_->n_reads();
    counters.n_rows         = hook_->n_gathered();
    counters.n_waits        = stream_->n_waits();
    counters.wait_s         = stream_->wait_s();
    counters.n_mispredicted = stream_->n_mispredicted();
    counters.n_unplanned    = hook_->n_unplanned();
    counters.pinned_bytes   = pinned_->n_bytes();
    counters.ring_bytes     = stream_->ring_bytes();
    if (experts_) {
        const expert_counters experts = experts_->counters();
        counters.expert_bytes         = experts.n_slot_bytes;
        counters.n_expert_hits        = experts.n_hits;
        counters.n_expert_misses      = experts.n_misses;
        counters.n_expert_evictions   = experts.n_evictions;
        counters.n_expert_bytes_read  = experts.n_bytes_read;
    }
}

} // namespace assistant
