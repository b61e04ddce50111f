# Every recipe is one or two plain commands; `just --list` shows them.

export PATH := justfile_directory() / ".venv/bin:" + env("PATH")

# Lint, types, layers.
check:
    .venv/bin/ruff format --check . && .venv/bin/ruff check . && .venv/bin/mypy && .venv/bin/lint-imports

# The ordinary tests: no weights, no network, under a minute.
test:
    .venv/bin/python -m pytest -q -n 3 --dist worksteal -m "not model and not native and not soak and not bench and not download"

# All tests, as CI runs them.
test-all:
    .venv/bin/python -m pytest -q

# Rebuild the native library in place.
native:
    .venv/bin/pip install --quiet --no-build-isolation --no-deps -e .

# The C++ tests under AddressSanitizer and UBSan.
asan:
    cd native && cmake --preset asan && cmake --build --preset asan && ctest --preset asan

# The C++ tests of the weight window under ThreadSanitizer.
tsan:
    cd native && cmake --preset tsan && cmake --build --preset tsan && ctest --preset tsan

# A benchmark against its peers, as `just bench recall FILE`.
bench *arguments:
    .venv/bin/assistant bench {{arguments}}

# A clean environment with the wheel only.
smoke:
    packaging/smoke.sh
