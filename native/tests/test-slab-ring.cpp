// Rooms never overlap, come free in order, and one that fits an empty ring is always found.

#include "check.h"
#include "slab-ring.h"

#include <deque>
#include <random>

int main() {
    std::mt19937 random(1);
    for (int round = 0; round < 200; ++round) {
        const uint64_t       n_bytes = 1000 + random() % 5000;
        assistant::slab_ring ring(n_bytes);
        struct room {
            uint64_t begin, end;
        };
        std::deque<room> rooms;
        for (int step = 0; step < 500; ++step) {
            const uint64_t n     = 1 + random() % (n_bytes / 3);
            const auto     place = random() % 3 != 0 ? ring.push(n) : std::nullopt;
            if (place) {
                CHECK(*place + n <= n_bytes);
                for (const room & other : rooms) {
                    CHECK(*place + n <= other.begin || other.end <= *place);
                }
                rooms.push_back({ *place, *place + n });
            } else if (!rooms.empty()) {
                if (random() % 4 == 0) {
                    ring.pop_back();
                    rooms.pop_back();
                } else {
                    ring.pop();
                    rooms.pop_front();
                }
            }
            CHECK(ring.empty() == rooms.empty());
            CHECK(!rooms.empty() || ring.n_used() == 0);
        }
        // With two of three rooms given back, one as large always fits.
        while (!rooms.empty()) {
            ring.pop();
            rooms.pop_front();
        }
        CHECK(ring.push(n_bytes / 3) && ring.push(n_bytes / 3) && ring.push(n_bytes / 3));
        ring.pop();
        CHECK(ring.push(n_bytes / 3));
    }
    return 0;
}
