"""Erase: the text is nowhere, neither in a row nor in a byte of the data directory."""

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from assistant.errors import NotFound
from assistant.memory import caches, consolidate
from assistant.memory.memory import Memory
from assistant.paths import Paths
from assistant.records import EncodedText, FloatArray, NewThought, Passage, Recall

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WORDS = [
    "harbour",
    "lantern",
    "violet",
    "cellar",
    "monday",
    "orchard",
    "copper",
    "whistle",
    "river",
    "saddle",
    "amber",
    "thicket",
    "pebble",
    "marrow",
    "lattice",
    "quarry",
    "timber",
    "velvet",
    "anchor",
    "bramble",
    "falcon",
    "glacier",
    "hollow",
    "island",
]


def vector(seed: int) -> FloatArray:
    made = np.random.default_rng(seed).standard_normal(16).astype(np.float32)
    return made / np.linalg.norm(made)


def encoded(text: str, resolved: str | None = None) -> EncodedText:
    return EncodedText(text, resolved or text, vector(len(text)))


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths(tmp_path)
    paths.create()
    return paths


def tell(memory: Memory, text: str, reply: str = "I see.", resolved: str | None = None) -> int:
    """One turn; the memory of its message."""
    turn = memory.begin_turn(encoded(text, resolved), NOW)
    recalled = memory.recall(text, None, NOW, exclude_turns=[turn.id])
    memory.finish_turn(turn, encoded(reply), recalled, NOW, prompt=json.dumps([text, reply]))
    rows = memory.store.read("SELECT id FROM memories WHERE message_id = ?", (turn.message_id,))
    return int(rows[0][0])


def bytes_of(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


def test_an_erased_text_is_in_no_row_and_in_no_byte(paths: Paths) -> None:
    with Memory.open(paths.database, now=NOW, backups_dir=paths.backups_dir) as memory:
        for number in range(30):
            tell(memory, f"Filler number {number} about {WORDS[number % len(WORDS)]}.")
        secret = "My Zanzibar passport is hidden under the staircase since last week."
        erased = tell(memory, secret, resolved=secret.replace("last week", "the week of 2 March"))
        tell(memory, "Where is the passport?", "I do not know.")
        memory.store.backup(paths.backups_dir / "before.db")
        (paths.states_dir / "1.state").write_bytes(b"zanzibar kv")
        (paths.index_dir / "text.lsh").write_bytes(b"codes")
        paths.prompt_history.write_text(json.dumps("hello") + "\n" + json.dumps(secret) + "\n")
        unfinished = paths.prompt_history.with_name(f".{paths.prompt_history.name}.4711")
        unfinished.write_text(json.dumps(secret))  # its writer was killed
        assert memory.find_traces(secret)

        receipt = memory.erase([erased], NOW)

        assert memory.find_traces(secret) == []
        assert memory.find_traces("Zanzibar") == []
        assert receipt.counts["messages"] == 1
        assert receipt.counts["backups"] == 1
        assert receipt.counts["saved states"] == 1
        assert not receipt.problems
        assert json.loads(paths.prompt_history.read_text()) == "hello"
        for word in (b"anzibar", b"staircase", b"hidden under"):
            assert word not in bytes_of(paths.data_dir)
        assert memory.check_integrity() == []
    assert b"anzibar" not in bytes_of(paths.data_dir)


def test_a_damaged_store_and_half_a_copy_beside_it_are_erased_too(paths: Paths) -> None:
    with Memory.open(paths.database, now=NOW) as memory:
        erased = tell(memory, "The vault code is forty two.")
        for name in ("memory.db.damaged-20260301T120000", "memory.db.copied.17"):
            (paths.data_dir / name).write_bytes(b"The vault code is forty two. \x00" * 9)
        receipt = memory.erase([erased], NOW)
        assert receipt.counts["backups"] == 2
        assert b"vault" not in bytes_of(paths.data_dir)


def test_the_kept_columns_are_erased_with_the_names_they_hold(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caches, "KEPT_FROM", 3)
    name = "Zanzibara"
    folder = paths.index_dir
    with Memory.open(paths.database, now=NOW, index_dir=folder) as memory:
        for _ in range(4):
            tell(memory, "The lantern burns over Copper Hill.")
        with memory.store.write() as connection:
            connection.execute("UPDATE memories SET speaker = ? WHERE id = 1", (name,))
    with Memory.open(paths.database, now=NOW, index_dir=folder) as memory:
        memory.recall("Where is Copper Hill?", None, NOW)
        assert name.encode() in bytes_of(folder)
        memory.erase([1], NOW)
        assert name.encode() not in bytes_of(paths.data_dir)
        memory.recall("Where is Copper Hill?", None, NOW)
        assert name.encode() not in bytes_of(paths.data_dir)


def test_erasing_a_passage_or_a_thought_erases_the_whole_message(paths: Paths) -> None:
    text = "The vault code is forty two. " * 3
    passages = (Passage(0, 29, vector(1)), Passage(29, len(text), vector(2)))
    with Memory.open(paths.database, now=NOW) as memory:
        memory.begin_turn(EncodedText(text, text, None, passages), NOW)
        rows = memory.store.read("SELECT id FROM memories WHERE kind = 'passage'")
        memory.erase([rows[0][0]], NOW)
        assert memory.find_traces("vault code") == []
        assert memory.stats()["messages"] == 0
        assert b"vault" not in bytes_of(paths.data_dir)


def test_erase_offers_later_messages_that_repeat_the_text(paths: Paths) -> None:
    with Memory.open(paths.database, now=NOW) as memory:
        erased = tell(memory, "Our falcon lives in the copper quarry.")
        again = tell(memory, "As I said, the falcon still lives there in that copper quarry!")
        other = tell(memory, "The glacier is hollow.")
        receipt = memory.erase([erased], NOW)
        assert again in receipt.repeats
        assert other not in receipt.repeats
        assert any(str(again) in line for line in receipt.lines())


def test_an_unknown_id_erases_nothing(paths: Paths) -> None:
    with Memory.open(paths.database, now=NOW) as memory:
        kept = tell(memory, "The orchard is in bloom.")
        with pytest.raises(NotFound):
            memory.erase([kept, 999], NOW)
        assert memory.get(kept).text == "The orchard is in bloom."


def test_a_conversation_is_erased_whole(paths: Paths) -> None:
    with Memory.open(paths.database, now=NOW) as memory:
        kept = tell(memory, "The lantern burns.")
        turn = memory.begin_turn(encoded("The saddle is violet."), NOW)
        memory.finish_turn(turn, encoded("A violet saddle."), Recall(""), NOW)
        memory.erase_conversation(turn.conversation_id, NOW)
        assert memory.find_traces("violet") == []
        assert [row.id for row in memory.memories(kinds=["message"], roles=["user"])] == [kept]
        with pytest.raises(NotFound):
            memory.conversation(turn.conversation_id)


def test_sixty_random_memories_erased_leave_nothing(paths: Paths) -> None:
    chance = random.Random(7)
    with Memory.open(paths.database, now=NOW) as memory:
        ids = {}
        for number in range(90):
            text = f"Item{number}x {' '.join(chance.sample(WORDS, 6))} code{number}q."
            ids[tell(memory, text, reply=f"Noted {number}.")] = text
        erased = chance.sample(sorted(ids), 60)
        memory.erase(erased, NOW + timedelta(days=1))
        left = bytes_of(paths.data_dir)
        for memory_id in erased:
            assert memory.find_traces(ids[memory_id]) == []
            assert ids[memory_id].split()[0].lower().encode() not in left.lower()
        assert memory.check_integrity() == []


@pytest.mark.parametrize("forgotten_before", [False, True])
def test_a_prompt_that_was_given_a_summary_of_the_erased_text_goes_too(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, forgotten_before: bool
) -> None:
    monkeypatch.setattr(consolidate, "MIN_ACTIVE", 1)
    later = NOW + timedelta(days=300)
    with Memory.open(paths.database, now=NOW) as memory:
        conversation = memory.new_conversation("", NOW)
        for text in ("The red kayak leaks at the bow.", "Paula repaired the stove with wire."):
            memory.record_message(encoded(text), NOW, conversation_id=conversation)
        kayak, stove = [row[0] for row in memory.store.read("SELECT id FROM memories")]
        for number in range(2):
            memory.record_message(encoded(f"New {number}."), later, conversation_id=conversation)
        assert memory.fade(later).n_memories == 2
        [summary] = memory.memories(kinds=("summary",))
        turn = memory.begin_turn(encoded("What do you know?"), later)
        found = memory.recall("kayak stove", None, later, k=5, exclude_turns=[turn.id])
        given = [m for m in (*found.memories, *found.near_misses) if m.id == summary.id]
        recalled = Recall("kayak stove", tuple(given))
        kept = json.dumps([summary.text])
        memory.finish_turn(turn, encoded("Much."), recalled, later, prompt=kept)
        if forgotten_before:
            memory.forget([stove], later)  # the summary is made anew, and the turn had the old one
        assert memory.prompt_of(turn.id) == kept
        memory.erase([kayak], later)
        assert memory.find_traces("kayak") == []
        assert b"kayak" not in bytes_of(paths.data_dir)
        assert [m.id for m in memory.recalls(turn.id).memories] == [stove]


def test_a_turn_that_is_answered_while_its_recall_is_erased_keeps_no_prompt(paths: Paths) -> None:
    with Memory.open(paths.database, now=NOW) as memory:
        erased = tell(memory, "The kayak is under the willow.")
        turn = memory.begin_turn(encoded("Where is the boat?"), NOW)
        recalled = memory.recall("kayak", None, NOW, exclude_turns=[turn.id])
        memory.erase([erased], NOW)
        prompt = json.dumps([m.text for m in recalled.memories])
        memory.finish_turn(turn, encoded("I do not know."), recalled, NOW, prompt=prompt)
        assert memory.find_traces("willow") == []
        assert b"willow" not in bytes_of(paths.data_dir)
        assert memory.prompt_of(turn.id) == ""


def test_what_was_quoted_and_is_erased_meanwhile_is_strengthened_no_more(paths: Paths) -> None:
    with Memory.open(paths.database, now=NOW) as memory:
        erased = tell(memory, "The kayak is under the willow.")
        memory.erase([erased], NOW)
        job = memory.next_job("worker", NOW)
        assert job is not None
        assert memory.finish_job(job, "worker", [], NOW, quoted=[erased]) == []


def test_a_thought_is_recalled_again_when_what_replaced_it_is_erased(paths: Paths) -> None:
    with Memory.open(paths.database, now=NOW) as memory:
        ids = []
        for place in ("Utrecht", "Ghent", "Porto"):
            turn = memory.begin_turn(encoded(f"I live in {place}."), NOW)
            slot = ("person", "lives in", place)
            new = NewThought(f"I live in {place}.", turn.message_id, "rules", "1", slot=slot)
            ids.append(memory.insert_thought(new, NOW).memory_id)
        utrecht, ghent, porto = ids
        memory.erase([ghent], NOW)
        assert memory.thought(utrecht).superseded_by == memory.thought(porto).id
        assert [t.text for t in memory.thoughts()] == ["I live in Porto."]
        memory.erase([porto], NOW)
        assert [t.text for t in memory.thoughts()] == ["I live in Utrecht."]
