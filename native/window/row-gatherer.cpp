#include "row-gatherer.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace assistant {

constexpr size_t rows_at_once = 32; // enough to keep the disk's queue filled

row_gatherer::row_gatherer(read_pool & pool, byte_source & source, const tensor_entry & tensor,
                           size_t n_kept)
    : pool_(pool), source_(source), offset_(tensor.offset), row_bytes_(tensor.row_bytes),
      n_table_rows_(static_cast<int64_t>(tensor.n_bytes / tensor.row_bytes)) {
    landing_ = huge_buffer(rows_at_once * (round_up(row_bytes_, page_bytes) + page_bytes));
    reserve(n_kept);
}

// A larger buffer starts empty: simpler than moving rows, and it happens once or never.
void row_gatherer::reserve(size_t n_rows) {
    buffer_ = huge_buffer(n_rows * row_bytes_);
    n_rows_ = n_rows;
    places_.clear();
    oldest_first_.clear();
    free_.clear();
    for (size_t i = n_rows; i > 0; --i) {
        free_.push_back(static_cast<int32_t>(i - 1));
    }
}

int row_gatherer::gather(const int32_t * ids, size_t n_ids, std::vector<int32_t> & places) {
    std::vector<int32_t> wanted(ids, ids + n_ids);
    std::sort(wanted.begin(), wanted.end());
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    if (!wanted.empty() && (wanted.front() < 0 || wanted.back() >= n_table_rows_)) {
        return EINVAL;
    }
    if (wanted.size() > n_rows_) {
        reserve(wanted.size());
    }
    std::vector<int32_t> missing;
    for (const int32_t id : wanted) {
        const auto found = places_.find(id);
        if (found == places_.end()) {
            missing.push_back(id);
        } else { // used now: the last to be dropped
            oldest_first_.splice(oldest_first_.end(), oldest_first_, found->second.age);
        }
    }
    if (const int status = read_rows(missing); status != read_ok) {
        return status;
    }
    places.resize(n_ids);
    for (size_t i = 0; i < n_ids; ++i) {
        places[i] = places_.at(ids[i]).row;
    }
    return read_ok;
}

int row_gatherer::read_rows(const std::vector<int32_t> & ids) {
    for (size_t first = 0; first < ids.size(); first += rows_at_once) {
        const int status =
            read_some(ids.data() + first, std::min(rows_at_once, ids.size() - first));
        if (status != read_ok) {
            return status;
        }
    }
    return read_ok;
}

int row_gatherer::read_some(const int32_t * ids, size_t n_ids) {
    const uint64_t            slot_bytes = round_up(row_bytes_, page_bytes) + page_bytes;
    read_batch                batch;
    std::vector<read_request> requests;
    for (size_t i = 0; i < n_ids; ++i) {
        const uint64_t at     = offset_ + static_cast<uint64_t>(ids[i]) * row_bytes_;
        const uint64_t begin  = round_down(at, page_bytes);
        const uint64_t needed = at + row_bytes_ - begin;
        requests.push_back({ &source_, landing_.data() + i * slot_bytes,
                             round_up(needed, page_bytes), needed, begin, &batch });
    }
    pool_.submit(requests, read_pool::urgency::now);
    if (const int status = pool_.wait(batch); status != read_ok) {
        return status;
    }
    for (size_t i = 0; i < n_ids; ++i) {
        if (free_.empty()) {
            const auto oldest = places_.find(oldest_first_.front());
            free_.push_back(oldest->second.row);
            places_.erase(oldest);
            oldest_first_.pop_front();
        }
        const uint64_t at  = offset_ + static_cast<uint64_t>(ids[i]) * row_bytes_;
        const int32_t  row = free_.back();
        free_.pop_back();
        std::memcpy(buffer_.data() + row * row_bytes_,
                    landing_.data() + i * slot_bytes + at % page_bytes, row_bytes_);
        places_[ids[i]] = { row, oldest_first_.insert(oldest_first_.end(), ids[i]) };
    }
    n_rows_read_ += n_ids;
    return read_ok;
}

} // namespace assistant
