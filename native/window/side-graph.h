// Computes one matrix product outside the scheduler's graph, with the same CPU kernels.
//
// For weights that are never in RAM as a whole: the scheduler skips the node, and the window
// computes it piece by piece. Results are bit-identical, since a dot product does not depend on
// which other rows are computed beside it.

#pragma once

#include "library.h"

#include <cstdint>
#include <vector>

namespace assistant {

class side_graph {
  public:
    side_graph(const ggml_library & ggml, int n_threads, ggml_abort_callback abort,
               void * abort_data);
    ~side_graph();
    side_graph(const side_graph &)             = delete;
    side_graph & operator=(const side_graph &) = delete;

    // Computes `node`, whose sources need not be part of any graph: their data is taken as it is.
    // False when the computation was aborted.
    bool compute(ggml_tensor node);

  private:
    const ggml_library & ggml_;
    int                  n_threads_;
    ggml_abort_callback  abort_;
    void *               abort_data_;
    ggml_context *       context_ = nullptr;
    std::vector<uint8_t> work_;
};

} // namespace assistant
