#include "eval-hook.h"

#include <algorithm>
#include <utility>

namespace assistant {

static bool computes_nothing(const ggml_tensor * node) {
    switch (node->op) {
        case GGML_OP_NONE:
        case GGML_OP_RESHAPE:
        case GGML_OP_VIEW:
        case GGML_OP_PERMUTE:
        case GGML_OP_TRANSPOSE: return true;
        default:                break;
    }
    for (const int64_t n : node->ne) {
        if (n == 0) {
            return true;
        }
    }
    return (node->flags & GGML_TENSOR_FLAG_COMPUTE) == 0;
}

eval_hook::eval_hook(hook_parts parts, std::vector<weight> weights)
    : parts_(parts), weights_(std::move(weights)) {
    for (weight & weight : weights_) {
        by_name_[parts_.index.tensors[weight.tensor].name] = &weight;
    }
}

eval_hook::~eval_hook() {
    end_group();
    for (const auto & [tensor, binding] : bound_) {
        tensor->data = binding.mapped;
    }
}

uint64_t eval_hook::n_gathered() const {
    uint64_t n = 0;
    for (const weight & weight : weights_) {
        n += weight.rows ? weight.rows->n_rows_read() : 0;
    }
    return n;
}

// ---- one graph ----------------------------------------------------------------------------------

void eval_hook::begin_graph() {
    between_graphs_ = false;
    n_graphs_ += 1;
    for (const auto & file : parts_.files) {
        if (const int status = file->check_unchanged(); status != read_ok) {
            fail(status, file->path());
        }
    }
}

std::string eval_hook::finish_graph() {
    end_group();
    if (parts_.experts != nullptr) {
        if (const int status = parts_.experts->finish_all(); status != read_ok) {
            fail(status, parts_.experts->failed_path());
        }
    }
    between_graphs_ = true;
    return std::exchange(failure_, std::string());
}

void eval_hook::fail(const std::string & reason) {
    if (failure_.empty()) {
        failure_ = reason;
    }
}

void eval_hook::fail(int status, const std::string & path) {
    fail(read_status_text(status, path));
}

void eval_hook::change(ggml_tensor * tensor) { changed_.emplace_back(tensor, *tensor); }

// The scheduler has no way to leave a node out; a node without this flag is passed over.
void eval_hook::skip(ggml_tensor * node) {
    change(node);
    node->flags &= ~GGML_TENSOR_FLAG_COMPUTE;
}

void eval_hook::end_group() {
    for (auto it = changed_.rbegin(); it != changed_.rend(); ++it) {
        *it->first = it->second;
    }
    changed_.clear();
    stand_ins_.clear();
    stand_in_ids_.clear();
    stand_in_experts_.clear();
    unplanned_.clear();
    group_.clear();
    in_pieces_ = nullptr;
    parts_.stream.release_all();
}

// ---- before a node is computed ------------------------------------------------------------------

bool eval_hook::ask(ggml_tensor * node) {
    if (between_graphs_) {
        begin_graph();
    }
    bool ends_group = false;
    if (failure_.empty() && !computes_nothing(node)) {
        for (int i = 0; i < GGML_MAX_SRC && failure_.empty(); ++i) {
            ggml_tensor * source = node->src[i];
            if (source == nullptr) {
                continue;
            }
            weight * weight = find(source->view_src != nullptr ? source->view_src : source);
            if (weight != nullptr) {
                ends_group |= prepare(node, i, *weight);
            }
        }
    }
    if (parts_.experts != nullptr) {
        group_.push_back(node);
        // A router ends in a sort. Computed now, its choice is known when the experts are asked for.
        ends_group |= node->op == GGML_OP_ARGSORT || node->op == GGML_OP_TOP_K;
    }
    if (!failure_.empty()) { // nothing may be computed from weights that are not there
        skip(node);
        return true;
    }
    return ends_group;
}

// True when the group must end with this node, so that done() is called after it.
bool eval_hook::prepare(ggml_tensor * node, int source, weight & weight) {
    switch (weight.role) {
        case weight_role::pinned:
            if (node->src[source]->view_src != nullptr) {
                point(node, source, weight.address);
            }
            return false;
        case weight_role::streamed:
        case weight_role::gathered:
            if (node->op == GGML_OP_GET_ROWS && source == 0 &&
                node->src[0]->view_src == nullptr) {
                return prepare_rows(node, weight);
            }
            return weight.role == weight_role::streamed ? prepare_stream(node, source, weight)
                                                        : prepare_whole(node, source, weight);
        case weight_role::experts:
            return node->op == GGML_OP_MUL_MAT_ID && source == 0 &&
                           node->src[0]->view_src == nullptr
                       ? prepare_experts(node, weight)
                       : prepare_whole(node, source, weight);
    }
    return false;
}

weight * eval_hook::find(ggml_tensor * tensor) {
    if (tensor->op != GGML_OP_NONE) {
        return nullptr;
    }
    if (const auto it = bound_.find(tensor); it != bound_.end()) {
        return it->second.source;
    }
    const auto named = by_name_.find(tensor->name);
    if (named == by_name_.end()) {
        return nullptr;
    }
    weight &             weight = *named->second;
    const tensor_entry & entry  = parts_.index.tensors[weight.tensor];
    if (entry.type != tensor->type || !std::equal(entry.ne, entry.ne + GGML_MAX_DIMS, tensor->ne)) {
        return nullptr; // an input that happens to bear a weight's name
    }
    bound_[tensor] = { &weight, tensor->data };
    if (weight.address != nullptr) {
        tensor->data = weight.address;
    }
    return &weight;
}

// Points a source, which may be a view into the weight, at where the weight's bytes are now.
void eval_hook::point(ggml_tensor * node, int source, uint8_t * data) {
    ggml_tensor * tensor = node->src[source];
    if (tensor->view_src == nullptr) {
        change(tensor);
        tensor->data = data;
    } else {
        change(tensor);
        tensor->data = data + tensor->view_offs;
    }
}

static bool can_be_cut(const ggml_tensor * node, int source) {
    return node->op == GGML_OP_MUL_MAT && source == 0 && node->src[0]->view_src == nullptr &&
           node->src[0]->ne[2] == 1 && node->src[0]->ne[3] == 1 && node->ne[2] == 1 &&
           node->ne[3] == 1;
}

bool eval_hook::prepare_stream(ggml_tensor * node, int source, weight & weight) {
    if (weight.n_units > 1) {
        if (!can_be_cut(node, source)) {
            return prepare_whole(node, source, weight);
        }
        skip(node);
        in_pieces_        = node;
        in_pieces_weight_ = &weight;
        return true;
    }
    uint8_t * data = parts_.stream.acquire(weight.first_unit);
    if (data == nullptr) {
        fail(parts_.stream.status(), parts_.files[parts_.index.tensors[weight.tensor].file]->path());
        return true;
    }
    point(node, source, data);
    return true;
}

bool eval_hook::prepare_experts(ggml_tensor * node, weight & weight) {
    const ggml_tensor * ids   = node->src[2];
    const ggml_tensor * maker = ids->view_src != nullptr ? ids->view_src : ids;
    const bool known = std::find(group_.begin(), group_.end(), maker) == group_.end() &&
                       std::find(group_.begin(), group_.end(), ids) == group_.end();
    int        status = read_ok;
    auto &     stand_in = stand_in_experts_.emplace_back();
    const bool in_use   = stand_in_experts_.size() > 1;
    if (known && parts_.experts->prepare(node, weight.tensor, in_use, stand_in, status)) {
        if (status != read_ok) {
            fail(status, parts_.experts->failed_path());
            return true;
        }
        change(node);
        node->src[0] = &stand_in.table;
        node->src[2] = &stand_in.ids;
        return parts_.experts->is_reading(); // compute this while the rest is read
    }
    stand_in_experts_.pop_back();
    skip(node);
    in_pieces_        = node;
    in_pieces_weight_ = &weight;
    return true;
}

// The rows the batch names, in a small table that stands in for the large one.
bool eval_hook::prepare_rows(ggml_tensor * node, weight & weight) {
    const tensor_entry & entry = parts_.index.tensors[weight.tensor];
    ggml_tensor *        ids   = node->src[1];
    if (ids->op != GGML_OP_NONE || ids->ne[1] != 1 || entry.ne[2] != 1) {
        return prepare_whole(node, 0, weight); // not known before it is computed
    }
    if (!weight.rows) {
        weight.rows = std::make_unique<row_gatherer>(parts_.pool, *parts_.files[entry.file], entry,
                                                     parts_.n_gather_rows);
    }
    auto &    places = stand_in_ids_.emplace_back();
    const int status = weight.rows->gather(static_cast<const int32_t *>(ids->data), ids->ne[0],
                                           places);
    if (status != read_ok) {
        fail(status, parts_.files[entry.file]->path());
        return true;
    }
    change(node);
    ggml_tensor & table = stand_ins_.emplace_back(*node->src[0]);
    table.data          = weight.rows->data();
    table.ne[1]         = static_cast<int64_t>(weight.rows->n_rows());
    table.nb[2] = table.nb[3] = table.nb[1] * table.ne[1];
    ggml_tensor & named = stand_ins_.emplace_back(*ids);
    named.data          = places.data();
    node->src[0]        = &table;
    node->src[1]        = &named;
    return false;
}

// A use that no plan foresaw: right all the same, at the price of a read and RAM for the moment.
bool eval_hook::prepare_whole(ggml_tensor * node, int source, weight & weight) {
    const tensor_entry & entry  = parts_.index.tensors[weight.tensor];
    const uint64_t       begin  = round_down(entry.offset, page_bytes);
    const uint64_t       needed = entry.offset + entry.n_bytes - begin;
    huge_buffer &        buffer = unplanned_.emplace_back(needed);
    read_batch           batch;
    parts_.pool.submit({ { parts_.files[entry.file].get(), buffer.data(),
                           round_up(needed, page_bytes), needed, begin, &batch } },
                       read_pool::urgency::now);
    n_unplanned_ += 1;
    if (const int status = parts_.pool.wait(batch); status != read_ok) {
        fail(status, parts_.files[entry.file]->path());
        return true;
    }
    point(node, source, buffer.data() + (entry.offset - begin));
    return true;
}

// ---- after a group was computed -----------------------------------------------------------------

bool eval_hook::done(ggml_tensor * node) {
    if (failure_.empty() && in_pieces_ == node) {
        compute_pieces(node);
    }
    end_group();
    return failure_.empty();
}

void eval_hook::compute_pieces(ggml_tensor * node) {
    const weight &       weight = *in_pieces_weight_;
    const tensor_entry & entry  = parts_.index.tensors[weight.tensor];
    if (weight.role == weight_role::experts) {
        const int status = parts_.experts->compute(node, weight.tensor, parts_.side);
        if (status != read_ok) {
            fail(status, parts_.experts->failed_path());
        }
        return;
    }
    for (uint32_t i = 0; i < weight.n_units; ++i) {
        const uint8_t * data = parts_.stream.acquire(weight.first_unit + i);
        if (data == nullptr) {
            fail(parts_.stream.status(), parts_.files[entry.file]->path());
            return;
        }
        ggml_tensor rows = *node->src[0];
        // The last piece overlaps the one before, so that all have the same number of rows: which
        // kernel computes a product depends on that number, and so do its last bits.
        const int64_t first = std::min(i * weight.unit_rows, entry.ne[1] - weight.unit_rows);
        rows.data           = const_cast<uint8_t *>(data);
        rows.ne[1]          = weight.unit_rows;
        rows.nb[2] = rows.nb[3] = rows.nb[1] * rows.ne[1];
        ggml_tensor piece   = *node;
        piece.src[0]        = &rows;
        piece.ne[0]         = weight.unit_rows;
        piece.data          = static_cast<char *>(node->data) + first * sizeof(float);
        const bool whole    = parts_.side.compute(piece);
        parts_.stream.release_all();
        if (!whole) {
            return; // aborted; the next computation of the scheduler's ends for the same reason
        }
    }
}

} // namespace assistant
