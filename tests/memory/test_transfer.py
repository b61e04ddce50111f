"""Backup, restore, export and a change of embedder."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from assistant.errors import NotFound, StoreCorrupt
from assistant.memory.memory import Memory
from assistant.memory.transfer import restore
from assistant.records import EncodedText, FloatArray

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def embed(texts: list[str] | tuple[str, ...], dimension: int = 16) -> FloatArray:
    made = [np.random.default_rng(len(t)).standard_normal(dimension) for t in texts]
    return np.array([v / np.linalg.norm(v) for v in made], np.float32).reshape(-1, dimension)


def tell(memory: Memory, text: str) -> int:
    return memory.begin_turn(EncodedText(text, text, embed([text])[0]), NOW).message_id


def test_a_restored_backup_holds_what_it_held_and_keeps_the_store_as_it_was(tmp_path: Path) -> None:
    file, backup = tmp_path / "memory.db", tmp_path / "backups" / "one.db"
    with Memory.open(file, now=NOW) as memory:
        tell(memory, "The first thing.")
        memory.backup(backup)
        tell(memory, "The second thing.")
    kept = restore(file, backup, NOW, tmp_path / "backups")
    with Memory.open(file, now=NOW) as memory:
        assert [row.text for row in memory.memories()] == ["The first thing."]
    with Memory.open(kept, now=NOW, read_only=True) as memory:
        assert len(memory.memories()) == 2
    assert backup.stat().st_mode & 0o077 == 0


def test_a_damaged_store_is_restored_and_the_damaged_file_is_kept(tmp_path: Path) -> None:
    file, backup = tmp_path / "memory.db", tmp_path / "one.db"
    with Memory.open(file, now=NOW) as memory:
        tell(memory, "Safe.")
        memory.backup(backup)
    file.write_bytes(b"no database at all" * 1000)
    kept = restore(file, backup, NOW, tmp_path / "backups")
    assert kept.read_bytes().startswith(b"no database")
    with Memory.open(file, now=NOW) as memory:
        assert [row.text for row in memory.memories()] == ["Safe."]


def test_a_bad_backup_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "memory.db"
    with Memory.open(file, now=NOW) as memory:
        tell(memory, "Safe.")
    (tmp_path / "bad.db").write_bytes(b"x" * 5000)
    with pytest.raises(StoreCorrupt):
        restore(file, tmp_path / "bad.db", NOW, tmp_path)
    with pytest.raises(NotFound):
        restore(file, tmp_path / "none.db", NOW, tmp_path)
    with Memory.open(file, now=NOW) as memory:
        assert len(memory.memories()) == 1


def test_an_export_holds_every_message_with_its_time(tmp_path: Path) -> None:
    with Memory.open(tmp_path / "memory.db", now=NOW) as memory:
        tell(memory, "One \u2713")
        assert memory.export_file(tmp_path / "out.jsonl") == 1
    row = json.loads((tmp_path / "out.jsonl").read_text("utf-8"))
    assert (row["type"], row["role"], row["text"]) == ("message", "user", "One \u2713")
    assert datetime.fromisoformat(row["created"]) == NOW


def test_reindex_goes_on_where_it_was_and_old_vectors_serve_until_the_end(tmp_path: Path) -> None:
    def embed_wide(texts: list[str]) -> FloatArray:
        return embed(texts, 24)

    with Memory.open(tmp_path / "memory.db", now=NOW) as memory:
        memory.use_embedder("old", 16)
        for number in range(150):
            tell(memory, f"Message {'x' * number}")
        steps = memory.reindex("new", 24, embed_wide)
        next(steps)
        steps.close()  # stopped after one batch
        wanted = f"Message {'x' * 7}"
        assert memory.recall("", embed([wanted])[0], NOW, k=1).memories[0].text == wanted
        assert memory.embedder_id == "old"
        done = list(memory.reindex("new", 24, embed_wide))
        assert len(done) == 3  # 64 were kept of 150: two more batches and the change
        assert memory.embedder_id == "new"
        assert memory.stats()["vectors"] == 150
        assert memory.use_embedder("new", 24)
        assert memory.recall("", embed_wide([wanted])[0], NOW, k=1).memories[0].text == wanted
        assert not memory.use_embedder("old", 16)
        assert memory.recall("", embed([wanted])[0], NOW, k=1).memories[0].signals["meaning"] == 0
