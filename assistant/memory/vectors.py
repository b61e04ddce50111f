"""The vectors of a store, searched by meaning: one recall index for each of the two views.

Each view has a cache file of its own: the two hold other rows (a first message has no context), grow
and are written anew at other times; one file of both would be written twice as often, and a damaged
byte would cost both. Joins the rows of `vectors` to `RecallIndex`. Knows which embedder's vectors count;
knows no texts.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from assistant.memory.index import IndexKind, RecallIndex
from assistant.memory.index_rows import AllowedIds, Found, IdArray, VectorBatch
from assistant.memory.schema import Store
from assistant.records import FloatArray, Progress

TEXT_VIEW: Final = 0
CONTEXT_VIEW: Final = 1
VIEWS: Final = {TEXT_VIEW: "text", CONTEXT_VIEW: "context"}
BATCH: Final = 8192
_LIVE: Final = "m.searchable AND m.state IN ('active', 'faded')"


class StoredVectors:
    """The rows of one embedder and one view: what an index is made from (`VectorSource`)."""

    def __init__(self, store: Store, embedder: int, dimension: int, view: int) -> None:
        self.dimension = dimension
        self._store = store
        self._which = (embedder, view)

    def identity(self) -> str:
        found = self._store.value(
            "SELECT group_concat(value, '/') FROM meta WHERE key IN ('store', 'generation')"
        )
        return f"{found}/{self._which[0]}/{self._which[1]}"

    def newest(self) -> int:
        return int(
            self._store.value(
                "SELECT value FROM vector_counters WHERE embedder_id = ? AND view = ?", self._which
            )
            or 0
        )

    def count(self) -> int:
        return int(
            self._store.value(
                "SELECT count(*) FROM vectors v JOIN memories m ON m.id = v.memory_id"
                f" WHERE v.embedder_id = ? AND v.view = ? AND {_LIVE}",
                self._which,
            )
        )

    def after(self, generation: int) -> Iterator[VectorBatch]:
        while rows := self._store.read(
            f"SELECT v.memory_id, v.codes, v.scale, v.generation, {_LIVE} FROM vectors v"
            " JOIN memories m ON m.id = v.memory_id WHERE v.embedder_id = ? AND v.view = ?"
            " AND v.generation > ? ORDER BY v.generation LIMIT ?",
            (*self._which, generation, BATCH),
        ):
            codes = np.frombuffer(b"".join(row[1] for row in rows), np.int8)
            yield VectorBatch(
                ids=np.array([row[0] for row in rows], np.int64),
                codes=codes.reshape(len(rows), self.dimension),
                scales=np.array([row[2] for row in rows], np.float32),
                generations=np.array([row[3] for row in rows], np.int64),
                live=np.array([row[4] for row in rows], np.bool_),
            )
            generation = int(rows[-1][3])


class Meaning:
    """Both views of the embedder that the store names; empty while it names none."""

    def __init__(
        self,
        folder: Path | None,
        kind: IndexKind,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        """`on_progress` hears how far an index is that is made anew."""
        self._folder = folder
        self._kind = kind
        self._on_progress = on_progress
        self._embedder: tuple[int, int] | None = None  # row and dimension
        self._indexes: dict[int, RecallIndex] = {}

    def refresh(self, store: Store, *, tidy: bool = False) -> None:
        """Catch up with the store; begin anew where it names another embedder."""
        embedder = _embedder(store)
        if embedder != self._embedder:
            self.close()
            self._embedder = embedder
            self._indexes = self._attach(store, embedder)
        for index in self._indexes.values():
            index.refresh(tidy=tidy)

    def check_files(self, store: Store) -> dict[Path, str]:
        """What is wrong with each cache file of the store's embedder; "" with a whole one."""
        attached = self._attach(store, _embedder(store)).values()
        return {file: found for index in attached for file, found in index.check_files().items()}

    def _attach(self, store: Store, embedder: tuple[int, int] | None) -> dict[int, RecallIndex]:
        """An index for each view, which has read nothing yet."""
        return {
            view: RecallIndex(
                self._folder,
                StoredVectors(store, *embedder, view),
                kind=self._kind,
                name=name,
                on_progress=self._on_progress,
            )
            for view, name in VIEWS.items()
            if embedder is not None
        }

    def fits(self, vector: FloatArray | None) -> bool:
        return vector is not None and bool(self._embedder) and len(vector) == self._embedder[1]  # type: ignore[index] # bool() above

    def nearest(self, vector: FloatArray, k: int, allowed: AllowedIds) -> list[Found]:
        """Memory ids and cosines of the k nearest in each view, best first.

        One view after the other: at 100 000 vectors each a second thread is woken in the time it saves,
        and where the language model has the cores it costs more.
        """
        return [index.search(vector, k, allowed) for index in self._indexes.values()]

    def cosines(self, view: int, vector: FloatArray, ids: IdArray) -> FloatArray:
        """Of these memories (n,), NaN where one has no vector."""
        return self._indexes[view].similarities(vector, ids)

    @property
    def kinds(self) -> dict[str, str]:
        """What answers for each view: exact, lsh or hnsw."""
        return {VIEWS[view]: index.kind for view, index in self._indexes.items()}

    def erase(self) -> None:
        """Leave no vector in a file that the store no longer has."""
        for index in self._indexes.values():
            index.erase()

    def close(self) -> None:
        for index in self._indexes.values():
            index.close()
        self._indexes = {}
        self._embedder = None


def _embedder(store: Store) -> tuple[int, int] | None:
    """Row and dimension of the embedder whose vectors are recalled."""
    rows = store.read(
        "SELECT e.id, e.dimension FROM embedders e JOIN meta ON meta.key = 'embedder'"
        " AND meta.value = e.sha256"
    )
    return (int(rows[0][0]), int(rows[0][1])) if rows else None
