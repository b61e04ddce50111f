#include "side-graph.h"

#include <new>

namespace assistant {

constexpr size_t graph_nodes = 16;

side_graph::side_graph(const ggml_library & ggml, int n_threads, ggml_abort_callback abort,
                       void * abort_data)
    : ggml_(ggml), n_threads_(n_threads), abort_(abort), abort_data_(abort_data) {
    context_ = ggml.ggml_init({ ggml.ggml_graph_overhead_custom(graph_nodes, false) + 4096,
                                nullptr, true });
    if (context_ == nullptr) {
        throw std::bad_alloc();
    }
}

side_graph::~side_graph() { ggml_.ggml_free(context_); }

bool side_graph::compute(ggml_tensor node) {
    // Copies of the sources with no history: the graph must hold this one node only.
    ggml_tensor sources[GGML_MAX_SRC];
    for (int i = 0; i < GGML_MAX_SRC && node.src[i] != nullptr; ++i) {
        sources[i]          = *node.src[i];
        sources[i].op       = GGML_OP_NONE;
        sources[i].view_src = nullptr;
        for (auto & source : sources[i].src) {
            source = nullptr;
        }
        node.src[i] = &sources[i];
    }
    node.view_src = nullptr;
    node.flags |= GGML_TENSOR_FLAG_COMPUTE;
    ggml_.ggml_reset(context_);
    ggml_cgraph * graph = ggml_.ggml_new_graph_custom(context_, graph_nodes, false);
    ggml_.ggml_build_forward_expand(graph, &node);
    ggml_cplan plan = ggml_.ggml_graph_plan(graph, n_threads_, nullptr);
    if (work_.size() < plan.work_size) {
        work_.resize(plan.work_size);
    }
    plan.work_data           = work_.data();
    plan.abort_callback      = abort_;
    plan.abort_callback_data = abort_data_;
    return ggml_.ggml_graph_compute(graph, &plan) == GGML_STATUS_SUCCESS;
}

} // namespace assistant
