"""Imported conversations go into the store as if they had been said here, on their own dates.

Idempotent: a conversation and a message keep the id of their source, and one that is there already is
skipped; a conversation that has grown gets what is new. Each conversation is one transaction, so an
import that is cut off is completed by running it again. Post-think jobs are queued as for a turn.
Knows the readers and the message rows; vectors come from whoever calls.
"""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from assistant.memory.import_formats import Imported, ImportedMessage
from assistant.memory.messages import (
    POST_THINK,
    insert_conversation,
    insert_message,
    insert_turn,
    title_of,
)
from assistant.memory.schema import Store, to_text
from assistant.records import EncodedText

# A message as something to record: its text, when it was said, the text before it.
Encode = Callable[[str, datetime, str], EncodedText]


@dataclass(slots=True)
class ImportReport:
    """What an import did."""

    n_conversations: int = 0
    n_messages: int = 0
    n_known: int = 0  # messages that were there already

    def add(self, other: "ImportReport") -> None:
        self.n_conversations += other.n_conversations
        self.n_messages += other.n_messages
        self.n_known += other.n_known


EmbedderRow = Callable[[sqlite3.Connection, EncodedText], int | None]


def import_conversation(
    store: Store,
    conversation: Imported,
    encode: Encode,
    embedder_row: EmbedderRow,
    now: datetime,
) -> ImportReport:
    """Record what is new of one conversation; an undated message is dated like the one before it."""
    new = _new_messages(store, conversation)
    report = ImportReport(n_known=len(conversation.messages) - len(new))
    if not new:
        return report
    dated = _dates(conversation, now)
    encoded = _encode_all(conversation, new, dated, encode)  # slow: before the write lock is taken
    with store.write() as connection:
        conversation_id, is_new = _conversation(connection, conversation, dated)
        turn_id = 0
        for message, text in zip(new, encoded, strict=True):
            said = dated[message.key]
            if message.role == "user" or not turn_id:
                turn_id = insert_turn(connection, conversation_id, said)
                _queue(connection, turn_id, said)
            insert_message(
                connection,
                text,
                said,
                turn_id=turn_id,
                role=message.role,
                speaker=message.speaker,
                source=message.key,
                embedder=embedder_row(connection, text),
            )
            if message.role == "assistant":
                turn_id = 0
        _renew_days(connection, {to_text(dated[m.key])[:10] for m in new})
    return ImportReport(int(is_new), len(new), report.n_known)


def _new_messages(store: Store, conversation: Imported) -> list[ImportedMessage]:
    known = {
        str(row[0])
        for message in conversation.messages
        for row in store.read("SELECT source FROM messages WHERE source = ?", (message.key,))
    }
    new: dict[str, ImportedMessage] = {}
    for message in conversation.messages:
        if message.key not in known:
            new.setdefault(message.key, message)
    return list(new.values())


def _dates(conversation: Imported, now: datetime) -> dict[str, datetime]:
    last = conversation.created or now
    dates = {}
    for message in conversation.messages:
        last = message.created or last
        dates[message.key] = last
    return dates


def _encode_all(
    conversation: Imported,
    new: Sequence[ImportedMessage],
    dated: dict[str, datetime],
    encode: Encode,
) -> list[EncodedText]:
    texts = [message.text for message in conversation.messages]
    before = dict(zip((m.key for m in conversation.messages), ["", *texts], strict=False))
    return [encode(m.text, dated[m.key], before[m.key]) for m in new]


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


def _queue(connection: sqlite3.Connection, turn_id: int, now: datetime) -> None:
    connection.execute("UPDATE turns SET finished = ? WHERE id = ?", (to_text(now), turn_id))
    connection.execute(
        "INSERT OR IGNORE INTO jobs (kind, turn_id, created) VALUES (?, ?, ?)",
        (POST_THINK, turn_id, to_text(now)),
    )


def _renew_days(connection: sqlite3.Connection, days: set[str]) -> None:
    """Days that were summarised without these messages are summarised anew when next idle."""
    connection.executemany(
        "DELETE FROM memories WHERE id IN"
        " (SELECT memory_id FROM summaries WHERE kind = 'day' AND day = ?)",
        [(day,) for day in days],
    )
