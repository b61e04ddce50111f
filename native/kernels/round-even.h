// Rounds to the nearest whole number, halves to even: std::nearbyint without its call, so that loops of it
// become vector instructions on every machine.
#pragma once

namespace assistant {

// |value| < 2^22. Adding 1.5 * 2^23 leaves no bits for a fraction.
inline float round_even(float value) {
    constexpr float SHIFT = 12582912.0f;
    return (value + SHIFT) - SHIFT;
}

}  // namespace assistant
