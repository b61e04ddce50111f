"""What was said, word for word: conversations, turns and messages, and their recallable rows.

Every function takes the connection of a running transaction (`Store.write`) or a `Store` to read
from. Knows no ranking and no model; vectors come with the text, made by whoever called.
"""

import json
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from assistant.errors import NotFound
from assistant.memory import summaries
from assistant.memory.cues import cues_of
from assistant.memory.entity_graph import insert_mentions
from assistant.memory.jobs import queue_unthought
from assistant.memory.schema import Store, from_text, to_text
from assistant.memory.vectors import CONTEXT_VIEW, TEXT_VIEW
from assistant.native import quantise_int8
from assistant.records import (
    Conversation,
    EncodedText,
    FloatArray,
    Kind,
    Message,
    Recall,
    RecalledMemory,
    Role,
    Turn,
)

TITLE_CHARACTERS: Final = 60
POST_THINK: Final = "post_think"


def valid(text: str) -> str:
    """`text` as UTF-8 can hold it: a lone surrogate becomes "?", everything else stays."""
    return text.encode("utf-8", "replace").decode()


def insert_conversation(
    connection: sqlite3.Connection, title: str, now: datetime, source: str | None = None
) -> int:
    at = to_text(now)
    cursor = connection.execute(
        "INSERT INTO conversations (title, created, last_used, source) VALUES (?, ?, ?, ?)",
        (valid(title), at, at, source),
    )
    return _id(cursor)


def insert_turn(
    connection: sqlite3.Connection,
    conversation_id: int,
    now: datetime,
    replaces: int | None = None,
) -> int:
    """The next turn of a conversation, or another branch of the turn `replaces`.

    Raises NotFound where there is no such conversation, or no such turn in it.
    """
    at = to_text(now)
    touched = connection.execute(
        "UPDATE conversations SET last_used = max(last_used, ?) WHERE id = ?", (at, conversation_id)
    )
    if touched.rowcount == 0:
        raise NotFound(
            f"There is no conversation {conversation_id}.", "Run `assistant chats list`."
        )
    row = connection.execute(
        "SELECT number FROM turns WHERE conversation_id = ?1 AND id = ?2 UNION ALL"
        " SELECT coalesce(max(number), 0) + 1 FROM turns WHERE conversation_id = ?1 AND ?2 IS NULL"
        " LIMIT 1",
        (conversation_id, replaces),
    ).fetchone()
    if row is None or row[0] is None:
        raise NotFound(f"There is no turn {replaces} in conversation {conversation_id}.")
    if replaces is not None:
        _retire_branches(connection, conversation_id, row[0])
    cursor = connection.execute(
        "INSERT INTO turns (conversation_id, number, created) VALUES (?, ?, ?)",
        (conversation_id, row[0], at),
    )
    return _id(cursor)


def _retire_branches(connection: sqlite3.Connection, conversation_id: int, number: int) -> None:
    """Leave a turn without a chosen branch. What its branches said is kept and not recalled: a
    regenerated turn would else be found twice. Nor do summaries tell of it."""
    rows = connection.execute(
        "SELECT m.id, c.last_used FROM memories m JOIN turns t ON t.id = m.turn_id"
        " JOIN conversations c ON c.id = t.conversation_id WHERE m.state <> 'forgotten'"
        " AND t.conversation_id = ? AND t.number = ? AND t.active = 1",
        (conversation_id, number),
    ).fetchall()
    if rows:
        now = from_text(rows[0]["last_used"])
        memory_ids = [row["id"] for row in rows]
        summaries.forget_sources(connection, memory_ids, now)
        summaries.renew_around(connection, memory_ids)
    connection.executemany(
        "UPDATE memories SET state = 'superseded' WHERE id = ?", [(row["id"],) for row in rows]
    )
    connection.execute(
        "UPDATE turns SET active = 0 WHERE conversation_id = ? AND number = ?",
        (conversation_id, number),
    )


def choose_branch(connection: sqlite3.Connection, turn_id: int) -> list[int]:
    """Make one of a turn's branches the active one; returns its memories. Raises NotFound."""
    row = connection.execute(
        "SELECT conversation_id, number, active FROM turns WHERE id = ?", (turn_id,)
    ).fetchone()
    if row is None:
        raise NotFound(f"There is no turn {turn_id}.")
    if row["active"]:
        return []
    _retire_branches(connection, row["conversation_id"], row["number"])
    connection.execute("UPDATE turns SET active = 1 WHERE id = ?", (turn_id,))
    memory_ids = [
        found[0]
        for found in connection.execute("SELECT id FROM memories WHERE turn_id = ?", (turn_id,))
    ]
    follow_branches(connection, memory_ids)
    queue_unthought(connection, turn_id)
    return memory_ids


def follow_branches(connection: sqlite3.Connection, memory_ids: Sequence[int]) -> None:
    """Let memories that come back be recalled where their turn is the chosen branch, and only there:
    another one may have been chosen while they were hidden."""
    ids = json.dumps(list(memory_ids))  # a chat may have more than SQLite takes parameters
    connection.execute(
        "UPDATE memories SET state = 'superseded' WHERE state IN ('active', 'faded')"
        " AND id IN (SELECT value FROM json_each(?))"
        " AND turn_id IN (SELECT id FROM turns WHERE active = 0)",
        (ids,),
    )
    connection.execute(
        "UPDATE memories SET state = 'active' WHERE state = 'superseded'"
        " AND id IN (SELECT value FROM json_each(?))"
        " AND turn_id IN (SELECT id FROM turns WHERE active = 1) AND id NOT IN"
        " (SELECT memory_id FROM thoughts WHERE superseded_by IS NOT NULL)",
        (ids,),
    )
    summaries.renew_around(connection, memory_ids)


def read_branches(store: Store, turn_id: int) -> list[int]:
    """The branches of a turn, itself among them, oldest first. Raises NotFound."""
    rows = store.read(
        "SELECT b.id FROM turns t JOIN turns b ON b.conversation_id = t.conversation_id"
        " AND b.number = t.number WHERE t.id = ? ORDER BY b.id",
        (turn_id,),
    )
    if not rows:
        raise NotFound(f"There is no turn {turn_id}.")
    return [int(row[0]) for row in rows]


def read_prompt(store: Store, turn_id: int) -> str:
    """What the model was given in a turn, as `finish_turn` got it; empty where nothing is kept."""
    return str(store.value("SELECT prompt FROM turns WHERE id = ?", (turn_id,)) or "")


def read_recall(store: Store, turn_id: int) -> Recall:
    """What a turn recalled, as it was ranked then. Raises NotFound where there is no such turn."""
    asked = store.value(
        "SELECT text FROM messages WHERE turn_id = ? AND role = 'user' ORDER BY id", (turn_id,)
    )
    if asked is None:
        raise NotFound(f"There is no turn {turn_id}.")
    rows = store.read("SELECT * FROM recalls WHERE turn_id = ? ORDER BY rank", (turn_id,))
    found = read_memories(store, [row["memory_id"] for row in rows])
    ranked = [
        (
            row["given"],
            replace(
                found[row["memory_id"]],
                score=row["score"],
                signals=json.loads(row["signals"]),
                reason=row["reason"],
            ),
        )
        for row in rows
    ]
    return Recall(
        asked,
        tuple(memory for given, memory in ranked if given),
        tuple(memory for given, memory in ranked if not given),
    )


def insert_message(
    connection: sqlite3.Connection,
    encoded: EncodedText,
    now: datetime,
    *,
    turn_id: int,
    role: Role,
    embedder: int | None,
    speaker: str | None = None,
    partial: bool = False,
    model: str = "",
    source: str | None = None,
) -> int:
    """One message with everything recall needs of it: its memory, passages, words, vectors.

    `embedder` is the row of `embedders` that made the vectors. A message with passages is found by
    them; its own memory stays out of the index. Returns the message's id.
    """
    text, resolved = valid(encoded.text), valid(encoded.resolved_text)
    at = to_text(now)
    cursor = connection.execute(
        "INSERT INTO messages (conversation_id, turn_id, role, speaker, text, resolved_text,"
        " created, partial, model, source)"
        " SELECT conversation_id, id, ?, ?, ?, ?, ?, ?, ?, ? FROM turns WHERE id = ?",
        (
            role,
            speaker,
            text,
            resolved if resolved != text else None,
            at,
            int(partial),
            model or None,
            source,
            turn_id,
        ),
    )
    message_id = _id(cursor)
    shared = (role, speaker, turn_id, message_id, at)
    spans = encoded.passages
    memory_id = _insert_recallable(connection, "message", resolved, shared, searchable=not spans)
    if not spans:
        insert_vector(connection, memory_id, embedder, encoded.vector)
        insert_vector(connection, memory_id, embedder, encoded.context_vector, CONTEXT_VIEW)
    for passage in spans:
        span = (passage.start, passage.end)
        part = resolved[passage.start : passage.end]
        memory_id = _insert_recallable(connection, "passage", part, shared, span=span)
        insert_vector(connection, memory_id, embedder, passage.vector)
    return message_id


def _insert_recallable(
    connection: sqlite3.Connection,
    kind: Kind,
    text: str,
    shared: tuple[Role, str | None, int, int, str],
    *,
    searchable: bool = True,
    span: tuple[int | None, int | None] = (None, None),
) -> int:
    cursor = connection.execute(
        "INSERT INTO memories (kind, text, searchable, role, speaker, turn_id, message_id, created,"
        " span_start, span_end, cues, conversation_id)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,"
        " (SELECT conversation_id FROM turns WHERE id = ?6))",
        (kind, text, int(searchable), *shared, *span, cues_of(text)),
    )
    memory_id = _id(cursor)
    if searchable:
        insert_mentions(connection, memory_id, text)
    return memory_id


def insert_vector(
    connection: sqlite3.Connection,
    memory_id: int,
    embedder: int | None,
    vector: FloatArray | None,  # (dimension,)
    view: int = TEXT_VIEW,
) -> None:
    """Store one vector as int8 codes and a scale; nothing where there is none."""
    if vector is None or embedder is None:
        return
    codes, scales = quantise_int8(vector)
    connection.execute(
        "INSERT OR REPLACE INTO vectors (memory_id, embedder_id, view, codes, scale)"
        " VALUES (?, ?, ?, ?, ?)",
        (memory_id, embedder, view, codes.tobytes(), float(scales[0])),
    )


def embedder_row(connection: sqlite3.Connection, sha256: str, dimension: int) -> int:
    """The row of `embedders` for a model file, made where it is new."""
    connection.execute(
        "INSERT OR IGNORE INTO embedders (sha256, dimension) VALUES (?, ?)", (sha256, dimension)
    )
    row = connection.execute("SELECT id FROM embedders WHERE sha256 = ?", (sha256,)).fetchone()
    return int(row[0])


def title_of(text: str) -> str:
    """A conversation's first title: the beginning of its first message, cut between words."""
    line = " ".join(text.split())
    if len(line) <= TITLE_CHARACTERS:
        return line
    return line[:TITLE_CHARACTERS].rsplit(" ", 1)[0].rstrip(",;:.") + "\u2026"


def finish_turn(
    connection: sqlite3.Connection,
    turn: Turn,
    recall: Recall,
    now: datetime,
    prompt: str,
    *,
    think: bool = True,
) -> None:
    """Mark the turn finished, keep what it recalled, and queue its post-think job if it is to `think`.

    Its prompt is kept too, unless something was erased since the turn began: it may hold that."""
    connection.execute(
        "UPDATE turns SET finished = ?, prompt = CASE prompt WHEN '' THEN NULL ELSE ? END"
        " WHERE id = ?",
        (to_text(now), prompt or None, turn.id),
    )
    insert_recalls(connection, turn.id, recall)
    if not think:
        return
    connection.execute(
        "INSERT OR IGNORE INTO jobs (kind, turn_id, created) VALUES (?, ?, ?)",
        (POST_THINK, turn.id, to_text(now)),
    )


def insert_recalls(connection: sqlite3.Connection, turn_id: int, recall: Recall) -> None:
    """What the turn recalled, with each signal; a memory erased meanwhile is left out."""
    ranked = [*recall.memories, *recall.near_misses]
    given = len(recall.memories)
    for rank, memory in enumerate(ranked, start=1):
        signals = {name: round(value, 4) for name, value in memory.signals.items()}
        connection.execute(
            "INSERT OR REPLACE INTO recalls (turn_id, memory_id, rank, given, score, signals,"
            " reason) SELECT ?, id, ?, ?, ?, ?, ? FROM memories WHERE id = ?",
            (
                turn_id,
                rank,
                int(rank <= given),
                round(memory.score, 4),
                json.dumps(signals),
                memory.reason,
                memory.id,
            ),
        )


def read_turn(store: Store, turn_id: int) -> Turn:
    """Raises NotFound."""
    rows = store.read(
        "SELECT t.id, t.conversation_id, t.number, min(m.id), t.created FROM turns t"
        " JOIN messages m ON m.turn_id = t.id AND m.role = 'user' WHERE t.id = ? GROUP BY t.id",
        (turn_id,),
    )
    if not rows:
        raise NotFound(f"There is no turn {turn_id}.", "Run `assistant chats list`.")
    turn_id, conversation_id, number, message_id, created = rows[0]
    return Turn(turn_id, conversation_id, number, message_id, from_text(created))


def read_messages(store: Store, conversation_id: int) -> list[Message]:
    """A conversation's messages in order, of the chosen branches only. Raises NotFound."""
    read_conversation(store, conversation_id)
    rows = store.read(
        "SELECT m.* FROM messages m JOIN turns t ON t.id = m.turn_id"
        " WHERE m.conversation_id = ? AND t.active = 1 ORDER BY t.number, m.id",
        (conversation_id,),
    )
    return [_message(row) for row in rows]


def read_messages_of_turn(store: Store, turn_id: int) -> list[Message]:
    """What was said in one turn, in order; empty where there is no such turn."""
    rows = store.read("SELECT * FROM messages WHERE turn_id = ? ORDER BY id", (turn_id,))
    return [_message(row) for row in rows]


def read_message(store: Store, message_id: int) -> Message:
    rows = store.read("SELECT * FROM messages WHERE id = ?", (message_id,))
    if not rows:
        raise NotFound(f"There is no message {message_id}.")
    return _message(rows[0])


_CONVERSATION: Final = (
    "SELECT c.*, (SELECT count(*) FROM turns t WHERE t.conversation_id = c.id AND active = 1)"
    " AS n_turns"
    " FROM conversations c"
)


def read_conversations(store: Store, limit: int = -1, offset: int = 0) -> list[Conversation]:
    """The latest used first."""
    rows = store.read(
        f"{_CONVERSATION} WHERE c.hidden = 0 ORDER BY last_used DESC, id DESC LIMIT ? OFFSET ?",
        (limit, offset),
    )
    return [_conversation(row) for row in rows]


def read_conversation(store: Store, conversation_id: int) -> Conversation:
    rows = store.read(f"{_CONVERSATION} WHERE c.id = ?", (conversation_id,))
    if not rows:
        raise NotFound(
            f"There is no conversation {conversation_id}.", "Run `assistant chats list`."
        )
    return _conversation(rows[0])


def read_memories(store: Store, ids: Sequence[int]) -> dict[int, RecalledMemory]:
    """Memories by id, unscored. `text` is what was said where the memory is a whole message."""
    found: dict[int, RecalledMemory] = {}
    for start in range(0, len(ids), 500):
        part = list(ids[start : start + 500])
        rows = store.read(
            "SELECT m.*, CASE m.kind WHEN 'message' THEN s.text END AS said"
            " FROM memories m LEFT JOIN messages s ON s.id = m.message_id"
            f" WHERE m.id IN ({','.join('?' * len(part))})",
            part,
        )
        found.update((int(row["id"]), recalled(row)) for row in rows)
    return found


def recalled(row: Any) -> RecalledMemory:
    """A row of `memories` (with `said` from its message) as a record without a score."""
    return RecalledMemory(
        id=row["id"],
        kind=row["kind"],
        text=row["text"] if row["said"] is None else row["said"],
        resolved_text=row["text"],
        role=row["role"],
        created=from_text(row["created"]),
        conversation_id=row["conversation_id"] or 0,
        turn_id=row["turn_id"],
        score=0.0,
        signals={},
        speaker=row["speaker"],
    )


def memories_of_turns(store: Store, turn_ids: Collection[int]) -> list[int]:
    """The memories made from these turns, derived ones included."""
    rows = store.read(
        f"SELECT id FROM memories WHERE turn_id IN ({','.join('?' * len(turn_ids))})",
        list(turn_ids),
    )
    return [int(row[0]) for row in rows]


def _message(row: Any) -> Message:
    return Message(
        id=row["id"],
        conversation_id=row["conversation_id"],
        turn_id=row["turn_id"],
        role=row["role"],
        text=row["text"],
        resolved_text=row["text"] if row["resolved_text"] is None else row["resolved_text"],
        created=from_text(row["created"]),
        speaker=row["speaker"],
        partial=bool(row["partial"]),
    )


def _conversation(row: Any) -> Conversation:
    return Conversation(
        id=row["id"],
        title=row["title"],
        created=from_text(row["created"]),
        last_used=from_text(row["last_used"]),
        n_turns=row["n_turns"],
    )


def _id(cursor: sqlite3.Cursor) -> int:
    """The id of the row just inserted."""
    assert cursor.lastrowid is not None
    return cursor.lastrowid
