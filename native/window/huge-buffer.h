// Memory for weights: anonymous, 2 MiB-aligned, huge pages asked for.
//
// A read past the page cache (O_DIRECT) into 4 KiB pages runs at 0.9-1.1 GB/s on the machine this
// was measured on, into huge pages at 1.9-2.1: one request then spans few physical pieces.

#pragma once

#include <cstddef>
#include <cstdint>

namespace assistant {

constexpr size_t page_bytes      = 4096;    // what O_DIRECT asks of offset, length and address
constexpr size_t huge_page_bytes = 2 << 20;

constexpr uint64_t round_down(uint64_t n, uint64_t unit) { return n / unit * unit; }
constexpr uint64_t round_up(uint64_t n, uint64_t unit) { return (n + unit - 1) / unit * unit; }

class huge_buffer {
  public:
    huge_buffer() = default;
    explicit huge_buffer(size_t n_bytes); // throws std::bad_alloc
    ~huge_buffer();
    huge_buffer(huge_buffer && other) noexcept { swap(other); }
    huge_buffer & operator=(huge_buffer && other) noexcept {
        swap(other);
        return *this;
    }
    huge_buffer(const huge_buffer &)             = delete;
    huge_buffer & operator=(const huge_buffer &) = delete;

    uint8_t * data() const { return data_; }
    size_t    size() const { return n_bytes_; } // rounded up to whole pages

  private:
    void swap(huge_buffer & other) noexcept;

    void *    mapping_       = nullptr;
    size_t    mapping_bytes_ = 0;
    uint8_t * data_          = nullptr;
    size_t    n_bytes_       = 0;
};

} // namespace assistant
