// One-bit codes of vectors after a random rotation about a centre.
// Knows vectors and codes; where codes lie and how they are searched is the caller's.
#pragma once

#include <cstdint>
#include <vector>

#include "fast-scan.h"
#include "rotation.h"

namespace assistant {

// RaBitQ (arXiv 2405.12497), for inner products. With r = P (o - centre), P a random rotation:
//   code    the signs of r
//   factor  |r|^2 / sum |r_j|, so that  <o - centre, q>  ~  factor * sum_j sign_j (P q)_j
// is unbiased over P (theorem 3.2), with an error that for D dims stays, but for a probability that
// falls like exp(-e^2), below  |r| |q| sqrt((1 - f^2) / f^2) e / sqrt(D - 1),  f = sum |r_j| / (|r| sqrt(D)).
// <centre, q> is the same for every vector, so ranking needs no more than this.
class rabitq {
public:
    rabitq(int32_t dim, uint64_t seed, const float * centre)
        : dim_(dim), rotation_(dim, seed), centre_(centre, centre + dim) {}

    int32_t dim() const { return dim_; }
    code_layout layout() const { return {rotation_.size() / 8}; }

    // The vector is codes * scale. `bits`: layout().n_columns bytes; `scratch`: rotation size floats.
    float encode(const int8_t * codes, float scale, uint8_t * bits, float * scratch) const;

    // The rotated query, rotation size floats.
    void rotate_query(const float * query, float * rotated) const;

private:
    int32_t dim_;
    rotation rotation_;
    std::vector<float> centre_;
};

}  // namespace assistant

struct assistant_lsh {
    assistant::rabitq quantiser;
};
