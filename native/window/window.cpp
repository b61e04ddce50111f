// The C interface of the weight window (native/include/assistant_native.h). No exception leaves it.

#include "weight-window.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>

struct assistant_window {
    assistant::weight_window window;
};

namespace {

void put_error(const char * what, char * error, size_t n_error) {
    if (n_error > 0) {
        std::snprintf(error, n_error, "%s", what);
    }
}

template <typename action> int guarded(char * error, size_t n_error, action && act) {
    try {
        act();
        return 0;
    } catch (const std::bad_alloc &) {
        put_error("there is not enough RAM for the weights that stay in it", error, n_error);
    } catch (const std::exception & problem) {
        put_error(problem.what(), error, n_error);
    }
    return -1;
}

} // namespace

extern "C" {

const char * assistant_window_ggml_version(void) {
    static const std::string version = assistant::ggml_build_version();
    return version.c_str();
}

assistant_window * assistant_window_open(void * ggml_handle, const char * path, char * error,
                                         size_t n_error) {
    assistant_window * window = nullptr;
    guarded(error, n_error,
            [&] { window = new assistant_window{ { ggml_handle, std::string(path) } }; });
    return window;
}

void assistant_window_close(assistant_window * window) { delete window; }

size_t assistant_window_n_tensors(const assistant_window * window) {
    return window->window.index().tensors.size();
}

void assistant_window_tensor_at(const assistant_window * window, size_t i,
                                assistant_window_tensor * out) {
    const assistant::tensor_entry & entry = window->window.index().tensors[i];
    *out                                  = {};
    std::strncpy(out->name, entry.name.c_str(), sizeof(out->name) - 1);
    std::copy(entry.ne, entry.ne + GGML_MAX_DIMS, out->ne);
    out->type      = entry.type;
    out->file      = entry.file;
    out->offset    = entry.offset;
    out->n_bytes   = entry.n_bytes;
    out->row_bytes = entry.row_bytes;
}

uint32_t assistant_window_n_experts_used(const assistant_window * window) {
    return window->window.index().n_experts_used;
}

bool assistant_window_direct(const assistant_window * window) { return window->window.direct(); }

double assistant_window_measure_compute(assistant_window * window, uint64_t n_bytes,
                                        int32_t n_threads) {
    double rate = 0;
    char   ignored[128];
    guarded(ignored, sizeof(ignored),
            [&] { rate = window->window.measure_compute(n_bytes, n_threads); });
    return rate;
}

int assistant_window_start(assistant_window * window, const uint8_t * roles, size_t n_roles,
                           const uint32_t * order, size_t n_order,
                           const assistant_window_options * options, char * error,
                           size_t n_error) {
    return guarded(error, n_error, [&] {
        std::vector<assistant::weight_role> parsed;
        for (size_t i = 0; i < n_roles; ++i) {
            parsed.push_back(static_cast<assistant::weight_role>(roles[i]));
        }
        window->window.start(parsed, std::vector<uint32_t>(order, order + n_order), *options);
    });
}

void assistant_window_stop(assistant_window * window) { window->window.stop(); }

bool assistant_window_eval(struct ggml_tensor * node, bool ask, void * data) {
    auto * hook = static_cast<assistant_window *>(data)->window.hook();
    if (hook == nullptr) {
        return !ask; // not started: plain mmap
    }
    try {
        return ask ? hook->ask(node) : hook->done(node);
    } catch (const std::exception & problem) { // llama.cpp could not pass it on
        hook->fail(problem.what());
        return ask; // ends the group, and with its end the graph
    }
}

double assistant_window_measure_disk(assistant_window * window, uint64_t n_bytes,
                                     int32_t n_threads) {
    double rate = 0;
    char   ignored[128];
    guarded(ignored, sizeof(ignored),
            [&] { rate = window->window.measure_disk(n_bytes, n_threads); });
    return rate;
}

int assistant_window_finish_graph(assistant_window * window, char * error, size_t n_error) {
    auto * hook = window->window.hook();
    if (hook == nullptr) {
        return 0;
    }
    const std::string failure = hook->finish_graph();
    if (!failure.empty()) {
        put_error(failure.c_str(), error, n_error);
    }
    return failure.empty() ? 0 : -1;
}

void assistant_window_count(assistant_window * window, assistant_window_counters * counters) {
    window->window.count(*counters);
}

} // extern "C"
