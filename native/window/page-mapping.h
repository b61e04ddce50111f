// Finds and empties the mapping that llama.cpp made of the model file.
//
// Pages of the mapping that stay mapped count against the RAM a second time and are the ones the
// kernel faults in again and again; once every weight lies elsewhere they are only a burden.

#pragma once

#include "file-reader.h"

#include <memory>
#include <vector>

namespace assistant {

// Unmaps no addresses: the pages come back, from disk, if anybody does read them. Returns the bytes
// of address space found; 0 where this system cannot tell (then nothing was dropped).
uint64_t page_mapping_drop(const std::vector<std::unique_ptr<file_reader>> & files);

} // namespace assistant
