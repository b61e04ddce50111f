// The scheduler's eval callback: makes the weights of a node be in RAM before it is computed.
//
// The scheduler asks about every node in order and computes all nodes up to the first one that
// answers "yes". At each question the weights of that node are waited for and its tensors pointed
// at them; "yes" is answered after a streamed weight, so that its room in the ring comes free as
// soon as it has been used. What is changed in a graph is restored when the group has run.

#pragma once

#include "expert-runner.h"
#include "pinned-store.h"
#include "prefetcher.h"
#include "row-gatherer.h"
#include "side-graph.h"
#include "tensor-index.h"

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace assistant {

enum class weight_role : uint8_t {
    pinned,   // in RAM for good
    streamed, // read in order, every time it is used
    gathered, // rows on demand (embedding tables)
    experts,  // one matrix per expert, read when the router chooses it
};

// One tensor of the file and how it comes into RAM.
struct weight {
    weight(size_t number, weight_role how) : tensor(number), role(how) {}

    size_t        tensor; // in the index
    weight_role   role;
    uint8_t *     address    = nullptr; // pinned
    uint32_t      first_unit = 0;       // streamed: units of the prefetcher
    uint32_t      n_units    = 0;
    int64_t       unit_rows  = 0;       // rows in each unit but the last
    std::unique_ptr<row_gatherer> rows; // when a GET_ROWS meets a weight that is not pinned
};

struct hook_parts {
    const ggml_library &                              ggml;
    const tensor_index &                              index;
    const std::vector<std::unique_ptr<file_reader>> & files;
    read_pool &                                       pool;
    prefetcher &                                      stream;
    side_graph &                                      side;
    expert_runner *                                   experts; // may be null
    size_t                                            n_gather_rows;
};

class eval_hook {
  public:
    eval_hook(hook_parts parts, std::vector<weight> weights);
    ~eval_hook(); // the model's tensors point into its mapping again
    eval_hook(const eval_hook &)             = delete;
    eval_hook & operator=(const eval_hook &) = delete;

    bool ask(ggml_tensor * node);
    bool done(ggml_tensor * node);

    // After every decode, aborted ones too. Returns why it failed, or nothing.
    std::string finish_graph();
    void        fail(const std::string & reason); // the rest of this decode computes nothing

    uint64_t n_graphs() const { return n_graphs_; }
    uint64_t n_gathered() const;
    uint64_t n_unplanned() const { return n_unplanned_; } // loads no plan foresaw; 0 is right

  private:
    struct bound {
        weight * source;
        void *   mapped; // where llama.cpp put it
    };

    void     begin_graph();
    void     fail(int status, const std::string & path);
    void     skip(ggml_tensor * node);
    void     change(ggml_tensor * tensor); // remembers it as it is, to be restored
    void     end_group();
    weight * find(ggml_tensor * tensor);
    bool     prepare(ggml_tensor * node, int source, weight & weight);
    bool     prepare_experts(ggml_tensor * node, weight & weight);
    bool     prepare_rows(ggml_tensor * node, weight & weight);
    bool     prepare_stream(ggml_tensor * node, int source, weight & weight);
    bool     prepare_whole(ggml_tensor * node, int source, weight & weight);
    void     point(ggml_tensor * node, int source, uint8_t * data);
    void     compute_pieces(ggml_tensor * node);

    hook_parts                                       parts_;
    std::vector<weight>                              weights_;
    std::unordered_map<std::string, weight *>        by_name_;
    std::unordered_map<ggml_tensor *, bound>         bound_;
    std::vector<std::pair<ggml_tensor *, ggml_tensor>> changed_; // as they were, in order of change
    std::deque<ggml_tensor>                          stand_ins_; // sources put in place of others
    std::deque<std::vector<int32_t>>                 stand_in_ids_;
    std::deque<expert_runner::stand_in>              stand_in_experts_;
    std::vector<huge_buffer>                         unplanned_;
    std::vector<const ggml_tensor *>                 group_;     // asked about, not yet computed
    ggml_tensor *                                    in_pieces_ = nullptr; // computed by us, not it
    weight *                                         in_pieces_weight_ = nullptr;
    std::string                                      failure_;
    bool                                             between_graphs_ = true;
    uint64_t                                         n_graphs_       = 0;
    uint64_t                                         n_unplanned_    = 0;
};

} // namespace assistant
