// The cache keeps its books straight, and beats LRU where a router's choices are skewed.

#include "check.h"
#include "expert-cache.h"

#include <algorithm>
#include <cmath>
#include <list>
#include <random>
#include <set>
#include <unordered_map>
#include <vector>

using assistant::expert_cache;

namespace {

constexpr uint32_t n_experts = 128;

// What a router chooses: 8 of 128 experts per token, some far more often (Zipf), and which ones
// those are changes with the subject, every 2000 tokens.
std::vector<std::vector<uint32_t>> make_trace(double exponent, int n_tokens) {
    std::mt19937        random(7);
    std::vector<double> weights;
    for (uint32_t i = 0; i < n_experts; ++i) {
        weights.push_back(1 / std::pow(i + 1, exponent));
    }
    std::discrete_distribution<uint32_t> zipf(weights.begin(), weights.end());
    std::vector<uint32_t>                names(n_experts);
    for (uint32_t i = 0; i < n_experts; ++i) {
        names[i] = i;
    }
    std::vector<std::vector<uint32_t>> trace;
    for (int token = 0; token < n_tokens; ++token) {
        if (token % 2000 == 0) {
            std::shuffle(names.begin(), names.end(), random);
        }
        std::set<uint32_t> chosen;
        while (chosen.size() < 8) {
            chosen.insert(names[zipf(random)]);
        }
        trace.emplace_back(chosen.begin(), chosen.end());
    }
    return trace;
}

double hit_rate(const std::vector<std::vector<uint32_t>> & trace, size_t n_slots) {
    expert_cache cache(n_slots);
    uint64_t     n_hits = 0, n = 0;
    for (const auto & chosen : trace) {
        cache.pass(1);
        cache.unlock_all();
        for (const uint32_t expert : chosen) {
            cache.touch(expert, 1);
            const int32_t slot = cache.find(expert);
            n_hits += slot >= 0;
            n += 1;
            if (slot >= 0) {
                cache.lock(slot);
            }
        }
        for (const uint32_t expert : chosen) {
            CHECK(cache.find(expert) >= 0 || cache.insert(expert) >= 0);
        }
    }
    return static_cast<double>(n_hits) / static_cast<double>(n);
}

double hit_rate_of_lru(const std::vector<std::vector<uint32_t>> & trace, size_t n_slots) {
    std::list<uint32_t>                                              order; // oldest first
    std::unordered_map<uint32_t, std::list<uint32_t>::iterator> places;
    uint64_t                                                         n_hits = 0, n = 0;
    for (const auto & chosen : trace) {
        for (const uint32_t expert : chosen) {
            n += 1;
            if (const auto found = places.find(expert); found != places.end()) {
                n_hits += 1;
                order.splice(order.end(), order, found->second);
                continue;
            }
            if (order.size() == n_slots) {
                places.erase(order.front());
                order.pop_front();
            }
            places[expert] = order.insert(order.end(), expert);
        }
    }
    return static_cast<double>(n_hits) / static_cast<double>(n);
}

void it_beats_lru_on_a_skewed_trace() {
    for (const double exponent : { 0.6, 0.8, 1.0 }) {
        const auto trace = make_trace(exponent, 10000);
        for (const size_t n_slots : { 16, 32, 64 }) {
            const double ours = hit_rate(trace, n_slots), lru = hit_rate_of_lru(trace, n_slots);
            std::printf("zipf %.1f, %zu of %u slots: hit rate %.3f, LRU %.3f\n", exponent, n_slots,
                        n_experts, ours, lru);
            CHECK(ours > lru + 0.01);
        }
    }
}

void the_books_are_straight() {
    std::mt19937 random(8);
    expert_cache cache(10);
    for (int step = 0; step < 20000; ++step) {
        const uint32_t expert = random() % 40;
        cache.touch(expert, 1 + random() % 3);
        cache.pass(1);
        if (step % 7 == 0) {
            cache.unlock_all();
        }
        if (step % 11 == 0) {
            cache.erase(expert);
            CHECK(cache.find(expert) < 0);
        } else if (cache.find(expert) < 0) {
            const int32_t slot = cache.insert(expert);
            CHECK(slot < 10);
            CHECK(slot < 0 || cache.find(expert) == slot);
        }
        std::set<int32_t> slots;
        int               n_resident = 0;
        for (uint32_t other = 0; other < 40; ++other) {
            if (cache.find(other) >= 0) {
                slots.insert(cache.find(other));
                n_resident += 1;
            }
        }
        CHECK(n_resident <= 10 && slots.size() == static_cast<size_t>(n_resident));
    }
}

void what_is_locked_stays() {
    expert_cache cache(3);
    for (uint32_t expert = 0; expert < 3; ++expert) {
        CHECK(cache.insert(expert) >= 0);
    }
    CHECK(cache.insert(3) == -1);
    cache.unlock_all();
    cache.lock(cache.find(1));
    CHECK(cache.insert(3) >= 0 && cache.insert(4) >= 0);
    CHECK(cache.find(1) >= 0 && cache.n_evictions() == 2);
}

} // namespace

int main() {
    it_beats_lru_on_a_skewed_trace();
    the_books_are_straight();
    what_is_locked_stays();
    return 0;
}
