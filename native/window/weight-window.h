// One model's window: the parts, put together. What the C interface in window.cpp hands out.

#pragma once

#include "eval-hook.h"

#include "assistant_native.h"

#include <memory>
#include <string>
#include <vector>

namespace assistant {

class weight_window {
  public:
    // Reads the index and opens the files. Throws std::runtime_error.
    weight_window(void * ggml_handle, const std::string & path);

    // Loads what is pinned and starts to read ahead. `roles` has one entry per tensor; `order`
    // names the streamed tensors as they are expected to be used. Throws std::runtime_error,
    // std::bad_alloc.
    void start(const std::vector<weight_role> & roles, const std::vector<uint32_t> & order,
               const assistant_window_options & options);
    void stop(); // the model's tensors point into its mapping again; all RAM is given back

    const tensor_index & index() const { return index_; }
    bool                 direct() const;

    // Bytes per second, for the plan (measure.cpp).
    double measure_disk(uint64_t n_bytes, int n_threads) const;
    double measure_compute(uint64_t n_bytes, int n_threads) const;

    eval_hook *          hook() const { return hook_.get(); }
    void                 count(assistant_window_counters & counters);

  private:
    std::vector<stream_unit> cut(std::vector<weight> & weights, const std::vector<uint32_t> & order,
                                 uint64_t ring_bytes) const;

    ggml_library                              ggml_;
    tensor_index                              index_;
    std::vector<std::unique_ptr<file_reader>> files_;
    // Later parts use earlier ones, and are destroyed first.
    std::unique_ptr<read_pool>    pool_;
    std::unique_ptr<pinned_store> pinned_;
    std::unique_ptr<prefetcher>   stream_;
    std::unique_ptr<side_graph>   side_;
    std::unique_ptr<expert_runner> experts_; // null for a model without
    std::unique_ptr<eval_hook>    hook_;
};

} // namespace assistant
