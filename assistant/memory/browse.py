"""Looking through a store without a question: lists, filters, counts. Words, no ranking, no vectors."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from assistant.errors import NotFound
from assistant.memory.messages import read_message, valid
from assistant.memory.retention import retention
from assistant.memory.schema import Store, from_text, to_text
from assistant.memory.words import words_of
from assistant.records import Kind, Message, Role, State

DAY_S: Final = 86400.0


@dataclass(frozen=True, slots=True)
class MemoryRow:
    """One memory with all that ages it. `text` is what was said, `resolved_text` what is indexed."""

    id: int
    kind: Kind
    text: str
    resolved_text: str
    role: Role
    speaker: str | None
    created: datetime
    state: State
    pinned: bool
    strength_days: float
    last_used: datetime | None
    use_count: int
    importance: float
    conversation_id: int
    title: str  # of the conversation; empty where there is none
    turn_id: int | None
    message_id: int | None
    waiting: bool = False  # a thought that the person has not said yes to

    def retention(self, now: datetime) -> float:
        """R in [0, 1] at `now` (MemoryBank): how well it would be remembered."""
        elapsed_days = (now - (self.last_used or self.created)).total_seconds() / DAY_S
        return retention(
            elapsed_days, self.strength_days, importance=self.importance, pinned=self.pinned
        )


@dataclass(frozen=True, slots=True)
class MemoryFilter:
    """Which memories to list; an empty or absent part does not narrow."""

    words: Sequence[str] = ()
    phrases: Sequence[str] = ()
    kinds: Sequence[Kind] = ("message", "thought", "summary")
    roles: Sequence[Role] = ()
    states: Sequence[State] = ("active", "faded")
    after: datetime | None = None
    before: datetime | None = None
    pinned: bool | None = None
    conversation_id: int | None = None
    waiting: bool | None = None


_ROW: Final = (
    "SELECT m.*, s.text AS said, c.title AS title, coalesce(h.confirmed = 0, 0) AS waiting"
    " FROM memories m LEFT JOIN thoughts h ON h.memory_id = m.id"
    " LEFT JOIN messages s ON s.id = m.message_id AND m.kind = 'message'"
    " LEFT JOIN conversations c ON c.id = m.conversation_id"
)


def list_memories(
    store: Store, wanted: MemoryFilter, limit: int = 50, offset: int = 0
) -> list[MemoryRow]:
    """The newest first."""
    clauses, parameters = _where(wanted)
    where = " AND ".join(clauses) or "1"
    rows = store.read(
        f"{_ROW} WHERE {where} ORDER BY m.created DESC, m.id DESC LIMIT ? OFFSET ?",
        [*parameters, limit, offset],
    )
    return [_row(row) for row in rows]


def read_memory(store: Store, memory_id: int) -> MemoryRow:
    """Raises NotFound."""
    rows = store.read(f"{_ROW} WHERE m.id = ?", (memory_id,))
    if not rows:
        raise NotFound(f"There is no memory {memory_id}.", "Run `assistant memory list`.")
    return _row(rows[0])


def _where(wanted: MemoryFilter) -> tuple[list[str], list[Any]]:
    clauses: list[str] = []
    parameters: list[Any] = []

    def add(clause: str, *values: Any) -> None:
        clauses.append(clause)
        parameters.extend(values)

    for column, values in (
        ("m.kind", wanted.kinds),
        ("m.role", wanted.roles),
        ("m.state", wanted.states),
    ):
        if values:
            add(f"{column} IN ({','.join('?' * len(values))})", *values)
    if match := match_expression(wanted.words, wanted.phrases):
        add("m.id IN (SELECT rowid FROM memories_fts WHERE memories_fts MATCH ?)", match)
    if wanted.waiting is not None:
        add("coalesce(h.confirmed = 0, 0) = ?", int(wanted.waiting))
    if wanted.after is not None:
        add("m.created >= ?", to_text(wanted.after))
    if wanted.before is not None:
        add("m.created < ?", to_text(wanted.before))
    if wanted.pinned is not None:
        add("m.pinned = ?", int(wanted.pinned))
    if wanted.conversation_id is not None:
        add("m.conversation_id = ?", wanted.conversation_id)
    return clauses, parameters


def match_expression(words: Sequence[str], phrases: Sequence[str] = ()) -> str:
    """An FTS5 expression that asks for all of them; nothing in them is read as FTS5 syntax."""
    singles = [f'"{part}"' for word in words for part in words_of(word)]
    whole = ['"' + " ".join(words_of(phrase)) + '"' for phrase in phrases if words_of(phrase)]
    return " AND ".join([*singles, *whole])


def search_messages(store: Store, text: str, limit: int = 50) -> list[Message]:
    """Messages that hold all the words of `text`, the last as a beginning; the newest first."""
    match = match_expression(text.split())
    if not match:
        return []
    rows = store.read(
        "SELECT DISTINCT m.message_id FROM memories m JOIN conversations c"
        " ON c.id = m.conversation_id WHERE m.id IN (SELECT rowid FROM memories_fts"
        " WHERE memories_fts MATCH ?) AND m.kind IN ('message', 'passage') AND c.hidden = 0"
        " AND m.state IN ('active', 'faded') ORDER BY m.message_id DESC LIMIT ?",
        (f"{match}*", limit),
    )
    return [read_message(store, int(row[0])) for row in rows]


def rename_conversation(connection: sqlite3.Connection, conversation_id: int, title: str) -> None:
    """Raises NotFound."""
    changed = connection.execute(
        "UPDATE conversations SET title = ? WHERE id = ?", (valid(title), conversation_id)
    )
    if changed.rowcount == 0:
        raise NotFound(
            f"There is no conversation {conversation_id}.", "Run `assistant chats list`."
        )


def check_conversation(store: Store, conversation_id: int) -> None:
    """Raises NotFound where there is no such conversation, hidden ones included."""
    if store.value("SELECT 1 FROM conversations WHERE id = ?", (conversation_id,)) is None:
        raise NotFound(
            f"There is no conversation {conversation_id}.", "Run `assistant chats list`."
        )


_SAME_MESSAGE: Final = "message_id = (SELECT message_id FROM memories WHERE id = ?1)"


def exclude(
    connection: sqlite3.Connection, memory_id: int, conversation_id: int, now: datetime
) -> None:
    """Never recall a memory in one conversation, nor what else says the same: the message it was drawn
    from, or its passages and thoughts. Raises sqlite3.IntegrityError on unknown ids."""
    connection.execute(
        "INSERT OR IGNORE INTO exclusions (memory_id, conversation_id, created) VALUES (?, ?, ?)",
        (memory_id, conversation_id, to_text(now)),
    )
    connection.execute(
        "INSERT OR IGNORE INTO exclusions (memory_id, conversation_id, created)"
        f" SELECT id, ?2, ?3 FROM memories WHERE {_SAME_MESSAGE}",
        (memory_id, conversation_id, to_text(now)),
    )


def include(connection: sqlite3.Connection, memory_id: int, conversation_id: int) -> None:
    """Take `exclude` back."""
    connection.execute(
        "DELETE FROM exclusions WHERE conversation_id = ?2 AND memory_id IN"
        f" (SELECT id FROM memories WHERE id = ?1 OR {_SAME_MESSAGE})",
        (memory_id, conversation_id),
    )


_EXCLUDED: Final = (
    "WITH excluded (id) AS (SELECT memory_id FROM exclusions WHERE conversation_id = ?1),"
    " same (id) AS (SELECT id FROM excluded UNION SELECT m.id FROM memories m WHERE m.message_id IN"
    " (SELECT x.message_id FROM memories x JOIN excluded USING (id)))"
    " SELECT id FROM same UNION SELECT s.memory_id FROM summaries s JOIN summary_sources o"
    " ON o.summary_id = s.id WHERE o.memory_id IN (SELECT id FROM same)"
)


def excluded_memories(store: Store, conversation_id: int | None) -> set[int]:
    """What the person keeps out of a conversation, with what was made of it since: a thought that was
    derived or edited later, a summary that holds its words."""
    if conversation_id is None:
        return set()
    return {int(row[0]) for row in store.read(_EXCLUDED, (conversation_id,))}


def count_everything(store: Store) -> dict[str, int]:
    """How many rows of each sort the store holds, and its size on disk."""
    counts = {
        name: int(store.value(f"SELECT count(*) FROM {table}"))
        for name, table in (
            ("conversations", "conversations WHERE hidden = 0"),
            ("turns", "turns"),
            ("messages", "messages"),
            ("passages", "memories WHERE kind = 'passage'"),
            ("thoughts", "memories WHERE kind = 'thought' AND state = 'active'"),
            ("summaries", "memories WHERE kind = 'summary'"),
            ("episodes", "episodes"),
            ("links", "links"),
            ("entities", "entities"),
            ("vectors", "vectors"),
            ("waiting jobs", "jobs WHERE state <> 'done'"),
        )
    }
    for state in ("faded", "superseded", "forgotten"):
        counts[state] = int(store.value("SELECT count(*) FROM memories WHERE state = ?", (state,)))
    counts["bytes"] = store.value("PRAGMA page_count") * store.value("PRAGMA page_size")
    return counts


def check_integrity(store: Store) -> list[str]:
    """What is wrong with the file, a line each; empty for a whole one.

    Pages and indexes (quick_check), dangling rows (foreign_key_check), and words of memories that
    are gone.
    """
    found = [str(row[0]) for row in store.read("PRAGMA quick_check(20)") if row[0] != "ok"]
    found += [
        f"{row[0]} row {row[1]} refers to a row of {row[2]} that is gone"
        for row in store.read("PRAGMA foreign_key_check")
    ]
    dangling = store.value(
        "SELECT count(*) FROM (SELECT DISTINCT doc FROM memories_words) WHERE doc NOT IN"
        " (SELECT id FROM searchable_memories)"
    )
    missing = store.value(
        "SELECT count(*) FROM searchable_memories WHERE id NOT IN (SELECT id FROM memories_fts_docsize)"
    )
    if dangling or missing:
        found.append(f"the word index has {dangling} memories too many and lacks {missing}")
    return found


def _row(row: Any) -> MemoryRow:
    return MemoryRow(
        id=row["id"],
        kind=row["kind"],
        text=row["text"] if row["said"] is None else row["said"],
        resolved_text=row["text"],
        role=row["role"],
        speaker=row["speaker"],
        created=from_text(row["created"]),
        state=row["state"],
        pinned=bool(row["pinned"]),
        strength_days=row["strength_days"],
        last_used=None if row["last_used"] is None else from_text(row["last_used"]),
        use_count=row["use_count"],
        importance=row["importance"],
        conversation_id=row["conversation_id"] or 0,
        title=row["title"] or "",
        turn_id=row["turn_id"],
        message_id=row["message_id"],
        waiting=bool(row["waiting"]),
    )
