// A float query as two rows of bytes: what the CPU's and the GPU's dot products share.
#include <algorithm>
#include <cmath>

#include "dot-int8.h"
#include "round-even.h"

namespace assistant {
namespace {

// high is a signed byte and low is within +-64, so |q| <= 127 * 128 + 63; and the sum of dim products
// with |code| <= 128 stays inside 31 bits.
int32_t query_int8_limit(int32_t dim) {
    return std::min<int32_t>(16256, 16777215 / std::max(dim, 1));
}

}  // namespace

void query_int8::set(const float * query, int32_t n) {
    dim = n;
    wide.resize(n);
    high.resize(n);
    low.resize(n);
    float largest = 0.0f;
    for (int32_t j = 0; j < n; j++) {
        largest = std::max(largest, std::fabs(query[j]));
    }
    const float limit = static_cast<float>(query_int8_limit(n));
    scale = largest / limit;
    const float inverse = largest > 0.0f ? limit / largest : 0.0f;
    high_sum = low_sum = 0;
    for (int32_t j = 0; j < n; j++) {
        const int32_t q = static_cast<int32_t>(round_even(query[j] * inverse));
        const int32_t h = (q + 64) >> 7;  // floor, so low is in [-64, 63]
        wide[j] = static_cast<int16_t>(q);
        high[j] = static_cast<int8_t>(h);
        low[j] = static_cast<int8_t>(q - 128 * h);
        high_sum += h;
        low_sum += q - 128 * h;
    }
}

}  // namespace assistant
