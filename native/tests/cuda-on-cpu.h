// Runs a CUDA kernel's own source on the CPU: what a test needs where there is no device. The threads of a
// block are fibers of one thread, which change only where they wait for one another; blocks run in turn.
// It shows what the code computes, not how fast, and no race that only real concurrency brings.
//
// Include it before the kernel's header. Knows the few parts of CUDA that our kernels use.
#pragma once

#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)

struct int4 {
    int32_t x, y, z, w;
};

struct cuda_index {
    uint32_t x = 0, y = 0;
};

namespace cuda_on_cpu {

using std::max;
using std::min;

// Fibers that wait for one another.
struct fiber_group {
    uint32_t n_waiting = 0;
    uint32_t n_passed = 0;
    uint32_t bits = 0;
};

struct fiber {
    ucontext_t context;
    std::unique_ptr<uint8_t[]> stack;
    uint32_t thread = 0;
    bool done = false;
};

constexpr uint32_t WARP = 32;
constexpr size_t STACK_BYTES = 64 * 1024;

struct block {
    std::vector<fiber> fibers;
    std::vector<fiber_group> warps;
    std::vector<std::vector<int32_t>> exchange;  // of each warp, for scan_multiply
    fiber_group all;
    std::vector<uint64_t> shared;
    ucontext_t caller;
    fiber * current = nullptr;
    std::function<void()> kernel;
};

inline block * running = nullptr;
inline cuda_index block_index, grid_size;

inline void fiber_yield() { swapcontext(&running->current->context, &running->caller); }

inline void group_wait(fiber_group & group, uint32_t size) {
    const uint32_t passed = group.n_passed;
    if (++group.n_waiting == size) {
        group.n_waiting = 0;
        group.n_passed++;
    }
    while (group.n_passed == passed) {
        fiber_yield();
    }
}

inline uint32_t thread_index() { return running->current->thread; }
inline fiber_group & warp_group() { return running->warps[thread_index() / WARP]; }

inline void fiber_main() {
    running->kernel();
    running->current->done = true;
}

inline void fiber_start(fiber & one, uint32_t thread, ucontext_t & caller) {
    one.thread = thread;
    one.stack = std::make_unique<uint8_t[]>(STACK_BYTES);
    getcontext(&one.context);
    one.context.uc_stack.ss_sp = one.stack.get();
    one.context.uc_stack.ss_size = STACK_BYTES;
    one.context.uc_link = &caller;
    makecontext(&one.context, fiber_main, 0);
}

// Every fiber in turn, until all are done.
inline void block_run(block & now) {
    for (size_t n_done = 0; n_done < now.fibers.size();) {
        n_done = 0;
        for (fiber & one : now.fibers) {
            if (one.done) {
                n_done++;
            } else {
                now.current = &one;
                swapcontext(&now.caller, &one.context);
            }
        }
    }
}

// Runs `kernel` as a grid of blocks of n_threads.
inline void launch(cuda_index grid, uint32_t n_threads, size_t shared_bytes,
                   const std::function<void()> & kernel) {
    grid_size = grid;
    for (uint32_t i = 0; i < grid.x * grid.y; i++) {
        block now;
        now.kernel = kernel;
        now.shared.assign(shared_bytes / 8 + 2, 0xA5A5A5A5A5A5A5A5ull);  // nobody promises zeros
        now.fibers.resize(n_threads);
        now.warps.resize(n_threads / WARP);
        now.exchange.assign(n_threads / WARP, std::vector<int32_t>(6 * WARP));
        for (uint32_t t = 0; t < n_threads; t++) {
            fiber_start(now.fibers[t], t, now.caller);
        }
        running = &now;
        block_index = {i % grid.x, i / grid.x};
        block_run(now);
    }
}

}  // namespace cuda_on_cpu

#define threadIdx (cuda_index{cuda_on_cpu::thread_index(), 0})
#define blockIdx (cuda_on_cpu::block_index)
#define gridDim (cuda_on_cpu::grid_size)

inline void __syncthreads() {
    cuda_on_cpu::group_wait(cuda_on_cpu::running->all,
                            static_cast<uint32_t>(cuda_on_cpu::running->fibers.size()));
}

inline int __syncthreads_or(int value) {
    auto & group = cuda_on_cpu::running->all;
    group.bits |= value != 0;
    __syncthreads();
    const int any = static_cast<int>(group.bits);
    __syncthreads();
    group.bits = 0;
    __syncthreads();
    return any;
}

inline void __syncwarp() { cuda_on_cpu::group_wait(cuda_on_cpu::warp_group(), cuda_on_cpu::WARP); }
inline void __threadfence() {}

template <typename type> type __ldg(const type * at) { return *at; }
template <typename type> type __ldcg(const type * at) { return *at; }

template <typename type> type atomicAdd(type * at, type value) {
    const type before = *at;
    *at += value;
    return before;
}

template <typename type> type atomicMax(type * at, type value) {
    const type before = *at;
    *at = std::max(before, value);
    return before;
}

inline uint32_t __float_as_uint(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    return bits;
}

inline float __uint_as_float(uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
}

inline float __int2float_rn(int32_t value) { return static_cast<float>(value); }
inline float __fmul_rn(float a, float b) { return a * b; }

namespace assistant {

using std::max;
using std::min;

inline uint8_t * scan_shared_memory() {
    const auto at = reinterpret_cast<uintptr_t>(cuda_on_cpu::running->shared.data());
    return reinterpret_cast<uint8_t *>((at + 15) / 16 * 16);
}

// mma.sync m16n8k32, by the PTX manual's tables: a register i of thread t holds 4 bytes from column
// 16 (i / 2) + 4 (t % 4) of row 8 (i % 2) + t / 4 of A, from row 16 i + 4 (t % 4) of column t / 4 of B, and
// row 8 (i / 2) + t / 4, column 2 (t % 4) + i % 2 of the sum.
inline void scan_multiply(int32_t (&sum)[4], int32_t a0, int32_t a1, int32_t a2, int32_t a3,
                          int32_t b0, int32_t b1) {
    const uint32_t lane = cuda_on_cpu::thread_index() % cuda_on_cpu::WARP;
    int32_t * all =
        cuda_on_cpu::running->exchange[cuda_on_cpu::thread_index() / cuda_on_cpu::WARP].data();
    const int32_t mine[6] = {a0, a1, a2, a3, b0, b1};
    std::copy(mine, mine + 6, all + 6 * lane);
    __syncwarp();
    const auto byte = [&](uint32_t thread, uint32_t i, uint32_t k) {
        int8_t bytes[4];
        std::memcpy(bytes, all + 6 * thread + i, sizeof(bytes));
        return static_cast<int32_t>(bytes[k]);
    };
    for (uint32_t i = 0; i < 4; i++) {
        const uint32_t row = 8 * (i / 2) + lane / 4;
        const uint32_t column = 2 * (lane % 4) + i % 2;
        for (uint32_t k = 0; k < 32; k++) {
            const int32_t a = byte(row % 8 * 4 + k % 16 / 4, row / 8 + 2 * (k / 16), k % 4);
            const int32_t b = byte(column * 4 + k % 16 / 4, 4 + k / 16, k % 4);
            sum[i] += a * b;
        }
    }
    __syncwarp();
}

}  // namespace assistant
