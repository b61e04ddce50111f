"""The LSH kernels at every instruction set equal their NumPy references; the estimator keeps its bound."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant import native
from assistant.memory import index_file
from assistant.native import reference
from assistant.native.rabitq import LshCodes
from assistant.native.view import LshView, RowDamaged
from assistant.records import FloatArray

pytestmark = pytest.mark.native


def make_vectors(n: int, d: int, seed: int = 0) -> FloatArray:
    vectors = np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32) + 0.3
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def make_view(codes: LshCodes, vectors: FloatArray, n_base: int | None = None) -> LshView:
    """An index in RAM: `n_base` stored vectors in the base, the rest in the log."""
    whole, scales = native.quantise_int8(vectors)
    n = len(vectors)
    ids = 7 * np.arange(n, dtype=np.int64) + 3
    checks = native.row_checks(whole, scales, ids)
    rows = np.hstack([whole.view(np.uint8), scales[:, None].view(np.uint8),
                      checks[:, None].view(np.uint8)])  # fmt: skip
    log = np.zeros((n + 1, rows.shape[1] + 5), np.uint8)  # another stride, nothing aligned
    log[:n, 3:-2] = rows
    n_base = n if n_base is None else n_base
    blocks = np.zeros((n // 256 + 1, codes.block_bytes), np.uint8)
    codes.pack(*codes.encode(whole, scales), 0, blocks)
    live = native.pack_rows(np.ones(n + 1, np.bool_))
    return LshView(blocks, ids, live, rows[:n_base], log[n_base:, 3:-2], n)


def make_codes(d: int, seed: int = 5) -> LshCodes:
    return LshCodes(d, seed, np.full(d, 0.01, np.float32))


def assert_searches_equal(codes, view, queries, k, n_candidates, allowed=None, n_threads=1) -> None:
    bits = None if allowed is None else native.pack_rows(allowed)
    heads = queries if codes.axes is None else queries @ codes.axes.T
    expected = reference.search(view, queries, heads, k, n_candidates, bits, codes.seed)
    found = codes.search(view, queries, k, n_candidates, allowed, n_threads=n_threads)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize("d", [1, 8, 24, 100, 384, 768, 1024])
def test_codes_and_factors_equal_the_reference(level: str, d: int) -> None:
    whole, scales = native.quantise_int8(make_vectors(130, d))
    codes = make_codes(d)
    bits, factors = codes.encode(whole, scales, n_threads=2)
    expected = reference.encode(whole * scales[:, None] - codes.centre, codes.seed)
    np.testing.assert_array_equal(bits, expected[0])
    np.testing.assert_array_equal(factors, expected[1])


@pytest.mark.parametrize("d", [1, 24, 100, 384, 1024])
@pytest.mark.parametrize("n", [0, 1, 64, 65, 1100])
def test_a_search_equals_the_reference(level: str, n: int, d: int) -> None:
    codes = make_codes(d)
    view = make_view(codes, make_vectors(n, d), n_base=n // 2)
    queries = make_vectors(3, d, seed=1)
    assert_searches_equal(codes, view, queries, 5, 12)
    assert_searches_equal(codes, view, queries, 5, 12, np.arange(n) % 3 > 0, n_threads=2)
    assert_searches_equal(codes, view, queries, 5, 12, np.arange(n) % 40 == 0)


def test_codes_of_some_axes_and_their_search_equal_the_reference(level: str) -> None:
    vectors = make_vectors(700, 100)
    axes = np.linalg.qr(np.random.default_rng(4).standard_normal((100, 100)))[0][:48]
    codes = LshCodes(100, 5, np.full(100, 0.01, np.float32), axes.astype(np.float32))
    assert codes.code_bytes == 6
    whole, scales = native.quantise_int8(vectors)
    heads = (whole * scales[:, None] - codes.centre) @ codes.axes.T
    bits, factors = codes.encode(whole, scales)
    expected = reference.encode(heads, codes.seed)
    np.testing.assert_array_equal(bits, expected[0])
    np.testing.assert_array_equal(factors, expected[1])
    view = make_view(codes, vectors)
    assert_searches_equal(codes, view, make_vectors(3, 100, seed=1), 5, 40)


@pytest.mark.parametrize("n", [0, 1, 70])
def test_completed_records_hold_what_encode_and_row_checks_give(level: str, n: int) -> None:
    vectors = make_vectors(n + 60, 100)
    axes = np.linalg.qr(np.random.default_rng(4).standard_normal((100, 100)))[0][:48]
    codes = LshCodes(100, 5, np.full(100, 0.01, np.float32), axes.astype(np.float32))
    whole, scales = native.quantise_int8(vectors[:n])
    records = np.zeros(n, index_file.Shape(100, codes.code_bytes, n_rows=0, n_axes=0).record)
    records["codes"], records["scale"], records["id"] = whole, scales, 5 + np.arange(n)
    before = records.copy()
    codes.complete_records(records)
    bits, factors = codes.encode(whole, scales)
    np.testing.assert_array_equal(records["bits"], bits)
    np.testing.assert_array_equal(records["factor"], factors)
    np.testing.assert_array_equal(
        records["check"], reference.row_checks(whole, scales, 5 + np.arange(n))
    )
    for name in ("codes", "scale", "id", "generation", "kind", "crc"):
        np.testing.assert_array_equal(records[name], before[name])


@pytest.mark.parametrize("sampled_are", ["like all", "better", "worse"])
def test_a_threshold_guessed_from_a_sample_changes_nothing(level: str, sampled_are: str) -> None:
    """Sixteen blocks of 130 are looked at first. Where they are better, the guess is too high, and
    the scan is done again."""
    n = 130 * 256 - 100
    vectors, query = make_vectors(n, 24), make_vectors(1, 24, seed=9)
    sampled = np.isin(np.arange(n) // 256, np.arange(16) * 130 // 16)
    if sampled_are != "like all":
        near = sampled if sampled_are == "better" else ~sampled
        vectors[near] += 2 * query[0]
        vectors[~near] -= 2 * query[0]
    codes = make_codes(24)
    view = make_view(codes, vectors)
    assert_searches_equal(codes, view, query, 10, 600)
    assert_searches_equal(codes, view, query, 10, 600, ~sampled)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_filter_and_any_tombstones_equal_the_reference(data: st.DataObject) -> None:
    n = data.draw(st.integers(0, 400))
    codes = make_codes(48)
    flags = np.random.default_rng(data.draw(st.integers(0, 99))).random((2, n + 1))
    view = make_view(codes, make_vectors(n, 48, seed=n), n_base=data.draw(st.integers(0, n)))
    view = replace(view, live=native.pack_rows(flags[0] < data.draw(st.floats(0, 1))))
    allowed = flags[1, :n] < data.draw(st.floats(0, 1))
    assert_searches_equal(
        codes, view, make_vectors(2, 48, seed=1), data.draw(st.integers(0, 30)),
        data.draw(st.integers(0, 60)), allowed,
    )  # fmt: skip


def test_rotating_keeps_lengths_and_angles() -> None:
    vectors = make_vectors(50, 384)
    rotated = reference.rotate(vectors, seed=1)
    np.testing.assert_allclose(rotated @ rotated.T, vectors @ vectors.T, atol=1e-5)


def test_a_rotated_axis_spreads_over_all_dimensions() -> None:
    spread = np.abs(reference.rotate(np.eye(384, dtype=np.float32), seed=1))
    assert spread.max() < 0.35  # a Gaussian of sd 0.051 has its largest of 147 456 near 0.23
    assert (spread > 0.01).mean() > 0.6


def test_the_estimate_is_unbiased_and_keeps_the_error_bound_of_the_paper() -> None:
    """RaBitQ, theorem 3.2: |estimate - <r, q>| <= |r| sqrt((1 - f^2) / f^2) e / sqrt(D - 1)."""
    vectors, query = make_vectors(60, 384), make_vectors(1, 384, seed=9)[0]
    whole, scales = native.quantise_int8(vectors)
    centre = vectors.mean(axis=0)
    residuals = whole * scales[:, None] - centre
    errors, bounds = [], []
    for seed in range(120):
        codes = LshCodes(384, seed, centre)
        bits, factors = codes.encode(whole, scales)
        signs = 2.0 * np.unpackbits(bits, axis=1, bitorder="little") - 1
        rotated = reference.rotate(query[None], seed)[0]
        errors.append(factors * (signs @ rotated) - residuals @ query)
        norms = np.linalg.norm(residuals, axis=1)
        f = norms / (factors * np.sqrt(384))  # sum |r_j| / (|r| sqrt(D))
        bounds.append(norms * np.sqrt((1 - f * f) / (f * f)) / np.sqrt(383))
    error, bound = np.array(errors), np.array(bounds)
    assert abs(error.mean()) < 4 * error.std() / np.sqrt(error.size)
    assert (np.abs(error) <= 1.9 * bound).mean() > 0.93  # e = 1.9, the paper's default
    assert (np.abs(error) <= 4.5 * bound).all()


def test_the_rounded_query_is_close_to_the_query() -> None:
    rotated = reference.rotate(make_vectors(1, 384), seed=2)[0]
    whole = reference.round_query(rotated)
    cosine = whole @ rotated / np.linalg.norm(whole) / np.linalg.norm(rotated)
    assert cosine > 0.995


@pytest.mark.parametrize("byte", [0, 383, 384, 387, 388, 391])
def test_a_flipped_byte_of_a_stored_vector_is_noticed(level: str, byte: int) -> None:
    codes = make_codes(384)
    view = make_view(codes, make_vectors(200, 384), n_base=100)
    for rows in (view.base_rows, view.log_rows):
        assert codes.verify(view) == 0
        rows[5, byte] ^= 0x10
        assert codes.verify(view) == 1
        with pytest.raises(RowDamaged):
            codes.search(view, make_vectors(1, 384), 5, 200)
        with pytest.raises(RowDamaged):
            codes.measure(view, make_vectors(1, 384)[0], np.arange(200))
        rows[5, byte] ^= 0x10


@pytest.mark.parametrize("d", [1, 24, 100, 384])
def test_measured_similarities_are_the_references_and_a_searchs(level: str, d: int) -> None:
    codes = make_codes(d)
    view = make_view(codes, make_vectors(300, d), n_base=130)
    query = make_vectors(1, d, seed=3)
    slots = np.array([299, 0, 130, 129, 7, 7])
    measured = codes.measure(view, query[0], slots)
    np.testing.assert_array_equal(measured, reference.measure(view, query[0], slots))
    found, similarities = codes.search(view, query, 20, 300)
    np.testing.assert_array_equal(codes.measure(view, query[0], found[0]), similarities[0])
    assert codes.measure(view, query[0], slots[:0]).size == 0
    for wrong in (-1, 300):
        with pytest.raises(ValueError, match="slots"):
            codes.measure(view, query[0], np.array([wrong]))


def test_row_checks_equal_the_reference_and_depend_on_the_id() -> None:
    for d in (1, 7, 8, 31, 32, 33, 384):
        whole, scales = native.quantise_int8(make_vectors(40, d))
        ids = np.arange(40)
        checks = native.row_checks(whole, scales, ids)
        np.testing.assert_array_equal(checks, reference.row_checks(whole, scales, ids))
        assert (checks != native.row_checks(whole, scales, ids + 1)).all()


def test_without_the_library_the_reference_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    from assistant.native import rabitq

    codes = make_codes(384)
    view = make_view(codes, make_vectors(300, 384))
    expected = codes.search(view, make_vectors(2, 384, seed=3), 5, 50)
    monkeypatch.setattr(rabitq, "library", lambda: None)
    bare = make_codes(384)
    np.testing.assert_array_equal(make_view(bare, make_vectors(300, 384)).blocks, view.blocks)
    found = bare.search(view, make_vectors(2, 384, seed=3), 5, 50)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])
    np.testing.assert_array_equal(
        bare.measure(view, make_vectors(1, 384)[0], found[0][0]),
        codes.measure(view, make_vectors(1, 384)[0], found[0][0]),
    )
    assert bare.verify(view) == 0


def test_a_query_that_is_not_finite_is_refused() -> None:
    codes = make_codes(24)
    with pytest.raises(ValueError, match="finite"):
        codes.search(make_view(codes, make_vectors(3, 24)), np.full((1, 24), np.inf), 1, 1)
