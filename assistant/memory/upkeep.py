"""The facade's third part: what the person does with what is kept. Lists, forgets, undoes, counts.

`Memory` inherits it; it adds no state of its own. Everything here is the person's own act: nothing
is hidden or deleted on a model's or a rule's word.
"""

import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from assistant.errors import NotFound
from assistant.memory import browse, jobs, journal, summaries, transfer
from assistant.memory.browse import MemoryFilter, MemoryRow
from assistant.memory.erase import Receipt, erase, find_traces
from assistant.memory.schema import Store, to_text
from assistant.memory.transfer import Embed
from assistant.paths import Paths
from assistant.records import Kind, Message, Progress, Role, State


class KeptMemory:
    """What `Memory` offers for looking through the store and keeping it in order."""

    store: Store

    # --- looking ----------------------------------------------------------------------------

    def memories(
        self,
        *,
        words: Sequence[str] = (),
        phrases: Sequence[str] = (),
        kinds: Sequence[Kind] = ("message", "thought", "summary"),
        roles: Sequence[Role] = (),
        states: Sequence[State] = ("active", "faded"),
        after: datetime | None = None,
        before: datetime | None = None,
        pinned: bool | None = None,
        conversation_id: int | None = None,
        waiting: bool | None = None,
        limit: int = 50,
        offset: int = 0,
    ) -> list[MemoryRow]:
        """Memories without a question, the newest first. `limit` -1 is all of them."""
        wanted = MemoryFilter(
            words, phrases, kinds, roles, states, after, before, pinned, conversation_id, waiting
        )
        return browse.list_memories(self.store, wanted, limit, offset)

    def details(self, memory_id: int) -> MemoryRow:
        """Raises NotFound."""
        return browse.read_memory(self.store, memory_id)

    def search_messages(self, text: str, limit: int = 50) -> list[Message]:
        """Messages that hold all the words of `text`, the last as a beginning; newest first."""
        return browse.search_messages(self.store, text, limit)

    def stats(self) -> dict[str, int]:
        """How many of everything there is, and the bytes of the file."""
        return browse.count_everything(self.store)

    def check_integrity(self) -> list[str]:
        """What is wrong with the file, a line each; empty for a whole one."""
        return browse.check_integrity(self.store)

    # --- conversations ----------------------------------------------------------------------

    def rename_conversation(self, conversation_id: int, title: str) -> None:
        """Raises NotFound."""
        with self.store.write(durable=True) as connection:
            browse.rename_conversation(connection, conversation_id, title)

    def delete_conversation(self, conversation_id: int, now: datetime) -> int:
        """Hide a conversation and everything remembered from it, until `undo`; `erase` is the way
        to have the text gone. Returns how many memories were hidden. Raises NotFound."""
        with self.store.write(durable=True) as connection:
            changed = connection.execute(
                "UPDATE conversations SET hidden = 1 WHERE id = ? AND hidden = 0",
                (conversation_id,),
            )
            if changed.rowcount == 0:
                raise NotFound(
                    f"There is no conversation {conversation_id}.", "Run `assistant chats list`."
                )
            rows = connection.execute(
                "SELECT id, state FROM memories WHERE conversation_id = ? AND state <> 'forgotten'",
                (conversation_id,),
            ).fetchall()
            summaries.renew_around(connection, [row["id"] for row in rows])
            return _hide(connection, "delete", rows, now, conversation_id)

    def exclude(self, memory_id: int, conversation_id: int, now: datetime) -> None:
        """Never recall this memory in this conversation. Raises StoreError on unknown ids."""
        with self.store.write(durable=True) as connection:
            browse.exclude(connection, memory_id, conversation_id, now)

    def include(self, memory_id: int, conversation_id: int) -> None:
        """Take `exclude` back."""
        with self.store.write(durable=True) as connection:
            browse.include(connection, memory_id, conversation_id)

    # --- forgetting -------------------------------------------------------------------------

    def forget(self, ids: Collection[int], now: datetime) -> int:
        """Hide memories from recall until `undo`; a message with its passages and the thoughts
        drawn from it. Returns how many were hidden. Raises NotFound; then none is."""
        for memory_id in ids:
            browse.read_memory(self.store, memory_id)
        with self.store.write(durable=True) as connection:
            marks = ",".join("?" * len(ids))
            rows = connection.execute(
                "SELECT id, state FROM memories WHERE state <> 'forgotten' AND (id IN"
                f" ({marks}) OR message_id IN (SELECT message_id FROM memories"
                f" WHERE id IN ({marks}) AND kind = 'message'))",
                (*ids, *ids),
            ).fetchall()
            summaries.forget_sources(connection, [row["id"] for row in rows], now)
            return _hide(connection, "forget", rows, now, None)

    def undo(self, now: datetime) -> tuple[str, list[int]]:
        """Take back the last operation: its kind and the memories restored. Raises NotFound."""
        with self.store.write(durable=True) as connection:
            row = connection.execute(
                "SELECT id, kind, at, before, conversation_id FROM operations WHERE undone IS NULL"
                " ORDER BY id DESC LIMIT 1"
            ).fetchone()
            if row is None:
                raise NotFound("There is nothing to undo.")
            before = json.loads(row["before"])
            journal.take_back(connection, row["kind"], before, now)
            memory_ids = [memory_id for memory_id, _ in before]
            if row["kind"] in ("forget", "delete"):
                jobs.queue_turns(connection, memory_ids, row["at"])
            if row["kind"] == "forget":  # a deleted chat's summaries were hidden with it
                summaries.rejoin(connection, memory_ids, now)
            summaries.renew_around(connection, memory_ids)
            if row["conversation_id"] is not None:
                journal.show_conversation(connection, row["conversation_id"], row["kind"])
            connection.execute(
                "UPDATE operations SET undone = ? WHERE id = ?", (to_text(now), row["id"])
            )
        return row["kind"], memory_ids

    # --- erasing ----------------------------------------------------------------------------

    @property
    def _paths(self) -> Paths | None:
        return None if self.store.file is None else Paths(self.store.file.parent)

    def erase(self, ids: Collection[int], now: datetime) -> Receipt:
        """Erase memories and every copy of their text that this program made; see `erase.erase`.

        Erasing no memory only rewrites the file, after a step that another process held up.
        """
        receipt = erase(self.store, ids, now, self._paths)
        self._after_erase()
        return receipt

    def erase_conversation(self, conversation_id: int, now: datetime) -> Receipt:
        """Erase a whole conversation. Raises NotFound."""
        browse.check_conversation(self.store, conversation_id)
        rows = self.store.read(
            "SELECT id FROM memories WHERE conversation_id = ?", (conversation_id,)
        )
        receipt = self.erase([row[0] for row in rows], now)
        with self.store.write(durable=True) as connection:
            connection.execute("DELETE FROM conversations WHERE id = ?", (conversation_id,))
        self.store.compact()
        return receipt

    def find_traces(self, text: str) -> list[tuple[str, int]]:
        """Where a text still is in the database, and in how many rows."""
        return find_traces(self.store, text)

    # --- the whole store --------------------------------------------------------------------

    def backup(self, file: Path) -> Path:
        """A consistent copy by SQLite's own backup while others write; 0600, complete or absent."""
        return self.store.backup(file)

    def export(self) -> Iterator[dict[str, Any]]:
        """Messages, then thoughts, a JSON object each."""
        return transfer.export(self.store)

    def export_file(self, file: Path) -> int:
        """`export` as JSON lines; how many."""
        return transfer.export_file(self.store, file)

    def reindex(self, embedder_id: str, dimension: int, embed: Embed) -> Iterator[Progress]:
        """Change the embedder; see `transfer.reindex`. Stopped, it goes on where it was."""
        return transfer.reindex(self.store, embedder_id, dimension, embed)

    def count_without_vectors(self, embedder_id: str) -> int:
        """Memories that only words find: imported or recorded without this embedder."""
        return transfer.count_without_vectors(self.store, embedder_id)

    def _after_erase(self) -> None:
        """Let caches in RAM notice; `Memory` has some."""


def _hide(
    connection: sqlite3.Connection,
    kind: str,
    rows: Sequence[Any],
    now: datetime,
    conversation_id: int | None,
) -> int:
    """Hide memories, enter it into the undo journal and, of thoughts, into their history."""
    before = [(row["id"], row["state"]) for row in rows]
    journal.enter(connection, kind, now, before, conversation_id)
    for row in rows:
        journal.hide(connection, row["id"], row["state"], now, kind)
    return len(rows)
