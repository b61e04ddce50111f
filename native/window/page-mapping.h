// Finds and empties the mapping that llama.cpp made of the model file.
//
// Pages of the mapping that stay mapped count against the RAM a second time and are the ones the
// kernel faults in again and again; once every weight lies elsewhere they are only a burden.

#pragma once

#include "file-reader.h"

#include <memory>
#include <vector>

namespace assistant {

// Whether this system tells a process what it maps. Where it does not (macOS) nothing is dropped, and
// pages that nobody touches again are the first the kernel takes back.
#ifdef __linux__
constexpr bool page_mapping_is_known = true;
#else
constexpr bool page_mapping_is_known = false;
#endif

// Unmaps no addresses: the pages come back, from disk, if anybody does read them. Returns the bytes
// of address space found.
uint64_t page_mapping_drop(const std::vector<std::unique_ptr<file_reader>> & files);

} // namespace assistant
