"""Days and portrait: whole sentences with sources, made anew when a source goes."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from assistant.memory.memory import Memory
from assistant.memory.summaries import forget_sources
from assistant.records import EncodedText, NewThought, Recall

NOW = datetime(2024, 1, 1, 9, 0, tzinfo=UTC)
TOMORROW = NOW + timedelta(days=1)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory.open(tmp_path / "memory.db", now=NOW) as opened:
        yield opened


def think(memory: Memory, text: str, label: str = "fact", importance: float = 0.3) -> int:
    turn = memory.begin_turn(EncodedText(text, text, None), NOW)
    memory.finish_turn(turn, EncodedText("ok", "ok", None), Recall(text), NOW)
    new = NewThought(text, turn.message_id, "rules", "1", label=label, importance=importance)
    return memory.insert_thought(new, NOW).memory_id


def test_a_portrait_has_dated_lines_with_their_sources(memory: Memory) -> None:
    bees = think(memory, "I keep bees on the roof.")
    olives = think(memory, "I can't stand olives.", "preference")
    portrait = memory.portrait(TOMORROW)
    assert [line.memory_id for line in portrait.lines] == [bees, olives]
    assert portrait.text() == (
        "- I keep bees on the roof. (1 January 2024)\n- I can't stand olives. (1 January 2024)"
    )
    assert portrait.text(60) == "- I keep bees on the roof. (1 January 2024)"


def test_a_portrait_of_nobody_is_empty(memory: Memory) -> None:
    assert memory.portrait(NOW).lines == ()
    assert memory.portrait(NOW).text() == ""


def test_a_plan_leaves_the_portrait_when_its_day_is_over(memory: Memory) -> None:
    said = "We fly on 3 January 2024."
    turn = memory.begin_turn(EncodedText(said, said, None), NOW)
    day = datetime(2024, 1, 3, tzinfo=UTC)
    plan = NewThought(said, turn.message_id, "rules", "1", label="plan", event_time=day)
    memory.insert_thought(plan, NOW)
    assert len(memory.portrait(NOW + timedelta(days=2)).lines) == 1
    assert memory.portrait(NOW + timedelta(days=3)).lines == ()


def test_of_an_open_conflict_the_portrait_has_the_newer_side(memory: Memory) -> None:
    love = think(memory, "I love cilantro.", "preference")
    hate = think(memory, "I hate cilantro.", "preference")
    assert [line.memory_id for line in memory.portrait(NOW).lines] == [hate]
    (conflict,) = memory.conflicts()
    memory.resolve_conflict(conflict.id, "both", NOW)
    assert {line.memory_id for line in memory.portrait(NOW).lines} == {love, hate}


def test_a_forgotten_line_leaves_the_portrait(memory: Memory) -> None:
    bees = think(memory, "I keep bees on the roof.")
    olives = think(memory, "I can't stand olives.", "preference")
    memory.portrait(NOW)
    memory.forget([bees], NOW)
    assert [line.memory_id for line in memory.portrait(TOMORROW).lines] == [olives]


def test_no_label_fills_the_portrait(memory: Memory) -> None:
    animals = ["bees", "goats", "ducks", "geese", "hens", "pigs", "llamas", "mules"]
    for animal in animals:
        think(memory, f"In spring I keep {animal}.")
    think(memory, "I can't stand olives.", "preference")
    texts = [line.text for line in memory.portrait(NOW).lines]
    assert "I can't stand olives." in texts
    assert len(texts) == 6


def test_a_day_is_summarised_once_it_is_over(memory: Memory) -> None:
    think(memory, "I repaired the stove with copper wire.")
    assert memory.days(NOW) == []
    ((day, text),) = memory.days(TOMORROW)
    assert day == date(2024, 1, 1)
    assert text == "I repaired the stove with copper wire."
    assert memory.days(TOMORROW) == [(day, text)]


def test_a_day_is_made_anew_without_what_is_erased(memory: Memory) -> None:
    stove = think(memory, "I repaired the stove with copper wire.")
    think(memory, "The ferry to Hvar leaves at dawn.")
    memory.days(TOMORROW)
    with memory.store.write() as connection:
        source = connection.execute(
            "SELECT message_id FROM memories WHERE id = ?", (stove,)
        ).fetchone()[0]
        gone = [
            row[0]
            for row in connection.execute(
                "SELECT id FROM memories WHERE message_id = ?", (source,)
            ).fetchall()
        ]
        forget_sources(connection, gone, TOMORROW)
        connection.executemany("DELETE FROM memories WHERE id = ?", [(i,) for i in gone])
    ((_, text),) = memory.days(TOMORROW)
    assert text == "The ferry to Hvar leaves at dawn."


def test_idle_work_is_done_once_in_half_a_day(memory: Memory) -> None:
    think(memory, "I keep bees on the roof.")
    assert memory.consolidate(TOMORROW)
    assert not memory.consolidate(TOMORROW + timedelta(hours=1))
    assert memory.consolidate(TOMORROW + timedelta(hours=13))


def test_summaries_of_days_and_the_portrait_are_not_recalled(memory: Memory) -> None:
    think(memory, "I repaired the stove with copper wire.")
    memory.consolidate(TOMORROW)
    memory.portrait(TOMORROW)
    found = memory.recall("stove copper wire", None, TOMORROW, k=10)
    assert "summary" not in {m.kind for m in (*found.memories, *found.near_misses)}


def test_a_day_does_not_tell_of_a_deleted_chat_until_that_is_undone(memory: Memory) -> None:
    think(memory, "I keep bees on the roof.")
    think(memory, "I can't stand olives.", "preference")
    [(_, whole)] = memory.days(TOMORROW)
    assert "bees" in whole
    memory.delete_conversation(1, TOMORROW)
    [(_, text)] = memory.days(TOMORROW)
    assert "bees" not in text
    assert "olives" in text
    memory.undo(TOMORROW)
    assert memory.days(TOMORROW)[0][1] == whole


def test_a_day_tells_again_of_what_is_forgotten_no_more(memory: Memory) -> None:
    think(memory, "I keep bees on the roof.")
    [(_, whole)] = memory.days(TOMORROW)
    memory.forget([m.id for m in memory.memories(roles=("user",), kinds=("message",))], TOMORROW)
    assert "bees" not in "".join(text for _, text in memory.days(TOMORROW))
    memory.undo(TOMORROW)
    assert memory.days(TOMORROW)[0][1] == whole


def test_no_list_shows_the_portrait_of_a_deleted_chat_or_of_what_was_taken_back(
    memory: Memory,
) -> None:
    def listed() -> str:
        return "\n".join(row.text for row in memory.memories())

    think(memory, "I keep bees on the roof.")
    memory.portrait(NOW)
    memory.delete_conversation(1, NOW)
    assert "bees" not in listed()
    words = "I keep geese."
    memory.add_thought(EncodedText(words, words, None), NOW)
    memory.portrait(NOW)
    memory.undo(NOW)
    assert "geese" not in listed()


def test_a_thought_that_waits_again_leaves_the_portrait(memory: Memory) -> None:
    said = memory.begin_turn(EncodedText("I keep bees.", "I keep bees.", None), NOW).message_id
    new = NewThought("I keep bees.", said, "rules", "1")
    bees = memory.insert_thought(new, NOW, confirmed=False).memory_id
    memory.confirm_thought(bees, NOW)
    memory.portrait(NOW)
    memory.revert(memory.history(bees)[-1].id, NOW)
    assert memory.portrait_memories() == []


def test_a_portrait_of_what_was_superseded_goes_with_the_turn_that_said_it(memory: Memory) -> None:
    for colour in ("blue", "red"):
        words = f"My favourite colour is {colour}."
        slot = ("person", "favourite colour", colour)
        memory.add_thought(EncodedText(words, words, None), NOW, slot=slot)
        if colour == "blue":
            memory.portrait(NOW)
            chat = memory.conversations()[0].id
            said = memory.messages(chat)[0].turn_id
    other = EncodedText("Never mind.", "Never mind.", None)
    memory.begin_turn(other, NOW, conversation_id=chat, replaces=said)
    assert "blue" not in "".join(row.text for row in memory.memories())
