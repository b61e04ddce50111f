"""Fixtures that many tests share: a clock, a data directory, an engine over fakes, real weights."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import hypothesis
import pytest

from assistant.paths import find_paths
from fakes import FakeEmbedder, FakeModel

# A plain shell's background jobs ignore SIGINT, and so would every process that a test interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Where no bytecode may be written, every worker and every program that a test starts would compile
# every module anew, a fifth of the whole run.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# For the workers, which start after this: three of them on two cores, and the threads of NumPy's BLAS
# wait for one another by spinning.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# A busy machine may take its time over an example; a test that hangs meets pytest's own limit.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

MODELS_DIR = find_paths().models_dir  # of the environment, before a test changes it
SOAK_SHARE = float(os.environ.get("ASSISTANT_SOAK_SHARE", "0.1"))  # of the full length
NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data directory that every command of this test uses."""
    folder = tmp_path / "data"
    monkeypatch.setenv("ASSISTANT_DATA_DIR", str(folder))
    return folder


@pytest.fixture
def open_engine(tmp_path: Path, now: datetime) -> Iterator[Callable[..., object]]:
    """`open_engine(model=..., **behaviour)`: an engine over one store and the fakes."""
    from assistant.conversation.engine import Behaviour, Engine
    from assistant.conversation.states import KeptStates
    from assistant.memory.memory import Memory
    from assistant.records import SamplingParameters

    with ExitStack() as stack:

        def open_one(model: FakeModel | None = None, **behaviour: object) -> Engine:
            loaded = model or FakeModel()
            memory = stack.enter_context(Memory.open(tmp_path / "memory.db", now=now))
            embedder = FakeEmbedder()
            memory.use_embedder(embedder.id, embedder.dimension)
            sampling = SamplingParameters(max_tokens=64)
            values = {"system": "Be brief.", "sampling": sampling, "memory_tokens": 100}
            return Engine(
                memory,
                embedder,
                lambda on_progress: loaded,
                Behaviour(**{**values, **behaviour}),
                states=KeptStates(tmp_path, "fake"),
            )

        yield open_one


def model_file(model_id: str, name: str | None = None) -> Path:
    """A file of an installed model, downloaded first if need be.

    Where it cannot be had the test fails in CI and is skipped else.
    """
    pattern = name or "*.gguf"
    if not (files := sorted((MODELS_DIR / model_id).glob(pattern))):
        _pull(model_id)
        files = sorted((MODELS_DIR / model_id).glob(pattern))
    if files:
        return files[0]
    reason = f"{model_id} is not installed in {MODELS_DIR}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@cache
def _pull(model_id: str) -> None:
    """Ask for it once in a run, as a person would; what it says is in the test's output."""
    command = [sys.executable, "-m", "assistant", "--yes", "models", "pull", model_id]
    subprocess.run([*command, "--data-dir", MODELS_DIR.parent], check=False)


@pytest.fixture
def home(data_dir: Path) -> Path:
    """A fresh data directory beside the installed models: the default one and the embedder."""
    model_file("qwen2.5-coder-0.5b-instruct-q4_k_m")
    model_file("all-minilm-l6-v2-int8", "model.onnx")
    data_dir.mkdir(mode=0o700)
    (data_dir / "models").symlink_to(MODELS_DIR)
    return data_dir
