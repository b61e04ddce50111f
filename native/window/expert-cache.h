// Which experts stay in RAM: frequency with ageing. Bookkeeping only, no memory and no reads.
//
// Every use adds to an expert's score, and a use long ago counts less ("LLM in a flash" keeps the
// neurons of a sliding window of tokens; this is that window with a soft edge, at expert grain).
// The lowest score is evicted. Scores of experts that are not resident are kept too, or one that
// is used every tenth token would begin anew each time.

#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace assistant {

class expert_cache {
  public:
    static constexpr double half_life = 256; // tokens after which a use counts half

    explicit expert_cache(size_t n_slots) : owners_(n_slots, nobody), locked_(n_slots, 0) {}

    // `n_tokens` of the batch chose this expert. Before find() and insert() of the same batch.
    void touch(uint32_t expert, double n_tokens);
    void pass(double n_tokens); // time, in tokens; once per batch and cache

    int32_t find(uint32_t expert) const; // its slot, or -1
    // A slot for it, which is locked: a free one, or the lowest score's. -1: all are locked.
    int32_t insert(uint32_t expert);
    void    erase(uint32_t expert); // its bytes never came
    void    lock(int32_t slot) { locked_[slot] = round_; } // stays until unlock_all()
    void    unlock_all() { round_ += 1; }

    double   score(uint32_t expert) const;
    size_t   n_slots() const { return owners_.size(); }
    uint64_t n_evictions() const { return n_evictions_; }

  private:
    static constexpr int64_t nobody = -1;

    std::vector<int64_t>                  owners_;      // slot -> expert
    std::vector<uint64_t>                 locked_;      // slot -> the round it is locked in
    std::unordered_map<uint32_t, int32_t> slots_;       // expert -> slot
    std::unordered_map<uint32_t, double>  scores_;      // in units of gain_ at the time of use
    double                                gain_        = 1; // grows instead of all scores shrinking
    uint64_t                              round_       = 1;
    size_t                                n_filled_    = 0;
    uint64_t                              n_evictions_ = 0;
    std::vector<int32_t>                  free_;
};

} // namespace assistant
