"""The joins to the real store and catalogue, without weights: what the screens get is what is kept."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assistant.config import Config, load_config
from assistant.errors import ModelMissing
from assistant.paths import Paths
from assistant.records import EncodedText, Recall, Usage
from assistant.tui.live import LiveEngine
from assistant.tui.live_models import LiveShelf
from assistant.tui.live_store import LiveStore, open_live_store
from assistant.tui.session import MemoryFilter, ModelRow
from assistant.tui.speeds import note_answer, read_speeds, write_speeds

NOW = datetime(2026, 3, 14, 9, 26, tzinfo=UTC)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "data")


@pytest.fixture
def config(paths: Paths) -> Config:
    return load_config(paths.config_file, {}, {})


def said(store: LiveStore, prompt: str, reply: str, title: str = "A chat") -> int:
    """One finished turn in a conversation of its own; returns the conversation."""
    memory = store._memory
    conversation_id = memory.new_conversation(title, NOW)
    turn = memory.begin_turn(
        EncodedText(prompt, prompt, None), NOW, conversation_id=conversation_id
    )
    memory.finish_turn(turn, EncodedText(reply, reply, None), Recall(prompt), NOW)
    return conversation_id


def test_a_file_in_the_home_of_nobody_is_no_model(paths: Paths, config: Config) -> None:
    with pytest.raises(ModelMissing, match="nobody"):
        LiveShelf(paths, lambda: config).add("~nobody-of-this-name/model.gguf")


def test_chats_are_listed_read_renamed_searched_deleted_and_brought_back(
    paths: Paths, config: Config
) -> None:
    store = open_live_store(paths, config)
    kept = said(store, "I avoid cilantro [/foo].", "Noted.")
    said(store, "Hello", "Hi", "Another")
    assert [turn.prompt for turn in store.turns(kept)] == ["I avoid cilantro [/foo]."]
    assert store.turns(kept)[0].reply == "Noted."
    store.rename(kept, "Herbs")
    assert {chat.title for chat in store.conversations()} == {"Herbs", "Another"}
    assert [(hit.title, hit.conversation_id) for hit in store.search("cilantro")] == [
        ("Herbs", kept)
    ]
    assert store.branches(store.turns(kept)[0].turn_id) == [store.turns(kept)[0].turn_id]
    store.delete(kept, NOW)
    assert [chat.title for chat in store.conversations()] == ["Another"]
    assert "cilantro" in store.undo(NOW)
    assert len(store.conversations()) == 2
    assert store.undo(NOW) == ""
    store.close()


def test_memories_are_filtered_described_forgotten_pinned_and_erased(
    paths: Paths, config: Config
) -> None:
    store = open_live_store(paths, config)
    said(store, "I avoid cilantro.", "Noted.")
    [row] = store.memories(MemoryFilter(words=("cilantro",)), NOW)
    assert (row.text, row.role, row.kind, row.state) == (
        "I avoid cilantro.", "user", "message", "active",
    )  # fmt: skip
    details = store.details(row.id, NOW)
    assert details.curve[0] >= details.curve[-1] > 0
    store.pin([row.id], True, NOW)
    assert store.undo(NOW) == "No longer pinned: I avoid cilantro."
    store.pin([row.id], True, NOW)
    assert store.memories(MemoryFilter(pinned=True), NOW)[0].id == row.id
    assert store.forget([row.id], NOW) >= 1
    assert store.memories(MemoryFilter(words=("cilantro",)), NOW) == []
    [hidden] = store.memories(MemoryFilter(words=("cilantro",), states=("forgotten",)), NOW)
    assert hidden.id == row.id
    assert store.undo(NOW) == "Back again: I avoid cilantro."
    assert store.memories(MemoryFilter(before=NOW - timedelta(days=1)), NOW) == []
    assert store.erase([row.id], NOW)
    assert store.memories(MemoryFilter(words=("cilantro",)), NOW) == []
    assert store.conflicts(NOW) == []
    assert store.candidates() == []
    assert list(store.portrait(NOW)) == []
    store.close()


def test_the_shelf_shows_what_can_be_had_and_what_is_not_here(paths: Paths, config: Config) -> None:
    rows = LiveShelf(paths, lambda: config).rows()
    default = next(row for row in rows if row.id == "qwen2.5-coder-0.5b-instruct-q4_k_m")
    assert (default.quantisation, default.size_bytes, default.installed) == (
        "Q4_K_M", 491_400_064, False,
    )  # fmt: skip
    assert not any(row.chosen for row in rows)
    assert [row.recommended for row in rows].count(True) == 1
    part = paths.models_dir / default.id / f"{default.id}.gguf.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"12345")
    rows = LiveShelf(paths, lambda: config).rows()
    assert {row.id: row.arrived_bytes for row in rows if row.arrived_bytes} == {default.id: 5}


def test_an_engine_that_was_never_loaded_can_be_stopped_put_down_and_closed(
    paths: Paths, config: Config
) -> None:
    engine = LiveEngine(paths, lambda: config)
    engine.stop()
    engine.put_down()
    engine.open_conversation(None)
    engine.close()


def test_the_speed_of_answers_is_kept_and_foretells_that_of_other_models(
    paths: Paths, config: Config
) -> None:
    paths.create()
    file = paths.speeds_file
    note_answer(file, "small", Usage(10, 101, first_token_ms=500, total_ms=2500))
    note_answer(file, "small", Usage(10, 101, first_token_ms=500, total_ms=4500))
    note_answer(file, "small", Usage(10, 3, first_token_ms=500, total_ms=501))
    assert read_speeds(file).measured == {"small": 42.5}
    assert file.stat().st_mode & 0o777 == 0o600
    speeds = replace(read_speeds(file), disk_bytes_per_s=2e9, compute_bytes_per_s=20e9)
    write_speeds(file, speeds)
    rows = {row.id: row for row in LiveShelf(paths, lambda: config).rows()}
    small, large = min(rows.values(), key=_bytes), max(rows.values(), key=_bytes)
    assert small.predicted_tps > large.predicted_tps > 0
    assert sum(row.recommended for row in rows.values()) == 1
    slow = replace(speeds, measured={small.id: 40.0}, compute_bytes_per_s=1e6)  # a busy moment
    write_speeds(file, slow)
    rows = {row.id: row for row in LiveShelf(paths, lambda: config).rows()}
    assert rows[small.id].predicted_tps == pytest.approx(40)
    assert rows[large.id].predicted_tps > 0.1
    file.write_text("[broken")
    assert read_speeds(file).measured == {}


def _bytes(row: ModelRow) -> int:
    return row.size_bytes


def test_the_history_of_a_thought_quotes_the_versions_before_it(
    paths: Paths, config: Config
) -> None:
    store = open_live_store(paths, config)
    memory = store._memory
    old = memory.add_thought(EncodedText("I keep bees.", "I keep bees.", None), NOW).memory_id
    words = EncodedText("I keep four bees.", "I keep four bees.", None)
    new = memory.edit_thought(old, words, NOW).memory_id
    lines = [line for _, line in store.details(new, NOW).history]
    assert lines[0] == "insert by you · “I keep bees.”"
    assert lines[-1] == "edit by you · edited · “I keep bees.”"
    store.close()
