"""Fading: the oldest and least retained leave the active set, nothing is lost, a use wakes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.memory import consolidate
from assistant.memory.memory import Memory
from assistant.memory.sentences import content_words
from assistant.memory.summaries import OVERLAP, Source, choose_sentences, forget_sources
from assistant.records import EncodedText, NewThought

NOW = datetime(2024, 1, 1, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=200)


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Memory]:
    monkeypatch.setattr(consolidate, "MIN_ACTIVE", 2)
    with Memory.open(tmp_path / "memory.db", now=NOW) as opened:
        yield opened


OLD = [
    "The red kayak leaks at the bow.",
    "Paula repaired the stove with copper wire.",
    "The ferry to Hvar leaves at dawn.",
]


def fill(memory: Memory) -> list[int]:
    """Three old messages and three new ones; the memories of the old."""
    conversation = memory.new_conversation("", NOW)
    for text in OLD:
        memory.record_message(EncodedText(text, text, None), NOW, conversation_id=conversation)
    old = [row[0] for row in memory.store.read("SELECT id FROM memories ORDER BY id")]
    for number in range(3):
        text = f"Something else entirely, number {number}."
        memory.record_message(EncodedText(text, text, None), LATER, conversation_id=conversation)
    return old


def states(memory: Memory, ids: list[int]) -> list[str]:
    return [memory.details(memory_id).state for memory_id in ids]


def test_old_unused_memories_fade_into_a_summary_of_their_sentences(memory: Memory) -> None:
    old = fill(memory)
    faded = memory.fade(LATER)
    assert (faded.n_memories, faded.n_summaries) == (3, 1)
    assert states(memory, old) == ["faded"] * 3
    (summary,) = memory.memories(kinds=("summary",))
    assert all(sentence in summary.text for sentence in OLD)
    assert memory.fade(LATER).n_memories == 0


def test_a_faded_memory_is_still_found_and_wakes_when_it_is_used(memory: Memory) -> None:
    old = fill(memory)
    memory.fade(LATER)
    found = memory.recall("Who repaired the stove?", None, LATER, k=5)
    text = " ".join(m.text for m in (*found.memories, *found.near_misses))
    assert "Paula repaired the stove" in text
    memory.strengthen([old[1]], LATER)
    assert states(memory, old) == ["faded", "active", "faded"]


def test_pinned_used_and_new_memories_stay(memory: Memory) -> None:
    old = fill(memory)
    memory.pin([old[0]], NOW)
    memory.strengthen([old[1]], LATER - timedelta(days=5))
    memory.fade(LATER)
    assert states(memory, old) == ["active", "active", "faded"]


def test_a_small_store_does_not_fade(tmp_path: Path) -> None:
    with Memory.open(tmp_path / "memory.db", now=NOW) as memory:
        old = fill(memory)
        assert memory.fade(LATER).n_memories == 0
        assert states(memory, old) == ["active"] * 3


def test_a_summary_goes_with_its_source_and_is_made_anew_from_the_others(memory: Memory) -> None:
    old = fill(memory)
    memory.fade(LATER)
    with memory.store.write() as connection:
        assert len(forget_sources(connection, [old[1]], LATER)) == 1
    (summary,) = memory.memories(kinds=("summary",))
    assert "stove" not in summary.text
    assert "kayak" in summary.text
    with memory.store.write() as connection:
        forget_sources(connection, [old[0], old[2]], LATER)
    assert not any("kayak" in m.text for m in memory.memories(kinds=("summary",)))


sentences = st.lists(
    st.lists(
        st.sampled_from(["kayak", "stove", "ferry", "copper", "paula", "dawn", "bow", "wire"]),
        min_size=1,
    )
    .map(" ".join)
    .map(lambda text: text.capitalize() + "."),
    max_size=8,
)


@given(sentences, st.integers(1, 4), st.integers(10, 200))
def test_a_summary_is_made_of_whole_sentences_within_its_bounds(
    texts: list[str], n: int, characters: int
) -> None:
    sources = [Source(at, text, f"2024-01-{at + 1:02}") for at, text in enumerate(texts)]
    chosen = choose_sentences(sources, n_sentences=n, n_characters=characters)
    assert len(chosen) <= n
    assert sum(len(c.sentence) for c in chosen) <= characters
    assert all(c.sentence in texts[c.memory_id] for c in chosen)
    assert [c.created for c in chosen] == sorted(c.created for c in chosen)
    for a in chosen:
        for b in chosen:
            ours, theirs = content_words(a.sentence), content_words(b.sentence)
            if a is not b:
                assert len(ours & theirs) <= OVERLAP * min(len(ours), len(theirs))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("my sister Anna has a dog", "my sister Anna has a dog."),
        ("Bolo is a dog!", "Bolo is a dog!"),
        ('She said "Bolo is a dog."', 'She said "Bolo is a dog."'),
    ],
)
def test_what_nothing_ends_gets_a_full_stop_for_another_sentence_follows(
    text: str, sentence: str
) -> None:
    chosen = choose_sentences([Source(1, text, "2024-01-01")], n_sentences=2, n_characters=80)
    assert [c.sentence for c in chosen] == [sentence]


def test_what_waits_for_a_yes_fades_into_no_summary(memory: Memory) -> None:
    fill(memory)
    source = memory.store.value("SELECT min(id) FROM messages")
    new = NewThought("The red kayak leaks at the bow.", source, "rules", "1")
    waits = memory.insert_thought(new, NOW, confirmed=False).memory_id
    memory.fade(LATER)
    assert states(memory, [waits]) == ["active"]


@pytest.mark.parametrize("n_forgotten", [1, 3])
def test_undo_brings_a_faded_memory_back_into_its_summary(memory: Memory, n_forgotten: int) -> None:
    old = fill(memory)
    memory.fade(LATER)
    [before] = memory.memories(kinds=("summary",))
    memory.forget(old[:n_forgotten], LATER)
    assert OLD[0] not in "".join(row.text for row in memory.memories())
    memory.undo(LATER)
    [after] = memory.memories(kinds=("summary",))
    assert after.text == before.text


@pytest.mark.parametrize("takes_back", ["undo", "revert"])
def test_a_thought_that_faded_and_is_taken_back_leaves_its_summary(
    memory: Memory, takes_back: str
) -> None:
    words = EncodedText("I keep four geese.", "I keep four geese.", None)
    geese = memory.add_thought(words, NOW).memory_id
    fill(memory)
    memory.fade(LATER)
    assert "geese" in "".join(row.text for row in memory.memories(kinds=("summary",)))
    if takes_back == "undo":
        memory.undo(LATER)
    else:
        memory.revert(memory.history(geese)[0].id, LATER)
        memory.forget([memory.store.value("SELECT min(id) FROM memories")], LATER)
    assert "geese" not in "".join(row.text for row in memory.memories())
