"""What recall keeps of one store in RAM: columns, episodes, vectors and the graph. Any of it can be
rebuilt."""

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from assistant.memory import ranking_file
from assistant.memory.columns import Columns
from assistant.memory.entity_graph import GROWTH, EntityGraph
from assistant.memory.episode_rows import EpisodeRows
from assistant.memory.schema import Store
from assistant.memory.vectors import Meaning

KEPT_FROM: Final = 2000  # memories; a smaller store is read anew in less than 0.1 s


@dataclass(slots=True)
class Caches:
    """What recall keeps in RAM of one store, and in files in `folder` where there is one."""

    vectors: Meaning
    folder: Path | None = None
    columns: Columns = field(default_factory=Columns)
    graph: EntityGraph = field(default_factory=EntityGraph)
    episodes: EpisodeRows = field(default_factory=EpisodeRows)
    _seen: tuple[int, int] | None = None  # the store's state that all but the graph is of

    def refresh(self, store: Store) -> None:
        """Catch up with what this or another process wrote."""
        state = store.state()  # before: what is written meanwhile is looked for the next time
        if state is not None and state == self._seen:
            return
        self.refresh_columns(store)
        self.episodes.refresh(store, self.columns)
        self.vectors.refresh(store)
        self._seen = state

    def refresh_columns(self, store: Store) -> None:
        """The columns alone, from the file where they were not read yet."""
        if self.folder is not None and not self.columns.generation:
            self._restore(store, self.folder)
        self.columns.refresh(store)

    def erase(self) -> None:
        """Leave nothing in a file that the store no longer has."""
        if self.folder is not None:
            ranking_file.remove(self.folder)
        self._seen = None
        self.vectors.erase()

    def tidy(self, store: Store) -> None:
        """Do now what a recall would soon have to: what is due, and what is half due."""
        self.refresh_columns(store)
        self.vectors.refresh(store, tidy=True)
        self.refresh_graph(store, early=True)

    def refresh_graph(self, store: Store, *, early: bool = False) -> EntityGraph:
        """The graph over the refreshed columns. Both are kept whenever it was built anew, and where
        the next to open would have to read many changed rows again."""
        built = self.graph.refresh(store, self.columns, early=early)
        outdated = self.columns.n_taken > max(KEPT_FROM, GROWTH * self.columns.n)
        if (built or outdated) and self.folder is not None and self.columns.n >= KEPT_FROM:
            self._keep(store, self.folder)
        return self.graph

    def _keep(self, store: Store, folder: Path) -> None:
        identity = _identity(store)
        if not identity.endswith(self.columns.generation):  # another process just erased
            return
        arrays = {**self.columns.to_arrays(), **self.graph.to_arrays()}
        ranking_file.save(folder, identity, arrays)
        self.columns.n_taken = 0
        if _identity(store) != identity:  # erased while it was written, after the eraser looked
            with suppress(OSError):
                ranking_file.remove(folder)

    def _restore(self, store: Store, folder: Path) -> None:
        arrays = ranking_file.load(folder, _identity(store))
        if arrays is not None and self.columns.restore(store, arrays):
            self.graph.restore(arrays)
            return
        # A killed erasure's, or of no use in another way; a disk may be read-only.
        with suppress(OSError):
            ranking_file.remove(folder)


def _identity(store: Store) -> str:
    return f"{store.meta('store')}/{store.meta('generation')}"
