"""Fixtures that many tests share: a clock, a data directory, an engine over fakes, real weights."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import hypothesis
import pytest

from assistant.paths import find_paths
from fakes import FakeEmbedder, FakeModel

# A busy machine may take its time over an example; a test that hangs meets pytest's own limit.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

MODELS_DIR = find_paths().models_dir  # of the environment, before a test changes it
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
    """A file of an installed model. Where it is missing the test fails in CI and is skipped else."""
    folder = MODELS_DIR / model_id
    files = sorted(folder.glob(name or "*.gguf"))
    if files:
        return files[0]
    reason = f"{model_id} is not installed in {MODELS_DIR}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def home(data_dir: Path) -> Path:
    """A fresh data directory beside the installed models: the default one and the embedder."""
    model_file("qwen2.5-coder-0.5b-instruct-q4_k_m")
    model_file("all-minilm-l6-v2-int8", "model.onnx")
    data_dir.mkdir(mode=0o700)
    (data_dir / "models").symlink_to(MODELS_DIR)
    return data_dir
