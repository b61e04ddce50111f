"""What the person did to thoughts is undone, reverted, and done again: exactly that, and no more."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from assistant.errors import InputError, NotFound
from assistant.memory.memory import Memory
from assistant.records import EncodedText, NewThought
from thought_acts import NOW, add, say, texts, think


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory.open(tmp_path / "memory.db", now=NOW) as opened:
        yield opened


def test_a_pin_that_changes_nothing_is_not_undone(memory: Memory) -> None:
    bees = think(memory, "I keep bees.").memory_id
    memory.pin([bees], NOW)
    memory.pin([bees], NOW)
    memory.undo(NOW)
    with pytest.raises(NotFound):
        memory.undo(NOW)


def test_what_the_person_hides_or_pins_is_in_the_history_and_can_be_undone(memory: Memory) -> None:
    bees = think(memory, "I keep bees.").memory_id
    memory.forget([bees], NOW)
    assert memory.undo(NOW) == ("forget", [bees])
    memory.pin([bees], NOW)
    assert memory.details(bees).pinned
    assert memory.undo(NOW) == ("pin", [bees])
    assert not memory.details(bees).pinned
    entries = memory.history(bees)
    assert [entry.operation for entry in entries] == ["insert", "forget", "undo", "pin", "undo"]
    assert {(entry.memory_id, entry.text) for entry in entries} == {(bees, "I keep bees.")}
    memory.revert(entries[1].id, NOW)  # what was undone can be reverted on its own too
    assert memory.details(bees).state == "active"


def test_every_operation_can_be_reverted(memory: Memory) -> None:
    old = think(memory, "I live in Utrecht.", slot=("person", "lives in", "Utrecht"))
    think(memory, "I live in Ghent.", slot=("person", "lives in", "Ghent"))
    supersede = memory.history(old.memory_id)[-1]
    assert supersede.operation == "supersede"
    memory.revert(supersede.id, NOW)
    assert len(memory.thoughts()) == 2
    assert memory.thought(old.memory_id).superseded_by is None
    insert = memory.history(old.memory_id)[0]
    memory.revert(insert.id, NOW)
    assert texts(memory) == {"I live in Ghent."}
    undo = memory.history(old.memory_id)[-1]
    memory.revert(undo.id, NOW)
    assert len(memory.thoughts()) == 2


def test_what_was_added_by_hand_is_taken_back_with_what_it_replaced(memory: Memory) -> None:
    think(memory, "My favourite colour is blue.", slot=("person", "favourite colour", "blue"))
    add(memory, "My favourite colour is red.", "red")
    assert texts(memory) == {"My favourite colour is red."}
    assert memory.undo(NOW)[0] == "add"
    assert texts(memory) == {"My favourite colour is blue."}
    assert "red" not in "".join(row.text for row in memory.memories())


def test_undoing_the_addition_of_what_was_known_hides_nothing_else(memory: Memory) -> None:
    think(memory, "I keep bees.")
    memory.add_thought(EncodedText("I keep bees.", "I keep bees.", None), NOW)
    memory.undo(NOW)
    assert texts(memory) == {"I keep bees."}


def test_an_edit_keeps_its_slot_and_its_undo_gives_way_to_a_later_value(memory: Memory) -> None:
    old = add(memory, "My favourite colour is blue.", "blue")
    words = "My favourite colour is deep blue."
    slot = ("person", "favourite colour", "deep blue")
    memory.edit_thought(old, EncodedText(words, words, None), NOW, slot)
    think(memory, "My favourite colour is red.", slot=("person", "favourite colour", "red"))
    assert texts(memory) == {"My favourite colour is red."}
    assert memory.undo(NOW)[0] == "edit"
    assert texts(memory) == {"My favourite colour is red."}


def test_several_thoughts_are_merged_into_one_and_one_undo_brings_them_back(memory: Memory) -> None:
    said = ["I keep bees.", "My hives stand in Ghent.", "I sell honey."]
    ids = [think(memory, text).memory_id for text in said]
    memory.pin(ids[1:2], NOW)
    words = "I keep bees in Ghent and sell honey."
    merged = memory.merge_thoughts(ids, EncodedText(words, words, None), NOW)
    assert texts(memory) == {words}
    assert memory.details(merged.memory_id).pinned
    assert {entry.operation for entry in memory.history(merged.memory_id)} >= {"edit", "merge"}
    assert memory.undo(NOW) == ("merge", [*ids, merged.memory_id])
    assert texts(memory) == set(said)
    same = memory.merge_thoughts(ids, EncodedText(said[0], said[0], None), NOW)
    assert same.memory_id == ids[0]
    assert texts(memory) == {said[0]}
    memory.undo(NOW)
    assert texts(memory) == set(said)


def test_many_are_pinned_by_one_act_which_one_undo_takes_back(memory: Memory) -> None:
    ids = [think(memory, text).memory_id for text in ("I keep bees.", "I sell honey.")]
    memory.pin(ids, NOW)
    memory.undo(NOW)
    assert not any(memory.details(memory_id).pinned for memory_id in ids)


def edit(
    memory: Memory, memory_id: int, text: str, slot: tuple[str, str, str] | None = None
) -> int:
    return memory.edit_thought(memory_id, EncodedText(text, text, None), NOW, slot).memory_id


def test_undoing_an_edit_or_a_merge_brings_nothing_back_that_was_hidden_before(
    memory: Memory,
) -> None:
    bees = think(memory, "I keep bees.").memory_id
    honey = think(memory, "I sell honey.").memory_id
    memory.forget([bees], NOW)
    edit(memory, bees, "I keep four bees.")
    memory.undo(NOW)
    assert texts(memory) == {"I sell honey."}
    words = "I keep bees and sell honey."
    memory.merge_thoughts([honey, bees], EncodedText(words, words, None), NOW)
    memory.undo(NOW)
    assert texts(memory) == {"I sell honey."}


def test_an_old_version_that_was_edited_is_the_old_version_again_after_undo(memory: Memory) -> None:
    old = think(memory, "I live in Utrecht.", slot=("person", "lives in", "Utrecht")).memory_id
    think(memory, "I live in Ghent.", slot=("person", "lives in", "Ghent"))
    edit(memory, old, "I live in Porto.", ("person", "lives in", "Porto"))
    assert texts(memory) == {"I live in Porto."}
    memory.undo(NOW)
    assert texts(memory) == {"I live in Ghent."}
    assert memory.origin(old)["replaced_by"] == memory.thoughts()[0].memory_id


@pytest.mark.parametrize("hidden", ["superseded", "forgotten", "waiting"])
def test_a_merge_into_words_that_are_not_recalled_is_recalled(memory: Memory, hidden: str) -> None:
    new = NewThought("I keep bees.", say(memory, "I keep bees.").message_id, "rules", "1")
    bees = memory.insert_thought(new, NOW, confirmed=hidden != "waiting").memory_id
    if hidden == "forgotten":
        memory.forget([bees], NOW)
    elif hidden == "superseded":
        edit(memory, bees, "I keep wasps.")
    other = think(memory, "My hives stand in Ghent.").memory_id
    before = texts(memory)
    ids = [bees, *(t.memory_id for t in memory.thoughts()), other]
    words = EncodedText("I keep bees.", "I keep bees.", None)
    memory.merge_thoughts(ids, words, NOW)
    assert texts(memory) == {"I keep bees."}
    memory.undo(NOW)
    assert texts(memory) == before


def test_a_conflict_that_was_decided_is_not_decided_again_until_undo(memory: Memory) -> None:
    think(memory, "I love olives.")
    think(memory, "I hate olives.")
    (conflict,) = memory.conflicts()
    memory.resolve_conflict(conflict.id, "a", NOW)
    with pytest.raises(InputError):
        memory.resolve_conflict(conflict.id, "b", NOW)
    assert texts(memory) == {"I love olives."}
    memory.undo(NOW)
    memory.resolve_conflict(conflict.id, "b", NOW)
    assert texts(memory) == {"I hate olives."}


def test_taking_an_undo_back_does_again_what_was_undone(memory: Memory) -> None:
    bees = think(memory, "I keep bees.").memory_id
    memory.pin([bees], NOW)
    memory.undo(NOW)
    memory.revert(memory.history(bees)[-1].id, NOW)
    assert texts(memory) == {"I keep bees."}
    assert memory.details(bees).pinned
    four = edit(memory, bees, "I keep four bees.")
    memory.undo(NOW)
    memory.revert(memory.history(bees)[-1].id, NOW)
    assert memory.thought(bees).superseded_by == memory.thought(four).id
    assert texts(memory) == set()  # each version has a history of its own


def test_a_reverted_thought_gives_way_to_a_later_value_and_its_day_tells_of_it(
    memory: Memory,
) -> None:
    tomorrow = NOW + timedelta(days=1)
    utrecht = think(memory, "I live in Utrecht.", slot=("person", "lives in", "Utrecht")).memory_id
    edited = edit(memory, think(memory, "I keep bees.").memory_id, "I keep four geese.")
    memory.forget([utrecht, edited], NOW)
    assert "geese" not in memory.days(tomorrow)[0][1]
    think(memory, "I live in Ghent.", slot=("person", "lives in", "Ghent"))
    for memory_id in (utrecht, edited):
        memory.revert(memory.history(memory_id)[-1].id, tomorrow)
    assert texts(memory) == {"I live in Ghent.", "I keep four geese."}
    assert "geese" in memory.days(tomorrow)[0][1]


def test_a_revert_to_what_was_erased_or_replaced_in_turn_leaves_no_circle(memory: Memory) -> None:
    old = think(memory, "I keep bees.").memory_id
    new = think(memory, "My hives stand in Ghent.").memory_id

    def merge(ids: list[int], text: str) -> None:
        memory.merge_thoughts(ids, EncodedText(text, text, None), NOW)

    merge([new, old], "My hives stand in Ghent.")
    memory.undo(NOW)
    again = next(e.id for e in reversed(memory.history(old)) if e.operation == "undo")
    merge([old, new], "I keep bees.")
    memory.revert(again, NOW)
    assert memory.thought(old).superseded_by is None
    memory.undo(NOW)
    memory.erase([new], NOW)
    memory.revert(again, NOW)
    assert memory.thought(old).superseded_by is None


def test_the_chat_of_an_addition_goes_with_it_unless_the_person_talked_on_in_it(
    memory: Memory,
) -> None:
    words = EncodedText("I keep bees.", "I keep bees.", None)
    memory.add_thought(words, NOW)
    memory.undo(NOW)
    assert memory.conversations() == []
    memory.add_thought(words, NOW)
    chat = memory.conversations()[0].id
    memory.begin_turn(EncodedText("How many?", "How many?", None), NOW, conversation_id=chat)
    memory.undo(NOW)
    assert [conversation.id for conversation in memory.conversations()] == [chat]
