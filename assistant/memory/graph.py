"""Phrases of a text, and personalised PageRank over memories and the phrases they share.

Arrays and strings only; knows no store. After HippoRAG 2 (arXiv 2502.14802, section 3): a node for
each passage and each phrase, seeds from the phrases of the query, passages at a small share of their
similarity. Phrases are found in code: names, quoted titles, and pairs of neighbouring content words.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from assistant.memory.words import STOP_WORDS, stem, words_of
from assistant.records import FloatArray

RowArray = npt.NDArray[np.int64]

N_PHRASES: Final = 24  # of one text, at most
DAMPING: Final = 0.5  # HippoRAG 2's
SMALLEST_PUSH: Final = 1e-5  # mass below this stays where it is
MAX_ROUNDS: Final = 24

_NAMES: Final = re.compile(r"(?:\b[A-Z][\w-]*)(?:\s+(?:(?:of|the|de|van|von)\s+)?[A-Z][\w-]*)*")
_SENTENCE_START: Final = re.compile(r"(?:^|[.!?\u2026:\n][\"')\]]*\s*)\W*$")


def phrases_of(text: str) -> dict[str, str]:
    """key -> the words as written, of what a text mentions, in order, N_PHRASES at most."""
    found: dict[str, str] = {}
    for key, name in (*_names(text), *_pairs(text)):
        if len(found) == N_PHRASES:
            break
        found.setdefault(key, name)
    return found


def _names(text: str) -> Iterator[tuple[str, str]]:
    """Runs of capitalised words, whole and word by word; a capital that only begins a sentence is
    taken where the run goes on."""
    for match in _NAMES.finditer(text):
        parts = match.group().split()
        if parts[0].casefold() in STOP_WORDS or (
            len(parts) == 1 and _SENTENCE_START.search(text[: match.start()][-8:])
        ):
            parts = parts[1:]
        named = [part for part in parts if part.casefold() not in STOP_WORDS]
        if len(named) > 1:
            yield " ".join(parts).casefold(), " ".join(parts)
        for part in named:
            yield part.casefold(), part


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    before = ""
    for word in words_of(text):
        if word in STOP_WORDS:
            before = ""
            continue
        if before:
            yield f"{stem(before)} {stem(word)}", f"{before} {word}"
        before = word


def seed_keys(query: str) -> list[str]:
    """The keys by which a query's phrases may be known: its names, pairs and single words."""
    singles = [word for word in words_of(query) if word not in STOP_WORDS]
    return list(dict.fromkeys([*phrases_of(query), *singles]))


@dataclass(frozen=True, slots=True)
class Graph:
    """An undirected graph in compressed rows: the neighbours of node i are
    `targets[starts[i]:starts[i + 1]]`. `n_memories` nodes come first, then the phrases."""

    starts: RowArray  # (n_nodes + 1,)
    targets: RowArray  # (n_edges,), each edge once from either end
    n_memories: int

    @property
    def n_nodes(self) -> int:
        return len(self.starts) - 1

    def degrees(self, nodes: RowArray) -> RowArray:
        return self.starts[nodes + 1] - self.starts[nodes]


def build_graph(n_memories: int, n_nodes: int, ends: RowArray) -> Graph:
    """From the two ends of each edge, (n_edges, 2)."""
    source = np.concatenate([ends[:, 0], ends[:, 1]])
    target = np.concatenate([ends[:, 1], ends[:, 0]])
    order = np.argsort(source, kind="stable")
    starts = np.zeros(n_nodes + 1, np.int64)
    np.cumsum(np.bincount(source, minlength=n_nodes), out=starts[1:])
    return Graph(starts, target[order], n_memories)


def pagerank(
    graph: Graph, seeds: RowArray, mass: npt.NDArray[np.floating], damping: float = DAMPING
) -> FloatArray:
    """Personalised PageRank of every node, (n_nodes,), summing to 1 for seeds with any mass.

    By pushing mass along edges from the seeds outwards (Andersen, Chung and Lang 2006, section 3),
    all nodes of a round at once: only what the seeds reach is touched. Mass of less than
    SMALLEST_PUSH is left where it is, which bounds the error of a node by what is left.
    """
    rank = np.zeros(graph.n_nodes, np.float64)
    waiting = np.zeros(graph.n_nodes, np.float64)
    total = float(mass.sum())
    if total <= 0:
        return rank.astype(np.float32)
    np.add.at(waiting, seeds, mass / total)
    due = np.zeros(graph.n_nodes, np.bool_)
    due[seeds] = True
    active = np.flatnonzero(due)
    for _ in range(MAX_ROUNDS):
        due[active] = False
        active = active[waiting[active] > SMALLEST_PUSH]
        if len(active) == 0:
            break
        pushed = waiting[active]
        waiting[active] = 0
        degrees = graph.degrees(active)
        lone = degrees == 0  # nowhere to go: all of it stays
        rank[active] += np.where(lone, 1.0, 1 - damping) * pushed
        movers, moved = active[~lone], damping * pushed[~lone]
        spread = degrees[~lone]
        targets = graph.targets[_ranges(graph.starts[movers], spread)]
        np.add.at(waiting, targets, np.repeat(moved / spread, spread))
        # Only what gained mass can be due. `unique` would cost more than the round.
        due[targets] = True
        active = np.flatnonzero(due)
    return np.asarray(rank + waiting, np.float32)


def _ranges(starts: RowArray, lengths: RowArray) -> RowArray:
    """The numbers of every range [start, start + length), one after the other."""
    if len(lengths) == 0:
        return np.zeros(0, np.int64)
    offsets = np.repeat(starts - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
    return offsets + np.arange(int(lengths.sum()))
