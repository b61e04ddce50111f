"""What the person did by hand and how it is taken back: forget, pin, edit, merge, add, a decision.

The journal (table `operations`) holds memory ids and the states they go back to, never text. Knows
rows and the operations on thoughts, no model.

Functions take the connection of a running transaction (`Store.write`).
"""

import json
import sqlite3
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from assistant.errors import NotFound
from assistant.memory import summaries
from assistant.memory.messages import follow_branches
from assistant.memory.schema import to_text
from assistant.memory.slots import ends
from assistant.memory.thought_rows import PERSON, Operation, apply_values, read_row, record
from assistant.memory.thoughts import Outcome, supersede


def enter(
    connection: sqlite3.Connection,
    kind: str,
    now: datetime,
    before: list[tuple[int, str]],
    conversation_id: int | None = None,
) -> None:
    """Enter an act of the person's into the undo journal, as `Memory.undo` reads it. A conversation
    is the one that came with an addition, and goes with it, or that was deleted."""
    connection.execute(
        "INSERT INTO operations (kind, at, before, conversation_id) VALUES (?, ?, ?, ?)",
        (kind, to_text(now), json.dumps(before), conversation_id),
    )


def undone_add(
    connection: sqlite3.Connection, message_id: int, outcome: Outcome
) -> list[tuple[int, str]]:
    """The states that undo an `add`: what came is hidden, what it replaced is back."""
    came = connection.execute(
        "SELECT id FROM memories WHERE message_id = ? AND (kind <> 'thought' OR id = ?)",
        (message_id, outcome.memory_id),
    )
    states = [(int(row[0]), "forgotten") for row in came]
    replaced = connection.execute(
        "SELECT memory_id FROM thoughts WHERE superseded_by = ?", (outcome.thought_id,)
    )
    known = outcome.operation == "reinforce"  # what is said again was there, and what it replaced
    return states + [(int(row[0]), "active") for row in replaced if not known]


def states_of(connection: sqlite3.Connection, memory_ids: Collection[int]) -> dict[int, str]:
    """The state of each memory, by id."""
    marks = ",".join("?" * len(memory_ids))
    rows = connection.execute(
        f"SELECT id, state FROM memories WHERE id IN ({marks})", [*memory_ids]
    )
    found = {int(row[0]): str(row[1]) for row in rows}
    return {memory_id: found[memory_id] for memory_id in memory_ids if memory_id in found}


def undone(
    connection: sqlite3.Connection, states: dict[int, str], outcome: Outcome
) -> list[tuple[int, str]]:
    """The states that undo an edit or a merge: `states` are those of before; a new version is hidden,
    and what it replaced besides is back."""
    if outcome.memory_id in states:
        return list(states.items())
    replaced = connection.execute(
        "SELECT memory_id FROM thoughts WHERE superseded_by = ?", (outcome.thought_id,)
    ).fetchall()
    others = [(int(row[0]), "active") for row in replaced if row[0] not in states]
    return [*states.items(), (outcome.memory_id, "forgotten"), *others]


def hide(
    connection: sqlite3.Connection, memory_id: int, state: str, now: datetime, kind: str
) -> None:
    """The person hides a memory of any kind; a thought's history says so."""
    connection.execute("UPDATE memories SET state = 'forgotten' WHERE id = ?", (memory_id,))
    reason = "" if kind == "forget" else kind
    before, after = {"state": state}, {"state": "forgotten"}
    _record_of_memory(connection, memory_id, "forget", now, reason, before, after)


def hide_as_its_place(connection: sqlite3.Connection, message_id: int) -> None:
    """A message that comes when its branch was replaced, or its chat deleted, is hidden with it; what
    brings the chat back brings the message back."""
    rows = connection.execute(
        "SELECT m.id, m.conversation_id FROM memories m JOIN conversations c"
        " ON c.id = m.conversation_id AND c.hidden = 1 WHERE m.message_id = ?",
        (message_id,),
    ).fetchall()
    for row in rows:
        connection.execute("UPDATE memories SET state = 'forgotten' WHERE id = ?", (row["id"],))
        connection.execute(
            "UPDATE operations SET before = json_insert(before, '$[#]', json_array(?, 'active'))"
            " WHERE kind = 'delete' AND conversation_id = ? AND undone IS NULL",
            (row["id"], row["conversation_id"]),
        )
    replaced = connection.execute(
        "SELECT m.id FROM memories m JOIN turns t ON t.id = m.turn_id AND t.active = 0"
        " WHERE m.message_id = ?",
        (message_id,),
    ).fetchall()
    if replaced and not rows:
        follow_branches(connection, [row[0] for row in replaced])


def pin(
    connection: sqlite3.Connection, memory_ids: Collection[int], pinned: bool, now: datetime
) -> None:
    """The person pins memories, or unpins them. Raises NotFound, and changes nothing then."""
    marks = ",".join("?" * len(memory_ids))
    found = connection.execute(
        f"SELECT id, state, pinned FROM memories WHERE id IN ({marks})", [*memory_ids]
    ).fetchall()
    if unknown := set(memory_ids) - {row["id"] for row in found}:
        raise NotFound(f"There is no memory {min(unknown)}.", "Run `assistant memory list`.")
    changed = [(int(row["id"]), str(row["state"])) for row in found if row["pinned"] != pinned]
    if not changed:
        return  # nothing happens, so there is nothing to undo
    before, after = {"pinned": int(not pinned)}, {"pinned": int(pinned)}
    for memory_id, _ in changed:
        connection.execute("UPDATE memories SET pinned = ? WHERE id = ?", (int(pinned), memory_id))
        _record_of_memory(connection, memory_id, "pin", now, "", before, after)
    enter(connection, "pin" if pinned else "unpin", now, changed)


def take_back(
    connection: sqlite3.Connection, kind: str, before: list[tuple[int, str]], now: datetime
) -> None:
    """Undo one entry of the person's journal: what it did to these memories, whose states it holds."""
    ids = [memory_id for memory_id, _ in before]
    if kind in ("pin", "unpin"):
        pinned = int(kind == "unpin")
        for memory_id in ids:
            connection.execute("UPDATE memories SET pinned = ? WHERE id = ?", (pinned, memory_id))
            was, becomes = {"pinned": 1 - pinned}, {"pinned": pinned}
            _record_of_memory(connection, memory_id, "undo", now, kind, was, becomes)
        return
    if kind == "keep both":
        connection.execute(
            "UPDATE links SET resolution = NULL, resolved = NULL WHERE kind = 'conflict'"
            " AND resolution = 'both' AND from_memory IN (?, ?) AND to_memory IN (?, ?)",
            (*ids, *ids),
        )
        return
    for memory_id, state in before:
        _put_back(connection, memory_id, state, now, kind)
    _reopen(connection, ids)
    hidden = [memory_id for memory_id, state in before if state == "forgotten"]
    summaries.forget_sources(connection, hidden, now)
    follow_branches(connection, ids)
    give_way(connection, [memory_id for memory_id, state in before if state != "forgotten"], now)


def show_conversation(connection: sqlite3.Connection, conversation_id: int, kind: str) -> None:
    """What was deleted is a conversation again; what came with an addition is none any more, unless
    the person talked on in it."""
    connection.execute(
        "UPDATE conversations SET hidden = ?1 = 'add' WHERE id = ?2 AND (?1 <> 'add' OR"
        " (SELECT count(*) FROM turns WHERE conversation_id = ?2) = 1)",
        (kind, conversation_id),
    )


def revert(connection: sqlite3.Connection, history_id: int, now: datetime) -> int:
    """Undo one operation of a thought's history; returns the thought. Raises NotFound."""
    entry = connection.execute(
        "SELECT * FROM thought_history WHERE id = ?", (history_id,)
    ).fetchone()
    if entry is None:
        raise NotFound(
            f"There is no history entry {history_id}.",
            "Run `assistant memory history ID` for those of a thought.",
        )
    thought_id = int(entry["thought_id"])
    row = read_row(connection, thought_id)
    before = json.loads(entry["before"]) if entry["before"] else {"state": "forgotten"}
    if "state" in before:
        before["superseded_by"] = _successor(connection, thought_id, before)
    current = {name: row[name] for name in before}
    apply_values(connection, row, before)
    reason = f"of {entry['operation']} {history_id}"
    record(connection, thought_id, "undo", now, PERSON, reason, current, before)
    if before.get("state") == "forgotten" or before.get("confirmed") == 0:
        summaries.forget_sources(connection, [row["memory_id"]], now)
    follow_branches(connection, [row["memory_id"]])
    if entry["operation"] == "forget":  # another value may have come meanwhile
        give_way(connection, [row["memory_id"]], now)
    return thought_id


def _successor(
    connection: sqlite3.Connection, thought_id: int, before: dict[str, Any]
) -> int | None:
    """What stands for a thought in the state it goes back to: nothing where it is recalled again, was
    erased since, or is itself replaced by this one by now."""
    wanted = before.get("superseded_by")
    if before["state"] != "superseded" or wanted is None:
        return None
    chain = connection.execute(
        "WITH RECURSIVE later (id) AS (SELECT id FROM thoughts WHERE id = ? UNION"
        " SELECT t.superseded_by FROM later l JOIN thoughts t ON t.id = l.id"
        " WHERE t.superseded_by IS NOT NULL) SELECT id FROM later",
        (wanted,),
    ).fetchall()
    ids = {row[0] for row in chain}
    return None if not ids or thought_id in ids else int(wanted)


def _put_back(
    connection: sqlite3.Connection, memory_id: int, state: str, now: datetime, kind: str
) -> None:
    """A memory as it was. One that was superseded before has been edited or merged since: what stood
    for it then stands for it again."""
    row = connection.execute(
        "SELECT m.state, t.id AS thought_id, t.superseded_by FROM memories m"
        " LEFT JOIN thoughts t ON t.memory_id = m.id WHERE m.id = ?",
        (memory_id,),
    ).fetchone()
    if row is None:
        return  # erased since
    connection.execute("UPDATE memories SET state = ? WHERE id = ?", (state, memory_id))
    if row["thought_id"] is None:
        return
    if state == "superseded" and kind in ("edit", "merge"):
        connection.execute(
            "UPDATE thoughts SET superseded_by = (SELECT o.id FROM thought_history h JOIN thoughts o"
            " ON o.id = json_extract(h.before, '$.superseded_by') WHERE h.thought_id = ?1"
            " AND h.operation IN ('edit', 'merge') ORDER BY h.id DESC LIMIT 1) WHERE id = ?1",
            (row["thought_id"],),
        )
    was = {"state": row["state"], "superseded_by": row["superseded_by"]}
    record(connection, row["thought_id"], "undo", now, PERSON, kind, was, {"state": state})


def _reopen(connection: sqlite3.Connection, memory_ids: list[int]) -> None:
    """No thought that is recalled again stays superseded; a conflict it lost is open again."""
    for memory_id in memory_ids:
        changed = connection.execute(
            "UPDATE thoughts SET superseded_by = NULL WHERE memory_id = ? AND EXISTS"
            " (SELECT 1 FROM memories m WHERE m.id = memory_id AND m.state IN ('active', 'faded'))",
            (memory_id,),
        )
        if changed.rowcount:
            connection.execute(
                "UPDATE links SET resolution = NULL, resolved = NULL WHERE kind = 'conflict'"
                " AND resolution IN ('a', 'b') AND ? IN (from_memory, to_memory)",
                (memory_id,),
            )


def give_way(connection: sqlite3.Connection, memory_ids: Iterable[int], now: datetime) -> None:
    """Thoughts that come back do not stand beside a later value of their single-valued slot, said
    while they were hidden."""
    for memory_id in memory_ids:
        later = connection.execute(
            "SELECT t.id AS id, t.relation, t.object, n.id AS later, n.object AS value, o.text"
            " FROM thoughts t JOIN thoughts n ON n.subject = t.subject AND n.relation = t.relation"
            " JOIN memories m ON m.id = t.memory_id JOIN memories o ON o.id = n.memory_id"
            " WHERE t.memory_id = ? AND t.confirmed = 1 AND m.state = 'active' AND n.confirmed = 1"
            " AND o.state = 'active' AND n.id > t.id ORDER BY n.id DESC",
            (memory_id,),
        ).fetchall()
        for row in later:
            if ends(row["relation"], row["object"], row["value"], row["text"]):
                reason = f"another value of {row['relation']}"
                supersede(connection, row["id"], row["later"], now, PERSON, reason)
                break


def _record_of_memory(
    connection: sqlite3.Connection,
    memory_id: int,
    operation: Operation,
    now: datetime,
    reason: str,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
) -> None:
    """A line of history where the memory is a thought."""
    row = connection.execute("SELECT id FROM thoughts WHERE memory_id = ?", (memory_id,)).fetchone()
    if row is not None:
        record(connection, row[0], operation, now, PERSON, reason, before, after)
