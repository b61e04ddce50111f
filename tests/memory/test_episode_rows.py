"""The episode as a level of recall: whose rows they are, and what their best row does for them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from assistant.memory import signals
from assistant.memory.columns import Columns
from assistant.memory.episode_rows import EpisodeRows, best_of, rows_of_best
from assistant.memory.memory import Memory
from assistant.records import EncodedText, FloatArray

NOW = datetime(2024, 1, 1, 9, 0, tzinfo=UTC)
TOPICS = np.eye(8, dtype=np.float32)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory.open(tmp_path / "memory.db", now=NOW) as opened:
        opened.use_embedder("test", 8)
        yield opened


def say(
    memory: Memory, conversation: int, vector: FloatArray, text: str, *, observed: bool = True
) -> int:
    message = memory.record_message(
        EncodedText(text, text, vector), NOW, conversation_id=conversation
    )
    if observed:
        memory.observe_turn(memory.message(message).turn_id, None, NOW)
    return message


def talk(memory: Memory, topics: list[int], *, observed: bool = True) -> list[int]:
    """One conversation, a message on each of the topics."""
    conversation = memory.new_conversation("", NOW)
    return [
        say(memory, conversation, TOPICS[topic], f"word{n} of {conversation}", observed=observed)
        for n, topic in enumerate(topics)
    ]


def positions(memory: Memory, known: EpisodeRows | None = None) -> list[int]:
    columns, rows = Columns(), known or EpisodeRows()
    columns.refresh(memory.store)
    rows.refresh(memory.store, columns)
    return rows.positions(columns).tolist()


def test_a_row_is_of_the_last_episode_that_began_before_it(memory: Memory) -> None:
    talk(memory, [0, 0, 0, 0, 0, 1, 1])
    assert [e.boundary for e in memory.episodes()] == ["start", "embedding"]
    assert positions(memory) == [0, 0, 0, 0, 0, 1, 1]


def test_where_no_episode_was_observed_the_session_stands_for_it(memory: Memory) -> None:
    talk(memory, [0, 1, 0], observed=False)
    talk(memory, [0, 0, 0, 0, 0, 1, 1])
    talk(memory, [2, 2], observed=False)
    found = positions(memory)
    assert found[3:10] == [0, 0, 0, 0, 0, 1, 1]
    assert len(set(found[:3])) == len(set(found[10:])) == 1
    assert len({*found}) == 4  # nobody shares one with another conversation


def test_what_came_since_gives_what_a_fresh_look_gives(memory: Memory) -> None:
    columns, rows = Columns(), EpisodeRows()
    for topics, observed in (([0] * 5, True), ([1] * 3, False), ([2] * 5 + [3] * 2, True)):
        talk(memory, topics, observed=observed)
        columns.refresh(memory.store)
        rows.refresh(memory.store, columns)
        assert rows.positions(columns).tolist() == positions(memory)
    text = EncodedText("later", "later", TOPICS[5])
    later = memory.record_message(text, NOW + timedelta(hours=9), conversation_id=1)
    for _ in range(2):  # of the last episode until its pause was observed, and then of its own
        columns.refresh(memory.store)
        rows.refresh(memory.store, columns)
        assert rows.positions(columns).tolist() == positions(memory)
        memory.observe_turn(memory.message(later).turn_id, None, NOW + timedelta(hours=9))


def test_the_best_row_of_an_episode_speaks_for_all_of_it(memory: Memory) -> None:
    talk(memory, [0, 0, 0, 0, 0, 1, 2, 1])
    ids, values = memory.signals("anything", TOPICS[1], NOW)
    assert ids.tolist() == list(range(1, 9))
    assert values["meaning"].round(1).tolist() == [0, 0, 0, 0, 0, 1, 0, 1]
    assert values["episode"].round(1).tolist() == [0, 0, 0, 0, 0, 1, 1, 1]


def test_a_message_is_found_by_the_episode_it_is_in(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a large store, where not every row is measured."""
    monkeypatch.setattr(signals, "SMALL", 0)
    monkeypatch.setattr(signals, "N_BY_MEANING", 1)
    monkeypatch.setattr(signals, "N_BY_GRAPH", 0)
    talk(memory, [0, 0, 0, 0, 0, 1, 2, 3])
    talk(memory, [4] * 5)
    ids, _ = memory.signals("anything", TOPICS[1], NOW)
    assert ids.tolist() == [5, 6, 7, 8]  # the nearest, its neighbours, and what is left: row 8


def test_episodes_are_taken_best_first_and_none_without_a_score() -> None:
    episodes = np.array([0, 0, 1, 1, 2, 3], np.int64)
    rows, scores = np.array([0, 3, 5]), np.array([0.2, 0.9, -0.1], np.float32)
    assert best_of(episodes, rows, scores).tolist() == pytest.approx([0.2, 0.9, 0, 0])
    assert rows_of_best(episodes, [(rows, scores)]).tolist() == [2, 3, 0, 1]
    assert rows_of_best(episodes, []).tolist() == []
    nothing = np.zeros(0, np.int64)
    assert rows_of_best(nothing, [(nothing, np.zeros(0, np.float32))]).tolist() == []
