// Embedding rows on demand: the few rows a batch names are read, the table never is.
//
// Rows that were used stay until their place is needed; a person's text repeats its words.

#pragma once

#include "huge-buffer.h"
#include "read-pool.h"
#include "tensor-index.h"

#include <cstdint>
#include <list>
#include <unordered_map>
#include <vector>

namespace assistant {

class row_gatherer {
  public:
    // `n_kept` rows stay in RAM; more where one batch names more.
    row_gatherer(read_pool & pool, byte_source & source, const tensor_entry & tensor,
                 size_t n_kept);

    // Makes the rows available and turns `ids` into places in data(). A read_status.
    int gather(const int32_t * ids, size_t n_ids, std::vector<int32_t> & places);

    uint8_t * data() const { return buffer_.data(); }
    size_t    n_rows() const { return n_rows_; } // places in data()
    uint64_t  n_bytes() const { return buffer_.size(); }
    uint64_t  n_rows_read() const { return n_rows_read_; }

  private:
    void reserve(size_t n_rows);
    int  read_rows(const std::vector<int32_t> & ids);
    int  read_some(const int32_t * ids, size_t n_ids);

    read_pool &   pool_;
    byte_source & source_;
    uint64_t      offset_;
    uint64_t      row_bytes_;
    int64_t       n_table_rows_;
    size_t        n_rows_ = 0;
    huge_buffer   buffer_;  // [n_rows_] rows
    huge_buffer   landing_; // whole pages around the rows of one request
    uint64_t      n_rows_read_ = 0;

    struct place {
        int32_t                        row;
        std::list<int32_t>::iterator   age;
    };
    std::list<int32_t>                 oldest_first_; // ids
    std::unordered_map<int32_t, place> places_;       // id -> its row in buffer_
    std::vector<int32_t>               free_;
};

} // namespace assistant
