// The k best (similarity, row) pairs seen so far; ties go to the lower row.
// Knows nothing of codes or queries. Not thread-safe: one per thread, merged afterwards.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

namespace assistant {

struct scored_row {
    float similarity;
    int64_t row;
};

// True where `a` ranks before `b`.
inline bool scored_row_better(const scored_row & a, const scored_row & b) {
    return a.similarity != b.similarity ? a.similarity > b.similarity : a.row < b.row;
}

// A bounded heap whose front is the worst one kept, so most rows cost one comparison. All memory is
// taken when it is made: a push never throws.
class top_k {
public:
    explicit top_k(int64_t k) : items_(static_cast<size_t>(k)) {}

    // With rows in rising order a row must beat this strictly.
    float threshold() const {
        return n_ < items_.size() ? -std::numeric_limits<float>::infinity()
                                  : items_.front().similarity;
    }

    void push(float similarity, int64_t row) {
        const scored_row item{similarity, row};
        if (n_ < items_.size()) {
            items_[n_++] = item;
            std::push_heap(items_.begin(), end(), scored_row_better);
        } else if (n_ > 0 && scored_row_better(item, items_.front())) {
            std::pop_heap(items_.begin(), end(), scored_row_better);
            items_.back() = item;
            std::push_heap(items_.begin(), end(), scored_row_better);
        }
    }

    // Begin with the best of `n` items at once, which leaves them in another order: cheaper than pushing
    // them where k is large.
    void take(scored_row * items, size_t n) {
        n_ = std::min(n, items_.size());
        std::nth_element(items, items + n_, items + n, scored_row_better);
        std::copy(items, items + n_, items_.begin());
        std::make_heap(items_.begin(), end(), scored_row_better);
    }

    void merge(const top_k & other) {
        for (size_t i = 0; i < other.n_; i++) {
            push(other.items_[i].similarity, other.items_[i].row);
        }
    }

    const scored_row * data() const { return items_.data(); }  // size() of them, in no order
    size_t size() const { return n_; }

    // Fill `n_places`, best first; those without a row hold -1 and -inf. Ends the heap's use.
    void write_sorted(int32_t n_places, int64_t * rows, float * similarities) {
        std::sort(items_.begin(), end(), scored_row_better);
        for (size_t i = 0; i < static_cast<size_t>(n_places); i++) {
            rows[i] = i < n_ ? items_[i].row : -1;
            similarities[i] =
                i < n_ ? items_[i].similarity : -std::numeric_limits<float>::infinity();
        }
    }

private:
    std::vector<scored_row>::iterator end() {
        return items_.begin() + static_cast<std::ptrdiff_t>(n_);
    }

    std::vector<scored_row> items_;
    size_t n_ = 0;
};

}  // namespace assistant
