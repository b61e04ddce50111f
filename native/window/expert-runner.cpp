#include "expert-runner.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <stdexcept>

namespace assistant {

// ---- layout ---------------------------------------------------------------------------------------

// "blk.7." of "blk.7.ffn_up_exps.weight": the experts of one layer belong together.
static std::string layer_of(const std::string & name) {
    const size_t end = name.find('.', name.find('.') + 1);
    return end == std::string::npos ? name : name.substr(0, end + 1);
}

// Bytes for one expert's matrix, wherever in a page it begins: reads come in whole pages.
static uint64_t section_room(const tensor_entry & entry) {
    const uint64_t expert_bytes = entry.n_bytes / entry.ne[2];
    const uint64_t slack        = expert_bytes % page_bytes == 0 ? 0 : page_bytes;
    return round_up(entry.offset % page_bytes + expert_bytes, page_bytes) + slack;
}

expert_runner::expert_runner(const tensor_index & index, const std::vector<size_t> & tensors,
                             const std::vector<std::unique_ptr<file_reader>> & files,
                             read_pool & pool, uint64_t n_bytes)
    : pool_(pool) {
    build_bundles(index, tensors, files);
    build_pools(n_bytes, std::max<uint32_t>(1, index.n_experts_used));
}

expert_runner::~expert_runner() {
    for (read_batch & batch : batches_) {
        pool_.cancel(batch);
    }
}

void expert_runner::build_bundles(const tensor_index & index, const std::vector<size_t> & tensors,
                                  const std::vector<std::unique_ptr<file_reader>> & files) {
    std::map<std::string, std::vector<size_t>> layers;
    for (const size_t i : tensors) {
        layers[layer_of(index.tensors[i].name)].push_back(i);
    }
    uint32_t n_experts = 0;
    for (auto & [layer, members] : layers) {
        // "down" is used last and so is read last: the others compute meanwhile.
        std::stable_sort(members.begin(), members.end(), [&](size_t a, size_t b) {
            const auto is_down = [&](size_t i) {
                return index.tensors[i].name.find("down") != std::string::npos;
            };
            return is_down(a) < is_down(b);
        });
        bundle made;
        made.first_expert = n_experts;
        made.n_experts    = index.tensors[members.front()].ne[2];
        uint64_t offset   = 0;
        for (const size_t i : members) {
            const tensor_entry & entry = index.tensors[i];
            if (entry.ne[2] != made.n_experts || made.sections.size() == max_sections) {
                throw std::runtime_error("the experts of " + layer + " do not belong together");
            }
            places_[i] = { bundles_.size(), made.sections.size() };
            made.sections.push_back({ i, files[entry.file].get(), entry.offset,
                                      entry.n_bytes / made.n_experts, offset,
                                      entry.offset % page_bytes, section_room(entry) });
            offset += made.sections.back().room;
        }
        n_experts += static_cast<uint32_t>(made.n_experts);
        bundles_.push_back(std::move(made));
    }
}

void expert_runner::build_pools(uint64_t n_bytes, uint32_t n_used) {
    for (bundle & bundle : bundles_) {
        std::vector<uint64_t> rooms;
        uint64_t              slot_bytes = 0;
        for (const section & section : bundle.sections) {
            rooms.push_back(section.room);
            slot_bytes += section.room;
        }
        auto found = std::find_if(pools_.begin(), pools_.end(),
                                  [&](const slot_pool & pool) { return pool.rooms == rooms; });
        if (found == pools_.end()) {
            found             = pools_.emplace(pools_.end());
            found->rooms      = rooms;
            found->slot_bytes = slot_bytes;
        }
        found->n_wanted += bundle.n_experts;
        bundle.pool = found - pools_.begin();
    }
    uint64_t n_least = 0, n_whole = 0;
    for (const slot_pool & pool : pools_) {
        n_least += n_used * pool.slot_bytes;
        n_whole += pool.n_wanted * pool.slot_bytes;
    }
    const double rest = n_bytes > n_least ? static_cast<double>(n_bytes - n_least) : 0;
    for (slot_pool & pool : pools_) {
        const double share = static_cast<double>(pool.n_wanted) / static_cast<double>(n_whole);
        const auto   n_slots =
            std::min<uint64_t>(pool.n_wanted, n_used + static_cast<uint64_t>(rest * share));
        pool.cache  = std::make_unique<expert_cache>(n_slots);
        pool.buffer = huge_buffer(n_slots * pool.slot_bytes);
        pool.valid.assign(n_slots, 0);
        counters_.n_slot_bytes += pool.buffer.size();
    }
}

expert_counters expert_runner::counters() const {
    expert_counters counters = counters_;
    for (const slot_pool & pool : pools_) {
        counters.n_evictions += pool.cache->n_evictions();
    }
    return counters;
}

// ---- choice ---------------------------------------------------------------------------------------

static int32_t id_at(const ggml_tensor * ids, int64_t i, int64_t token) {
    return *reinterpret_cast<const int32_t *>(static_cast<const char *>(ids->data) +
                                              token * ids->nb[1] + i * ids->nb[0]);
}

// The experts that the ids name, in rising order; empty when one is out of range.
std::vector<expert_runner::chosen_expert> expert_runner::chosen(const ggml_tensor * ids,
                                                                int64_t             n_experts) {
    std::vector<double> n_tokens(n_experts, 0);
    for (int64_t token = 0; token < ids->ne[1]; ++token) {
        for (int64_t i = 0; i < ids->ne[0]; ++i) {
            const int32_t id = id_at(ids, i, token);
            if (id < 0 || id >= n_experts) {
                return {};
            }
            n_tokens[id] += 1;
        }
    }
    std::vector<chosen_expert> experts;
    for (int64_t id = 0; id < n_experts; ++id) {
        if (n_tokens[id] > 0) {
            experts.push_back({ static_cast<int32_t>(id), n_tokens[id] });
        }
    }
    return experts;
}

bool expert_runner::is_loaded(place at, int32_t expert) const {
    const bundle &    bundle = bundles_[at.bundle];
    const slot_pool & pool   = pools_[bundle.pool];
    const int32_t     slot   = pool.cache->find(bundle.first_expert + expert);
    return slot >= 0 && (pool.valid[slot] >> at.section & 1) != 0;
}

bool expert_runner::is_whole(size_t bundle_number, int32_t expert) const {
    for (size_t s = 0; s < bundles_[bundle_number].sections.size(); ++s) {
        if (!is_loaded({ bundle_number, s }, expert)) {
            return false;
        }
    }
    return true;
}

bool expert_runner::is_coming(place at, int32_t expert) const {
    return is_loaded(at, expert) ||
           std::any_of(loads_.begin(), loads_.end(), [&](const load & load) {
               return load.at.bundle == at.bundle && load.at.section == at.section &&
                      load.expert == static_cast<uint32_t>(expert);
           });
}

// The three products of a layer use one choice of the router's: it counts once.
void expert_runner::begin_visit(place at, const ggml_tensor * ids,
                                const std::vector<chosen_expert> & chosen) {
    bundle &       bundle = bundles_[at.bundle];
    slot_pool &    pool   = pools_[bundle.pool];
    const uint32_t bit    = 1U << at.section;
    if (bundle.visited != 0 && (bundle.visited & bit) == 0) {
        bundle.visited |= bit;
        return;
    }
    bundle.visited = bit;
    // Every layer of the pool passes once per token, so one passes its share of it.
    const double n_layers = static_cast<double>(pool.n_wanted) / bundle.n_experts;
    pool.cache->pass(static_cast<double>(ids->ne[1]) / n_layers);
    for (const chosen_expert & choice : chosen) {
        pool.cache->touch(bundle.first_expert + choice.expert, choice.n_tokens);
        const bool hit = is_whole(at.bundle, choice.expert);
        counters_.n_hits += hit;
        counters_.n_misses += !hit;
    }
}

// ---- reading --------------------------------------------------------------------------------------

// Asks for those `sections` of the experts that are not there, and locks all their slots. There are
// slots for all. Section by section, so that the first products need not wait for the last bytes.
void expert_runner::request(place at, const std::vector<int32_t> & experts, uint32_t sections) {
    const bundle & bundle = bundles_[at.bundle];
    slot_pool &    pool   = pools_[bundle.pool];
    for (const int32_t expert : experts) { // all that are there first, or they could be evicted
        const int32_t slot = pool.cache->find(bundle.first_expert + expert);
        if (slot >= 0) {
            pool.cache->lock(slot);
        }
    }
    for (const int32_t expert : experts) {
        if (pool.cache->find(bundle.first_expert + expert) < 0) {
            pool.valid[pool.cache->insert(bundle.first_expert + expert)] = 0;
        }
    }
    for (size_t s = 0; s < bundle.sections.size(); ++s) {
        const section &           part = bundle.sections[s];
        std::vector<read_request> requests;
        for (const int32_t expert : experts) {
            const int32_t slot = pool.cache->find(bundle.first_expert + expert);
            if ((sections >> s & 1) == 0 || (pool.valid[slot] >> s & 1) != 0) {
                continue;
            }
            const uint64_t offset = part.file_offset + expert * part.expert_bytes;
            const uint64_t begin  = round_down(offset, page_bytes);
            const uint64_t needed = offset + part.expert_bytes - begin;
            requests.push_back({ part.file,
                                 pool.buffer.data() + slot * pool.slot_bytes + part.slot_offset,
                                 round_up(needed, page_bytes), needed, begin, &batches_[s] });
            loads_.push_back({ { at.bundle, s }, static_cast<uint32_t>(expert), slot });
            counters_.n_bytes_read += requests.back().n_bytes;
        }
        pool_.submit(requests, read_pool::urgency::now);
    }
}

// Waits for the reads of one section and makes what came usable.
int expert_runner::finish(size_t section_number) {
    const int status = pool_.wait(batches_[section_number]);
    batches_[section_number].status = read_ok;
    std::erase_if(loads_, [&](const load & load) {
        if (load.at.section != section_number) {
            return false;
        }
        const bundle &  bundle = bundles_[load.at.bundle];
        const section & part   = bundle.sections[section_number];
        slot_pool &     pool   = pools_[bundle.pool];
        if (status != read_ok) {
            failed_path_ = part.file->path();
            pool.cache->erase(bundle.first_expert + load.expert);
            pool.valid[load.slot] = 0;
            return true;
        }
        // Experts begin anywhere in a page, but in a slot all begin at the same place.
        uint8_t * to = pool.buffer.data() + load.slot * pool.slot_bytes + part.slot_offset;
        const uint64_t from = (part.file_offset + load.expert * part.expert_bytes) % page_bytes;
        if (from != part.data_offset) {
            std::memmove(to + part.data_offset, to + from, part.expert_bytes);
        }
        pool.valid[load.slot] |= 1U << section_number;
        return true;
    });
    return status;
}

int expert_runner::finish_all() {
    int status = read_ok;
    for (size_t s = 0; s < max_sections; ++s) {
        const int one = finish(s);
        status        = status == read_ok ? one : status;
    }
    return status;
}

// ---- computing ------------------------------------------------------------------------------------

// The pool as one tensor of experts, of which a slot's number picks one.
ggml_tensor expert_runner::table(const ggml_tensor * weight, place at) const {
    const bundle &    bundle = bundles_[at.bundle];
    const slot_pool & pool   = pools_[bundle.pool];
    const section &   part   = bundle.sections[at.section];
    ggml_tensor       table  = *weight;
    table.data  = pool.buffer.data() + part.slot_offset + part.data_offset;
    table.ne[2] = static_cast<int64_t>(pool.cache->n_slots());
    table.nb[2] = pool.slot_bytes;
    table.nb[3] = table.nb[2] * table.ne[2];
    return table;
}

bool expert_runner::prepare(const ggml_tensor * node, size_t tensor, bool must_not_load,
                            stand_in & out, int & status) {
    const place         at     = places_.at(tensor);
    const bundle &      bundle = bundles_[at.bundle];
    slot_pool &         pool   = pools_[bundle.pool];
    const ggml_tensor * ids    = node->src[2];
    const auto          wanted = chosen(ids, bundle.n_experts);
    status                     = read_ok;
    const bool all_there =
        std::all_of(wanted.begin(), wanted.end(),
                    [&](const chosen_expert & choice) { return is_coming(at, choice.expert); });
    if (wanted.empty() || wanted.size() > pool.cache->n_slots() || (must_not_load && !all_there)) {
        return false;
    }
    begin_visit(at, ids, wanted);
    if (!all_there) {
        status = finish_all(); // what another batch asked for and never used
        std::vector<int32_t> experts;
        for (const chosen_expert & choice : wanted) {
            experts.push_back(choice.expert);
        }
        pool.cache->unlock_all();
        request(at, experts, ~0U);
    }
    if (const int read = finish(at.section); status == read_ok) {
        status = read;
    }
    if (status != read_ok) {
        return true;
    }
    out.table = table(node->src[0], at);
    out.slots.resize(ids->ne[0] * ids->ne[1]);
    for (int64_t token = 0; token < ids->ne[1]; ++token) {
        for (int64_t i = 0; i < ids->ne[0]; ++i) {
            out.slots[token * ids->ne[0] + i] =
                pool.cache->find(bundle.first_expert + id_at(ids, i, token));
        }
    }
    out.ids          = *ids;
    out.ids.op       = GGML_OP_NONE;
    out.ids.view_src = nullptr;
    out.ids.data     = out.slots.data();
    out.ids.nb[0] = sizeof(int32_t);
    out.ids.nb[1] = sizeof(int32_t) * ids->ne[0];
    out.ids.nb[2] = out.ids.nb[3] = out.ids.nb[1] * ids->ne[1];
    return true;
}

int expert_runner::compute(const ggml_tensor * node, size_t tensor, side_graph & side) {
    const place         at     = places_.at(tensor);
    const bundle &      bundle = bundles_[at.bundle];
    slot_pool &         pool   = pools_[bundle.pool];
    auto                wanted = chosen(node->src[2], bundle.n_experts);
    if (wanted.empty()) {
        return EINVAL;
    }
    if (const int status = finish_all(); status != read_ok) {
        return status;
    }
    begin_visit(at, node->src[2], wanted);
    // What is there first, then the least wanted: the most wanted are in the slots at the end. Half
    // of the slots are enough to keep the disk busy, and the other half keeps what decode will want.
    std::vector<int32_t> there, missing;
    std::stable_sort(wanted.begin(), wanted.end(), [](const auto & a, const auto & b) {
        return a.n_tokens < b.n_tokens;
    });
    for (const chosen_expert & choice : wanted) {
        (is_loaded(at, choice.expert) ? there : missing).push_back(choice.expert);
    }
    bool aborted = false;
    int  status  = there.empty() ? read_ok : compute_group(node, at, there, side, aborted);
    const size_t n_group = std::max<size_t>(1, (pool.cache->n_slots() + 1) / 2);
    for (size_t i = 0; i < missing.size() && status == read_ok && !aborted; i += n_group) {
        const auto end = missing.begin() + static_cast<int64_t>(std::min(i + n_group, missing.size()));
        status = compute_group(node, at, { missing.begin() + static_cast<int64_t>(i), end }, side,
                               aborted);
    }
    return status;
}

// The rows routed to some experts, gathered, multiplied and put back. All rows of an expert are in
// one group: ggml chooses its kernel by their number.
int expert_runner::compute_group(const ggml_tensor * node, place at,
                                 const std::vector<int32_t> & experts, side_graph & side,
                                 bool & aborted) {
    const bundle & bundle = bundles_[at.bundle];
    slot_pool &    pool   = pools_[bundle.pool];
    pool.cache->unlock_all();
    request(at, experts, 1U << at.section);
    if (const int status = finish(at.section); status != read_ok) {
        return status;
    }
    std::vector<int32_t> slot_of(bundle.n_experts, -1);
    for (const int32_t expert : experts) {
        slot_of[expert] = pool.cache->find(bundle.first_expert + expert);
    }
    const ggml_tensor *  ids = node->src[2], *input = node->src[1];
    std::vector<int32_t> slots;
    std::vector<char *>  targets; // rows of the result
    std::vector<float>   rows;    // of the input
    for (int64_t token = 0; token < ids->ne[1]; ++token) {
        for (int64_t i = 0; i < ids->ne[0]; ++i) {
            const int32_t slot = slot_of[id_at(ids, i, token)];
            if (slot < 0) {
                continue;
            }
            const auto * row = reinterpret_cast<const float *>(
                static_cast<const char *>(input->data) + token * input->nb[2] +
                i % input->ne[1] * input->nb[1]);
            rows.insert(rows.end(), row, row + input->ne[0]);
            slots.push_back(slot);
            targets.push_back(static_cast<char *>(node->data) + token * node->nb[2] +
                              i * node->nb[1]);
        }
    }
    const auto set_rows = [&](ggml_tensor & tensor, int64_t width, size_t element, void * data) {
        tensor.ne[0] = width;
        tensor.ne[1] = 1;
        tensor.ne[2] = static_cast<int64_t>(slots.size());
        tensor.ne[3] = 1;
        tensor.nb[0] = element;
        tensor.nb[1] = tensor.nb[2] = element * width;
        tensor.nb[3] = tensor.nb[2] * slots.size();
        tensor.data  = data;
    };
    std::vector<float> product(slots.size() * node->ne[0]);
    ggml_tensor        group = *node, slot_table = table(node->src[0], at), gathered = *input,
                slot_ids = *ids;
    set_rows(group, node->ne[0], sizeof(float), product.data());
    set_rows(gathered, input->ne[0], sizeof(float), rows.data());
    set_rows(slot_ids, 1, sizeof(int32_t), slots.data());
    slot_ids.ne[1] = slot_ids.ne[2]; // [1, n_rows]
    slot_ids.ne[2] = 1;
    slot_ids.nb[2] = slot_ids.nb[3];
    group.src[0]   = &slot_table;
    group.src[1]   = &gathered;
    group.src[2]   = &slot_ids;
    aborted        = !side.compute(group);
    for (size_t i = 0; i < targets.size() && !aborted; ++i) {
        std::memcpy(targets[i], product.data() + i * node->ne[0], node->ne[0] * sizeof(float));
    }
    return read_ok;
}

} // namespace assistant
