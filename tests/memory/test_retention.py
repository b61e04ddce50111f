"""MemoryBank's curve, monotone both ways, grown by use and never by time."""

import math

from hypothesis import given
from hypothesis import strategies as st

from assistant.memory.retention import (
    MAX_STRENGTH_DAYS,
    PINNED_FLOOR,
    reinforce,
    retention,
)

elapsed = st.floats(0, 20_000)
strengths = st.floats(1, MAX_STRENGTH_DAYS)
importances = st.floats(0, 1)


@given(elapsed, elapsed, strengths, importances)
def test_retention_never_grows_with_time(a: float, b: float, strength: float, i: float) -> None:
    early, late = sorted((a, b))
    assert retention(early, strength, importance=i) >= retention(late, strength, importance=i)


@given(elapsed, strengths, strengths, importances)
def test_a_stronger_memory_never_fades_faster(t: float, a: float, b: float, i: float) -> None:
    weak, strong = sorted((a, b))
    assert retention(t, strong, importance=i) >= retention(t, weak, importance=i)


@given(elapsed, strengths, importances, importances)
def test_an_important_memory_never_fades_faster(t: float, s: float, a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert retention(t, s, importance=high) >= retention(t, s, importance=low)


@given(st.floats(-1e6, 1e6), st.floats(-10, 1e6), st.floats(-2, 2), st.booleans())
def test_retention_lies_between_nought_and_one(t: float, s: float, i: float, pin: bool) -> None:
    assert 0 <= retention(t, s, importance=i, pinned=pin) <= 1


@given(elapsed, strengths)
def test_a_pinned_memory_stays_above_its_floor(t: float, strength: float) -> None:
    assert retention(t, strength, pinned=True) >= PINNED_FLOOR


@given(strengths, elapsed, importances)
def test_use_strengthens_up_to_the_maximum(strength: float, t: float, i: float) -> None:
    stronger = reinforce(strength, t, importance=i)
    assert stronger > strength or strength == MAX_STRENGTH_DAYS
    assert stronger <= MAX_STRENGTH_DAYS


@given(strengths, elapsed, elapsed)
def test_a_late_use_strengthens_at_least_as_much_as_an_early_one(
    strength: float, a: float, b: float
) -> None:
    early, late = sorted((a, b))
    assert reinforce(strength, late) >= reinforce(strength, early)


def test_a_memory_keeps_a_third_after_its_strength_has_passed() -> None:
    assert math.isclose(retention(30, 30), math.exp(-1))
