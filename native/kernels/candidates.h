// The C highest scores of a long scan, cheaper than a heap: collect above a threshold, and cut back to
// C whenever the room is full. Ties go to the lower slot, so the result depends on the scores alone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

#include "top-k.h"

namespace assistant {

class candidates {
public:
    explicit candidates(int64_t count)
        : count_(static_cast<size_t>(count)), items_(3 * static_cast<size_t>(count) + 64),
          scores_(items_.size()) {}

    // A slot that comes later must beat this strictly. Slots come in rising order.
    float threshold() const { return threshold_; }

    // Collect anew, above `threshold`: the result is the same where `count` slots beat it.
    void restart(float threshold) {
        n_ = 0;
        threshold_ = threshold;
    }

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
    }

    scored_row * data() { return items_.data(); }
    size_t size() const { return n_; }
    bool full() const { return n_ >= count_; }

private:
    // The selection sees scores alone; the items keep their order, so none need be sorted.
    void cut() {
        for (size_t i = 0; i < n_; i++) {
            scores_[i] = items_[i].similarity;
        }
        const auto last = scores_.begin() + static_cast<std::ptrdiff_t>(count_ - 1);
        std::nth_element(scores_.begin(), last,
                         scores_.begin() + static_cast<std::ptrdiff_t>(n_), std::greater<float>());
        threshold_ = *last;
        const auto better = std::count_if(scores_.begin(), last,
                                          [&](float score) { return score > threshold_; });
        size_t n_equal = count_ - static_cast<size_t>(better);  // the first of them stay
        size_t kept = 0;
        for (size_t i = 0; i < n_; i++) {
            const bool equal = items_[i].similarity == threshold_ && n_equal > 0;
            n_equal -= equal;
            items_[kept] = items_[i];
            kept += equal || items_[i].similarity > threshold_;
        }
        n_ = count_;
    }

    size_t count_;
    std::vector<scored_row> items_;
    std::vector<float> scores_;
    size_t n_ = 0;
    float threshold_ = -std::numeric_limits<float>::infinity();
};

}  // namespace assistant
