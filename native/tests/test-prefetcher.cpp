// The prefetcher hands out the right bytes whatever the order, the ring and the disk do.

#include "check.h"
#include "memory-source.h"
#include "prefetcher.h"

#include <numeric>

using namespace assistant;

namespace {

constexpr size_t n_units = 12;

std::vector<stream_unit> make_units(memory_source & source, std::mt19937 & random) {
    std::vector<stream_unit> units;
    uint64_t                 offset = 32;
    for (size_t i = 0; i < n_units; ++i) {
        const uint64_t n = 1000 + random() % 60000;
        units.push_back({ &source, offset, n });
        offset += n + random() % 5000;
    }
    return units;
}

uint64_t ring_for(const std::vector<stream_unit> & units) {
    uint64_t largest = 0;
    for (const stream_unit & unit : units) {
        largest = std::max(largest, prefetcher::room_bytes(unit));
    }
    return 3 * largest;
}

bool is_right(const memory_source & source, const stream_unit & unit, const uint8_t * data) {
    return std::memcmp(data, source.at(unit.offset), unit.n_bytes) == 0;
}

void any_order_gives_the_right_bytes(int n_threads) {
    std::mt19937  random(2);
    memory_source source(1 << 20);
    for (int round = 0; round < 6; ++round) {
        const auto            units = make_units(source, random);
        read_pool             pool(n_threads);
        prefetcher            stream(pool, units, ring_for(units) * (1 + round % 3));
        std::vector<uint32_t> order(n_units);
        std::iota(order.begin(), order.end(), 0);
        for (int pass = 0; pass < 12; ++pass) {
            if (pass % 4 == 3) { // the graph changed
                std::shuffle(order.begin(), order.end(), random);
            }
            for (const uint32_t unit : order) {
                const uint8_t * data = stream.acquire(unit);
                CHECK(data != nullptr && is_right(source, units[unit], data));
                stream.release_all();
            }
        }
    }
}

void a_learned_order_is_not_mispredicted() {
    std::mt19937          random(3);
    memory_source         source(1 << 20);
    const auto            units = make_units(source, random);
    read_pool             pool(2);
    prefetcher            stream(pool, units, ring_for(units));
    std::vector<uint32_t> order(n_units);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random);
    uint64_t n_learned = 0;
    for (int pass = 0; pass < 10; ++pass) {
        for (const uint32_t unit : order) {
            CHECK(stream.acquire(unit) != nullptr);
            stream.release_all();
        }
        n_learned = pass == 1 ? stream.n_mispredicted() : n_learned;
    }
    CHECK(stream.n_mispredicted() == n_learned); // two passes teach it, across the end of a pass too
}

void a_failed_read_is_reported_and_forgotten() {
    std::mt19937  random(4);
    memory_source source(1 << 20);
    const auto    units = make_units(source, random);
    read_pool     pool(2);
    prefetcher    stream(pool, units, ring_for(units));
    source.fail_every = 5;
    int n_failed      = 0;
    for (int i = 0; i < 200; ++i) {
        const uint32_t  unit = i % n_units;
        const uint8_t * data = stream.acquire(unit);
        if (data == nullptr) {
            n_failed += 1;
            CHECK(stream.status() == 5);
            CHECK(stream.failed_unit() == unit);
        } else {
            CHECK(is_right(source, units[unit], data));
        }
        stream.release_all();
    }
    CHECK(n_failed > 0);
    source.fail_every = 0;
    for (uint32_t unit = 0; unit < n_units; ++unit) { // what failed ahead of need is forgotten
        CHECK(stream.acquire(unit) != nullptr);
        stream.release_all();
    }
}

void it_ends_while_it_reads() {
    std::mt19937 random(5);
    for (int round = 0; round < 50; ++round) {
        memory_source source(1 << 20);
        const auto    units = make_units(source, random);
        read_pool     pool(2);
        prefetcher    stream(pool, units, ring_for(units) * 2);
        if (round % 2 == 0) {
            stream.acquire(round % n_units);
        }
    }
}

void a_small_ring_is_refused() {
    std::mt19937  random(6);
    memory_source source(1 << 20);
    const auto    units = make_units(source, random);
    read_pool     pool(1);
    try {
        prefetcher stream(pool, units, ring_for(units) - page_bytes);
    } catch (const std::runtime_error &) {
        return;
    }
    CHECK(false);
}

} // namespace

int main() {
    any_order_gives_the_right_bytes(1);
    any_order_gives_the_right_bytes(2);
    a_learned_order_is_not_mispredicted();
    a_failed_read_is_reported_and_forgotten();
    it_ends_while_it_reads();
    a_small_ring_is_refused();
    return 0;
}
