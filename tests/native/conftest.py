"""Every instruction set of this CPU, one after the other."""

import platform
from collections.abc import Iterator

import pytest

from assistant import native

ARM = platform.machine().lower() in ("arm64", "aarch64")
LEVELS = ("scalar", "neon") if ARM else ("scalar", "avx2", "avx512")


@pytest.fixture(params=LEVELS)
def level(request: pytest.FixtureRequest) -> Iterator[str]:
    before = native.simd_level()
    if not native.force_simd(request.param):
        pytest.skip(f"this CPU has no {request.param}")
    yield request.param
    native.force_simd(before)
