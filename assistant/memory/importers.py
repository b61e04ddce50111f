"""Imported conversations go into the store as if they had been said here, on their own dates.

Idempotent: a conversation and a message keep the id of their source, and one that is there already is
skipped; a conversation that has grown gets what is new. Each conversation, and each stretch of a long
one, is one transaction, so an import that is cut off is completed by running it again. Post-think jobs are queued as for a turn.
Knows the readers and the message rows; vectors come from whoever calls.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from assistant.memory.import_chats import Imported, ImportedMessage
from assistant.memory.messages import (
    POST_THINK,
    choose_branch,
    follow_branches,
    insert_conversation,
    insert_message,
    insert_turn,
    title_of,
)
from assistant.memory.schema import Store, to_text
from assistant.memory.slots import ends
from assistant.memory.summaries import renew_days
from assistant.memory.thought_rows import read_row
from assistant.memory.thoughts import restore_thought, supersede
from assistant.records import EncodedText

STRETCH: Final = 200  # messages of one transaction; with their vectors a few megabytes
# A message as something to record: its text, when it was said, the text before it.
Encode = Callable[[str, datetime, str], EncodedText]


@dataclass(slots=True)
class ImportReport:
    """What an import did."""

    n_conversations: int = 0
    n_messages: int = 0
    n_known: int = 0  # messages that were there already
    thought_ids: dict[Any, int] = field(default_factory=dict)  # of our own export: theirs to ours

    @property
    def n_thoughts(self) -> int:
        return len(self.thought_ids)

    def add(self, other: "ImportReport") -> None:
        self.n_conversations += other.n_conversations
        self.n_messages += other.n_messages
        self.n_known += other.n_known
        self.thought_ids |= other.thought_ids


EmbedderRow = Callable[[sqlite3.Connection, EncodedText], int | None]


def import_conversation(
    store: Store,
    conversation: Imported,
    encode: Encode,
    embedder_row: EmbedderRow,
    now: datetime,
    on_messages: Callable[[int], None] = lambda n: None,
) -> ImportReport:
    """Record what is new of one conversation; an undated message is dated like the one before it.

    `on_messages` is told of each message that is done with, or of several at once.
    """
    new = _new_messages(store, conversation)
    report = ImportReport(n_known=len(conversation.messages) - len(new))
    if report.n_known:
        on_messages(report.n_known)
    dated = _dates(conversation, now)
    before = _texts_before(conversation)
    for stretch in _stretches(new):
        encoded = {}
        for message in stretch:  # slow: before the write lock is taken
            encoded[message] = encode(message.text, dated[message.key], before[message.key])
            on_messages(1)
        with store.write() as connection:
            report.n_conversations += _insert_new(
                connection, conversation, encoded, dated, embedder_row
            )
        report.n_messages += len(stretch)
    if conversation.thoughts:
        worded = [encode(str(row.get("text")), now, "") for _, row in conversation.thoughts]
        with store.write() as connection:
            report.thought_ids = _insert_thoughts(connection, conversation, worded, embedder_row)
    return report


def _stretches(messages: Sequence[ImportedMessage]) -> Iterator[list[ImportedMessage]]:
    """At least STRETCH messages each but the last, and none that tears a turn."""
    stretch: list[ImportedMessage] = []
    for message in messages:
        if len(stretch) >= STRETCH and message.role == "user":
            yield stretch
            stretch = []
        stretch.append(message)
    if stretch:
        yield stretch


def _texts_before(conversation: Imported) -> dict[str, str]:
    """The text before each message, by key."""
    texts = [message.text for message in conversation.messages]
    return dict(zip((m.key for m in conversation.messages), ["", *texts], strict=False))


def _insert_new(
    connection: sqlite3.Connection,
    conversation: Imported,
    new: dict[ImportedMessage, EncodedText],
    dated: dict[str, datetime],
    embedder_row: EmbedderRow,
) -> int:
    """The messages that are new, in turns; 1 where the conversation is new too, else 0."""
    conversation_id, is_new = _conversation(connection, conversation, dated)
    turn_id = 0
    for message, text in new.items():
        said = dated[message.key]
        other: Any = None
        if message.role == "user" or not turn_id:
            other = _other_branch(connection, conversation, message)
            turn_id = insert_turn(connection, conversation_id, said, other and other["id"])
            _finish(connection, turn_id, said, queued=not conversation.is_own)
        message_id = insert_message(
            connection,
            text,
            said,
            turn_id=turn_id,
            role=message.role,
            speaker=message.speaker,
            source=message.key,
            embedder=embedder_row(connection, text),
        )
        _hide_again(connection, message, message_id, turn_id, other)
        if message.role == "assistant":
            turn_id = 0
    renew_days(connection, {to_text(dated[m.key])[:10] for m in new})
    return int(is_new)


def _other_branch(
    connection: sqlite3.Connection, conversation: Imported, message: ImportedMessage
) -> Any:
    """A turn that is here already and that this message is another branch of: id and active."""
    if message.turn is None:
        return None
    keys = [other.key for other in conversation.messages if other.turn == message.turn]
    return connection.execute(
        "SELECT t.id, t.active FROM messages m JOIN turns t ON t.id = m.turn_id"
        " WHERE m.source IN (SELECT value FROM json_each(?)) ORDER BY t.active DESC LIMIT 1",
        (json.dumps(keys),),
    ).fetchone()


def _hide_again(
    connection: sqlite3.Connection,
    message: ImportedMessage,
    message_id: int,
    turn_id: int,
    other: Any,
) -> None:
    """What was forgotten, or of a branch that was not chosen, is as it was; `other` is a branch as it
    was before this one came."""
    if not message.is_chosen:
        if other is not None and other["active"]:
            choose_branch(connection, other["id"])
        else:
            connection.execute("UPDATE turns SET active = 0 WHERE id = ?", (turn_id,))
        came = connection.execute("SELECT id FROM memories WHERE message_id = ?", (message_id,))
        follow_branches(connection, [row[0] for row in came.fetchall()])
    if message.is_forgotten:
        connection.execute(
            "UPDATE memories SET state = 'forgotten' WHERE message_id = ?", (message_id,)
        )


def _insert_thoughts(
    connection: sqlite3.Connection,
    conversation: Imported,
    worded: Sequence[EncodedText],
    embedder_row: EmbedderRow,
) -> dict[Any, int]:
    """The thoughts of our own export as they were, edits, states and pins with them; one that is
    there already is left as it is. The new ids by the exported ones."""
    ids: dict[Any, int] = {}
    for (key, row), text in zip(conversation.thoughts, worded, strict=True):
        source = connection.execute("SELECT * FROM messages WHERE source = ?", (key,)).fetchone()
        if source is not None:
            embedder = embedder_row(connection, text)
            new_id = restore_thought(connection, row, source, text.vector, embedder, ids.values())
            if new_id is not None:
                ids[row.get("id")] = new_id
    return ids


def relate_thoughts(
    store: Store, conversations: Sequence[Imported], thought_ids: dict[Any, int], now: datetime
) -> None:
    """Say again which imported thought stands for which, once all of them are there; of a slot that
    the store has another value of, the one that was said later holds."""
    pairs = [
        (thought_ids[row["superseded_by"]], thought_ids[row["id"]])
        for conversation in conversations
        for _, row in conversation.thoughts
        if "superseded_by" in row and {row.get("id"), row["superseded_by"]} <= thought_ids.keys()
    ]
    if thought_ids:
        with store.write() as connection:
            connection.executemany("UPDATE thoughts SET superseded_by = ? WHERE id = ?", pairs)
            _settle_imported(connection, list(thought_ids.values()), now)


def _settle_imported(connection: sqlite3.Connection, thought_ids: list[int], now: datetime) -> None:
    """Imported thoughts and those that were here are not two values of a single-valued slot: of two
    that cannot both hold, the one that was said later does."""
    came = json.dumps(thought_ids)
    rows = connection.execute(
        "SELECT t.id, t.relation, t.object, m.created, m.text, o.id AS other, o.object AS value,"
        " k.created AS said, k.text AS worded FROM thoughts t JOIN memories m ON m.id = t.memory_id"
        " JOIN thoughts o ON o.subject = t.subject AND o.relation = t.relation"
        " JOIN memories k ON k.id = o.memory_id"
        " WHERE t.id IN (SELECT value FROM json_each(?1)) AND o.id NOT IN"
        " (SELECT value FROM json_each(?1)) AND m.state = 'active' AND k.state = 'active'"
        " AND t.confirmed = 1 AND o.confirmed = 1 ORDER BY t.id, o.id",
        (came,),
    ).fetchall()
    for row in rows:
        values, ids, said = (row["value"], row["object"]), (row["other"], row["id"]), row["text"]
        if row["said"] > row["created"]:
            values, ids, said = values[::-1], ids[::-1], row["worded"]
        both = [read_row(connection, thought_id)["state"] for thought_id in ids]
        if both == ["active", "active"] and ends(row["relation"], *values, said):
            reason = f"another value of {row['relation']}"
            supersede(connection, *ids, now, "import", reason)


def _new_messages(store: Store, conversation: Imported) -> list[ImportedMessage]:
    own = f"jsonl:{store.meta('store')}:"  # of an export of this very store: still here, perhaps
    known = {
        message.key
        for message in conversation.messages
        if store.read(
            "SELECT 1 FROM messages WHERE source = ? OR (id = ? AND text = ?)",
            (message.key, _number_after(own, message.key), message.text),
        )
    }
    new: dict[str, ImportedMessage] = {}
    for message in conversation.messages:
        if message.key not in known:
            new.setdefault(message.key, message)
    return list(new.values())


def _number_after(prefix: str, key: str) -> int | None:
    number = key.removeprefix(prefix)
    return int(number) if key.startswith(prefix) and number.isdigit() else None


def _dates(conversation: Imported, now: datetime) -> dict[str, datetime]:
    last = conversation.created or now
    dates = {}
    for message in conversation.messages:
        last = message.created or last
        dates[message.key] = last
    return dates


def _conversation(
    connection: sqlite3.Connection, conversation: Imported, dated: dict[str, datetime]
) -> tuple[int, bool]:
    row = connection.execute(
        "SELECT id FROM conversations WHERE source = ?", (conversation.key,)
    ).fetchone()
    if row is not None:
        return int(row[0]), False
    first = conversation.messages[0]
    title = title_of(conversation.title or first.text)
    created = conversation.created or dated[first.key]
    return insert_conversation(connection, title, created, conversation.key), True


def _finish(connection: sqlite3.Connection, turn_id: int, now: datetime, *, queued: bool) -> None:
    connection.execute("UPDATE turns SET finished = ? WHERE id = ?", (to_text(now), turn_id))
    if not queued:
        return
    connection.execute(
        "INSERT OR IGNORE INTO jobs (kind, turn_id, created) VALUES (?, ?, ?)",
        (POST_THINK, turn_id, to_text(now)),
    )
