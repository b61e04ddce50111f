"""The HNSW index (Malkov and Yashunin, arXiv 1603.09320) through hnswlib, for those who choose it.

Measured beside `lsh` (`assistant bench index`): slower at equal recall and 30 times the RAM, since
hnswlib keeps every vector as float32. Removing only marks a node, and its vector stays in the saved
file: `wants_rewrite` is true after any removal that must leave no trace.

Knows hnswlib and its files: the graph, and beside it a small one that says whose it is.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from assistant.memory.index_file import IndexUnusable
from assistant.memory.index_rows import AllowedIds, Found, IdArray, VectorBatch
from assistant.records import FloatArray

# Names as in the paper. Default, minimum and maximum stand together.
M: Final = 16  # links a node; 4 to 64. More: better recall, 8 bytes of RAM each
EF_CONSTRUCTION: Final = 200  # 10 to 1000. More: a better graph, slower inserts
EF_SEARCH: Final = 128  # from k to n. Recall@10 at 100 000: 64 -> .97, 128 -> .99, 256 -> .998
FEW_ALLOWED: Final = 2048  # so few are compared one by one: the graph would be walked in vain
SAVE_AFTER: Final = 1000  # additions; what is lost by a kill is added again from the store
SEED: Final = 100


class HnswIndex:
    """A `VectorIndex` over one graph."""

    kind = "hnsw"

    def __init__(self, path: Path, identity: str, *, writable: bool) -> None:
        """Open the files. Raises IndexUnusable."""
        about = _read_about(path, identity)
        self._start(path, identity, about["dimension"], writable=writable)
        self.generation = about["generation"]
        try:
            self._graph.load_index(str(path), max_elements=about["n"] + SAVE_AFTER)
        except RuntimeError as error:
            raise IndexUnusable(str(error)) from error
        self._ids.update(dict.fromkeys(self._graph.get_ids_list()))
        self._removed.update(about["removed"])
        for gone in self._removed:
            del self._ids[gone]

    def _start(self, path: Path, identity: str, dimension: int, *, writable: bool) -> None:
        import hnswlib

        self.path = path
        self.identity = identity
        self.dimension = dimension
        self.generation = 0
        self._writable = writable
        self._unsaved = 0
        self._ids: dict[int, None] = {}
        self._removed: set[int] = set()
        self._graph: Any = hnswlib.Index("ip", dimension)
        self._graph.set_num_threads(1)

    @classmethod
    def build(
        cls, path: Path, identity: str, dimension: int, batches: Iterable[VectorBatch]
    ) -> Self:
        """Make the graph from these rows and save it. Raises OSError."""
        index = cls.__new__(cls)
        index._start(path, identity, dimension, writable=True)
        index._graph.init_index(SAVE_AFTER, ef_construction=EF_CONSTRUCTION, M=M, random_seed=SEED)
        for batch in batches:
            index._take(batch)
        index.save()
        return index

    @property
    def n(self) -> int:
        return len(self._ids)

    @property
    def ids(self) -> IdArray:
        """Of the live vectors."""
        return np.fromiter(self._ids, np.int64, len(self._ids))

    @property
    def wants_rewrite(self) -> bool:
        """Whether removed vectors are still in the graph."""
        return len(self._removed) > max(1, self.n // 8)

    @property
    def ram_bytes(self) -> int:
        """Vectors as float32 and the graph's links, as hnswlib lays them out."""
        return int(self._graph.element_count) * (4 * self.dimension + 8 * M + 4 + 8)

    def add(self, batch: VectorBatch) -> None:
        self._take(batch)
        self._unsaved += len(batch.ids)
        if self._unsaved >= SAVE_AFTER:
            self.save()

    def _take(self, batch: VectorBatch) -> None:
        if len(batch.ids) == 0:
            return
        self.remove(batch.ids[~batch.live])
        ids = batch.ids[batch.live]
        vectors = batch.codes[batch.live] * batch.scales[batch.live, None]
        room = self._graph.max_elements - self._graph.element_count
        if len(ids) > room:
            self._graph.resize_index(self._graph.element_count + max(len(ids), self.n, SAVE_AFTER))
        if len(ids):
            self._graph.add_items(vectors, ids)  # an id that was marked is found again
        self._ids.update(dict.fromkeys(ids.tolist()))
        self._removed.difference_update(ids.tolist())
        self.generation = max(self.generation, int(batch.generations.max()))

    def remove(self, ids: IdArray) -> None:
        for i in ids.tolist():
            if i in self._ids:
                self._graph.mark_deleted(i)
                del self._ids[i]
                self._removed.add(i)
                self._unsaved += 1

    def search(self, query: FloatArray, k: int, allowed: AllowedIds | None = None) -> Found:
        admitted = None if allowed is None else self._admitted(allowed)
        n = self.n if admitted is None else len(admitted)
        k = min(k, n)
        if k == 0:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        if admitted is not None and n <= FEW_ALLOWED:
            return self._compare(query, k, admitted)
        keep = None if admitted is None else set(admitted.tolist()).__contains__
        self._graph.set_ef(min(max(EF_SEARCH, 2 * k), self.n))
        try:
            labels, distances = self._graph.knn_query(query[None], k, filter=keep)
        except RuntimeError:  # the walk met fewer than k that may be found
            return self._compare(query, k, self.ids if admitted is None else admitted)
        return labels[0].astype(np.int64), (1 - distances[0]).astype(np.float32)

    def _compare(self, query: FloatArray, k: int, ids: IdArray) -> Found:
        """Every one of these live ids."""
        similarities = self.similarities(query, ids)
        best = np.lexsort((ids, -similarities))[:k]
        return ids[best], similarities[best]

    def similarities(self, query: FloatArray, ids: IdArray) -> FloatArray:
        found = np.full(len(ids), np.nan, np.float32)
        known = [at for at, i in enumerate(ids.tolist()) if i in self._ids]
        if known:
            vectors = np.asarray(self._graph.get_items(ids[known]), np.float32)
            found[known] = vectors @ query
        return found

    def save(self) -> None:
        if not self._writable:
            return
        unfinished = self.path.with_suffix(".unfinished")
        unfinished.touch(mode=0o600)
        self._graph.save_index(str(unfinished))
        about = {
            "identity": self.identity,
            "dimension": self.dimension,
            "generation": self.generation,
            "n": int(self._graph.element_count),
            "removed": sorted(self._removed),
            "sha256": _digest(unfinished),
        }
        note = about_path(self.path)
        note.unlink(missing_ok=True)  # between the two steps there is no index: it is made again
        unfinished.replace(self.path)
        text = json.dumps(about)
        unfinished.touch(mode=0o600)
        unfinished.write_text(text + hashlib.sha256(text.encode()).hexdigest(), "utf-8")
        unfinished.replace(note)
        self._unsaved = 0

    def verify(self) -> bool:
        """Whether the files are whole. What is in RAM was checked when it was read."""
        try:
            _read_about(self.path, self.identity)
        except IndexUnusable:
            return False
        return True

    def rewrite(self) -> None:
        """Make the graph anew without the removed vectors."""
        ids = np.sort(self.ids)
        vectors = np.asarray(self._graph.get_items(ids), np.float32) if len(ids) else None
        generation = self.generation
        self._start(self.path, self.identity, self.dimension, writable=True)
        self._graph.init_index(
            len(ids) + SAVE_AFTER, ef_construction=EF_CONSTRUCTION, M=M, random_seed=SEED
        )
        if vectors is not None:
            self._graph.add_items(vectors, ids)
        self._ids = dict.fromkeys(ids.tolist())
        self.generation = generation
        self.save()

    def close(self) -> None:
        if self._writable and self._unsaved:
            self.save()

    def _admitted(self, allowed: AllowedIds) -> IdArray:
        """The live ids among those allowed."""
        if allowed.dtype == np.bool_:
            allowed = np.flatnonzero(allowed)
        return np.array([i for i in allowed.tolist() if i in self._ids], np.int64)


def about_path(path: Path) -> Path:
    """The small file beside the graph."""
    return path.with_suffix(path.suffix + ".json")


def _read_about(path: Path, identity: str) -> dict[str, Any]:
    try:
        text = about_path(path).read_text("utf-8")
        text, digest = text[:-64], text[-64:]
        if hashlib.sha256(text.encode()).hexdigest() != digest:
            raise IndexUnusable("a damaged note")
        about: dict[str, Any] = json.loads(text)
        if about["identity"] != identity:
            raise IndexUnusable("made from other rows")
        if _digest(path) != about["sha256"]:
            raise IndexUnusable("a damaged graph")
    except (OSError, ValueError) as error:
        raise IndexUnusable(str(error)) from error
    return about


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
