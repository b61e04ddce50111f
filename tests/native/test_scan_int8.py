"""The int8 scan at every instruction set of this CPU equals its NumPy reference, bit for bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant import native
from assistant.native import int8
from assistant.records import FloatArray

pytestmark = pytest.mark.native


def make_rows(n: int, d: int, seed: int = 0) -> tuple[native.Int8Array, FloatArray]:
    vectors = np.random.default_rng(seed).standard_normal((n, d), np.float32)
    return native.quantise_int8(vectors)


def assert_equals_reference(codes, scales, queries, k, allowed, n_threads=1) -> None:
    bits = int8.check_allowed(allowed, len(codes))
    expected = int8.reference_scan_int8(codes, scales, queries, k, bits)
    found = native.scan_int8_batch(codes, scales, queries, k, allowed, n_threads=n_threads)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


def test_the_library_is_loaded() -> None:
    assert native.library_problem() == ""


@pytest.mark.parametrize("d", [1, 15, 16, 63, 64, 65, 384, 1000, 2048])
@pytest.mark.parametrize("n", [0, 1, 63, 64, 65, 300])
def test_scan_equals_the_reference(level: str, n: int, d: int) -> None:
    codes, scales = make_rows(n, d)
    queries = np.random.default_rng(1).standard_normal((3, d), np.float32)
    assert_equals_reference(codes, scales, queries, 10, None)
    assert_equals_reference(codes, scales, queries, 10, np.arange(n) % 3 == 0, n_threads=3)


@given(st.data())
def test_any_filter_any_k_and_any_number_of_threads_equal_the_reference(
    data: st.DataObject,
) -> None:
    n = data.draw(st.integers(0, 200))
    codes, scales = make_rows(n, 32, seed=n)
    scales = np.round(scales, 2)  # so that ties happen
    codes //= 32
    allowed = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), np.bool_)
    query = np.array([data.draw(st.lists(st.integers(-3, 3), min_size=32, max_size=32))])
    assert_equals_reference(
        codes, scales, query.astype(np.float32), data.draw(st.integers(0, 220)), allowed,
        data.draw(st.integers(1, 5)),
    )  # fmt: skip


def test_extreme_codes_do_not_overflow(level: str) -> None:
    codes = np.array([[-128], [127]], np.int8).repeat(4096, axis=1)
    queries = np.array([[1.0], [-1.0]], np.float32).repeat(4096, axis=1)
    assert_equals_reference(codes, np.ones(2, np.float32), queries, 2, None)


def test_similarity_is_within_the_rows_rounding_of_the_float_dot_product(level: str) -> None:
    vectors = np.random.default_rng(2).standard_normal((500, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    codes, scales = native.quantise_int8(vectors)
    rows, similarities = native.scan_int8(codes, scales, vectors[7], 500)
    exact = vectors[rows] @ vectors[7]
    assert rows[0] == 7
    # each code is off by at most half a step; sum |q_j| <= sqrt(d) for a unit query
    bound = scales[rows] / 2 * np.sqrt(384) + 1e-3
    assert (np.abs(similarities - exact) <= bound).all()


def test_a_zero_row_and_a_zero_query_are_found_with_similarity_zero(level: str) -> None:
    codes, scales = native.quantise_int8(np.zeros((2, 8), np.float32))
    rows, similarities = native.scan_int8(codes, scales, np.zeros(8, np.float32), 5)
    assert rows.tolist() == [0, 1]
    assert similarities.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("query", "allowed"),
    [
        (np.ones(7, np.float32), None),
        (np.full(8, np.nan, np.float32), None),
        (np.ones(8, np.float32), np.ones(9, np.bool_)),
        (np.ones(8, np.float32), np.ones(0, np.uint8)),
    ],
)
def test_wrong_shapes_and_nan_are_refused(query, allowed) -> None:
    codes, scales = make_rows(2, 8)
    with pytest.raises(ValueError, match=r"quer|allowed"):
        native.scan_int8(codes, scales, query, 1, allowed)


def test_without_the_library_the_reference_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    codes, scales = make_rows(50, 16)
    query = np.ones(16, np.float32)
    expected = native.scan_int8(codes, scales, query, 5)
    monkeypatch.setattr(int8, "library", lambda: None)
    found = native.scan_int8(codes, scales, query, 5)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])
