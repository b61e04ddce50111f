// One-bit codes of vectors after a random rotation.
// Knows vectors and codes; where codes lie and how they are searched is the caller's.
#pragma once

#include <cstdint>
#include <vector>

#include "fast-scan.h"
#include "rotation.h"

namespace assistant {

// RaBitQ (arXiv 2405.12497), for inner products. With r = P (o - centre), P a random rotation of what is
// encoded, which may be the part of a vector that holds most of the variance:
//   code    the signs of r
//   factor  |r|^2 / sum |r_j|, so that  <o - centre, q>  ~  factor * sum_j sign_j (P q)_j
// is unbiased over P (theorem 3.2), with an error that for D dims stays, but for a probability that
// falls like exp(-e^2), below  |r| |q| sqrt((1 - f^2) / f^2) e / sqrt(D - 1),  f = sum |r_j| / (|r| sqrt(D)).
// <centre, q> is the same for every vector, so ranking needs no more than this.
class rabitq {
public:
    rabitq(int32_t dim, int32_t code_dim, uint64_t seed)
        : dim_(dim), code_dim_(code_dim), rotation_(code_dim, seed) {}

    int32_t dim() const { return dim_; }            // of stored vectors
    int32_t code_dim() const { return code_dim_; }  // of what is encoded
    code_layout layout() const { return {rotation_.size() / 8}; }

    // The factor of a centred head. `bits`: layout().n_columns bytes; `scratch`: rotation size floats.
    float encode(const float * head, uint8_t * bits, float * scratch) const;

    // The rotated head of a query, rotation size floats.
    void rotate(const float * head, float * rotated) const;

private:
    int32_t dim_;
    int32_t code_dim_;
    rotation rotation_;
};

}  // namespace assistant

struct assistant_lsh {
    assistant::rabitq quantiser;
};
