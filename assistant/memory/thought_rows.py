"""Rows of thoughts, of their history and of links: read one, change fields, write a line.

Holds no judgement; `thoughts` decides. History and links hold ids, states, numbers and shared words,
so that erasing a thought's rows erases its text.
"""

import json
import sqlite3
from datetime import datetime
from typing import Any, Final, Literal

from assistant.errors import NotFound
from assistant.memory.schema import from_text, to_text
from assistant.records import Thought

PERSON: Final = "person"  # the actor of what the person did
Operation = Literal[
    "insert", "merge", "supersede", "forget", "edit", "reinforce", "keep", "pin", "undo"
]

SELECT: Final = (
    "SELECT t.*, m.text, m.state, m.pinned, m.importance, m.strength_days, m.last_used,"
    " m.use_count, m.created AS said FROM thoughts t JOIN memories m ON m.id = t.memory_id"
)


def read_row(connection: sqlite3.Connection, thought_id: int) -> Any:
    row = connection.execute(f"{SELECT} WHERE t.id = ?", (thought_id,)).fetchone()
    if row is None:
        raise NotFound(f"There is no thought {thought_id}.", "Run `assistant memory list`.")
    return row


def memory_of(connection: sqlite3.Connection, thought_id: int) -> int:
    return int(read_row(connection, thought_id)["memory_id"])


def thought_of(connection: sqlite3.Connection, memory_id: int) -> int:
    """The thought whose memory this is. Raises NotFound where the memory is no thought."""
    row = connection.execute("SELECT id FROM thoughts WHERE memory_id = ?", (memory_id,)).fetchone()
    if row is None:
        raise NotFound(f"Memory {memory_id} is no thought.", "Run `assistant memory list`.")
    return int(row[0])


def to_thought(row: Any) -> Thought:
    """A row of `SELECT` as a record."""
    return Thought(
        id=row["id"],
        memory_id=row["memory_id"],
        text=row["text"],
        source_message_id=row["source_message_id"],
        writer=row["writer"],
        writer_version=row["writer_version"],
        created=from_text(row["said"]),
        subject=row["subject"],
        relation=row["relation"],
        object=row["object"],
        event_time=from_text(row["event_time"]) if row["event_time"] else None,
        superseded_by=row["superseded_by"],
    )


_MEMORY_FIELDS: Final = ("state", "strength_days", "last_used", "use_count", "pinned")
_THOUGHT_FIELDS: Final = ("superseded_by", "confirmed")


def apply_values(connection: sqlite3.Connection, row: Any, values: dict[str, Any]) -> None:
    """Write some fields of a thought and of its memory. The names are this module's own."""
    for table, names, key in (
        ("memories", _MEMORY_FIELDS, row["memory_id"]),
        ("thoughts", _THOUGHT_FIELDS, row["id"]),
    ):
        chosen = [name for name in values if name in names]
        if chosen:
            assignments = ", ".join(f"{name} = ?" for name in chosen)
            connection.execute(
                f"UPDATE {table} SET {assignments} WHERE id = ?",
                [*(values[n] for n in chosen), key],
            )
    if "confirmed" in values:
        connection.execute(
            "UPDATE memories SET searchable = ? WHERE id = ?",
            (values["confirmed"], row["memory_id"]),
        )


def record(
    connection: sqlite3.Connection,
    thought_id: int,
    operation: Operation,
    now: datetime,
    actor: str,
    reason: str = "",
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """One line of a thought's history. Holds ids, states and numbers, never text."""
    connection.execute(
        "INSERT INTO thought_history (thought_id, operation, at, actor, reason, before, after)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            thought_id,
            operation,
            to_text(now),
            actor,
            reason,
            None if before is None else json.dumps(before),
            None if after is None else json.dumps(after),
        ),
    )


def link(
    connection: sqlite3.Connection,
    from_memory: int,
    to_memory: int,
    kind: str,
    reason: str,
    weight: float,
    now: datetime,
) -> None:
    """A typed link with its reason (A-MEM, section 3.2); the same one is not made twice."""
    connection.execute(
        "INSERT OR IGNORE INTO links (from_memory, to_memory, kind, reason, weight, created)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (from_memory, to_memory, kind, reason, weight, to_text(now)),
    )
