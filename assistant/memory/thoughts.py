"""Thoughts in the store: insert, merge, supersede, forget, link; each reversible, each in history.

Think-in-Memory (arXiv 2311.08719, section 3.2) names the operations. What differs here: nothing is
deleted or overwritten, a duplicate strengthens the old thought, and a newer thought supersedes an
older one only in the same single-valued slot or on the person's word; all else that disagrees is
linked as a possible conflict. Knows no writer and no model: a text, its source and a vector come in.

Functions that write take the connection of a running transaction (`Store.write`).
"""

import json
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from assistant.errors import InputError, NotFound
from assistant.memory.messages import insert_vector
from assistant.memory.relating import (
    Related,
    Statement,
    relate,
    relate_statements,
    ungrounded_words,
)
from assistant.memory.retention import INITIAL_STRENGTH_DAYS, reinforce
from assistant.memory.schema import from_text, to_text
from assistant.memory.sentences import content_words
from assistant.memory.slots import MAY_FILL, ends
from assistant.memory.thought_rows import (
    PERSON,
    Operation,
    apply_values,
    link,
    memory_of,
    read_row,
    record,
    thought_of,
)
from assistant.records import FloatArray, NewThought

N_CANDIDATES: Final = 60
N_QUERY_WORDS: Final = 8
N_SIMILAR: Final = 10  # links of one thought when it comes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a new thought: `thought_id` is the one that now says it."""

    operation: Operation
    thought_id: int
    memory_id: int
    other_id: int | None = None  # the thought it replaced


# ---- insert ----


def insert_thought(
    connection: sqlite3.Connection,
    new: NewThought,
    now: datetime,
    *,
    embedder: int | None = None,
    confirmed: bool = True,
) -> Outcome:
    """Store one thought: insert it, or strengthen the one that says the same, and link it.

    Raises InputError where a word of it is not in its source (a resolved date aside), or the source
    is not the person's own message; NotFound without a source.
    """
    source = _source(connection, new)
    if gone := _unwanted(connection, new):
        return gone
    related = _relate_all(connection, new)
    for same in related:
        if same.relation in ("equal", "within") and not _keeps_waiting(connection, same, new):
            return _strengthen(connection, same, new, now)
    memory_id = _insert_memory(connection, new, source, embedder, confirmed)
    thought_id = _insert_row(connection, new, memory_id, now, confirmed)
    outcome = Outcome("insert", thought_id, memory_id)
    record(connection, thought_id, "insert", now, new.writer, after={"state": "active"})
    if confirmed:
        outcome = _settle(connection, outcome, new, related, source, now)
    return outcome


def _keeps_waiting(connection: sqlite3.Connection, same: Related, new: NewThought) -> bool:
    """Whether the person adds what waits for their yes: then theirs is kept, in its place."""
    return new.writer == PERSON and not read_row(connection, same.thought_id)["confirmed"]


def _unwanted(connection: sqlite3.Connection, new: NewThought) -> Outcome | None:
    """The thought of the same message that the person forgot, where this one says no other: what was
    thought over again must not bring it back."""
    rows = connection.execute(
        "SELECT t.id, m.text, m.id AS memory_id FROM thoughts t JOIN memories m ON m.id = t.memory_id"
        " WHERE t.source_message_id = ? AND m.state = 'forgotten' AND t.writer <> ?"
        " AND (SELECT h.actor FROM thought_history h WHERE h.thought_id = t.id"
        " AND h.operation IN ('forget', 'undo') ORDER BY h.id DESC LIMIT 1) = ?",
        (new.source_message_id, PERSON, PERSON),
    ).fetchall()
    for row in rows:
        if relate(new.text, row["text"], row["id"]).relation in ("equal", "within", "contains"):
            return Outcome("forget", row["id"], row["memory_id"])
    return None


def is_source_hidden(connection: sqlite3.Connection, new: NewThought) -> bool:
    """Whether the message of a new thought was forgotten since, with its chat perhaps, or is of a
    branch that is not the chosen one."""
    row = connection.execute(
        "SELECT 1 FROM memories WHERE message_id = ? AND kind = 'message'"
        " AND state IN ('forgotten', 'superseded')",
        (new.source_message_id,),
    ).fetchone()
    return row is not None


def _source(connection: sqlite3.Connection, new: NewThought) -> Any:
    row = connection.execute(
        "SELECT * FROM messages WHERE id = ?", (new.source_message_id,)
    ).fetchone()
    if row is None:
        raise NotFound(f"There is no message {new.source_message_id}.")
    if row["role"] != "user":
        raise InputError("A thought can only be drawn from what the person said.")
    said = f"{row['text']}\n{row['resolved_text'] or ''}"
    if missing := ungrounded_words(new.text, said, loose=new.generated):
        raise InputError(f"The thought holds words its message lacks: {', '.join(missing)}.")
    return row


def _insert_memory(
    connection: sqlite3.Connection, new: NewThought, source: Any, embedder: int | None, found: bool
) -> int:
    cursor = connection.execute(
        "INSERT INTO memories (kind, text, searchable, role, speaker, conversation_id, turn_id,"
        " message_id, created, strength_days, importance)"
        " VALUES ('thought', ?, ?, 'user', ?, ?, ?, ?, ?, ?, ?)",
        (
            new.text,
            int(found),
            source["speaker"],
            source["conversation_id"],
            source["turn_id"],
            source["id"],
            source["created"],
            INITIAL_STRENGTH_DAYS,
            new.importance,
        ),
    )
    memory_id = int(cursor.lastrowid or 0)
    insert_vector(connection, memory_id, embedder, new.vector)
    return memory_id


def _insert_row(
    connection: sqlite3.Connection,
    new: NewThought,
    memory_id: int,
    now: datetime,
    confirmed: bool,
) -> int:
    cursor = connection.execute(
        "INSERT INTO thoughts (memory_id, source_message_id, subject, relation, object, label,"
        " event_time, confirmed, writer, writer_version, created)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            memory_id,
            new.source_message_id,
            *(new.slot or (None, None, None)),
            new.label,
            to_text(new.event_time) if new.event_time else None,
            int(confirmed),
            new.writer,
            new.writer_version,
            to_text(now),
        ),
    )
    return int(cursor.lastrowid or 0)


def restore_thought(
    connection: sqlite3.Connection,
    row: dict[str, Any],
    source: Any,
    vector: FloatArray | None,
    embedder: int | None,
    came: Collection[int],
) -> int | None:
    """A thought as `transfer.export` gave it, with its state; its new id. None where its message has
    it already, whatever became of it since; not counting those that `came` with it (one that was
    rebuilt is there twice). It was grounded when it was made, or the person's own."""
    text, said = str(row["text"]), str(row["created"])
    known = connection.execute(
        "SELECT 1 FROM thoughts t JOIN memories m ON m.id = t.memory_id"
        " WHERE t.source_message_id = ? AND m.text = ?"
        " AND t.id NOT IN (SELECT value FROM json_each(?))",
        (source["id"], text, json.dumps(list(came))),
    ).fetchone()
    if known:
        return None
    slot = tuple(row.get(name) for name in ("subject", "relation", "object"))
    new = NewThought(
        text,
        source["id"],
        str(row.get("writer") or PERSON),
        str(row.get("writer_version") or "1"),
        row.get("label") or "fact",
        slot=slot if all(slot) else None,  # type: ignore[arg-type]  # all three are text then
        event_time=from_text(row["event_time"]) if row.get("event_time") else None,
        importance=float(row.get("importance") or 0),
        vector=vector,
    )
    confirmed = bool(row.get("confirmed", 1))
    memory_id = _insert_memory(connection, new, source, embedder, confirmed)
    thought_id = _insert_row(connection, new, memory_id, from_text(said), confirmed)
    connection.execute(
        "UPDATE memories SET state = ?, pinned = ?, strength_days = ? WHERE id = ?",
        (
            row.get("state") or "active",
            int(bool(row.get("pinned"))),
            float(row.get("strength_days") or INITIAL_STRENGTH_DAYS),
            memory_id,
        ),
    )
    record(connection, thought_id, "insert", from_text(said), new.writer, "imported")
    return thought_id


def _relate_all(connection: sqlite3.Connection, new: NewThought) -> list[Related]:
    said = Statement(new.text)
    found = _candidates(connection, new)
    return [relate_statements(said, Statement(text), old) for old, text in found]


def _candidates(connection: sqlite3.Connection, new: NewThought) -> list[tuple[int, str]]:
    """Thoughts that may say the same or the opposite: (thought id, text), by shared words."""
    wanted = sorted(content_words(new.text), key=lambda word: (-len(word), word))[:N_QUERY_WORDS]
    query = " OR ".join(f'"{word}"' for word in wanted)
    rows = connection.execute(
        "SELECT t.id, m.text FROM thoughts t JOIN memories m ON m.id = t.memory_id"
        " WHERE t.confirmed = 0 AND m.state = 'active' AND m.text = ?",
        (new.text,),
    ).fetchall()
    if query:
        rows += connection.execute(
            "SELECT t.id, m.text FROM memories_fts f JOIN memories m ON m.id = f.rowid"
            " JOIN thoughts t ON t.memory_id = m.id"
            " WHERE memories_fts MATCH ? AND m.state = 'active' ORDER BY bm25(memories_fts)"
            " LIMIT ?",
            (query, N_CANDIDATES),
        ).fetchall()
    if new.slot:
        rows += connection.execute(
            "SELECT t.id, m.text FROM thoughts t JOIN memories m ON m.id = t.memory_id"
            " WHERE t.subject = ? AND t.relation IN (?, ?) AND m.state = 'active' AND t.confirmed = 1",
            (*new.slot[:2], MAY_FILL.get(new.slot[1])),
        ).fetchall()
    return list({int(row[0]): (int(row[0]), str(row[1])) for row in rows}.values())


def _strengthen(
    connection: sqlite3.Connection, same: Related, new: NewThought, now: datetime
) -> Outcome:
    memory_id = memory_of(connection, same.thought_id)
    reason = f"said again in message {new.source_message_id}"
    strengthen(connection, memory_id, now, new.writer, reason)
    return Outcome("reinforce", same.thought_id, memory_id)


def _settle(
    connection: sqlite3.Connection,
    outcome: Outcome,
    new: NewThought,
    related: list[Related],
    source: Any,
    now: datetime,
) -> Outcome:
    """Replace what the new thought replaces, and link it to what it touches: of the many that are
    only similar to the N_SIMILAR nearest, as A-MEM does (arXiv 2502.12110, section 3.2)."""
    similar = sorted(
        (r for r in related if r.relation == "similar"), key=lambda r: (-r.weight, -r.thought_id)
    )
    far = {other.thought_id for other in similar[N_SIMILAR:]}
    for other in related:
        if other.thought_id in far:
            other = replace(other, relation="unrelated")  # it may fill the same slot all the same
        if other.relation in ("contains", "equal"):  # the fuller one stands for the shorter one
            is_same = other.relation == "equal"
            reason = "the person said it" if is_same else "the newer thought says this and more"
            supersede(
                connection, other.thought_id, outcome.thought_id, now, new.writer, reason, "merge"
            )
            outcome = Outcome("merge", outcome.thought_id, outcome.memory_id, other.thought_id)
            continue
        outcome = _settle_slot(connection, outcome, new, other, source, now)
    return outcome


def _settle_slot(
    connection: sqlite3.Connection,
    outcome: Outcome,
    new: NewThought,
    other: Related,
    source: Any,
    now: datetime,
) -> Outcome:
    old = read_row(connection, other.thought_id)
    slot = new.slot
    same_slot = slot is not None and (old["subject"], old["relation"]) == slot[:2]
    differs = slot is not None and str(old["object"]).casefold() != slot[2].casefold()
    if slot and same_slot:
        values, said = (old["object"], slot[2]), new.text
        ids = (other.thought_id, outcome.thought_id)
        if old["said"] > source["created"]:  # an import may bring the older statement later
            values, ids, said = values[::-1], ids[::-1], old["text"]
        if ends(slot[1], *values, said):
            reason = f"another value of {slot[0]}: {slot[1]}"
            supersede(connection, *ids, now, new.writer, reason)
            return Outcome("supersede", outcome.thought_id, outcome.memory_id, other.thought_id)
    kind, reason = other.relation, other.reason
    if same_slot and differs and kind == "unrelated" and slot and slot[1] in ("job", "employer"):
        kind, reason = "conflict", f"two values of {slot[1]}"
    elif slot and differs and (old["subject"], old["relation"]) == (slot[0], MAY_FILL.get(slot[1])):
        kind, reason = "conflict", f"may be another value of {old['relation']}"
    if kind in ("conflict", "caused", "similar"):
        link(connection, old["memory_id"], outcome.memory_id, kind, reason, other.weight, now)
    return outcome


# ---- operations on stored thoughts ----


def supersede(
    connection: sqlite3.Connection,
    old_id: int,
    new_id: int,
    now: datetime,
    actor: str,
    reason: str,
    operation: Operation = "supersede",
) -> None:
    """Let `new_id` stand for `old_id`; both stay, dated, and are linked."""
    old = read_row(connection, old_id)
    before = {"state": old["state"], "superseded_by": old["superseded_by"]}
    after = {"state": "superseded", "superseded_by": new_id}
    apply_values(connection, old, after)
    record(connection, old_id, operation, now, actor, reason, before, after)
    new_memory = memory_of(connection, new_id)
    link(connection, old["memory_id"], new_memory, "refines", reason, 1.0, now)


def forget_thought(
    connection: sqlite3.Connection, thought_id: int, now: datetime, actor: str, reason: str = ""
) -> None:
    """Hide a thought from recall; its row stays."""
    row = read_row(connection, thought_id)
    apply_values(connection, row, {"state": "forgotten"})
    before, after = {"state": row["state"]}, {"state": "forgotten"}
    record(connection, thought_id, "forget", now, actor, reason, before, after)


def strengthen(
    connection: sqlite3.Connection, memory_id: int, now: datetime, actor: str, reason: str
) -> None:
    """Count one use of any memory, after `retention.reinforce`, which wakes a faded one; a thought's
    is in its history."""
    row = connection.execute("SELECT * FROM memories WHERE id = ?", (memory_id,)).fetchone()
    if row is None:
        return  # erased since it was given
    since = from_text(row["last_used"] or row["created"])
    elapsed_days = (now - since).total_seconds() / 86400
    after = {
        "strength_days": reinforce(
            row["strength_days"], elapsed_days, importance=row["importance"]
        ),
        "last_used": to_text(max(now, since)),
        "use_count": row["use_count"] + 1,
    }
    before = {name: row[name] for name in after}
    connection.execute(
        "UPDATE memories SET strength_days = :strength_days, last_used = :last_used,"
        " use_count = :use_count, state = CASE state WHEN 'faded' THEN 'active' ELSE state END"
        " WHERE id = :id",
        {**after, "id": memory_id},
    )
    if row["kind"] == "thought":
        thought_id = thought_of(connection, memory_id)
        record(connection, thought_id, "reinforce", now, actor, reason, before, after)


def edit_thought(
    connection: sqlite3.Connection,
    thought_id: int,
    text: str,
    now: datetime,
    *,
    slot: tuple[str, str, str] | None = None,
    vector: FloatArray | None = None,
    embedder: int | None = None,
) -> Outcome:
    """The person's own wording, as a new version that supersedes the old one (A-MEM's evolution,
    arXiv 2502.12110, section 3.3, but never as an overwrite)."""
    if not text.strip():
        raise InputError("The thought is empty.", "Write something, or forget it.")
    row = read_row(connection, thought_id)
    source = connection.execute(
        "SELECT * FROM messages WHERE id = ?", (row["source_message_id"],)
    ).fetchone()
    new = NewThought(
        text.strip(),
        source["id"],
        PERSON,
        "1",
        row["label"],
        slot=slot,
        importance=row["importance"],
        vector=vector,
    )
    memory_id = _insert_memory(connection, new, source, embedder, True)
    new_id = _insert_row(connection, new, memory_id, now, True)
    connection.execute(  # other words, the same memory: pinned as before, and as strong
        "UPDATE memories SET (pinned, strength_days, last_used, use_count) ="
        " (SELECT pinned, strength_days, last_used, use_count FROM memories WHERE id = ?)"
        " WHERE id = ?",
        (row["memory_id"], memory_id),
    )
    reason = f"edit of {thought_id}"
    record(connection, new_id, "insert", now, PERSON, reason, after={"state": "active"})
    supersede(connection, thought_id, new_id, now, PERSON, "edited", "edit")
    if slot:
        _fill_slot(connection, new_id, slot, text, now)
    return Outcome("edit", new_id, memory_id, thought_id)


def _fill_slot(
    connection: sqlite3.Connection,
    thought_id: int,
    slot: tuple[str, str, str],
    text: str,
    now: datetime,
) -> None:
    """What the person writes now ends another value of its single-valued slot."""
    others = connection.execute(
        "SELECT t.id, t.object FROM thoughts t JOIN memories m ON m.id = t.memory_id"
        " WHERE t.subject = ? AND t.relation = ? AND m.state = 'active' AND t.confirmed = 1"
        " AND t.id <> ?",
        (*slot[:2], thought_id),
    ).fetchall()
    for other in others:
        if ends(slot[1], other["object"], slot[2], text):
            reason = f"another value of {slot[0]}: {slot[1]}"
            supersede(connection, other["id"], thought_id, now, PERSON, reason)


def merge_thoughts(
    connection: sqlite3.Connection, into: Outcome, thought_ids: list[int], now: datetime
) -> None:
    """Let the thought of `into` stand for all of these, on the person's word; pinned if one was."""
    for thought_id in thought_ids:
        supersede(connection, thought_id, into.thought_id, now, PERSON, "merged", "merge")
    connection.execute(
        "UPDATE memories SET pinned = max(pinned, (SELECT coalesce(max(m.pinned), 0) FROM memories m"
        " JOIN thoughts t ON t.memory_id = m.id WHERE t.superseded_by = ?)) WHERE id = ?",
        (into.thought_id, into.memory_id),
    )


def confirm_thought(connection: sqlite3.Connection, thought_id: int, now: datetime) -> None:
    """Mode `ask`: the person said yes, so the thought can be recalled from now on, replaces what it
    replaces and is linked. One that is kept already stays as it is, and so does one that is hidden."""
    row = read_row(connection, thought_id)
    if row["confirmed"] or row["state"] not in ("active", "faded"):
        return
    before, after = {"confirmed": row["confirmed"]}, {"confirmed": 1}
    apply_values(connection, row, after)
    record(connection, thought_id, "keep", now, PERSON, "confirmed", before, after)
    source = connection.execute(
        "SELECT * FROM messages WHERE id = ?", (row["source_message_id"],)
    ).fetchone()
    slot = (row["subject"], row["relation"], row["object"])
    new = NewThought(
        row["text"], source["id"], PERSON, "1", row["label"], slot=slot if all(slot) else None
    )
    related = [r for r in _relate_all(connection, new) if r.thought_id != thought_id]
    _settle(connection, Outcome("keep", thought_id, row["memory_id"]), new, related, source, now)
