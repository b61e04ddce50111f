// Any bytes for a GGUF file: the index is refused, or every tensor in it lies inside the file.
//
// The GGUF parser is that of the loaded llama.cpp (ASSISTANT_TEST_LLAMA names its library).

#include "tensor-index.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>

using namespace assistant;

static const ggml_library & library() {
    static const auto loaded = [] {
        const char * path   = std::getenv("ASSISTANT_TEST_LLAMA");
        void *       handle = path != nullptr ? dlopen(path, RTLD_NOW) : nullptr;
        if (handle == nullptr) {
            std::fprintf(stderr, "ASSISTANT_TEST_LLAMA must name libllama: %s\n", dlerror());
            std::exit(2);
        }
        return std::make_unique<ggml_library>(handle);
    }();
    return *loaded;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t * data, size_t size) {
    static const std::string path = "/tmp/fuzz-tensor-index-" + std::to_string(getpid());
    std::FILE *              file = std::fopen(path.c_str(), "wb");
    if (file == nullptr) {
        std::abort();
    }
    std::fwrite(data, 1, size, file);
    std::fclose(file);
    try {
        const tensor_index index = tensor_index_read(library(), path);
        for (const tensor_entry & tensor : index.tensors) {
            if (tensor.offset > size || tensor.n_bytes > size - tensor.offset ||
                tensor.n_bytes % tensor.row_bytes != 0) {
                std::abort();
            }
        }
    } catch (const std::runtime_error &) {
    } catch (const std::bad_alloc &) {
    }
    return 0;
}
