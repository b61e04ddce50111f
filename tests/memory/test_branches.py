"""Branches of a turn, and what is said while a chat is hidden: one branch is recalled, and no other."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assistant.memory import consolidate
from assistant.memory.memory import Memory
from assistant.records import EncodedText, NewThought, Recall

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory.open(tmp_path / "memory.db", now=NOW) as opened:
        yield opened


def encoded(text: str) -> EncodedText:
    return EncodedText(text, text, None)


def found(memory: Memory, query: str) -> str:
    recall = memory.recall(query, None, NOW, k=50)
    return "\n".join(m.text for m in (*recall.memories, *recall.near_misses))


def test_what_is_forgotten_and_replaced_stays_out_after_undo_until_its_branch_is_chosen(
    memory: Memory,
) -> None:
    turn = memory.begin_turn(encoded("The lantern is violet."), NOW)
    memory.finish_turn(turn, encoded("Noted."), Recall(""), NOW)
    chat = turn.conversation_id
    memory.forget([m.id for m in memory.memories(kinds=["message"])], NOW)
    other = memory.begin_turn(
        encoded("The lantern is copper."), NOW, conversation_id=chat, replaces=turn.id
    )
    memory.undo(NOW)
    assert "violet" not in found(memory, "What did you say of the lantern?")
    memory.choose_branch(turn.id)
    assert "violet" in found(memory, "What did you say of the lantern?")
    assert "copper" not in found(memory, "What did you say of the lantern?")
    memory.finish_turn(other, encoded("A copper lantern."), Recall(""), NOW)  # it was slow
    assert "copper" not in found(memory, "What did you say of the lantern?")


def test_a_reply_that_comes_when_its_chat_is_deleted_is_hidden_with_it(memory: Memory) -> None:
    turn = memory.begin_turn(encoded("Where is the lantern?"), NOW)
    memory.delete_conversation(turn.conversation_id, NOW)
    memory.finish_turn(turn, encoded("The lantern is in the cellar."), Recall(""), NOW)
    assert "cellar" not in found(memory, "What did you say of the lantern?")
    memory.undo(NOW)
    assert "cellar" in found(memory, "What did you say of the lantern?")


def test_a_replaced_turn_that_had_faded_is_neither_recalled_nor_summarised(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consolidate, "MIN_ACTIVE", 1)
    later = NOW + timedelta(days=300)
    turn = memory.begin_turn(encoded("The lantern is violet."), NOW)
    chat = turn.conversation_id
    memory.begin_turn(encoded("Ships sail at dawn."), NOW, conversation_id=chat)
    for number in range(3):
        memory.begin_turn(encoded(f"New {number}."), later)
    assert memory.fade(later).n_memories == 2
    assert "violet" in "".join(text for _, text in memory.days(later))
    memory.begin_turn(encoded("Never mind."), later, conversation_id=chat, replaces=turn.id)
    assert "violet" not in found(memory, "lantern violet sail")
    assert "violet" not in "".join(text for _, text in memory.days(later))
    assert "violet" not in "".join(m.text for m in memory.memories())


def test_a_branch_that_is_chosen_again_brings_no_second_value_of_a_slot(memory: Memory) -> None:
    def live_in(memory: Memory, place: str, message_id: int) -> None:
        slot = ("person", "lives in", place)
        new = NewThought(f"I live in {place}.", message_id, "rules", "1", slot=slot)
        memory.insert_thought(new, NOW)

    turn = memory.begin_turn(encoded("I live in Ghent."), NOW)
    live_in(memory, "Ghent", turn.message_id)
    chat = turn.conversation_id
    memory.begin_turn(encoded("Hello."), NOW, conversation_id=chat, replaces=turn.id)
    live_in(memory, "Porto", memory.begin_turn(encoded("I live in Porto."), NOW).message_id)
    memory.choose_branch(turn.id)
    assert [thought.text for thought in memory.thoughts()] == ["I live in Porto."]


def test_a_branch_whose_message_was_erased_can_be_chosen(memory: Memory) -> None:
    turn = memory.begin_turn(encoded("The lantern is violet."), NOW)
    memory.finish_turn(turn, encoded("Noted."), Recall(""), NOW)
    chat = turn.conversation_id
    memory.begin_turn(encoded("It is copper."), NOW, conversation_id=chat, replaces=turn.id)
    memory.erase([memory.memories(states=["superseded"], roles=["user"])[0].id], NOW)
    memory.choose_branch(turn.id)
    assert [message.text for message in memory.messages(chat)] == ["Noted."]
