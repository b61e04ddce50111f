"""The store's operations on thoughts: each does one thing, leaves a trace and can be taken back."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from assistant.errors import InputError, NotFound
from assistant.memory.memory import Memory
from assistant.memory.relating import relate
from assistant.memory.successors import REPLACED
from assistant.memory.thoughts import N_SIMILAR
from assistant.records import EncodedText, NewThought
from thought_acts import NOW, say, texts, think


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory.open(tmp_path / "memory.db", now=NOW) as opened:
        yield opened


def test_a_thought_is_recalled_with_its_source_and_its_writer(memory: Memory) -> None:
    think(memory, "I keep bees.", said="Hi! I keep bees. Any tips?")
    (thought,) = memory.thoughts()
    assert (thought.text, thought.writer, thought.writer_version) == ("I keep bees.", "rules", "1")
    assert memory.message(thought.source_message_id).text == "Hi! I keep bees. Any tips?"
    assert "thought" in {m.kind for m in memory.recall("bees", None, NOW).memories}


def test_a_word_that_the_message_lacks_is_refused(memory: Memory) -> None:
    with pytest.raises(InputError, match="wasps"):
        think(memory, "I keep wasps.", said="I keep bees.")
    assert memory.thoughts() == []


def test_a_thought_is_never_drawn_from_a_reply(memory: Memory) -> None:
    turn = say(memory, "Hello", reply="You keep bees.")
    reply = memory.messages(turn.conversation_id)[1]
    with pytest.raises(InputError, match="person"):
        memory.insert_thought(NewThought("You keep bees.", reply.id, "rules", "1"), NOW)


def test_a_resolved_date_counts_as_said(memory: Memory) -> None:
    resolved = "I moved here in 2021."
    turn = memory.begin_turn(EncodedText("I moved here three years ago.", resolved, None), NOW)
    memory.insert_thought(NewThought(resolved, turn.message_id, "rules", "1"), NOW)
    assert texts(memory) == {resolved}


def test_saying_it_again_strengthens_the_old_thought(memory: Memory) -> None:
    first = think(memory, "I keep bees.")
    later = NOW + timedelta(days=20)
    again = think(memory, "I keep bees!", now=later)
    assert (again.operation, again.thought_id) == ("reinforce", first.thought_id)
    assert len(memory.thoughts()) == 1
    (strength,) = memory.store.read(
        "SELECT strength_days FROM memories WHERE id = ?", (first.memory_id,)
    )[0]
    assert strength > 30


def test_a_fuller_statement_stands_for_the_shorter_one(memory: Memory) -> None:
    short = think(memory, "My dog barks.")
    full = think(memory, "My dog barks at the postman.")
    assert full.operation == "merge"
    assert texts(memory) == {"My dog barks at the postman."}
    assert [entry.operation for entry in memory.history(full.memory_id)] == [
        "insert",
        "insert",
        "merge",
    ]
    shorter_again = think(memory, "My dog barks.")
    assert (shorter_again.operation, shorter_again.thought_id) == ("reinforce", full.thought_id)
    assert short.thought_id != full.thought_id


def test_only_a_single_valued_slot_supersedes_and_both_stay(memory: Memory) -> None:
    old = think(memory, "I live in Utrecht.", slot=("person", "lives in", "Utrecht"))
    new = think(
        memory,
        "I moved to Ghent.",
        slot=("person", "lives in", "Ghent"),
        now=NOW + timedelta(days=1),
    )
    assert (new.operation, new.other_id) == ("supersede", old.thought_id)
    assert texts(memory) == {"I moved to Ghent."}
    assert memory.thought(old.memory_id).superseded_by == new.thought_id


def test_an_older_statement_that_arrives_later_does_not_supersede(memory: Memory) -> None:
    think(memory, "I live in Ghent.", slot=("person", "lives in", "Ghent"))
    early = NOW - timedelta(days=400)
    think(memory, "I live in Utrecht.", slot=("person", "lives in", "Utrecht"), now=early)
    assert texts(memory) == {"I live in Ghent."}


def lives(memory: Memory, text: str, place: str, relation: str = "lives in") -> None:
    think(memory, text, slot=("person", relation, place), now=NOW)


def test_a_place_and_the_country_around_it_are_no_contradiction(memory: Memory) -> None:
    lives(memory, "I live in Berlin.", "Berlin")
    lives(memory, "I live in Germany.", "Germany")
    assert texts(memory) == {"I live in Berlin.", "I live in Germany."}
    assert memory.conflicts() == []
    lives(memory, "I live in Hamburg.", "Hamburg")  # one town ends the other
    assert texts(memory) == {"I live in Hamburg.", "I live in Germany."}
    lives(memory, "I moved to France.", "France")  # a change ends both
    assert texts(memory) == {"I moved to France."}


def test_less_said_of_the_same_place_takes_nothing_back(memory: Memory) -> None:
    lives(memory, "My home is in Kreuzberg, Berlin.", "Kreuzberg, Berlin")
    lives(memory, "I live in Berlin.", "Berlin")
    assert "My home is in Kreuzberg, Berlin." in texts(memory)


def test_what_may_be_a_tool_is_asked_about_and_ends_no_home(memory: Memory) -> None:
    lives(memory, "I live in Berlin.", "Berlin")
    lives(memory, "We moved to Slack.", "Slack", "moved to")
    assert texts(memory) == {"I live in Berlin.", "We moved to Slack."}
    (conflict,) = memory.conflicts()
    assert conflict.reason == "may be another value of lives in"
    memory.resolve_conflict(conflict.id, "both", NOW)
    assert memory.conflicts() == []


def test_an_undone_town_gives_way_to_a_later_town_and_not_to_its_country(memory: Memory) -> None:
    lives(memory, "I live in Berlin.", "Berlin")
    berlin = memory.thoughts()[0].memory_id
    memory.forget([berlin], NOW)
    lives(memory, "I live in Germany.", "Germany")
    memory.undo(NOW)
    assert texts(memory) == {"I live in Berlin.", "I live in Germany."}


def test_other_slots_never_supersede(memory: Memory) -> None:
    think(memory, "My sister is called Anna.", slot=("sister", "is called", "Anna"))
    think(memory, "My sister is called Bea.", slot=("sister", "is called", "Bea"))
    assert len(memory.thoughts()) == 2


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("I eat meat every day.", "I don't eat meat every day."),
        ("I love olives.", "I hate olives."),
        ("My exam is on 3 May.", "My exam is on 17 May."),
    ],
)
def test_what_may_not_both_be_true_is_linked_and_listed(
    memory: Memory, older: str, newer: str
) -> None:
    think(memory, older)
    think(memory, newer)
    (conflict,) = memory.conflicts()
    assert (conflict.a.text, conflict.b.text) == (older, newer)
    assert texts(memory) == {older, newer}


@pytest.mark.parametrize(("keep", "kept"), [("a", {"I love olives."}), ("b", {"I hate olives."})])
def test_the_person_decides_a_conflict_and_can_undo_it(
    memory: Memory, keep: str, kept: set[str]
) -> None:
    think(memory, "I love olives.")
    think(memory, "I hate olives.")
    (conflict,) = memory.conflicts()
    memory.resolve_conflict(conflict.id, keep, NOW)  # type: ignore[arg-type]  # parametrised
    assert texts(memory) == kept
    assert memory.conflicts() == []
    memory.undo(NOW)
    assert len(memory.conflicts()) == 1
    assert len(texts(memory)) == 2


def test_both_may_stay(memory: Memory) -> None:
    think(memory, "I love olives.")
    think(memory, "I hate olives.")
    memory.resolve_conflict(memory.conflicts()[0].id, "both", NOW)
    assert memory.conflicts() == []
    assert len(texts(memory)) == 2
    assert memory.undo(NOW)[0] == "keep both"
    assert len(memory.conflicts()) == 1


def test_a_yes_lets_a_thought_replace_and_contradict_others(memory: Memory) -> None:
    waits = []
    for text, slot in (
        ("I live in Ghent.", ("person", "lives in", "Ghent")),
        ("I moved to Utrecht.", ("person", "lives in", "Utrecht")),
        ("I love olives.", None),
        ("I hate olives.", None),
    ):
        said = memory.begin_turn(EncodedText(text, text, None), NOW).message_id
        new = NewThought(text, said, "rules", "2", slot=slot)
        waits.append(memory.insert_thought(new, NOW, confirmed=False).memory_id)
    assert memory.conflicts() == []
    for memory_id in waits:
        memory.confirm_thought(memory_id, NOW)
    assert texts(memory) == {"I moved to Utrecht.", "I love olives.", "I hate olives."}
    assert len(memory.conflicts()) == 1


def test_a_yes_said_twice_or_taken_back_keeps_the_word_index_whole(memory: Memory) -> None:
    bees = think(memory, "I keep bees.").memory_id
    for _ in range(2):
        memory.confirm_thought(bees, NOW)
        assert memory.check_integrity() == []
    memory.revert(memory.history(bees)[-1].id, NOW)
    assert memory.check_integrity() == []


def test_links_say_why(memory: Memory) -> None:
    bypass = think(memory, "I had a bypass in 2021.")
    think(memory, "We visited Anna in Lisbon.")
    smoking = think(memory, "I quit smoking after my bypass.")
    think(memory, "In spring Anna moved in with Paul.")
    (caused,) = memory.links(smoking.memory_id)
    assert (caused.kind, caused.from_memory) == ("caused", bypass.memory_id)
    assert caused.reason == "said with bypass"
    kinds = [row[0] for row in memory.store.read("SELECT kind || ': ' || reason FROM links")]
    assert kinds == ["caused: said with bypass", "similar: both mention Anna"]


def test_an_edit_is_a_new_version(memory: Memory) -> None:
    old = think(memory, "I keep bees.")
    text = "I keep forty thousand bees."
    new = memory.edit_thought(old.memory_id, EncodedText(text, text, None), NOW)
    assert texts(memory) == {text}
    assert [entry.operation for entry in memory.history(new.memory_id)] == [
        "insert",
        "insert",
        "edit",
    ]
    memory.undo(NOW)
    assert texts(memory) == {"I keep bees."}


def test_what_was_replaced_says_so_where_the_model_reads_it(memory: Memory) -> None:
    think(memory, "I live in Utrecht now.", slot=("person", "lives in", "Utrecht"))
    think(memory, "I live in Ghent now.", slot=("person", "lives in", "Ghent"))
    found = memory.recall("Utrecht or Ghent?", None, NOW, token_budget=99, count_tokens=len)
    read = {row.resolved_text for row in found.memories}
    assert f"I live in Utrecht now. {REPLACED}" in read
    assert not any("Ghent" in text and REPLACED in text for text in read)


def test_a_thought_is_linked_with_the_nearest_of_many_that_are_similar(memory: Memory) -> None:
    for number in range(N_SIMILAR + 9):
        think(memory, f"My cousin Nr{number} grows tall roses in pots.")
    last = think(memory, "My cousin Zita grows tall roses in pots.")
    assert len(memory.links(last.memory_id)) == N_SIMILAR


@pytest.mark.parametrize(
    ("old", "new", "relation"),
    [
        ("I have two cats.", "I've two cats.", "equal"),
        ("Allergic to nuts.", "I'm allergic to nuts.", "equal"),
        ("I have two cats.", "I have two cats and a dog.", "contains"),
        ("I have two cats and a dog.", "I have two cats.", "within"),
        ("I have two cats.", "My sister has two cats.", "similar"),
        ("I have two cats.", "She has two cats.", "similar"),
        ("My brother lives in Rome.", "My brother's friend lives in Rome.", "similar"),
        ("My brother's friend lives in Rome.", "My brother lives in Rome.", "similar"),
        ("Anna helps Ben.", "Ben helps Anna.", "similar"),
        ("I have two cats.", "I have three cats.", "conflict"),
        ("We don't drink coffee.", "I drink coffee.", "conflict"),
        ("I don't drink coffee.", "My wife drinks coffee.", "similar"),
        ("I have two cats.", "My sister has three cats.", "unrelated"),
    ],
)
def test_who_it_is_said_of_counts(old: str, new: str, relation: str) -> None:
    assert relate(new, old, 1).relation == relation


def test_what_is_said_of_another_replaces_and_strengthens_nothing(memory: Memory) -> None:
    think(memory, "I have two cats.")
    assert think(memory, "My sister has two cats.").operation == "insert"
    assert texts(memory) == {"I have two cats.", "My sister has two cats."}


def given(
    memory: Memory, question: str, k: int = 5, tokens: int = 200, **more: object
) -> list[str]:
    def count(text: str) -> int:
        return len(text.split())

    found = memory.recall(question, None, NOW, k=k, token_budget=tokens, count_tokens=count, **more)
    return [row.text for row in found.memories]


def test_what_was_replaced_is_not_given_without_what_replaced_it(memory: Memory) -> None:
    for city in ("Utrecht", "Ghent", "Porto"):
        think(memory, f"I live in {city} now.", slot=("person", "lives in", city))
    for number in range(9):
        say(memory, f"The harbour has {number} cranes.")
    asked = "Do I live in Utrecht?"
    assert {"I live in Porto now.", "I live in Utrecht now."} <= set(given(memory, asked))
    assert given(memory, asked, k=1) == ["I live in Porto now."]
    assert given(memory, asked, tokens=7) == ["I live in Porto now."]
    assert given(memory, "Do I live in Porto?")[0] == "I live in Porto now."
    (porto,) = [t for t in memory.thoughts() if "Porto" in t.text]
    memory.forget([porto.memory_id], NOW)
    assert given(memory, asked)[0] == "I live in Utrecht now."


def test_an_edited_thought_stays_pinned_and_as_strong(memory: Memory) -> None:
    bees = think(memory, "I keep bees.").memory_id
    memory.pin([bees], NOW)
    think(memory, "I keep bees.")  # said again: stronger
    strength = memory.details(bees).strength_days
    words = EncodedText("I keep four bees.", "I keep four bees.", None)
    edited = memory.details(memory.edit_thought(bees, words, NOW).memory_id)
    assert edited.pinned
    assert edited.strength_days == strength


def test_a_thought_that_waits_is_not_recalled_until_the_person_says_yes(memory: Memory) -> None:
    turn = say(memory, "I keep bees.")
    new = NewThought("I keep bees.", turn.message_id, "rules", "1")
    outcome = memory.insert_thought(new, NOW, confirmed=False)
    again = memory.insert_thought(new, NOW, confirmed=False)
    assert again.operation == "reinforce"
    assert memory.thoughts() == []
    assert [thought.text for thought in memory.thoughts(waiting=True)] == ["I keep bees."]
    assert "thought" not in {m.kind for m in memory.recall("bees", None, NOW).memories}
    memory.confirm_thought(outcome.memory_id, NOW)
    assert texts(memory) == {"I keep bees."}
    assert "thought" in {m.kind for m in memory.recall("bees", None, NOW).memories}


def test_history_and_links_hold_no_text_of_another_thought(memory: Memory) -> None:
    think(memory, "I live in Utrecht.", slot=("person", "lives in", "Utrecht"))
    think(memory, "I live in Ghent.", slot=("person", "lives in", "Ghent"))
    rows = memory.store.read("SELECT reason, before, after FROM thought_history")
    assert not any("Ghent" in str(tuple(row)) or "Utrecht" in str(tuple(row)) for row in rows)


def test_what_is_not_there_is_not_found(memory: Memory) -> None:
    for act in (
        lambda: memory.thought(7),
        lambda: memory.revert(7, NOW),
        lambda: memory.confirm_thought(7, NOW),
        lambda: memory.pin([7], NOW),
        lambda: memory.resolve_conflict(7, "a", NOW),
        lambda: memory.insert_thought(NewThought("x", 7, "rules", "1"), NOW),
    ):
        with pytest.raises(NotFound):
            act()


@pytest.mark.parametrize("hides", ["forget", "delete", "replace"])
def test_nothing_is_derived_from_a_message_that_was_hidden_before_its_turn_was_thought_over(
    memory: Memory, hides: str
) -> None:
    turn = say(memory, "My locker code is 4711.")
    if hides == "forget":
        rows = memory.memories(kinds=["message"], roles=["user"])
        memory.forget([row.id for row in rows], NOW)
    elif hides == "delete":
        memory.delete_conversation(turn.conversation_id, NOW)
    else:
        other = EncodedText("Never mind.", "Never mind.", None)
        conversation_id = turn.conversation_id
        memory.begin_turn(other, NOW, conversation_id=conversation_id, replaces=turn.id)
    later = NOW + timedelta(minutes=5)
    new = NewThought("My locker code is 4711.", turn.message_id, "rules", "1")

    def think_over() -> None:
        job = memory.next_job("worker", later)
        assert job is not None
        assert memory.finish_job(job, "worker", [new], later) is not None

    think_over()
    assert memory.thoughts() == []
    assert "4711" not in "".join(m.text for m in memory.recall("locker code", None, NOW).memories)
    if hides == "replace":
        memory.choose_branch(turn.id)
    else:
        memory.undo(later)
    think_over()
    assert texts(memory) == {"My locker code is 4711."}


def wait(memory: Memory, text: str, slot: tuple[str, str, str] | None = None) -> int:
    """A thought that waits for the person's yes."""
    new = NewThought(text, say(memory, text).message_id, "rules", "1", slot=slot)
    return memory.insert_thought(new, NOW, confirmed=False).memory_id


def test_adding_what_waits_for_a_yes_keeps_it(memory: Memory) -> None:
    wait(memory, "I keep bees.")
    memory.add_thought(EncodedText("I keep bees.", "I keep bees.", None), NOW)
    assert texts(memory) == {"I keep bees."}
    assert memory.thoughts(waiting=True) == []
    memory.undo(NOW)
    assert texts(memory) == set()
    assert len(memory.thoughts(waiting=True)) == 1


def test_a_yes_to_what_was_forgotten_replaces_nothing(memory: Memory) -> None:
    think(memory, "I live in Utrecht.", slot=("person", "lives in", "Utrecht"))
    ghent = wait(memory, "I live in Ghent.", ("person", "lives in", "Ghent"))
    memory.forget([ghent], NOW)
    memory.confirm_thought(ghent, NOW)
    assert texts(memory) == {"I live in Utrecht."}
