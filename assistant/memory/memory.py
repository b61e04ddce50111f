"""The store's facade: the one class other packages use to record, recall, list and forget.

Knows which part does what. Receives vectors and times, never a model or a clock.
"""

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from assistant.errors import NotFound
from assistant.memory import journal, messages
from assistant.memory.ageing import any_vector
from assistant.memory.caches import Caches
from assistant.memory.choosing import Room
from assistant.memory.derived import DerivedMemory
from assistant.memory.index import IndexKind
from assistant.memory.schema import Store, from_text, to_text
from assistant.memory.search import Query, measure_all, nearest_all, search
from assistant.memory.successors import add_successors
from assistant.memory.upkeep import KeptMemory
from assistant.memory.vectors import Meaning
from assistant.memory.words import replace_speakers
from assistant.records import (
    Conversation,
    EncodedText,
    FloatArray,
    Message,
    Progress,
    Recall,
    RecalledMemory,
    Role,
    Turn,
)

UNKNOWN_EMBEDDER = "unknown"


class Memory(DerivedMemory, KeptMemory):
    """Everything that was said in one SQLite file, and how it is found again."""

    def __init__(
        self, store: Store, index_dir: Path | None = None, index: IndexKind = "auto"
    ) -> None:
        self.store = store
        self._caches = Caches(Meaning(index_dir, index, self._tell), index_dir)
        # Hears the share of a recall index that is made anew, from within a recall.
        self.on_progress: Callable[[float], None] | None = None
        self._embedder: tuple[str, int] | None = None  # id and dimension
        self.priors = True  # False: recall without length, question mark and speaker's name

    @classmethod
    def open(
        cls,
        file: Path,
        *,
        now: datetime,
        backups_dir: Path | None = None,
        index_dir: Path | None = None,
        index: IndexKind = "auto",
        read_only: bool = False,
    ) -> Self:
        """Open or create a store. Raises StoreLocked, StoreCorrupt, StoreNewer, StoreError."""
        store = Store.open(file, now=now, backups_dir=backups_dir, read_only=read_only)
        return cls(store, None if read_only else index_dir, index)

    @property
    def read_only(self) -> bool:
        return self.store.read_only

    @property
    def generation(self) -> str | None:
        """Another one when something was erased, by any program: what was read before may be gone."""
        return self.store.meta("generation")

    # --- the embedder ---------------------------------------------------------------------

    @property
    def embedder_id(self) -> str | None:
        """The sha256 of the embedder whose vectors are recalled; None in a store without any."""
        return self.store.meta("embedder")

    def use_embedder(self, embedder_id: str, dimension: int) -> bool:
        """Say who makes the vectors from now on. False where the store's are another's: recall
        then goes by words alone until `reindex`; two embedders' vectors are never compared."""
        self._embedder = (embedder_id, dimension)
        if self.embedder_id is None and not self.read_only:
            self.store.set_meta("embedder", embedder_id)
        return self.embedder_id in (None, embedder_id)

    def _embedder_row(self, connection: Any, vector: FloatArray | None) -> int | None:
        if vector is None:
            return None
        embedder_id, dimension = self._embedder or (
            self.embedder_id or UNKNOWN_EMBEDDER,
            len(vector),
        )
        if self.embedder_id is None:
            self.store.set_meta("embedder", embedder_id)
        return messages.embedder_row(connection, embedder_id, dimension)

    # --- recording ------------------------------------------------------------------------

    def new_conversation(self, title: str, now: datetime, *, source: str | None = None) -> int:
        with self.store.write() as connection:
            return messages.insert_conversation(connection, title, now, source)

    def begin_turn(
        self,
        encoded: EncodedText,
        now: datetime,
        *,
        conversation_id: int | None = None,
        speaker: str | None = None,
        replaces: int | None = None,
    ) -> Turn:
        """Record the person's message, before anything else is done with it.

        One transaction, on the disk when this returns. Without `conversation_id` a conversation is
        begun. `replaces` is a turn that this one is another branch of. Raises NotFound, StoreError.
        """
        with self.store.write(durable=True) as connection:
            if conversation_id is None:
                title = messages.title_of(encoded.text)
                conversation_id = messages.insert_conversation(connection, title, now)
            turn_id = messages.insert_turn(connection, conversation_id, now, replaces)
            message_id = messages.insert_message(
                connection,
                encoded,
                now,
                turn_id=turn_id,
                role="user",
                speaker=speaker,
                embedder=self._embedder_row(connection, any_vector(encoded)),
            )
            journal.hide_as_its_place(connection, message_id)
            number = connection.execute(
                "SELECT number FROM turns WHERE id = ?", (turn_id,)
            ).fetchone()[0]
        return Turn(turn_id, conversation_id, number, message_id, now)

    def finish_turn(
        self,
        turn: Turn,
        encoded: EncodedText,
        recall: Recall,
        now: datetime,
        *,
        partial: bool = False,
        model: str = "",
        prompt: str = "",
        think: bool = True,
    ) -> int:
        """Record the reply, what was recalled for it, and the post-think job: one transaction, on
        the disk when this returns. An empty reply is recorded too; no job where the turn is not to
        `think`. Returns the message's id."""
        with self.store.write(durable=True) as connection:
            message_id = messages.insert_message(
                connection,
                encoded,
                now,
                turn_id=turn.id,
                role="assistant",
                partial=partial,
                model=model,
                embedder=self._embedder_row(connection, any_vector(encoded)),
            )
            messages.finish_turn(connection, turn, recall, now, prompt, think=think)
            journal.hide_as_its_place(connection, message_id)
        return message_id

    def record_message(
        self,
        encoded: EncodedText,
        now: datetime,
        *,
        conversation_id: int,
        role: Role = "user",
        speaker: str | None = None,
        source: str | None = None,
    ) -> int:
        """Record one message said elsewhere, as an import does; a reply joins the last turn.

        Nothing is queued and the disk is not waited for: wrap many in `batch`.
        """
        with self.store.write() as connection:
            row = connection.execute(
                "SELECT id FROM turns WHERE conversation_id = ? AND finished IS NULL"
                " ORDER BY number DESC LIMIT 1",
                (conversation_id,),
            ).fetchone()
            if role == "user" or row is None:
                turn_id = messages.insert_turn(connection, conversation_id, now)
            else:
                turn_id = row[0]
                connection.execute(
                    "UPDATE turns SET finished = ? WHERE id = ?", (to_text(now), turn_id)
                )
            return messages.insert_message(
                connection,
                encoded,
                now,
                turn_id=turn_id,
                role=role,
                speaker=speaker,
                source=source,
                embedder=self._embedder_row(connection, any_vector(encoded)),
            )

    # --- recall ---------------------------------------------------------------------------

    def recall(
        self,
        query: str,
        vector: FloatArray | None,
        now: datetime,
        *,
        k: int = 5,
        exclude_turns: Collection[int] = (),
        conversation_id: int | None = None,
        token_budget: int | None = None,
        count_tokens: Callable[[str], int] | None = None,
    ) -> Recall:
        """The memories for a query, best first, with the near-misses. Writes nothing.

        Within a token budget, what was replaced since comes with what replaced it.
        """
        if self._embedder is not None and self.embedder_id not in (None, self._embedder[0]):
            vector = None
        found = search(
            self.store,
            self._caches,
            Query(
                query,
                vector,
                now,
                k=k,
                exclude_turns=exclude_turns,
                conversation_id=conversation_id,
                token_budget=token_budget,
                count_tokens=count_tokens,
                priors=self.priors,
            ),
        )
        if token_budget is None:
            return found
        room = Room(k, token_budget, count_tokens)
        started = perf_counter()
        whole = add_successors(self.store, found, room, exclude_turns, conversation_id)
        elapsed_ms = found.elapsed_ms + (perf_counter() - started) * 1000
        return replace(whole, elapsed_ms=elapsed_ms)

    def signals(
        self, query: str, vector: FloatArray | None, now: datetime
    ) -> tuple[npt.NDArray[np.int64], dict[str, FloatArray]]:
        """Memory ids (m,) of every candidate and their raw signals (m,): to fit the weights on."""
        ids, signals = measure_all(self.store, self._caches, Query(query, vector, now))
        return ids, signals.values

    def nearest(self, vector: FloatArray, now: datetime) -> dict[str, npt.NDArray[np.int64]]:
        """Memory ids of the candidates by meaning alone, by the index that answered: to time them."""
        found = nearest_all(self.store, self._caches, Query("", vector, now))
        views = self._caches.vectors.kinds.items()
        return {
            f"{view}: {kind}": self._caches.columns.id[rows]
            for (view, kind), (rows, _) in zip(views, found, strict=True)
        }

    def check_index(self, index_dir: Path) -> dict[Path, str]:
        """What is wrong with each file of the recall index, read whole; "" with a whole one. Writes
        nothing, and does not wait for whoever uses them."""
        return Meaning(index_dir, "auto").check_files(self.store)

    def query_text(self, query: str) -> str:
        """What to embed for a query: names of speakers are features, not words, so one that is
        named becomes "I", as its own messages have it."""
        self._caches.refresh_columns(self.store)
        return replace_speakers(query, self._caches.columns.speakers)

    # --- reading --------------------------------------------------------------------------

    def messages(self, conversation_id: int) -> list[Message]:
        """A conversation's messages in order. Raises NotFound."""
        return messages.read_messages(self.store, conversation_id)

    def message(self, message_id: int) -> Message:
        return messages.read_message(self.store, message_id)

    def turn(self, turn_id: int) -> Turn:
        """Raises NotFound."""
        return messages.read_turn(self.store, turn_id)

    def branches(self, turn_id: int) -> list[int]:
        """The turns that share this one's place, itself among them, oldest first."""
        return messages.read_branches(self.store, turn_id)

    def choose_branch(self, turn_id: int) -> None:
        """Make a branch the one that is read and recalled. Raises NotFound."""
        with self.store.write(durable=True) as connection:
            came = messages.choose_branch(connection, turn_id)
            at = self.store.value(
                "SELECT c.last_used FROM turns t JOIN conversations c ON c.id = t.conversation_id"
                " WHERE t.id = ?",
                (turn_id,),
            )
            journal.give_way(connection, came, from_text(at))

    def prompt_of(self, turn_id: int) -> str:
        """What the model was given in a turn, as `finish_turn` got it."""
        return messages.read_prompt(self.store, turn_id)

    def recalls(self, turn_id: int) -> Recall:
        """What a turn recalled, with every signal, as it was ranked then. Raises NotFound."""
        return messages.read_recall(self.store, turn_id)

    def conversations(self, limit: int = -1, offset: int = 0) -> list[Conversation]:
        """The latest used first."""
        return messages.read_conversations(self.store, limit, offset)

    def conversation(self, conversation_id: int) -> Conversation:
        """Raises NotFound."""
        return messages.read_conversation(self.store, conversation_id)

    def get(self, memory_id: int) -> RecalledMemory:
        """One memory, unscored. Raises NotFound."""
        found = messages.read_memories(self.store, [memory_id])
        if memory_id not in found:
            raise NotFound(f"There is no memory {memory_id}.", "Run `assistant memory list`.")
        return found[memory_id]

    def prepare_recall(self) -> None:
        """Do now what a turn would wait for: take in what is new, bring the files of recall up to
        date. Seconds at 100 000 memories where one is made anew, so call it while nobody waits."""
        self._caches.tidy(self.store)

    def _tell(self, progress: Progress) -> None:
        if self.on_progress is not None:
            self.on_progress(progress.done / max(progress.total, 1))

    def _after_erase(self) -> None:
        self._caches.erase()

    def close(self) -> None:
        self._caches.vectors.close()
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
