#include "library.h"

#include <dlfcn.h>

#include <stdexcept>

#ifndef ASSISTANT_GGML_VERSION
#define ASSISTANT_GGML_VERSION ""
#endif
#ifndef ASSISTANT_GGML_COMMIT
#define ASSISTANT_GGML_COMMIT ""
#endif

namespace assistant {

static void * find_symbol(void * handle, const char * name) {
    void * symbol = dlsym(handle, name);
    if (symbol == nullptr) {
        throw std::runtime_error(std::string("the loaded llama.cpp has no function ") + name);
    }
    return symbol;
}

// A struct laid out otherwise would be read wrongly without a sound, so both must agree. An empty
// value is one the build could not learn.
static void compare_version(const std::string & built, const std::string & loaded,
                            const char * what) {
    if (!built.empty() && built != loaded) {
        throw std::runtime_error(std::string("built for ggml ") + what + " " + built +
                                 ", but llama.cpp runs " + loaded);
    }
}

ggml_library::ggml_library(void * handle) {
#define ASSISTANT_RESOLVE(name) \
    name = reinterpret_cast<decltype(name)>(find_symbol(handle, #name));
    ASSISTANT_GGML_FUNCTIONS(ASSISTANT_RESOLVE)
#undef ASSISTANT_RESOLVE
    compare_version(ASSISTANT_GGML_VERSION, ggml_version(), "version");
    compare_version(ASSISTANT_GGML_COMMIT, ggml_commit(), "commit");
}

std::string ggml_build_version() {
    const std::string commit = ASSISTANT_GGML_COMMIT;
    return ASSISTANT_GGML_VERSION + (commit.empty() ? "" : " (" + commit + ")");
}

} // namespace assistant
