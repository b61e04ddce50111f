"""The GPU's scan equals the NumPy reference, bit for bit; and nothing changes where there is no GPU.

The kernel's own source runs on the CPU too, in native/tests/test-cuda-kernel.cpp.
"""

import numpy as np
import pytest

from assistant import native
from assistant.native import cuda, int8
from assistant.records import FloatArray

pytestmark = pytest.mark.native
needs_device = pytest.mark.skipif(not cuda.device(), reason=f"no GPU: {cuda.problem()}")


def make_rows(n: int, d: int, seed: int = 0) -> tuple[native.Int8Array, FloatArray]:
    return native.quantise_int8(np.random.default_rng(seed).standard_normal((n, d), np.float32))


def make_queries(m: int, d: int) -> FloatArray:
    return np.random.default_rng(1).standard_normal((m, d), np.float32)


@needs_device
@pytest.mark.parametrize("d", [1, 64, 100, 384, 1024])
@pytest.mark.parametrize("n", [0, 1, 255, 257, 20_000])
@pytest.mark.parametrize("m", [1, 8, 9, 33])
def test_the_gpu_equals_the_reference(n: int, d: int, m: int) -> None:
    codes, scales = make_rows(n, d)
    rows = cuda.CudaRows(codes, scales)
    for k in (1, 10, 128):
        for allowed in (None, np.arange(n) % 3 == 0, np.arange(n) % 1000 == 0):
            bits = int8.check_allowed(allowed, n)
            expected = int8.reference_scan_int8(codes, scales, make_queries(m, d), k, bits)
            found = rows.search(make_queries(m, d), k, bits)
            np.testing.assert_array_equal(found[0], expected[0])
            np.testing.assert_array_equal(found[1], expected[1])


@needs_device
def test_ties_go_to_the_lower_row_on_the_gpu() -> None:
    codes = np.random.default_rng(2).integers(0, 3, (5000, 32)).astype(np.int8)
    scales = np.ones(5000, np.float32)
    expected = int8.reference_scan_int8(codes, scales, make_queries(4, 32), 128, None)
    found = cuda.CudaRows(codes, scales).search(make_queries(4, 32), 128)
    np.testing.assert_array_equal(found[0], expected[0])


@needs_device
def test_rows_of_the_device_answer_again_and_again() -> None:
    codes, scales = make_rows(3000, 384)
    rows = cuda.CudaRows(codes, scales)
    first = rows.search(make_queries(40, 384), 10)
    rows.search(make_queries(2, 384), 128)
    np.testing.assert_array_equal(rows.search(make_queries(40, 384), 10)[0], first[0])


@pytest.mark.skipif(bool(cuda.device()), reason="there is a GPU")
def test_without_a_gpu_the_reason_is_told_and_the_cpu_answers() -> None:
    assert cuda.problem()
    assert not cuda.gains(10**9, 384, 10**4, 10, 1)
    codes, scales = make_rows(40, 16)
    with pytest.raises(cuda.CudaFailed):
        cuda.CudaRows(codes, scales)
    assert cuda.scan_once(codes, scales, make_queries(2, 16), 3, None) is None


def test_only_large_work_goes_to_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "device", lambda: "a device")
    assert cuda.gains(1_000_000, 384, 64, 10, 1)
    assert not cuda.gains(1_000_000, 384, 1, 10, 1)  # the way there costs more
    assert not cuda.gains(20_000, 384, 64, 10, 1)
    assert not cuda.gains(1_000_000, 384, 64, 129, 1)
    assert not cuda.gains(1_000_000, 2048, 64, 10, 1)


def test_a_gpu_that_fails_costs_nothing_but_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise cuda.CudaFailed("no memory on the device")

    codes, scales = make_rows(50, 16)
    expected = native.scan_int8_batch(codes, scales, make_queries(3, 16), 5)
    monkeypatch.setattr(cuda, "gains", lambda *_: True)
    monkeypatch.setattr(cuda, "CudaRows", fail)
    found = native.scan_int8_batch(codes, scales, make_queries(3, 16), 5)
    np.testing.assert_array_equal(found[0], expected[0])
    assert "no memory on the device" in caplog.text
