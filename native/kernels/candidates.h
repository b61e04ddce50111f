// The C highest scores of a long scan, cheaper than a heap: collect above a threshold, and cut back to
// C whenever the room is full. Ties go to the lower slot, so the result depends on the scores alone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "top-k.h"

namespace assistant {

class candidates {
public:
    explicit candidates(int64_t count)
        : count_(static_cast<size_t>(count)), items_(3 * static_cast<size_t>(count) + 64) {}

    // A slot that comes later must beat this strictly. Slots come in rising order.
    float threshold() const { return threshold_; }

    void push(float score, int64_t slot) {
        items_[n_++] = {score, slot};
        if (n_ == items_.size()) {
            cut();
        }
    }

    // Leave the best `count`, in rising order of slots (so that a file is read forwards).
    void finish() {
        if (n_ > count_) {
            cut();
        }
        std::sort(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(n_),
                  [](const scored_row & a, const scored_row & b) { return a.row < b.row; });
    }

    const scored_row * data() const { return items_.data(); }
    size_t size() const { return n_; }

private:
    void cut() {
        const auto last = items_.begin() + static_cast<std::ptrdiff_t>(count_ - 1);
        std::nth_element(items_.begin(), last,
                         items_.begin() + static_cast<std::ptrdiff_t>(n_), scored_row_better);
        threshold_ = last->similarity;
        n_ = count_;
    }

    size_t count_;
    std::vector<scored_row> items_;
    size_t n_ = 0;
    float threshold_ = -std::numeric_limits<float>::infinity();
};

}  // namespace assistant
