"""Which embedder serves a store: the one that made its vectors, where it is installed."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from assistant.config import Config, load_config
from assistant.conversation import assemble
from assistant.errors import ModelMissing
from assistant.memory.memory import Memory
from assistant.paths import Paths

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class TwoEmbedders:
    """A catalogue with the embedders "old" and "new"; each file's sha256 is its id's."""

    def __init__(self, *installed: str) -> None:
        self._installed = installed

    def installed(self, kind: str) -> list[SimpleNamespace]:
        return [
            SimpleNamespace(id=name, files=(SimpleNamespace(name="model.onnx", sha256=name),))
            for name in self._installed
        ]

    def path_of(self, entry: object) -> Path:
        name = str(getattr(entry, "id", entry))
        if name not in self._installed:
            raise ModelMissing(name)
        return Path(name)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "config.toml").write_text('embedder = "new"\n', "utf-8")
    return load_config(tmp_path / "config.toml", environment={})


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Memory:
    def load(model: Path, tokenizer: Path) -> SimpleNamespace:
        return SimpleNamespace(id=model.parent.name, dimension=4)

    monkeypatch.setattr(assemble, "Embedder", SimpleNamespace(load=load))
    return Memory.open(tmp_path / "memory.db", now=NOW)


def serve(memory: Memory, config: Config, monkeypatch: pytest.MonkeyPatch, *installed: str) -> str:
    monkeypatch.setattr(assemble, "open_catalogue", lambda paths: TwoEmbedders(*installed))
    embedder = assemble.serve_embedder(Paths(Path()), config, memory)
    return embedder.id if embedder else ""


def test_the_old_vectors_serve_until_they_are_made_anew(
    memory: Memory, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    with memory:
        assert serve(memory, config, monkeypatch, "old", "new") == "new"  # an empty store
        memory.store.set_meta("embedder", "old")
        assert serve(memory, config, monkeypatch, "old", "new") == "old"
        assert serve(memory, config, monkeypatch, "new") == "new"  # the old one is gone
        memory.store.set_meta("embedder", "new")
        assert serve(memory, config, monkeypatch, "old", "new") == "new"
        assert serve(memory, config, monkeypatch) == ""
