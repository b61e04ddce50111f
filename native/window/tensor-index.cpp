#include "tensor-index.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <unordered_set>

namespace assistant {

static std::string split_suffix(uint32_t split, uint32_t n_splits) {
    char text[40];
    std::snprintf(text, sizeof(text), "-%05u-of-%05u.gguf", split + 1, n_splits);
    return text;
}

std::string split_path(const std::string & path, uint32_t split, uint32_t n_splits) {
    const std::string first = split_suffix(0, n_splits);
    if (path.size() <= first.size() || !path.ends_with(first)) {
        throw std::runtime_error("the first file of a split model must be named *" + first);
    }
    return path.substr(0, path.size() - first.size()) + split_suffix(split, n_splits);
}

namespace {

struct gguf_file {
    const ggml_library & ggml;
    gguf_context *       gguf;

    gguf_file(const ggml_library & library, const std::string & path)
        : ggml(library), gguf(library.gguf_init_from_file(path.c_str(), { true, nullptr })) {
        if (gguf == nullptr) {
            throw std::runtime_error(path + " is no readable GGUF file");
        }
    }
    ~gguf_file() { ggml.gguf_free(gguf); }
    gguf_file(const gguf_file &)             = delete;
    gguf_file & operator=(const gguf_file &) = delete;

    uint32_t n_splits() const {
        const int64_t key = ggml.gguf_find_key(gguf, "split.count");
        if (key < 0 || ggml.gguf_get_kv_type(gguf, key) != GGUF_TYPE_UINT16) {
            return 1;
        }
        return std::max<uint32_t>(1, ggml.gguf_get_val_u16(gguf, key));
    }

    uint32_t n_experts_used() const {
        const int64_t name = ggml.gguf_find_key(gguf, "general.architecture");
        if (name < 0 || ggml.gguf_get_kv_type(gguf, name) != GGUF_TYPE_STRING) {
            return 0;
        }
        const std::string key_name =
            std::string(ggml.gguf_get_val_str(gguf, name)) + ".expert_used_count";
        const int64_t key = ggml.gguf_find_key(gguf, key_name.c_str());
        return key >= 0 && ggml.gguf_get_kv_type(gguf, key) == GGUF_TYPE_UINT32
                   ? ggml.gguf_get_val_u32(gguf, key)
                   : 0;
    }
};

tensor_entry read_entry(const gguf_file & file, int64_t i, uint32_t file_number) {
    const ggml_library & ggml = file.ggml;
    tensor_entry         entry;
    entry.name      = ggml.gguf_get_tensor_name(file.gguf, i);
    entry.type      = ggml.gguf_get_tensor_type(file.gguf, i);
    const auto * ne = ggml.gguf_get_tensor_ne(file.gguf, i);
    std::copy(ne, ne + GGML_MAX_DIMS, entry.ne);
    entry.file      = file_number;
    entry.offset    = ggml.gguf_get_data_offset(file.gguf) + ggml.gguf_get_tensor_offset(file.gguf, i);
    entry.n_bytes   = ggml.gguf_get_tensor_size(file.gguf, i);
    entry.row_bytes = ggml.ggml_row_size(entry.type, entry.ne[0]);
    return entry;
}

// The engine cuts tensors into rows: their bytes must be rows laid end to end, inside the file.
void check_entry(const tensor_entry & entry, uint64_t file_bytes, uint64_t data_offset) {
    uint64_t n_bytes  = entry.row_bytes;
    bool     overflow = false;
    for (int d = 1; d < GGML_MAX_DIMS; ++d) {
        overflow |= entry.ne[d] < 0 ||
                    __builtin_mul_overflow(n_bytes, (uint64_t) entry.ne[d], &n_bytes);
    }
    if (overflow || n_bytes == 0 || n_bytes != entry.n_bytes) {
        throw std::runtime_error("tensor " + entry.name + " is not made of whole rows");
    }
    if (entry.offset < data_offset || entry.offset > file_bytes ||
        entry.n_bytes > file_bytes - entry.offset) {
        throw std::runtime_error("tensor " + entry.name + " lies beyond the end of its file (" +
                                 std::to_string(file_bytes) + " bytes): the file is truncated");
    }
}

} // namespace

tensor_index tensor_index_read(const ggml_library & ggml, const std::string & path) {
    tensor_index                    index;
    std::unordered_set<std::string> names;
    uint32_t                        n_splits = 1;
    for (uint32_t split = 0; split < n_splits; ++split) {
        const std::string name = split == 0 ? path : split_path(path, split, n_splits);
        const gguf_file   file(ggml, name);
        if (split == 0) {
            n_splits             = file.n_splits();
            index.n_experts_used = file.n_experts_used();
            if (n_splits > 1) {
                split_path(path, 0, n_splits); // the name must say so, or the others are not found
            }
        }
        index.files.push_back(name);
        index.file_bytes.push_back(std::filesystem::file_size(name));
        const uint64_t data_offset = ggml.gguf_get_data_offset(file.gguf);
        for (int64_t i = 0; i < ggml.gguf_get_n_tensors(file.gguf); ++i) {
            index.tensors.push_back(read_entry(file, i, split));
            check_entry(index.tensors.back(), index.file_bytes.back(), data_offset);
            if (!names.insert(index.tensors.back().name).second) {
                throw std::runtime_error("tensor " + index.tensors.back().name + " is there twice");
            }
        }
    }
    return index;
}

} // namespace assistant
