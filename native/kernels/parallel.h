// Splits work over threads that live for one call. A thread that cannot be had costs time, not results.
#pragma once

#include <algorithm>
#include <cstdint>
#include <system_error>
#include <thread>
#include <vector>

namespace assistant {

// How many parts are worth it: no more than threads, none smaller than `least` items.
inline int64_t parallel_parts(int64_t n_items, int64_t least, int32_t n_threads) {
    return std::clamp<int64_t>(n_threads, 1, std::max<int64_t>(n_items / least, 1));
}

// work(part) for part in [0, n_parts), part 0 in the caller. `work` must not throw.
template <typename function> void parallel_for(int64_t n_parts, const function & work) {
    std::vector<std::thread> threads;
    threads.reserve(static_cast<size_t>(n_parts - 1));
    for (int64_t part = 1; part < n_parts; part++) {
        try {
            threads.emplace_back([&work, part] { work(part); });
        } catch (const std::system_error &) {
            work(part);
        }
    }
    work(0);
    for (std::thread & thread : threads) {
        thread.join();
    }
}

}  // namespace assistant
