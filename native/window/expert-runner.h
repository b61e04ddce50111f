// Brings the experts a router chose into RAM and computes with them.
//
// The experts of one layer that belong together (gate, up and down) are one bundle and share a
// slot, so that one lookup serves the three products of a layer. All slots of a pool lie at equal
// distances, and to ggml a pool is one large tensor of experts: the ids of a batch are translated
// from experts to slots, and nothing is copied.
//
// Layers whose bundles have the same sizes share a pool. A batch that needs more experts than there
// are slots is computed in groups of experts, outside the scheduler's graph.

#pragma once

#include "expert-cache.h"
#include "file-reader.h"
#include "huge-buffer.h"
#include "read-pool.h"
#include "side-graph.h"
#include "tensor-index.h"

#include <array>
#include <memory>
#include <unordered_map>
#include <vector>

namespace assistant {

struct expert_counters {
    uint64_t n_slot_bytes = 0; // RAM
    uint64_t n_hits       = 0;
    uint64_t n_misses     = 0;
    uint64_t n_evictions  = 0;
    uint64_t n_bytes_read = 0;
};

class expert_runner {
  public:
    // `tensors` are the expert tensors of the index. Every pool gets slots for one token's experts,
    // the rest of `n_bytes` is shared out by the size of its layers. Throws std::runtime_error.
    expert_runner(const tensor_index & index, const std::vector<size_t> & tensors,
                  const std::vector<std::unique_ptr<file_reader>> & files, read_pool & pool,
                  uint64_t n_bytes);
    ~expert_runner();
    expert_runner(const expert_runner &)             = delete;
    expert_runner & operator=(const expert_runner &) = delete;

    // What `node` computes with once prepared: the pool as a tensor, and slots instead of experts.
    struct stand_in {
        ggml_tensor          table;
        ggml_tensor          ids;
        std::vector<int32_t> slots;
    };

    // Loads the experts that the node's ids name, which must be computed. False when they do not
    // fit at once, or would need slots while nodes that use others are not computed yet
    // (`must_not_load`): then nothing was done, and compute() is the way.
    bool prepare(const ggml_tensor * node, size_t tensor, bool must_not_load, stand_in & out,
                 int & status);

    // Computes `node` now, in as many groups of experts as it takes. A read_status; a computation
    // that was aborted is read_ok, for the scheduler ends for the same reason.
    int compute(const ggml_tensor * node, size_t tensor, side_graph & side);

    bool is_reading() const { return !loads_.empty(); }
    int  finish_all(); // waits for every read under way; a read_status

    expert_counters     counters() const;
    const std::string & failed_path() const { return failed_path_; }

  private:
    static constexpr size_t max_sections = 8;

    struct section { // one tensor's part of a bundle
        size_t        tensor;
        file_reader * file;
        uint64_t      file_offset;
        uint64_t      expert_bytes;
        uint64_t      slot_offset; // where the section begins in a slot
        uint64_t      data_offset; // where its matrix begins in the section: for all experts alike
        uint64_t      room;
    };
    struct bundle { // one layer
        std::vector<section> sections;
        size_t               pool         = 0;
        uint32_t             first_expert = 0; // the number of expert 0, unique over all layers
        int64_t              n_experts    = 0;
        uint32_t             visited      = 0; // sections computed since the router last chose
    };
    struct slot_pool {
        uint64_t                      slot_bytes = 0;
        uint64_t                      n_wanted   = 0; // every expert of every layer
        std::vector<uint64_t>         rooms;          // of the sections: what the layers share
        std::unique_ptr<expert_cache> cache;
        huge_buffer                   buffer;
        std::vector<uint32_t>         valid; // slot -> bits of the sections that are loaded
    };
    struct place {
        size_t bundle;
        size_t section;
    };
    struct load {
        place    at;
        uint32_t expert;
        int32_t  slot;
    };
    struct chosen_expert {
        int32_t expert;
        double  n_tokens;
    };

    void build_bundles(const tensor_index & index, const std::vector<size_t> & tensors,
                       const std::vector<std::unique_ptr<file_reader>> & files);
    void build_pools(uint64_t n_bytes, uint32_t n_used);
    static std::vector<chosen_expert> chosen(const ggml_tensor * ids, int64_t n_experts);
    void begin_visit(place at, const ggml_tensor * ids, const std::vector<chosen_expert> & chosen);
    bool is_loaded(place at, int32_t expert) const;
    bool is_whole(size_t bundle, int32_t expert) const; // all its sections
    bool is_coming(place at, int32_t expert) const; // loaded, or being read
    void request(place at, const std::vector<int32_t> & experts, uint32_t sections);
    int  finish(size_t section);
    int  compute_group(const ggml_tensor * node, place at, const std::vector<int32_t> & experts,
                       side_graph & side, bool & aborted);
    ggml_tensor table(const ggml_tensor * weight, place at) const;

    read_pool &                           pool_;
    std::vector<bundle>                   bundles_;
    std::vector<slot_pool>                pools_;
    std::unordered_map<size_t, place>     places_; // tensor -> bundle and section
    std::array<read_batch, max_sections>  batches_; // reads under way, by section
    std::vector<load>                     loads_;
    expert_counters                       counters_;
    std::string                           failed_path_;
};

} // namespace assistant
