"""Backup, restore, export and a change of embedder."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from assistant.errors import NotFound, StoreCorrupt
from assistant.memory.memory import Memory
from assistant.memory.transfer import restore
from assistant.records import EncodedText, FloatArray, NewThought, Recall

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def embed(texts: list[str] | tuple[str, ...], dimension: int = 16) -> FloatArray:
    made = [np.random.default_rng(len(t)).standard_normal(dimension) for t in texts]
    return np.array([v / np.linalg.norm(v) for v in made], np.float32).reshape(-1, dimension)


def tell(memory: Memory, text: str) -> int:
    return memory.begin_turn(EncodedText(text, text, embed([text])[0]), NOW).message_id


def test_a_restored_backup_holds_what_it_held_and_keeps_the_store_as_it_was(tmp_path: Path) -> None:
    file, backup = tmp_path / "memory.db", tmp_path / "backups" / "one.db"
    with Memory.open(file, now=NOW) as memory:
        tell(memory, "The first thing.")
        memory.backup(backup)
        tell(memory, "The second thing.")
    kept = restore(file, backup, NOW, tmp_path / "backups")
    with Memory.open(file, now=NOW) as memory:
        assert [row.text for row in memory.memories()] == ["The first thing."]
    with Memory.open(kept, now=NOW, read_only=True) as memory:
        assert len(memory.memories()) == 2
    assert backup.stat().st_mode & 0o077 == 0


def test_a_damaged_store_is_restored_and_the_damaged_file_is_kept(tmp_path: Path) -> None:
    file, backup = tmp_path / "memory.db", tmp_path / "one.db"
    with Memory.open(file, now=NOW) as memory:
        tell(memory, "Safe.")
        memory.backup(backup)
    file.write_bytes(b"no database at all" * 1000)
    kept = restore(file, backup, NOW, tmp_path / "backups")
    assert kept.read_bytes().startswith(b"no database")
    with Memory.open(file, now=NOW) as memory:
        assert [row.text for row in memory.memories()] == ["Safe."]


def test_a_bad_backup_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "memory.db"
    with Memory.open(file, now=NOW) as memory:
        tell(memory, "Safe.")
    (tmp_path / "bad.db").write_bytes(b"x" * 5000)
    with pytest.raises(StoreCorrupt):
        restore(file, tmp_path / "bad.db", NOW, tmp_path)
    with pytest.raises(NotFound):
        restore(file, tmp_path / "none.db", NOW, tmp_path)
    with Memory.open(file, now=NOW) as memory:
        assert len(memory.memories()) == 1


def test_an_export_holds_every_message_with_its_time(tmp_path: Path) -> None:
    with Memory.open(tmp_path / "memory.db", now=NOW) as memory:
        tell(memory, "One \u2713")
        assert memory.export_file(tmp_path / "out.jsonl") == 1
    row = json.loads((tmp_path / "out.jsonl").read_text("utf-8"))
    assert (row["type"], row["role"], row["text"]) == ("message", "user", "One \u2713")
    assert datetime.fromisoformat(row["created"]) == NOW


def test_what_was_exported_is_imported_with_its_thoughts_as_they_were(tmp_path: Path) -> None:
    export = tmp_path / "out.jsonl"
    with Memory.open(tmp_path / "memory.db", now=NOW) as memory:
        for text, slot in (
            ("I live in Ghent.", ("person", "lives in", "Ghent")),
            ("I live in Utrecht.", ("person", "lives in", "Utrecht")),
            ("I keep bees.", None),
            ("I like tea.", None),
        ):
            memory.insert_thought(
                NewThought(text, tell(memory, text), "rules", "2", slot=slot), NOW
            )
        utrecht, bees, tea = (memory.thoughts(text=t)[0] for t in ("Utrecht", "bees", "tea"))
        memory.pin([utrecht.memory_id], NOW)
        memory.forget([bees.memory_id], NOW)
        memory.edit_thought(tea.memory_id, said("I like green tea at noon."), NOW)
        before = states(memory)
        memory.export_file(export)
        report = memory.import_file(export, encode, NOW)  # it is all here
        assert (report.n_messages, report.n_thoughts) == (0, 0)
        assert len(memory.conversations()) == 4
        assert states(memory) == before
    with Memory.open(tmp_path / "other.db", now=NOW) as memory:
        report = memory.import_file(export, encode, NOW)
        assert (report.n_messages, report.n_thoughts) == (4, 5)
        assert states(memory) == before
        ghent = memory.thoughts(states=["superseded"], text="Ghent")[0]
        assert ghent.superseded_by == memory.thoughts(text="Utrecht")[0].id
        assert memory.job_counts() == {}  # nothing is derived a second time
        again = memory.import_file(export, encode, NOW)
        assert (again.n_messages, again.n_known, again.n_thoughts) == (0, 4, 0)
        assert states(memory) == before


def test_exports_of_two_stores_do_not_take_each_other_for_known(tmp_path: Path) -> None:
    files = []
    for name in ("one", "two"):
        with Memory.open(tmp_path / f"{name}.db", now=NOW) as memory:
            tell(memory, f"I am {name}.")
            files.append(tmp_path / f"{name}.jsonl")
            memory.export_file(files[-1])
    with Memory.open(tmp_path / "all.db", now=NOW) as memory:
        assert [memory.import_file(file, encode, NOW).n_messages for file in files] == [1, 1]
        assert len(memory.conversations()) == 2


def states(memory: Memory) -> set[tuple[object, ...]]:
    rows = memory.store.read(
        "SELECT m.text, m.state, m.pinned, t.writer, t.subject, t.label FROM thoughts t"
        " JOIN memories m ON m.id = t.memory_id"
    )
    return {tuple(row) for row in rows}


def said(text: str) -> EncodedText:
    return EncodedText(text, text, None)


def encode(text: str, now: datetime, before: str) -> EncodedText:
    return said(text)


def test_reindex_goes_on_where_it_was_and_old_vectors_serve_until_the_end(tmp_path: Path) -> None:
    def embed_wide(texts: list[str]) -> FloatArray:
        return embed(texts, 24)

    with Memory.open(tmp_path / "memory.db", now=NOW) as memory:
        memory.use_embedder("old", 16)
        for number in range(149):
            tell(memory, f"Message {'x' * number}")
        waits = NewThought("Message", 1, "rules", "2", vector=embed(["Message"])[0])
        memory.insert_thought(waits, NOW, confirmed=False)  # it is recalled once it is kept
        steps = memory.reindex("new", 24, embed_wide)
        next(steps)
        steps.close()  # stopped after one batch
        wanted = f"Message {'x' * 7}"
        assert memory.recall("", embed([wanted])[0], NOW, k=1).memories[0].text == wanted
        assert memory.embedder_id == "old"
        done = list(memory.reindex("new", 24, embed_wide))
        assert len(done) == 3  # 64 were kept of 150: two more batches and the change
        assert memory.embedder_id == "new"
        assert memory.stats()["vectors"] == 150
        assert memory.use_embedder("new", 24)
        assert memory.recall("", embed_wide([wanted])[0], NOW, k=1).memories[0].text == wanted
        assert not memory.use_embedder("old", 16)
        assert memory.recall("", embed([wanted])[0], NOW, k=1).memories[0].signals["meaning"] == 0


def test_what_was_deleted_is_in_no_export_and_what_was_hidden_is_hidden_where_it_is_imported(
    tmp_path: Path,
) -> None:
    export = tmp_path / "out.jsonl"
    with Memory.open(tmp_path / "memory.db", now=NOW) as memory:
        turn = memory.begin_turn(said("I keep bees."), NOW)
        memory.insert_thought(NewThought("I keep bees.", turn.message_id, "rules", "2"), NOW)
        memory.delete_conversation(turn.conversation_id, NOW)
        first = memory.begin_turn(said("The kayak is red."), NOW)
        chat = first.conversation_id
        second = memory.begin_turn(
            said("The kayak is blue."), NOW, conversation_id=chat, replaces=first.id
        )
        memory.begin_turn(said("It leaks."), NOW, conversation_id=chat)
        memory.finish_turn(first, said("A red kayak."), Recall(""), NOW)  # it came late
        memory.finish_turn(second, said("A blue kayak."), Recall(""), NOW)
        memory.choose_branch(first.id)
        memory.forget([row.id for row in memory.memories(words=["leaks"])], NOW)
        memory.export_file(export)
        assert "bees" not in export.read_text("utf-8")
        before = [m.text for m in memory.messages(chat)]
    with Memory.open(tmp_path / "other.db", now=NOW) as memory:
        memory.import_file(export, encode, NOW)
        assert {row.text for row in memory.memories()} == {"The kayak is red.", "A red kayak."}
        (conversation,) = memory.conversations()
        messages = memory.messages(conversation.id)
        assert [m.text for m in messages] == before
        assert len(memory.branches(messages[0].turn_id)) == 2


def test_an_export_that_has_grown_brings_no_second_value_of_a_slot(tmp_path: Path) -> None:
    export = tmp_path / "out.jsonl"
    with (
        Memory.open(tmp_path / "memory.db", now=NOW) as memory,
        Memory.open(tmp_path / "other.db", now=NOW) as other,
    ):
        for place in ("Utrecht", "Ghent"):
            slot = ("person", "lives in", place)
            source = tell(memory, f"I live in {place}.")
            memory.insert_thought(
                NewThought(f"I live in {place}.", source, "rules", "2", slot=slot), NOW
            )
            memory.export_file(export)
            other.import_file(export, encode, NOW)
        assert [t.text for t in other.thoughts()] == ["I live in Ghent."]


def test_a_text_with_space_around_it_is_imported_as_it_was_said_and_known_again(
    tmp_path: Path,
) -> None:
    export = tmp_path / "out.jsonl"
    with Memory.open(tmp_path / "memory.db", now=NOW) as memory:
        turn = memory.begin_turn(said("How are the bees? "), NOW)
        memory.finish_turn(turn, said("\n Fine.\n"), Recall(""), NOW)
        memory.export_file(export)
        assert memory.import_file(export, encode, NOW).n_messages == 0
    with Memory.open(tmp_path / "other.db", now=NOW) as memory:
        memory.import_file(export, encode, NOW)
        texts = [m.text for m in memory.messages(memory.conversations()[0].id)]
        assert texts == ["How are the bees? ", "\n Fine.\n"]


def test_a_thought_that_was_rebuilt_is_imported_as_it_is_now(tmp_path: Path) -> None:
    export = tmp_path / "out.jsonl"
    with Memory.open(tmp_path / "memory.db", now=NOW) as memory:
        new = NewThought("I keep bees.", tell(memory, "I keep bees."), "rules", "2")
        memory.insert_thought(new, NOW)
        memory.rebuild_thoughts(NOW)
        memory.insert_thought(new, NOW)
        memory.export_file(export)
    with Memory.open(tmp_path / "other.db", now=NOW) as memory:
        assert memory.import_file(export, encode, NOW).n_thoughts == 2
        assert [t.text for t in memory.thoughts()] == ["I keep bees."]
        assert memory.import_file(export, encode, NOW).n_thoughts == 0


def test_branches_none_of_which_is_chosen_are_imported_so(tmp_path: Path) -> None:
    export = tmp_path / "out.jsonl"
    with Memory.open(tmp_path / "memory.db", now=NOW) as memory:
        first = memory.begin_turn(said("The kayak is red."), NOW)
        chat = first.conversation_id
        for text in ("The kayak is blue.", "The kayak is green."):
            memory.begin_turn(said(text), NOW, conversation_id=chat, replaces=first.id)
        memory.erase([row.id for row in memory.memories(words=["green"])], NOW)
        memory.export_file(export)
    with Memory.open(tmp_path / "other.db", now=NOW) as memory:
        assert memory.import_file(export, encode, NOW).n_messages == 2
        assert memory.memories() == []
