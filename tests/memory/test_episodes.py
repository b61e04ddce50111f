"""Episodes begin where a turn surprises, and cover every observed turn exactly once."""

import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.memory.episodes import (
    GAP_HOURS,
    MIN_WINDOW,
    excess,
    find_boundaries,
    make_title,
    observe_turn,
)
from assistant.memory.memory import Memory
from assistant.records import EncodedText, Recall

NOW = datetime(2024, 1, 1, 9, 0, tzinfo=UTC)
floats = st.lists(st.floats(0, 20), max_size=40)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory.open(tmp_path / "memory.db", now=NOW) as opened:
        yield opened


def observe(
    memory: Memory,
    surprises: Sequence[float | None],
    *,
    vectors: Sequence[np.ndarray] | None = None,
    pause_before: int | None = None,
) -> list[int]:
    """One conversation of as many turns; returns their ids."""
    if vectors is not None:
        memory.use_embedder("test", len(vectors[0]))
    now, turns = NOW, []
    conversation = memory.new_conversation("", NOW)
    for at, surprise in enumerate(surprises):
        now += timedelta(hours=GAP_HOURS + 1 if at == pause_before else 0.1)
        text = f"message number {at}"
        vector = None if vectors is None else vectors[at].astype(np.float32)
        turn = memory.begin_turn(EncodedText(text, text, vector), now, conversation_id=conversation)
        memory.finish_turn(turn, EncodedText("ok", "ok", None), Recall(text), now)
        with memory.store.write() as connection:
            observe_turn(connection, turn.id, surprise, now)
        turns.append(turn.id)
    return turns


@given(floats)
def test_the_first_turn_begins_an_episode_and_the_next_need_a_window(values: list[float]) -> None:
    found = find_boundaries(values)
    assert found[:1] == [0][: len(values)]
    assert all(at >= MIN_WINDOW for at in found[1:])


@given(floats, st.floats(0, 20), st.floats(0, 3), st.floats(0, 3))
def test_a_higher_gamma_never_finds_more(
    window: list[float], value: float, a: float, b: float
) -> None:
    low, high = sorted((a, b))
    assert excess(value, window, high) <= excess(value, window, low) + 1e-9


def test_equal_surprise_is_no_boundary() -> None:
    assert find_boundaries([3.0] * 20) == [0]


def test_a_surprising_turn_begins_an_episode(memory: Memory) -> None:
    turns = observe(memory, [2.0, 2.0, 2.0, 2.0, 2.0, 6.0, 2.0, 2.0])
    first, second = memory.episodes()
    assert (first.first_turn_id, first.last_turn_id) == (turns[0], turns[4])
    assert (second.first_turn_id, second.last_turn_id) == (turns[5], turns[-1])
    assert (first.boundary, second.boundary) == ("start", "surprise")
    assert second.strength > 3
    assert memory.boundary_counts() == {"start": 1, "surprise": 1}


def test_without_surprise_the_distance_of_the_vectors_decides(memory: Memory) -> None:
    rng = np.random.default_rng(0)
    near, far = np.eye(8)[0], np.eye(8)[1]
    vectors = [near + rng.normal(0, 0.02, 8) for _ in range(6)] + [far, far, far]
    vectors = [vector / np.linalg.norm(vector) for vector in vectors]
    turns = observe(memory, [None] * 9, vectors=vectors)
    assert [e.boundary for e in memory.episodes()] == ["start", "embedding"]
    assert memory.episodes()[1].first_turn_id == turns[6]


def test_a_long_pause_ends_an_episode(memory: Memory) -> None:
    observe(memory, [2.0, 2.0, 2.0], pause_before=2)
    assert [e.boundary for e in memory.episodes()] == ["start", "gap"]


def test_a_turn_observed_twice_changes_nothing(memory: Memory) -> None:
    turns = observe(memory, [2.0, 2.0, 9.0])
    before = memory.episodes()
    with memory.store.write() as connection:
        observe_turn(connection, turns[1], 99.0, NOW)
        observe_turn(connection, 12345, 1.0, NOW)
    assert memory.episodes() == before


@settings(deadline=None, max_examples=20)  # a store on disk an example
@given(st.lists(st.one_of(st.none(), st.floats(0, 9)), min_size=1, max_size=12))
def test_episodes_cover_every_turn_once(values: list[float | None]) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        Memory.open(Path(folder) / "memory.db", now=NOW) as memory,
    ):
        turns = observe(memory, values)
        episodes = memory.episodes()
        assert episodes[0].first_turn_id == turns[0]
        assert episodes[-1].last_turn_id == turns[-1]
        for a, b in pairwise(episodes):
            assert turns.index(b.first_turn_id) == turns.index(a.last_turn_id) + 1


def test_a_title_is_the_sentence_the_others_share_words_with() -> None:
    texts = ["Hello there!", "The kayak leaks.", "How do I mend the kayak?", "Kayak tape, then."]
    assert "kayak" in make_title(texts).lower()
    assert make_title([]) == ""
    assert len(make_title(["word " * 60])) <= 61
