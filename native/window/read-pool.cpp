#include "read-pool.h"

#include <algorithm>

namespace assistant {

read_pool::read_pool(int n_threads) {
    for (int i = 0; i < std::clamp(n_threads, min_threads, max_threads); ++i) {
        threads_.emplace_back([this] { run(); });
    }
}

read_pool::~read_pool() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    work_.notify_all();
    for (std::thread & thread : threads_) {
        thread.join();
    }
}

void read_pool::submit(const std::vector<read_request> & requests, urgency when) {
    {
        const std::lock_guard lock(mutex_);
        auto & queue = when == urgency::now ? now_ : ahead_;
        for (const read_request & request : requests) {
            request.batch->n_pending += 1;
            queue.push_back(request);
        }
    }
    work_.notify_all();
}

int read_pool::wait(read_batch & batch) {
    std::unique_lock lock(mutex_);
    finished_.wait(lock, [&] { return batch.n_pending == 0; });
    return batch.status;
}

bool read_pool::done(const read_batch & batch) {
    const std::lock_guard lock(mutex_);
    return batch.n_pending == 0;
}

void read_pool::cancel(read_batch & batch) {
    std::unique_lock lock(mutex_);
    for (auto * queue : { &now_, &ahead_ }) {
        batch.n_pending -= static_cast<int>(std::erase_if(
            *queue, [&](const read_request & request) { return request.batch == &batch; }));
    }
    finished_.wait(lock, [&] { return batch.n_pending == 0; });
}

uint64_t read_pool::n_bytes_read() {
    const std::lock_guard lock(mutex_);
    return n_bytes_read_;
}

uint64_t read_pool::n_reads() {
    const std::lock_guard lock(mutex_);
    return n_reads_;
}

void read_pool::finish(const read_request & request, int status) {
    bool is_last;
    {
        const std::lock_guard lock(mutex_);
        n_reads_ += 1;
        n_bytes_read_ += status == read_ok ? request.n_needed : 0;
        if (request.batch->status == read_ok) {
            request.batch->status = status;
        }
        is_last = --request.batch->n_pending == 0;
    }
    if (is_last) {
        finished_.notify_all();
    }
}

void read_pool::run() {
    for (;;) {
        std::unique_lock lock(mutex_);
        work_.wait(lock, [&] { return stop_ || !now_.empty() || !ahead_.empty(); });
        if (stop_) {
            return;
        }
        auto &             queue   = now_.empty() ? ahead_ : now_;
        const read_request request = queue.front();
        queue.pop_front();
        lock.unlock();
        const int status =
            request.source->read(request.to, request.n_bytes, request.n_needed, request.offset);
        finish(request, status);
    }
}

} // namespace assistant
