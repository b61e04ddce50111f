"""The facade: turns, branches, passages, forgetting and undoing, and what recall may bring back."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from assistant.errors import NotFound
from assistant.memory import consolidate
from assistant.memory.memory import Memory
from assistant.records import EncodedText, FloatArray, NewThought, Passage, Recall

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def vector(seed: int) -> FloatArray:
    made = np.random.default_rng(seed).standard_normal(32).astype(np.float32)
    return made / np.linalg.norm(made)


def encoded(text: str) -> EncodedText:
    return EncodedText(text, text, vector(len(text)))


@pytest.fixture
def memory(tmp_path: Path):
    with Memory.open(tmp_path / "memory.db", now=NOW) as opened:
        yield opened


def turn(memory: Memory, text: str, reply: str = "I see.", **known: object):
    begun = memory.begin_turn(encoded(text), NOW, **known)  # type: ignore[arg-type] # tests pass what they mean
    memory.finish_turn(begun, encoded(reply), Recall(text), NOW)
    return begun


def found(memory: Memory, query: str, **known: object) -> list[str]:
    return [m.text for m in memory.recall(query, None, NOW, **known).memories]  # type: ignore[arg-type] # as above


def test_a_turn_is_kept_with_its_reply_and_queues_a_job(memory: Memory) -> None:
    begun = turn(memory, "My dog is called Bolo.", "A fine name.")
    assert [m.text for m in memory.messages(begun.conversation_id)] == [
        "My dog is called Bolo.",
        "A fine name.",
    ]
    assert memory.conversation(begun.conversation_id).title == "My dog is called Bolo."
    assert memory.stats()["waiting jobs"] == 1
    with pytest.raises(NotFound):
        memory.begin_turn(encoded("x"), NOW, conversation_id=99)


def test_a_message_is_found_by_its_words_and_by_its_meaning(memory: Memory) -> None:
    turn(memory, "My dog is called Bolo.")
    turn(memory, "The harbour was full of boats.")
    assert found(memory, "What is my dog's name?")[0] == "My dog is called Bolo."
    near = memory.recall("", vector(len("The harbour was full of boats.")), NOW)
    assert near.memories[0].text == "The harbour was full of boats."
    assert near.memories[0].signals["meaning"] > 0


def test_what_the_assistant_said_is_recalled_only_where_it_is_asked_for(memory: Memory) -> None:
    turn(memory, "Which paint for the boat?", "I recommend the copper paint.")
    assert "I recommend the copper paint." not in found(memory, "Is copper paint good?")
    assert "I recommend the copper paint." in found(memory, "Which paint did you recommend?")


def test_a_fact_deep_in_a_paste_is_found_by_its_passage(memory: Memory) -> None:
    filler = "Nothing of note happened on that quiet day in the village. " * 100
    text = filler + "The vault opens with the word marigold. " + filler
    at = len(filler)
    spans = [(0, at), (at, at + 40), (at + 40, len(text))]
    passages = tuple(Passage(a, b, vector(b)) for a, b in spans)
    begun = memory.begin_turn(EncodedText(text, text, None, passages), NOW)
    best = memory.recall("Which word opens the vault?", None, NOW).memories[0]
    assert best.kind == "passage"
    assert "marigold" in best.text
    assert memory.messages(begun.conversation_id)[0].text == text


def test_forget_hides_until_undo(memory: Memory) -> None:
    begun = turn(memory, "My dog is called Bolo.")
    wanted = memory.memories(words=["Bolo"])[0].id
    assert memory.forget([wanted], NOW) == 1
    assert found(memory, "Bolo the dog") == []
    assert memory.undo(NOW) == ("forget", [wanted])
    assert found(memory, "Bolo the dog") == ["My dog is called Bolo."]
    memory.delete_conversation(begun.conversation_id, NOW)
    assert memory.conversations() == []
    assert memory.search_messages("Bolo") == []
    memory.undo(NOW)
    assert len(memory.conversations()) == 1
    with pytest.raises(NotFound):
        memory.undo(NOW)


def test_turns_in_the_prompt_and_excluded_memories_are_not_recalled(memory: Memory) -> None:
    begun = turn(memory, "My dog is called Bolo.")
    assert found(memory, "dog", exclude_turns=[begun.id]) == []
    memory.exclude(memory.memories(words=["dog"])[0].id, begun.conversation_id, NOW)
    assert found(memory, "dog", conversation_id=begun.conversation_id) == []
    assert found(memory, "dog") == ["My dog is called Bolo."]
    memory.include(memory.memories(words=["dog"])[0].id, begun.conversation_id)
    assert found(memory, "dog", conversation_id=begun.conversation_id) == ["My dog is called Bolo."]


def test_what_is_excluded_does_not_come_back_as_the_thought_drawn_from_it(memory: Memory) -> None:
    begun = turn(memory, "My dog is called Bolo.")
    (message,) = memory.memories(words=["dog"])
    new = NewThought("My dog is called Bolo.", begun.message_id, "rules", "1")
    for excluded in (message.id, memory.insert_thought(new, NOW).memory_id):
        memory.exclude(excluded, begun.conversation_id, NOW)
        assert found(memory, "dog", conversation_id=begun.conversation_id) == []
        memory.include(excluded, begun.conversation_id)
        assert found(memory, "dog", conversation_id=begun.conversation_id) != []


def test_what_is_drawn_from_an_excluded_message_later_stays_out_as_well(memory: Memory) -> None:
    begun = turn(memory, "My dog is called Bolo.")
    chat = begun.conversation_id
    memory.exclude(memory.memories(words=["dog"])[0].id, chat, NOW)
    new = NewThought("My dog is called Bolo.", begun.message_id, "rules", "1")
    thought = memory.insert_thought(new, NOW).memory_id
    memory.edit_thought(thought, encoded("My dog is called Bolo the Great."), NOW)
    memory.portrait(NOW)
    assert found(memory, "dog", conversation_id=chat) == []
    assert memory.portrait_memories((), chat) == []
    assert found(memory, "dog") != []


def test_a_summary_that_tells_of_an_excluded_memory_stays_out_with_it(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consolidate, "MIN_ACTIVE", 1)
    begun = turn(memory, "My dog is called Bolo.")
    dog = memory.memories(words=["dog"])[0].id
    later = NOW + timedelta(days=300)
    new = memory.begin_turn(encoded("Hello."), later)
    memory.fade(later)
    assert "summary" in {m.kind for m in memory.recall("dog", None, later).memories}
    memory.exclude(dog, new.conversation_id, later)
    assert "Bolo" not in "".join(found(memory, "dog", conversation_id=new.conversation_id))
    assert "Bolo" in "".join(found(memory, "dog", conversation_id=begun.conversation_id))


def test_a_branch_replaces_its_sibling_until_the_other_is_chosen(memory: Memory) -> None:
    first = turn(memory, "Paint the boat red.")
    other = turn(
        memory, "Paint the boat green.", conversation_id=first.conversation_id, replaces=first.id
    )
    assert (other.number, memory.branches(other.id)) == (1, [first.id, other.id])
    assert found(memory, "the boat's paint") == ["Paint the boat green."]
    memory.choose_branch(first.id)
    assert found(memory, "the boat's paint") == ["Paint the boat red."]
    assert memory.messages(first.conversation_id)[0].text == "Paint the boat red."


def test_what_a_turn_recalled_is_kept_with_its_signals(memory: Memory) -> None:
    turn(memory, "My dog is called Bolo.")
    begun = memory.begin_turn(encoded("What is my dog called?"), NOW)
    recalled = memory.recall("What is my dog called?", None, NOW, exclude_turns=[begun.id])
    memory.finish_turn(begun, encoded("Bolo."), recalled, NOW, prompt="the prompt")
    kept = memory.recalls(begun.id)
    assert [m.id for m in kept.memories] == [m.id for m in recalled.memories]
    assert kept.memories[0].signals["words"] == pytest.approx(
        recalled.memories[0].signals["words"], abs=1e-3
    )
    assert memory.prompt_of(begun.id) == "the prompt"


def test_a_budget_drops_duplicates_and_what_does_not_fit(memory: Memory) -> None:
    for text in ("Bolo the dog eats fish.", "The dog Bolo eats fish!", "Bolo sleeps in the shed."):
        turn(memory, text)
    recalled = memory.recall(
        "What does the dog Bolo do?",
        None,
        NOW,
        token_budget=12,
        count_tokens=lambda t: len(t.split()),
    )
    reasons = [m.reason for m in recalled.near_misses]
    assert any(reason.startswith("near-duplicate of") for reason in reasons)
    assert sum(len(m.text.split()) for m in recalled.memories) <= 12


def test_a_greeting_brings_back_nothing(memory: Memory) -> None:
    turn(memory, "My dog is called Bolo.")
    recalled = memory.recall("Good evening!", None, NOW, token_budget=300)
    assert recalled.memories == ()
    assert [m.reason for m in recalled.near_misses] == ["weak"]


def test_another_process_is_seen_at_the_next_recall(tmp_path: Path, memory: Memory) -> None:
    turn(memory, "My dog is called Bolo.")
    assert len(found(memory, "dog")) == 1
    with Memory.open(tmp_path / "memory.db", now=NOW) as other:
        turn(other, "The dog is brown.")
        first = other.memories(words=["Bolo"])[0].id
        other.erase([first], NOW)
    assert found(memory, "dog") == ["The dog is brown."]


def test_a_date_in_the_query_prefers_what_was_said_then(memory: Memory) -> None:
    for days in (0, 40):
        at = NOW + timedelta(days=days)
        conversation = memory.new_conversation("x", at)
        memory.record_message(encoded(f"We ate soup. {days}"), at, conversation_id=conversation)
    now = NOW + timedelta(days=60)
    march = memory.recall("What did we eat in March 2026?", None, now).memories[0]
    april = memory.recall("What did we eat in April 2026?", None, now).memories[0]
    assert (march.text, april.text) == ("We ate soup. 0", "We ate soup. 40")


def test_odd_texts_are_recorded_and_recalled(memory: Memory) -> None:
    for text in (
        "",
        "\0",
        "a\0b",
        "\ud800",
        '"quo*te" AND (NEAR',
        "\u05e9\u05dc\u05d5\u05dd",
        "?" * 9000,
    ):
        turn(memory, text)
        memory.recall(text, None, NOW)
        memory.search_messages(text)
    assert memory.check_integrity() == []


def test_of_several_memories_the_unrelated_ones_are_not_given(memory: Memory) -> None:
    for text in ("My dog is called Bolo.", "The harbour was full of boats.", "It rained in May."):
        turn(memory, text)
    recalled = memory.recall("What is my dog called?", None, NOW, token_budget=300)
    assert [m.text for m in recalled.memories] == ["My dog is called Bolo."]
    assert {m.reason for m in recalled.near_misses} <= {"unrelated", "weak"}
