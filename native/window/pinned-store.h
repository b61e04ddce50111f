// The weights that stay in RAM: copied out of the file once, into huge pages.
//
// Neighbours in the file share their pages, so a norm of 6 KB does not cost two pages of its own.

#pragma once

#include "file-reader.h"
#include "huge-buffer.h"
#include "read-pool.h"
#include "tensor-index.h"

#include <memory>
#include <vector>

namespace assistant {

class pinned_store {
  public:
    // Reads the tensors whose `is_pinned` is set. Throws std::runtime_error when a read fails,
    // std::bad_alloc when there is no room.
    pinned_store(const tensor_index & index, const std::vector<bool> & is_pinned,
                 const std::vector<std::unique_ptr<file_reader>> & files, read_pool & pool);

    uint8_t * find(size_t tensor) const { return addresses_[tensor]; } // nullptr: not pinned
    uint64_t  n_bytes() const { return buffer_.size(); }

  private:
    huge_buffer            buffer_;
    std::vector<uint8_t *> addresses_;
};

} // namespace assistant
