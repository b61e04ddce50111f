"""The graph of a store: which memories mention the same phrases, follow each other, are linked.

A cache beside the columns, built anew when the store has grown by a fiftieth; until then the newest
few memories are found by words and meaning alone.
"""

import sqlite3
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from assistant.memory.columns import Columns
from assistant.memory.graph import Graph, build_graph, pagerank, phrases_of, seed_keys
from assistant.memory.schema import Store
from assistant.records import FloatArray

RowArray = npt.NDArray[np.int64]

PASSAGE_SHARE: Final = 0.05  # of a passage's similarity, as its seed (HippoRAG 2, section 3.3)
GROWTH: Final = 0.02
MIN_GROWTH: Final = 64
HUB_SHARE: Final = 0.02  # of the memories; a phrase that more of them mention is left out
MIN_HUB: Final = 64


def insert_mentions(connection: sqlite3.Connection, memory_id: int, text: str) -> None:
    """Record the phrases that a memory mentions."""
    phrases = phrases_of(text)
    connection.executemany(
        "INSERT OR IGNORE INTO entities (key, name) VALUES (?, ?)", list(phrases.items())
    )
    connection.executemany(
        "INSERT OR IGNORE INTO mentions (memory_id, entity_id)"
        " SELECT ?, id FROM entities WHERE key = ?",
        [(memory_id, key) for key in phrases],
    )


class EntityGraph:
    """Personalised PageRank over one store."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._entities: RowArray = np.zeros(0, np.int64)  # ids, rising; node n_memories + place
        self._layout = ""  # of the columns whose positions the nodes are

    def refresh(self, store: Store, columns: Columns, *, early: bool = False) -> bool:
        """Build the graph anew where it is too old, `early` where it is half that. True where it was."""
        known = self._graph.n_memories if self._graph else 0
        grown = columns.n - known > max(MIN_GROWTH, GROWTH * known) / (2 if early else 1)
        if self._graph is not None and not grown and self._layout == columns.layout:
            return False
        self._build(store, columns)
        return True

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {
            "graph_layout": np.array([self._layout]),
            "graph_starts": self.graph.starts,
            "graph_targets": self.graph.targets.astype(np.int32),
            "graph_entities": self._entities,
            "graph_memories": np.array(self.graph.n_memories),
        }

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take what `to_arrays` gave; `refresh` looks whether it is still of use."""
        self._layout = str(arrays["graph_layout"][0])
        targets = arrays["graph_targets"].astype(np.int64)
        n_memories = int(arrays["graph_memories"])
        self._graph = Graph(arrays["graph_starts"], targets, n_memories)
        self._entities = arrays["graph_entities"]

    def _build(self, store: Store, columns: Columns) -> None:
        # A phrase of one memory connects nothing; one of very many says nothing.
        rows = store.read(
            "SELECT entity_id, group_concat(memory_id), count(*) FROM mentions GROUP BY entity_id"
            " HAVING count(*) BETWEEN 2 AND ? ORDER BY entity_id",
            (max(MIN_HUB, int(HUB_SHARE * columns.n)),),
        )
        self._entities = np.array([row[0] for row in rows], np.int64)
        places = np.repeat(np.arange(len(rows)), [row[2] for row in rows])
        ids = np.array(",".join(row[1] for row in rows).split(",") if rows else [], np.int64)
        mentions = np.stack([columns.rows_of(ids), columns.n + places], axis=1)
        links = store.read("SELECT from_memory, to_memory FROM links")
        linked = columns.rows_of(np.array(links, np.int64).reshape(-1)).reshape(-1, 2)
        neighbours = np.stack([np.arange(columns.n), columns.next], axis=1)
        ends = np.concatenate([mentions, linked, neighbours])
        ends = ends[(ends >= 0).all(axis=1)]
        self._graph = build_graph(columns.n, columns.n + len(self._entities), ends)
        self._layout = columns.layout

    def rank(
        self, store: Store, query: str, rows: RowArray, similarities: FloatArray
    ) -> FloatArray:
        """PageRank of the first `n_memories` rows, the highest being 1.

        `rows` (m,) and `similarities` (m,) are the nearest passages.
        """
        seeds, mass = self.seeds(store, query, rows, similarities)
        ranks = pagerank(self.graph, seeds, mass)[: self.graph.n_memories]
        best = float(ranks.max(initial=0))
        return ranks / np.float32(best) if best > 0 else ranks

    @property
    def graph(self) -> Graph:
        assert self._graph is not None  # after `refresh`
        return self._graph

    def seeds(
        self, store: Store, query: str, rows: RowArray, similarities: FloatArray
    ) -> tuple[RowArray, npt.NDArray[np.float64]]:
        """Nodes to start from and their mass: the query's phrases, each by its rarity (HippoRAG's
        node specificity), and the passages."""
        graph = self.graph
        keys = seed_keys(query)
        found = store.read(
            f"SELECT id FROM entities WHERE key IN ({','.join('?' * len(keys))})", keys
        )
        places = np.searchsorted(self._entities, sorted(row[0] for row in found))
        ids = np.array(sorted(row[0] for row in found), np.int64)
        inside = places < len(self._entities)
        inside[inside] = self._entities[places[inside]] == ids[inside]
        phrases = graph.n_memories + places[inside]
        degrees = graph.degrees(phrases)
        close = rows < graph.n_memories
        mass = [1 / np.maximum(degrees, 1), PASSAGE_SHARE * np.maximum(similarities[close], 0)]
        return np.concatenate([phrases, rows[close]]), np.concatenate(mass)
