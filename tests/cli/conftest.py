"""Commands in this process, with fakes in place of the weights."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from assistant.__main__ import main
from assistant.conversation import assemble
from fakes import FakeBatcher, FakeEmbedder, FakeModel


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ended]


@pytest.fixture
def run(data_dir: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """`run("ask", "Hello")`: one command in its own data directory."""

    def run_one(*arguments: str) -> Ended:
        capfd.readouterr()
        code = main(arguments)
        out, err = capfd.readouterr()
        return Ended(code, out, err)

    return run_one


@pytest.fixture
def fake_model(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> FakeModel:
    """A model and an embedder that are installed and need no weights."""
    model = FakeModel(n_ctx=2048)
    file = data_dir / "models" / "fake.gguf"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"GGUF")
    identity = assemble.ModelIdentity("fake", "ab" * 32, file)
    monkeypatch.setattr(assemble, "identify_model", lambda paths, config: identity)
    monkeypatch.setattr(assemble, "load_model", lambda path, config, *args, **more: model)
    monkeypatch.setattr(assemble, "open_embedder", lambda paths, config: FakeEmbedder())
    monkeypatch.setattr("assistant.runtime.batching.Batcher", FakeBatcher)
    monkeypatch.setattr("assistant.cli.first_run.ensure_models", lambda settings: None)
    return model
