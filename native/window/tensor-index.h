// Where every tensor of a GGUF model lies: file, offset, length, shape. Split models too.
//
// Reads metadata only. Knows nothing of what a tensor is for.

#pragma once

#include "library.h"

#include <cstdint>
#include <string>
#include <vector>

namespace assistant {

struct tensor_entry {
    std::string name;
    ggml_type   type;
    int64_t     ne[GGML_MAX_DIMS];
    uint32_t    file;      // index into tensor_index::files
    uint64_t    offset;    // bytes from the start of the file
    uint64_t    n_bytes;
    uint64_t    row_bytes; // one row of ne[0] elements
};

struct tensor_index {
    std::vector<std::string>  files;      // one, or every split in order
    std::vector<uint64_t>     file_bytes; // length of each
    std::vector<tensor_entry> tensors;
    uint32_t                  n_experts_used = 0; // per token; 0: dense
};

// Throws std::runtime_error: no GGUF, a split missing, a tensor beyond the end of its file, a name
// twice, or sizes that overflow.
tensor_index tensor_index_read(const ggml_library & ggml, const std::string & path);

// "model-00002-of-00003.gguf" for split 1 of 3 of a model whose first file is `path`.
// Throws when `path` does not end in "-00001-of-00003.gguf".
std::string split_path(const std::string & path, uint32_t split, uint32_t n_splits);

} // namespace assistant
