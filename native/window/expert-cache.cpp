#include "expert-cache.h"

#include <cmath>

namespace assistant {

void expert_cache::pass(double n_tokens) {
    gain_ *= std::exp2(n_tokens / half_life);
    if (gain_ > 1e100) { // long before a double overflows
        for (auto & [expert, score] : scores_) {
            score /= gain_;
        }
        gain_ = 1;
    }
}

void expert_cache::touch(uint32_t expert, double n_tokens) { scores_[expert] += n_tokens * gain_; }

double expert_cache::score(uint32_t expert) const {
    const auto found = scores_.find(expert);
    return found == scores_.end() ? 0 : found->second / gain_;
}

int32_t expert_cache::find(uint32_t expert) const {
    const auto found = slots_.find(expert);
    return found == slots_.end() ? -1 : found->second;
}

int32_t expert_cache::insert(uint32_t expert) {
    int32_t slot = -1;
    if (!free_.empty()) {
        slot = free_.back();
        free_.pop_back();
    } else if (n_filled_ < owners_.size()) {
        slot = static_cast<int32_t>(n_filled_++);
    } else {
        double lowest = 0;
        for (size_t i = 0; i < owners_.size(); ++i) {
            if (locked_[i] == round_) {
                continue;
            }
            const double score = scores_[static_cast<uint32_t>(owners_[i])];
            if (slot < 0 || score < lowest) {
                slot   = static_cast<int32_t>(i);
                lowest = score;
            }
        }
        if (slot < 0) {
            return -1;
        }
        slots_.erase(static_cast<uint32_t>(owners_[slot]));
        n_evictions_ += 1;
    }
    owners_[slot]  = expert;
    slots_[expert] = slot;
    lock(slot);
    return slot;
}

void expert_cache::erase(uint32_t expert) {
    const auto found = slots_.find(expert);
    if (found != slots_.end()) {
        owners_[found->second] = nobody;
        locked_[found->second] = 0;
        free_.push_back(found->second);
        slots_.erase(found);
    }
}

} // namespace assistant
