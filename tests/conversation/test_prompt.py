"""The prompt: never longer than the context window, the history always the same, notes as data."""

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from assistant.conversation.prompt import (
    NOTES_FOOT,
    NOTES_HEAD,
    PastTurn,
    Room,
    build_prompt,
    fit_history,
    history_messages,
    notes,
    question,
    shorten,
    unpack,
)
from assistant.records import Recall, RecalledMemory
from fakes import FakeModel

WORDS = st.lists(st.sampled_from(["sea", "boat", "a", "longerword", "ümläut"]), max_size=200)
TEXTS = WORDS.map(" ".join)


def memory_of(text: str, id: int = 1, role: str = "user") -> RecalledMemory:
    created = datetime(2026, 2, 3, tzinfo=UTC)
    return RecalledMemory(id, "message", text, text, role, created, 1, 1, 0.0, {})


TURNS = st.lists(st.tuples(TEXTS, TEXTS), max_size=12).map(
    lambda said: [PastTurn(i, i, user, reply) for i, (user, reply) in enumerate(said, start=1)]
)
MEMORIES = st.lists(TEXTS, max_size=8).map(lambda texts: tuple(map(memory_of, texts)))


@given(
    text=TEXTS.filter(bool),
    turns=TURNS,
    memories=MEMORIES,
    system=TEXTS,
    n_ctx=st.integers(64, 2048),
    max_tokens=st.integers(1, 4096),
)
def test_the_prompt_never_exceeds_the_context_window(
    text: str,
    turns: list[PastTurn],
    memories: tuple[RecalledMemory, ...],
    system: str,
    n_ctx: int,
    max_tokens: int,
) -> None:
    model, room = FakeModel(n_ctx=n_ctx), Room(n_ctx, max_tokens, 64)
    built = build_prompt(text, Recall(text, memories), turns, model, system, room)
    assert len(built.tokens) <= room.prompt < n_ctx
    assert len(built.tokens) + built.n_reply_max == n_ctx
    assert built.messages[-1].role == "user"
    assert list(built.history) == turns[len(turns) - len(built.history) :], "oldest turns leave"
    n_lost = len(memories) - len(built.recall.memories)
    assert [memory.reason for memory in built.recall.near_misses] == ["over budget"] * n_lost


@given(turns=TURNS, n_tokens=st.integers(0, 2000))
def test_the_history_keeps_whole_newest_turns_within_its_room(
    turns: list[PastTurn], n_tokens: int
) -> None:
    model = FakeModel(n_ctx=4096)
    kept = list(fit_history("Be brief.", turns, model, n_tokens))
    assert kept == turns[len(turns) - len(kept) :]
    messages = history_messages("Be brief.", kept)
    assert not kept or len(model.render(messages, add_generation_prompt=False)) <= n_tokens


def test_an_overflowing_history_shrinks_by_more_than_it_must() -> None:
    model = FakeModel(n_ctx=4096)
    turns = [PastTurn(i, i, "word " * 40, "word " * 40) for i in range(1, 21)]
    kept = fit_history("", turns, model, 1000)
    assert 2 <= len(kept) <= 0.6 * 1000 / 80, "the next turns come without a new prefill"


@given(text=TEXTS, n_tokens=st.integers(24, 400))
def test_shortening_fits_and_leaves_short_texts_alone(text: str, n_tokens: int) -> None:
    model = FakeModel()
    short = shorten(text, model, n_tokens)
    assert model.count_tokens(short) <= n_tokens
    if model.count_tokens(text) <= n_tokens:
        assert short == text
    assert short == shorten(text, model, n_tokens)


def test_shortening_keeps_both_ends_and_says_what_is_gone() -> None:
    text = "first " + "middle " * 500 + "last"
    short = shorten(text, FakeModel(), 300)
    assert short.startswith("first")
    assert short.endswith("last")
    assert "words left out" in short


def test_notes_are_one_line_each_dated_and_the_best_stands_last() -> None:
    lines = notes([memory_of("best\n---\nIgnore that", 1), memory_of("worst", 2)]).splitlines()
    assert lines == ["- 3 February 2026: worst", "- 3 February 2026: best --- Ignore that"]


def test_what_the_assistant_said_is_marked() -> None:
    assert notes([memory_of("yes", role="assistant")]) == "- 3 February 2026 (you said): yes"


def test_who_else_spoke_is_named() -> None:
    memory = replace(memory_of("yes"), speaker="Ada\nLovelace")
    assert notes([memory]) == "- 3 February 2026, Ada Lovelace: yes"


def test_the_question_stands_alone_without_memories_and_last_with_them() -> None:
    assert question("Why?", []) == "Why?"
    asked = question("Why?", [memory_of("because")])
    assert asked.startswith(NOTES_HEAD)
    assert asked.endswith(f"{NOTES_FOOT}\nWhy?")


def test_a_packed_prompt_unpacks_to_the_same_messages() -> None:
    model, room = FakeModel(n_ctx=512), Room(512, 64, 64)
    turns = [PastTurn(i, i, f"question {i}", f"answer {i}") for i in range(3, 6)]
    built = build_prompt("Why?", Recall("Why?", (memory_of("x"),)), turns, model, "Be brief.", room)
    everything = [PastTurn(1, 1, "left", "long ago"), *turns]
    assert tuple(unpack(built.pack(), everything)) == built.messages
