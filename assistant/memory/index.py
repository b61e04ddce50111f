"""The recall index of one store: which kind, whose file, and how it keeps up with the store.

The store's rows are the truth. The index is a cache: made from them where it is missing, stale or
damaged, and brought up to date by the rows written since. One process at a time writes the file, by
a lock that nobody waits for; the others read it and keep what is newer in their own RAM.
"""

import fcntl
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, Self

from assistant.memory.exact import ExactIndex
from assistant.memory.hnsw import HnswIndex
from assistant.memory.index_file import IndexUnusable
from assistant.memory.index_rows import AllowedIds, Found, IdArray, VectorBatch, VectorSource
from assistant.memory.lsh import LshIndex
from assistant.native import RowDamaged, library
from assistant.paths import open_private
from assistant.records import FloatArray, Progress

IndexKind = Literal["auto", "exact", "lsh", "hnsw"]
AnyIndex = ExactIndex | LshIndex | HnswIndex
EXACT_BELOW: Final = 20_000  # vectors; up to here a scan of all takes less than 0.3 ms
PATIENCE: Final = 4096  # changes (460 bytes of RAM each) for which a due rewrite waits to be idle
log: Final = logging.getLogger(__name__)


class RecallIndex:
    """Search by meaning over a `VectorSource`. Searches may run in any thread; `refresh`, `erase`
    and `close` wait for one another."""

    def __init__(
        self,
        folder: Path | None,
        source: VectorSource,
        *,
        kind: IndexKind = "auto",
        name: str = "text",
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        """`folder` None keeps everything in RAM. Reads nothing before the first `refresh`."""
        self._folder = folder
        self._source = source
        self._wanted = kind
        self._name = name
        self._on_progress = on_progress
        self._lock = threading.RLock()
        self._writer: int | None = None
        self._index: AnyIndex = ExactIndex(source.dimension)
        self._made_for = "exact"
        self._identity = ""
        self._newest = -1
        self._n_postponed = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def kind(self) -> str:
        """exact, lsh or hnsw: what answers now."""
        return self._index.kind

    @property
    def n(self) -> int:
        return self._index.n

    @property
    def index(self) -> AnyIndex:
        """What answers now; for the benchmark and for `doctor`."""
        return self._index

    def refresh(self, *, tidy: bool = False) -> None:
        """Catch up with the store. Cheap when nothing changed: the source tells by two values.

        A file with a long log is written anew where there is time to `tidy`; a turn, which would
        wait a second for it at 100 000 vectors, leaves it for PATIENCE more changes.
        """
        with self._lock:
            identity, newest = self._source.identity(), self._source.newest()
            if identity == self._identity and newest == self._newest and not tidy:
                return
            known = self._newest
            if identity != self._identity:
                self._open(identity)
                known = self._index.generation
            n_rows = self._catch_up()
            # Every change is one row and one step of the counter, unless rows went. To count the
            # store's vectors takes longer than all else of an opening.
            explained = n_rows == newest - known
            complete = explained or self._index.n == self._source.count()
            ahead = self._index.generation > newest  # an older copy of the store was put back
            if not complete or ahead or self._kind_for(self._index.n) != self._made_for:
                self._rebuild()
            elif self._wants_rewrite() and self._may_write():
                self._n_postponed += n_rows
                if tidy or self._made_for != "lsh" or self._n_postponed > PATIENCE:
                    self._rewrite()
                    self._n_postponed = 0
            self._newest = newest

    def _catch_up(self) -> int:
        """Take in the rows written since; how many there were."""
        n_rows = 0
        for batch in self._source.after(self._index.generation):
            self._index.add(batch)
            n_rows += len(batch.ids)
        return n_rows

    def search(self, query: FloatArray, k: int, allowed: AllowedIds | None = None) -> Found:
        """Ids and similarities of the k nearest memories, best first, as of the last `refresh`."""
        try:
            return self._index.search(query, k, allowed)
        except RowDamaged:
            with self._lock:
                self._rebuild()
            return self._index.search(query, k, allowed)

    def similarities(self, query: FloatArray, ids: IdArray) -> FloatArray:
        """Of these memories (n,); NaN where there is no vector."""
        try:
            return self._index.similarities(query, ids)
        except RowDamaged:
            with self._lock:
                self._rebuild()
            return self._index.similarities(query, ids)

    def check_files(self) -> dict[Path, str]:
        """What is wrong with each file, read as it is on disk; "" with a whole one. Writes nothing."""
        files = (
            {} if self._folder is None else {k: self._path(k.kind) for k in (LshIndex, HnswIndex)}
        )
        identity = self._source.identity()
        return {
            file: _problem(kind, file, identity) for kind, file in files.items() if file.exists()
        }

    def erase(self) -> None:
        """Leave no vector in a file that the store no longer has. Call it after the rows went.

        Files are unlinked whoever writes them: another process keeps what it has in RAM, and makes
        its index anew at its next `refresh`, because the store's identity has changed.
        """
        with self._lock:
            if self._folder is not None:
                for file in self._folder.glob(f"{self._name}.*"):
                    if file != self._lock_path():
                        file.unlink(missing_ok=True)
            self._identity = ""
            self.refresh()

    def close(self) -> None:
        with self._lock:
            self._discard()
            self._identity = ""
            if self._writer is not None:
                os.close(self._writer)  # gives the lock back
                self._writer = None

    def _open(self, identity: str) -> None:
        """The index as it is on disk, or a new one."""
        kind = "lsh" if self._has_lsh_file() else self._kind_for(self._source.count())
        self._discard()
        self._identity, self._made_for = identity, kind
        if kind == "exact":
            return
        opened = LshIndex if kind == "lsh" else HnswIndex
        try:
            self._index = opened(self._path(kind), identity, writable=self._may_write())
        except IndexUnusable as reason:
            log.info("recall index: %s; made again", reason)
            self._rebuild()

    def _rebuild(self) -> None:
        """Make the index anew from the store's rows: on disk, or in RAM where that may not be."""
        kind = self._kind_for(self._source.count())
        self._discard()
        self._made_for = kind
        if kind != "exact" and self._may_write():
            build = LshIndex.build if kind == "lsh" else HnswIndex.build
            try:
                self._index = build(
                    self._path(kind), self._identity, self._source.dimension, self._counted()
                )
                return
            except (OSError, IndexUnusable) as error:
                log.warning("recall index: %s; held in RAM", error)
        exact = ExactIndex(self._source.dimension)
        for batch in self._counted():
            exact.add(batch)
        self._index = exact

    def _discard(self) -> None:
        with suppress(OSError):
            self._index.close()
        self._index = ExactIndex(self._source.dimension)

    def _wants_rewrite(self) -> bool:
        return not isinstance(self._index, ExactIndex) and self._index.wants_rewrite

    def _rewrite(self) -> None:
        assert not isinstance(self._index, ExactIndex)
        try:
            self._index.rewrite()
        except (OSError, RowDamaged, IndexUnusable):
            self._rebuild()

    def _kind_for(self, n: int) -> str:
        """The kind for `n` vectors. Shrinking a little does not undo the choice."""
        if self._folder is None:
            return "exact"
        if self._wanted != "auto":
            return self._wanted
        floor = EXACT_BELOW if self._made_for == "exact" else EXACT_BELOW * 3 // 4
        return "lsh" if n >= floor and library() is not None else "exact"

    def _has_lsh_file(self) -> bool:
        """Then the store had vectors enough, and `refresh` looks whether it has still."""
        if self._folder is None or self._wanted != "auto" or library() is None:
            return False
        return self._path("lsh").exists()

    def _counted(self) -> Iterator[VectorBatch]:
        """Every row of the store, telling how far it is."""
        total, done = self._source.count(), 0
        for batch in self._source.after(0):
            yield batch
            done += len(batch.ids)
            if self._on_progress:
                self._on_progress(Progress("recall index", min(done, total), total, "memories"))

    def _path(self, kind: str) -> Path:
        assert self._folder is not None
        return self._folder / f"{self._name}.{kind}"

    def _lock_path(self) -> Path:
        assert self._folder is not None
        return self._folder / f"{self._name}.lock"

    def _may_write(self) -> bool:
        """Whether this process has the lock, trying once if nobody has it."""
        if self._writer is None and self._folder is not None:
            try:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                descriptor = open_private(self._lock_path(), os.O_RDWR | os.O_CREAT)
            except OSError:  # a read-only disk
                return False
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._writer = descriptor
            except OSError:
                os.close(descriptor)
        return self._writer is not None


def _problem(kind: type[LshIndex | HnswIndex], file: Path, identity: str) -> str:
    try:
        index = kind(file, identity, writable=False)
    except IndexUnusable as reason:
        return str(reason)
    try:
        return "" if index.verify() else "a damaged vector"
    finally:
        index.close()
