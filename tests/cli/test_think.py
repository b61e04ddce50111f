"""`assistant memory think`: the queue is worked off without any model being loaded."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assistant.__main__ import main
from assistant.memory.memory import Memory
from assistant.records import EncodedText, Recall
from catalogue_fakes import gguf_bytes

SAID = "My sister Anna moved to Lisbon and adopted a dog called Bolo."


@pytest.fixture(autouse=True)
def own_model(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that exists and could not be loaded: nothing here may try."""
    path = tmp_path / "own.gguf"
    path.write_bytes(gguf_bytes())
    monkeypatch.setenv("ASSISTANT_MODEL", str(path))


def leave_a_turn(data_dir: Path) -> None:
    """What a process that was killed right after its answer leaves behind: a queued job."""
    now = datetime.now(UTC)
    data_dir.mkdir(exist_ok=True)
    with Memory.open(data_dir / "memory.db", now=now) as memory:
        turn = memory.begin_turn(EncodedText(SAID, SAID, None), now)
        memory.finish_turn(turn, EncodedText("I see.", "I see.", None), Recall(SAID), now)


def think(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, int]:
    code = main(["memory", "think", "--json", *options])
    return code, json.loads(capsys.readouterr().out)["turns"]


def test_nothing_remembered_is_nothing_to_do(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert think(capsys) == (0, 0)
    assert not (data_dir / "memory.db").exists()


def test_all_is_drawn_anew_on_demand(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    leave_a_turn(data_dir)
    assert think(capsys) == (0, 1)
    assert think(capsys, "--rebuild", "--yes") == (0, 1)
    with Memory.open(data_dir / "memory.db", now=datetime.now(UTC), read_only=True) as memory:
        assert [thought.text for thought in memory.thoughts()] == [SAID]
    assert main(["memory", "think", "--rebuild", "--no-input"]) == 9


def test_a_waiting_turn_becomes_a_thought_once(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leave_a_turn(data_dir)
    assert think(capsys) == (0, 1)
    assert think(capsys) == (0, 0)
    with Memory.open(data_dir / "memory.db", now=datetime.now(UTC)) as memory:
        assert [thought.text for thought in memory.thoughts()] == [SAID]


def test_no_thoughts_are_derived_where_they_are_switched_off(
    data_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_a_turn(data_dir)
    monkeypatch.setenv("ASSISTANT_MEMORY_MODE", "off")
    assert think(capsys) == (0, 0)


def test_another_assistant_at_work_is_left_alone(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leave_a_turn(data_dir)
    now = datetime.now(UTC)
    with Memory.open(data_dir / "memory.db", now=now) as memory:
        assert memory.next_job("another", now) is not None
        assert think(capsys) == (0, 0)
