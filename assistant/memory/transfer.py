"""The whole store in and out: restoring a backup, exporting as JSON, changing the embedder.

Knows files and rows; knows no model: `reindex` hands out texts and takes vectors.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from assistant.errors import NotFound, StoreCorrupt, StoreError
from assistant.memory.browse import check_integrity
from assistant.memory.messages import embedder_row, insert_vector
from assistant.memory.schema import Store, renew_generation
from assistant.memory.vectors import CONTEXT_VIEW, TEXT_VIEW
from assistant.paths import whole_file
from assistant.records import FloatArray, Progress

REINDEX_BATCH: Final = 64
N_WORDS_BEFORE: Final = 60  # as the conversation encodes: the end of the message before
Embed = Callable[[Sequence[str]], FloatArray]  # n texts to (n, dimension)


def restore(file: Path, backup: Path, now: datetime, backups_dir: Path) -> Path:
    """Put a backup in the place of the store; the store as it was is kept, and its path returned.

    The backup is checked first. Raises NotFound, StoreCorrupt, StoreNewer where it cannot be used
    (nothing is changed then), StoreLocked where the store is in use.
    """
    if not backup.is_file():
        raise NotFound(f"There is no backup {backup}.", f"Look into {backups_dir}.")
    stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%S")
    with Store.open(backup, now=now, read_only=True) as source:
        broken = check_integrity(source)
        if broken:
            raise StoreCorrupt(f"{backup} is damaged: {broken[0]}.", "Try an older backup.")
        fresh = source.backup(file.with_name(f"{file.name}.restored"))
    # Before it takes its place: a kill must not leave it under the caches of another time.
    with Store.open(fresh, now=now, backups_dir=backups_dir) as store, store.write() as connection:
        renew_generation(connection)
    kept = backups_dir / f"before-restore-{stamp}.db"
    try:
        with Store.open(file, now=now) as store:
            store.backup(kept)
            store.compact()  # fails where another process has it open; the WAL is empty after it
    except StoreCorrupt:
        kept = file.with_name(f"{file.name}.damaged-{stamp}")
        if file.exists():
            kept.write_bytes(file.read_bytes())
            kept.chmod(0o600)
    for suffix in ("-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    fresh.replace(file)
    return kept


def export(store: Store) -> Iterator[dict[str, Any]]:
    """Everything a person may want elsewhere, a JSON object a row: conversations with their
    messages, then thoughts with their sources; nothing of deleted conversations. Times are ISO 8601
    in UTC. Each row names the store, so that what two stores call message 1 stays two messages where
    both are imported; a message says whether its branch is the chosen one, and its memory's state."""
    origin = {"store": store.meta("store")}
    for row in store.read(
        "SELECT m.id, m.conversation_id AS conversation, c.title, t.number AS turn, m.role,"
        " m.speaker, m.text, m.resolved_text, m.created, m.partial, m.model, t.active AS chosen,"
        " k.state FROM messages m"
        " JOIN turns t ON t.id = m.turn_id JOIN conversations c ON c.id = m.conversation_id"
        " LEFT JOIN memories k ON k.message_id = m.id AND k.kind = 'message'"
        " WHERE c.hidden = 0 ORDER BY m.conversation_id, t.number, t.id, m.id"
    ):
        yield {"type": "message", **origin, **{key: row[key] for key in row.keys()}}  # noqa: SIM118 - a Row iterates values
    for row in store.read(
        "SELECT t.id, m.text, t.source_message_id AS message, t.subject, t.relation, t.object,"
        " t.event_time, t.label, t.confirmed, t.superseded_by, t.writer, t.writer_version, t.created,"
        " m.state, m.pinned,"
        " m.importance, m.strength_days FROM thoughts t JOIN memories m ON m.id = t.memory_id"
        " JOIN conversations c ON c.id = m.conversation_id AND c.hidden = 0 ORDER BY t.id"
    ):
        yield {"type": "thought", **origin, **{key: row[key] for key in row.keys()}}  # noqa: SIM118 - as above


def export_file(store: Store, file: Path) -> int:
    """Write `export` as JSON lines, complete or not at all; how many."""
    n_rows = 0
    with whole_file(file) as out:
        for row in export(store):
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
            n_rows += 1
    return n_rows


def reindex(store: Store, embedder_id: str, dimension: int, embed: Embed) -> Iterator[Progress]:
    """Make the vectors of another embedder beside the old ones, then change over in one step.

    Each batch is committed, so a run that is stopped goes on where it was; until the last one, recall
    uses the old vectors. Ends with the old ones deleted. Raises StoreError in a read-only store.
    """
    if store.read_only:
        raise StoreError("A read-only store cannot be reindexed.")
    with store.write() as connection:
        embedder = embedder_row(connection, embedder_id, dimension)
    total = int(store.value(f"SELECT count(*) FROM memories m WHERE {_RECALLABLE}"))
    while True:
        rows = _without_vectors(store, embedder)
        if not rows:
            if _change_over(store, embedder, embedder_id):
                yield Progress("reindex", total, total, "memories")
                return
            continue
        _embed_rows(store, embedder, rows, embed)
        done = int(
            store.value(
                "SELECT count(*) FROM vectors WHERE embedder_id = ? AND view = ?",
                (embedder, TEXT_VIEW),
            )
        )
        yield Progress("reindex", min(done, total), total, "memories")


# Or will be: a thought that waits for the person's yes has its vector already.
_RECALLABLE: Final = "(m.searchable OR EXISTS (SELECT 1 FROM thoughts h WHERE h.memory_id = m.id AND NOT h.confirmed))"
_MISSING: Final = (
    f"FROM memories m WHERE {_RECALLABLE} AND NOT EXISTS (SELECT 1 FROM vectors v"
    " WHERE v.memory_id = m.id AND v.embedder_id = ? AND v.view = 0)"
)


def count_without_vectors(store: Store, embedder_id: str) -> int:
    """Memories that have no vector of this embedder, so that words alone find them."""
    row = store.read("SELECT id FROM embedders WHERE sha256 = ?", (embedder_id,))
    return int(store.read(f"SELECT count(*) {_MISSING}", (row[0][0] if row else 0,))[0][0])


def _without_vectors(store: Store, embedder: int) -> list[Any]:
    """The next memories to embed: id, text, and for a message the text before it."""
    return store.read(
        "SELECT m.id, m.text, CASE WHEN m.kind = 'message' THEN (SELECT b.text FROM messages b"
        " JOIN turns t ON t.id = b.turn_id WHERE b.conversation_id = m.conversation_id"
        f" AND b.id < m.message_id AND t.active ORDER BY b.id DESC LIMIT 1) END {_MISSING}"
        " ORDER BY m.id LIMIT ?",
        (embedder, REINDEX_BATCH),
    )


def _embed_rows(store: Store, embedder: int, rows: Sequence[Any], embed: Embed) -> None:
    before = [" ".join((row[2] or "").split()[-N_WORDS_BEFORE:]) for row in rows]
    contexts = [f"{b}\n{row[1]}" for b, row in zip(before, rows, strict=True) if b]
    vectors = embed([*(row[1] for row in rows), *contexts])
    context = iter(vectors[len(rows) :])
    with store.write() as connection:
        for row, prior, vector in zip(rows, before, vectors, strict=False):
            insert_vector(connection, row[0], embedder, vector)
            if prior:
                insert_vector(connection, row[0], embedder, next(context), CONTEXT_VIEW)


def _change_over(store: Store, embedder: int, embedder_id: str) -> bool:
    """Recall by the new vectors from now on, unless a memory was recorded without one meanwhile."""
    with store.write(durable=True) as connection:
        if connection.execute(f"SELECT 1 {_MISSING} LIMIT 1", (embedder,)).fetchone():
            return False
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('embedder', ?)", (embedder_id,))
        connection.execute("DELETE FROM embedders WHERE id <> ?", (embedder,))
        renew_generation(connection)
    return True
