"""What `memory/test_store_machine.py` keeps an eye on: a store, and its own account of what the person
did, from the acts alone."""

import json
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis.stateful import RuleBasedStateMachine, invariant

from assistant.memory import consolidate
from assistant.memory.memory import Memory
from assistant.memory.sentences import split_sentences
from assistant.memory.slots import is_single_valued
from assistant.paths import Paths
from assistant.records import EncodedText, Passage, Recall, RecalledMemory, Turn
from fakes import FakeEmbedder

RAM = "/dev/shm"  # each act waits for the disk, most of the time of a test
BEGIN = datetime(2026, 3, 2, 9, tzinfo=UTC)
SYLLABLES = ("ba", "ke", "di", "lo", "mu", "pa", "re", "si", "to", "vu")
EVERY_STATE: tuple[Any, ...] = ("active", "faded", "superseded", "forgotten")
SHOWN: tuple[Any, ...] = ("active", "faded", "superseded")
# {0} is the text's own word. The slot's value is the word.
TEMPLATES = (
    ("I live in {0}.", ("person", "lives in")),
    ("My favourite colour is {0}.", ("person", "favourite colour")),
    ("I love {0} soup at lunch.", None),
    ("I hate {0} soup at lunch.", None),
    ("My {0} exam is on 3 May.", None),
    ("The {0} kayak leaks near the harbour.", None),
    ("The {0} kayak leaks near the harbour, and Paula repaired it with copper wire.", None),
)
EPISODE = "id IN (SELECT memory_id FROM summaries WHERE kind = 'episode')"


def word_of(number: int) -> str:
    """A word that no other text holds: "Zobakedi", of fixed length, so none is part of another."""
    return "Zo" + "".join(SYLLABLES[int(digit)] for digit in f"{number:03d}")


def words_in(texts: Iterable[str], words: Iterable[str]) -> set[str]:
    whole = "\n".join(texts).casefold()
    return {word for word in words if word.casefold() in whole}


@dataclass
class Act:
    """One entry of the undo journal: what it hid, what its undo hides, how all looked before."""

    hides: set[int] = field(default_factory=set)
    undo_hides: set[int] = field(default_factory=set)
    # What its undo shows as before it, though the person has reverted its history since.
    undo_shows: set[int] = field(default_factory=set)
    reverted: set[int] = field(default_factory=set)  # among what it hid: shown again after its undo
    conversation: int | None = None
    view: dict[str, Any] | None = None


@dataclass
class Account:
    """What the person did, as the machine knows it. Ids are of memories but where it is said."""

    forgotten: set[int] = field(default_factory=set)
    deleted: set[int] = field(default_factory=set)  # conversations
    reverted: set[int] = field(default_factory=set)  # by their own history: shown all the same
    excluded: set[tuple[int, int]] = field(default_factory=set)  # memory, conversation
    acts: dict[int, Act] = field(default_factory=dict)  # by the operation's id
    begun: list[tuple[Turn, Recall, str]] = field(default_factory=list)  # turns without a reply


def slot_of(text: str) -> tuple[str, str, str] | None:
    for template, slot in TEMPLATES:
        begin = template.split("{0}")[0]
        if slot and text.startswith(begin):
            return (*slot, text.removeprefix(begin).split(".")[0])
    return None


def told(memory: Memory) -> dict[str, list[tuple[Any, ...]]]:
    """The messages and thoughts of a store, without its numbers; not those of deleted chats."""
    messages = memory.store.read(
        "SELECT m.role, m.text, m.created FROM messages m JOIN conversations c"
        " ON c.id = m.conversation_id WHERE NOT c.hidden"
    )
    thoughts = memory.store.read(
        "SELECT m.text, m.state, m.pinned, t.subject, t.relation, t.object, t.confirmed, t.label,"
        " n.text FROM thoughts t JOIN memories m ON m.id = t.memory_id"
        " JOIN conversations c ON c.id = m.conversation_id AND NOT c.hidden"
        " LEFT JOIN thoughts l ON l.id = t.superseded_by LEFT JOIN memories n ON n.id = l.memory_id"
        " AND n.conversation_id IN (SELECT id FROM conversations WHERE NOT hidden)"
    )
    return {
        "messages": sorted(tuple(map(str, row)) for row in messages),
        "thoughts": sorted(tuple(map(str, row)) for row in thoughts),
    }


class StoreWatch(RuleBasedStateMachine):
    """A store, the account of what was done to it, and what has to hold after every step."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(consolidate, "MIN_ACTIVE", 1)
        self.folder = Path(tempfile.mkdtemp(dir=RAM if Path(RAM).is_dir() else None))
        self.paths = Paths(self.folder / "data")
        self.paths.create()
        self.embedder = FakeEmbedder()
        self.now = BEGIN
        self.account = Account()
        self.backups: dict[Path, Account] = {}
        self.words: list[str] = []
        self.erased: set[str] = set()  # words that nothing says any more
        self.erased_texts: set[str] = set()
        self.n_words = 0
        self.memory = self.open()

    def open(self) -> Memory:
        return Memory.open(
            self.paths.database,
            now=self.now,
            backups_dir=self.paths.backups_dir,
            index_dir=self.paths.index_dir,
        )

    def teardown(self) -> None:
        self.memory.close()
        self.patch.undo()
        shutil.rmtree(self.folder)

    # ---- parts ----

    def encode(self, text: str, said: datetime | None = None, before: str = "") -> EncodedText:
        vector = self.embedder.embed([text])[0]
        if len(text) < 200:
            return EncodedText(text, text, vector)
        half = text.index(" ", len(text) // 2)
        passages = (Passage(0, half, vector), Passage(half + 1, len(text), vector))
        return EncodedText(text, text, None, passages)

    def new_text(self, pick: int) -> str:
        """Mostly with a new word; every fifth says something of an old one."""
        if pick % 5 == 0 and self.words:
            word = self.words[pick % len(self.words)]
        else:
            word = word_of(self.n_words)
            self.n_words += 1
            self.words.append(word)
        text = TEMPLATES[pick % len(TEMPLATES)][0].format(word)
        if pick % 11 == 0:
            text += " It rained all week and nobody went out." * 5
        self.said(text)
        return text

    def said(self, text: str) -> None:
        """It says again what was erased, perhaps."""
        self.erased_texts = {erased for erased in self.erased_texts if erased not in text}
        again = words_in([text], self.erased)
        self.erased -= again
        self.words += sorted(again)

    def rows(self, sql: str, *values: object) -> list[Any]:
        return self.memory.store.read(sql, values)

    def ids(self, sql: str, *values: object) -> list[int]:
        return [int(row[0]) for row in self.rows(sql, *values)]

    def thought_ids(self, where: str = "1") -> list[int]:
        return self.ids(
            f"SELECT m.id FROM memories m JOIN thoughts t ON t.memory_id = m.id"
            f" WHERE {where} ORDER BY m.id"
        )

    def ask(self, memory: Memory, conversation_id: int | None = None) -> list[RecalledMemory]:
        """Everything that words can find."""
        query = " ".join([*self.words, "kayak soup exam colour live rained copper noted"])
        found: dict[int, RecalledMemory] = {}
        for asked in (query, f"What did you say? {query}"):  # the assistant's words are found so
            recall = memory.recall(asked, None, self.now, k=300, conversation_id=conversation_id)
            found |= {m.id: m for m in (*recall.memories, *recall.near_misses)}
        return list(found.values())

    def same_message(self, memory_ids: Collection[int]) -> set[int]:
        """With each memory of a whole message what was made from the message."""
        found = set(memory_ids)
        for memory_id in memory_ids:
            found |= set(
                self.ids(
                    "SELECT id FROM memories WHERE message_id = (SELECT message_id FROM memories"
                    " WHERE id = ? AND kind = 'message')",
                    memory_id,
                )
            )
        return found

    def hidden(self) -> set[int]:
        """Memories that may not be shown: by the account, and by their branch; not by their state."""
        account = self.account
        silent = set(
            self.ids(
                "SELECT message_id FROM memories WHERE kind = 'message' AND id IN"
                " (SELECT value FROM json_each(?))",
                json.dumps(sorted(account.forgotten)),
            )
        )
        found = set(account.forgotten)
        for row in self.rows(
            "SELECT m.id, m.message_id, m.conversation_id, t.active FROM memories m"
            " LEFT JOIN turns t ON t.id = m.turn_id WHERE m.kind <> 'summary'"
        ):
            if row["id"] in account.reverted:
                continue
            if (
                row["message_id"] in silent
                or row["conversation_id"] in account.deleted
                or row["active"] == 0
            ):
                found.add(row["id"])
        drawn = self.rows(
            "SELECT s.memory_id, o.memory_id AS source FROM summaries s JOIN summary_sources o"
            " ON o.summary_id = s.id WHERE s.kind = 'episode'"
        )
        return found | {row["memory_id"] for row in drawn if row["source"] in found}

    def shown_words(self) -> set[str]:
        """The words of everything that may be shown."""
        hidden = self.hidden()
        rows = self.rows("SELECT id, text FROM memories WHERE kind <> 'summary'")
        return words_in((row["text"] for row in rows if row["id"] not in hidden), self.words)

    def view(self) -> dict[str, Any]:
        """What the person sees. Days are made anew first, for they may be of another day's state."""
        memory = self.memory
        with memory.store.write() as connection:
            connection.execute(
                "DELETE FROM memories WHERE id IN (SELECT memory_id FROM summaries"
                " WHERE kind IN ('day', 'portrait'))"
            )
        listed = memory.memories(kinds=("message", "passage", "thought"), states=SHOWN, limit=-1)
        told = memory.memories(kinds=("summary",), states=SHOWN, limit=-1)
        return {
            "memories": [(m.id, m.text, m.state, m.pinned, m.waiting) for m in listed],
            # By their sentences: what faded apart may come back into one summary.
            "summaries": {m.text[a:b] for m in told for a, b in split_sentences(m.text)},
            "thoughts": [(t.id, t.text, t.superseded_by) for t in memory.thoughts(states=SHOWN)],
            "recall": sorted(m.id for m in self.ask(memory) if m.kind != "summary"),
            # In any order: an addition of what was known makes it stronger, as every use does, and its
            # undo takes no use back.
            "portrait": sorted((m.memory_id, m.text) for m in memory.portrait(self.now).lines),
            "days": memory.days(self.now),
            "conflicts": [(c.id, c.a.id, c.b.id) for c in memory.conflicts()],
            "conversations": sorted((c.id, c.title) for c in memory.conversations()),
        }

    def last_operation(self) -> int:
        return self.memory.store.value(
            "SELECT coalesce(max(id), 0) FROM operations WHERE undone IS NULL"
        )

    def act(self, do: Callable[[], Act]) -> None:
        """One of the acts that `undo` takes back."""
        before, view = self.last_operation(), self.view()
        act = do()
        entered = self.last_operation()
        if entered != before:
            act.view = view
            self.account.acts[entered] = act

    def changed(self) -> None:
        """Something else happened than acts that `undo` takes back: it need not look as before."""
        for act in self.account.acts.values():
            act.view = None

    # ---- what holds all the while ----

    @invariant()
    def the_file_is_whole(self) -> None:
        assert self.memory.check_integrity() == []
        assert not self.rows(
            "SELECT 1 FROM thoughts WHERE source_message_id NOT IN (SELECT id FROM messages)"
        )

    @invariant()
    def what_is_hidden_is_not_shown(self) -> None:
        memory, hidden = self.memory, self.hidden()
        found = self.ask(memory)
        for one in found:
            row = memory.details(one.id)
            assert row.state in ("active", "faded")
            assert not row.waiting
            assert one.id not in hidden, one
        shown = self.shown_words()
        listed = memory.memories(kinds=("message", "passage", "thought", "summary"), limit=-1)
        for name, texts in (
            ("recalled", [m.text for m in found]),
            ("listed", [m.text for m in listed]),
            ("days", [text for _, text in memory.days(self.now)]),
            ("portrait", [m.text for m in memory.portrait_memories()]),
        ):
            assert words_in(texts, self.words) <= shown, (name, words_in(texts, self.words) - shown)
        for line in memory.portrait_memories():
            row = memory.details(line.id)
            assert row.state == "active"
            assert not row.waiting

    @invariant()
    def what_is_excluded_stays_out(self) -> None:
        for memory_id, chat in sorted(self.account.excluded)[:3]:
            (message,) = self.ids("SELECT message_id FROM memories WHERE id = ?", memory_id)
            barred = set(self.ids("SELECT id FROM memories WHERE message_id = ?", message))
            texts = []
            for one in (*self.ask(self.memory, chat), *self.memory.portrait_memories((), chat)):
                assert one.id not in barred, one
                texts.append(one.text)
            said = self.rows("SELECT id, text FROM memories WHERE kind <> 'summary'")
            own = words_in((r["text"] for r in said if r["id"] in barred), self.words)
            others = words_in((r["text"] for r in said if r["id"] not in barred), self.words)
            assert not words_in(texts, own - others)

    @invariant()
    def a_slot_of_one_value_has_one(self) -> None:
        kept = {
            frozenset((r[0], r[1]))
            for r in self.rows("SELECT from_memory, to_memory FROM links WHERE resolution = 'both'")
        }
        values: dict[tuple[str, str], dict[int, str]] = {}
        for row in self.rows(
            "SELECT m.id, t.subject, t.relation, t.object FROM thoughts t JOIN memories m"
            " ON m.id = t.memory_id WHERE m.state = 'active' AND t.confirmed AND t.subject IS NOT NULL"
        ):
            if is_single_valued(row["relation"]) and row["id"] not in self.account.reverted:
                values.setdefault((row["subject"], row["relation"]), {})[row["id"]] = row["object"]
        for slot, found in values.items():
            for one in found:
                for other in found:
                    assert found[one] == found[other] or frozenset((one, other)) in kept, (
                        slot,
                        found,
                    )

    @invariant()
    def nothing_is_replaced_in_a_circle(self) -> None:
        later = dict(map(tuple, self.rows("SELECT id, superseded_by FROM thoughts")))
        for start in later:
            seen, at = set(), start
            while at is not None:
                assert at not in seen, start
                seen.add(at)
                at = later.get(at)

    @invariant()
    def what_is_replaced_has_something_in_its_place(self) -> None:
        assert not self.rows(
            "SELECT m.text FROM memories m JOIN thoughts t ON t.memory_id = m.id JOIN turns u ON u.id ="
            " m.turn_id AND u.active WHERE m.state = 'superseded' AND t.superseded_by IS NULL"
        )
