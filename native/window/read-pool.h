// One or two threads that read for the window, the most urgent request first.
//
// A batch is a group of reads somebody waits for together. Streaming submits ahead of need; experts
// and embedding rows are needed now and go first. Knows nothing of tensors.

#pragma once

#include "file-reader.h"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace assistant {

// Guarded by the pool's mutex; must outlive its reads (wait or cancel before it goes).
struct read_batch {
    int n_pending = 0;
    int status    = read_ok; // of the first read that failed
};

struct read_request {
    byte_source * source;
    uint8_t *     to;
    size_t        n_bytes;
    size_t        n_needed;
    uint64_t      offset;
    read_batch *  batch;
};

class read_pool {
  public:
    enum class urgency { ahead, now };

    static constexpr int default_threads = 2, min_threads = 1, max_threads = 8;

    explicit read_pool(int n_threads);
    ~read_pool(); // finishes started reads, drops the others
    read_pool(const read_pool &)             = delete;
    read_pool & operator=(const read_pool &) = delete;

    void submit(const std::vector<read_request> & requests, urgency when);
    int  wait(read_batch & batch);   // blocks; the batch's status
    void cancel(read_batch & batch); // drops what has not started, waits for the rest
    bool done(const read_batch & batch);

    uint64_t n_bytes_read();
    uint64_t n_reads();

  private:
    void run();
    void finish(const read_request & request, int status);

    std::mutex               mutex_;
    std::condition_variable  work_;     // a request came, or the end
    std::condition_variable  finished_; // a batch is done
    std::deque<read_request> now_;
    std::deque<read_request> ahead_;
    uint64_t                 n_bytes_read_ = 0;
    uint64_t                 n_reads_      = 0;
    bool                     stop_         = false;
    std::vector<std::thread> threads_;
};

} // namespace assistant
