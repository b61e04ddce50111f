// The C highest scores of a long scan, cheaper than a heap: collect above a threshold, and cut back to
// C whenever the room is full. Ties go to the lower slot, so the result depends on the scores alone.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include "top-k.h"

namespace assistant {

// The nth highest of `n` scores, 1 <= nth <= n, which are lost. They are counted in 256 equal steps first, by
// loops in which no branch depends on a score, so that std::nth_element, whose comparisons a CPU foretells no
// better than a coin, sees one step's scores alone (of 700: 3 us instead of 12).
inline float nth_highest(float * scores, size_t n, size_t nth) {
    constexpr int32_t STEPS = 256;
    float lowest = scores[0];
    float highest = scores[0];
    for (size_t i = 1; i < n; i++) {
        lowest = std::min(lowest, scores[i]);
        highest = std::max(highest, scores[i]);
    }
    const float per_unit = static_cast<float>(STEPS - 1) / (highest - lowest);
    if (std::isfinite(per_unit) && per_unit > 0.0f) {
        const auto step_of = [=](float score) {
            return static_cast<int32_t>((score - lowest) * per_unit);
        };
        uint32_t counts[STEPS] = {};
        for (size_t i = 0; i < n; i++) {
            counts[step_of(scores[i])]++;
        }
        int32_t step = STEPS - 1;
        for (; counts[step] < nth; step--) {
            nth -= counts[step];
        }
        size_t n_here = 0;
        for (size_t i = 0; i < n; i++) {
            const float score = scores[i];
            scores[n_here] = score;
            n_here += step_of(score) == step;
        }
        n = n_here;
    }
    std::nth_element(scores, scores + nth - 1, scores + n, std::greater<float>());
    return scores[nth - 1];
}

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
        threshold_ = nth_highest(scores_.data(), n_, count_);
        size_t n_equal = count_;  // the first of them stay
        for (size_t i = 0; i < n_; i++) {
            n_equal -= items_[i].similarity > threshold_;
        }
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
