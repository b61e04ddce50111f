// The functions of the ggml that llama-cpp-python has loaded, found at run time.
//
// llama-cpp-python installs ggml twice, and only one copy runs. So nothing of ggml is linked here:
// every symbol is looked up from the handle of the library that is already loaded, and the version
// is compared with the headers this file was compiled against.

#pragma once

#include "ggml-cpu.h"
#include "ggml.h"
#include "gguf.h"

#include <string>

namespace assistant {

#define ASSISTANT_GGML_FUNCTIONS(X) \
    X(ggml_version)                 \
    X(ggml_commit)                  \
    X(ggml_row_size)                \
    X(ggml_blck_size)               \
    X(ggml_type_size)               \
    X(ggml_type_name)               \
    X(ggml_init)                    \
    X(ggml_reset)                   \
    X(ggml_free)                    \
    X(ggml_new_graph_custom)        \
    X(ggml_graph_overhead_custom)   \
    X(ggml_build_forward_expand)    \
    X(ggml_graph_plan)              \
    X(ggml_graph_compute)           \
    X(gguf_init_from_file)          \
    X(gguf_free)                    \
    X(gguf_get_data_offset)         \
    X(gguf_find_key)                \
    X(gguf_get_kv_type)             \
    X(gguf_get_val_u16)             \
    X(gguf_get_val_u32)             \
    X(gguf_get_val_str)             \
    X(gguf_get_n_tensors)           \
    X(gguf_get_tensor_name)         \
    X(gguf_get_tensor_type)         \
    X(gguf_get_tensor_ne)           \
    X(gguf_get_tensor_size)         \
    X(gguf_get_tensor_offset)

struct ggml_library {
#define ASSISTANT_DECLARE(name) decltype(&::name) name = nullptr;
    ASSISTANT_GGML_FUNCTIONS(ASSISTANT_DECLARE)
#undef ASSISTANT_DECLARE

    // Throws std::runtime_error naming the first symbol that is missing, or the version that differs.
    explicit ggml_library(void * handle);
};

// The ggml that this library was compiled against: "0.25.3 (0c1e570)". The commit is empty where
// the build could not ask the installed library.
std::string ggml_build_version();

} // namespace assistant
