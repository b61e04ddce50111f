"""What an index is made from and how it is asked: plain values and two interfaces.

Knows ids and vectors; knows no SQL, no file and no kind of index.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from assistant.records import FloatArray

IdArray = npt.NDArray[np.int64]
Int8Array = npt.NDArray[np.int8]
BoolArray = npt.NDArray[np.bool_]
# Which memories may be found: their ids, rising, or one bool for each id from 0 on.
AllowedIds = IdArray | BoolArray
Found = tuple[IdArray, FloatArray]  # ids and similarities, best first


@dataclass(frozen=True, slots=True)
class VectorBatch:
    """Some rows of the store's vectors. A vector is codes * scale; a row that is not live is one
    that must not be found any more."""

    ids: IdArray  # (n,)
    codes: Int8Array  # (n, dimension)
    scales: FloatArray  # (n,)
    generations: IdArray  # (n,), the store's counter when the row was written
    live: BoolArray  # (n,)


class VectorSource(Protocol):
    """The truth: the store's vectors of one embedder. Each call sees the store as it is then."""

    @property
    def dimension(self) -> int: ...

    def identity(self) -> str:
        """Store, embedder and everything else that makes an index of other rows worthless."""

    def newest(self) -> int:
        """A counter that grows with every change to any vector."""

    def count(self) -> int:
        """How many vectors are live."""

    def after(self, generation: int) -> Iterator[VectorBatch]:
        """The rows written since, in the order of their generations."""


class VectorIndex(Protocol):
    """Vectors by id, searchable. Adding an id again replaces its vector; removing an unknown one
    does nothing. One thread changes it at a time; any number may search meanwhile."""

    @property
    def kind(self) -> str: ...

    @property
    def n(self) -> int:
        """How many vectors can be found."""

    @property
    def generation(self) -> int:
        """All of the source's changes up to this one are in."""

    def add(self, batch: VectorBatch) -> None:
        """Take in a batch: its live rows are added, the others removed."""

    def remove(self, ids: IdArray) -> None: ...

    def search(self, query: FloatArray, k: int, allowed: AllowedIds | None = None) -> Found:
        """The k nearest to `query` (dimension,), best first; fewer where there are fewer."""

    def similarities(self, query: FloatArray, ids: IdArray) -> FloatArray:
        """Of these memories (n,); NaN where there is no vector."""

    def save(self) -> None:
        """Put on disk what is not there yet."""

    def verify(self) -> bool:
        """Read everything again and compare it with its checks."""

    def close(self) -> None: ...
