"""Recall: candidates by words, meaning, sessions and the graph, one ranking, and what is given.

Knows the order of the steps; the signals are `signals`, their weights `weights`. Knows no model (the
query's vector and the counter of tokens are handed in) and writes nothing.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt

from assistant.memory.browse import excluded_memories
from assistant.memory.caches import Caches
from assistant.memory.choosing import Room, choose
from assistant.memory.columns import KINDS, Columns
from assistant.memory.messages import read_memories
from assistant.memory.question import Question, take_apart
from assistant.memory.retention import is_weak
from assistant.memory.schema import Store
from assistant.memory.signals import Asked, Found, Signals, measure, recallable
from assistant.memory.weights import active_weights
from assistant.records import FloatArray, Recall

RowArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

N_SPARE: Final = 15  # ranked beyond the count: near-misses, and what may replace a duplicate


@dataclass(frozen=True, slots=True)
class Query:
    """One question to the store. `vector` None goes by words alone."""

    text: str
    vector: FloatArray | None  # (dimension,)
    now: datetime
    k: int = 5
    exclude_turns: Collection[int] = ()
    conversation_id: int | None = None
    token_budget: int | None = None
    count_tokens: Callable[[str], int] | None = None
    priors: bool = True


@dataclass(frozen=True, slots=True)
class Ranking:
    """Rows, best first, and each weighted signal of them; `score` is their sum."""

    rows: RowArray  # (m,)
    score: FloatArray  # (m,)
    signals: dict[str, FloatArray]  # (m,) each


def search(store: Store, caches: Caches, query: Query) -> Recall:
    """The memories for a query, best first, and the near-misses, each with its signals."""
    started = time.perf_counter()
    columns = caches.columns
    caches.refresh(store)
    question = take_apart(query.text, columns.speakers, query.now)  # 1
    ranking = rank(store, caches, query, question, query.k + N_SPARE)  # 2
    ids = columns.id[ranking.rows].tolist()
    found = read_memories(store, ids)
    ranked = [
        replace(
            found[memory_id],
            score=float(ranking.score[place]),
            signals={name: float(values[place]) for name, values in ranking.signals.items()},
        )
        for place, memory_id in enumerate(ids)
        if memory_id in found
    ]
    room = Room(query.k, query.token_budget, query.count_tokens)
    given, near = choose(ranked, room)  # 3
    elapsed_ms = (time.perf_counter() - started) * 1000
    return Recall(query.text, tuple(given), tuple(near), elapsed_ms)


def measure_all(store: Store, caches: Caches, query: Query) -> tuple[RowArray, Signals]:
    """Every candidate's memory id (m,) and raw signals: what the weights are fitted on."""
    columns = caches.columns
    caches.refresh(store)
    question = take_apart(query.text, columns.speakers, query.now)
    allowed = recallable(columns, question, ("active",))
    signals = measure(store, caches, question, query.vector, query.now, allowed)
    return columns.id[signals.rows], signals


def nearest_all(store: Store, caches: Caches, query: Query) -> list[Found]:
    """The candidates by meaning alone, rows and cosines in each view: to time them."""
    caches.refresh(store)
    columns, vectors = caches.columns, caches.vectors
    allowed = recallable(columns, take_apart(query.text, (), query.now), ("active",))
    return Asked(columns, vectors, query.vector if vectors.fits(query.vector) else None).nearest(
        allowed
    )


def rank(store: Store, caches: Caches, query: Query, question: Question, n: int) -> Ranking:
    """The best n rows. Faded ones compete where what is active answers weakly, or where the summary
    that stands for them is among the first."""
    columns = caches.columns
    barred = _barred(store, columns, query)
    active = recallable(columns, question, ("active",)) & ~barred

    def measured(allowed: BoolArray) -> Signals:
        return measure(store, caches, question, query.vector, query.now, allowed)

    ranking = weigh(measured(active), query.priors, n)
    awake = _woken(store, columns, question, ranking, query.k) & ~barred & ~active
    if awake.any():
        ranking = weigh(measured(active | awake), query.priors, n)
    return ranking


def weigh(signals: Signals, priors: bool, n: int) -> Ranking:
    """The n best of the candidates, the earlier row first among equals."""
    weighted = {
        name: np.float32(weight) * signals.values[name]
        for name, weight in active_weights(priors).items()
        if name in signals.values
    }
    score = sum(weighted.values(), np.zeros(len(signals.rows), np.float32))
    n = min(n, len(score))
    best = np.argpartition(-score, n - 1)[:n] if n else np.zeros(0, np.int64)
    best = best[np.lexsort((best, -score[best]))]
    return Ranking(
        signals.rows[best], score[best], {name: values[best] for name, values in weighted.items()}
    )


def _barred(store: Store, columns: Columns, query: Query) -> BoolArray:
    """Rows that may not be found (n,): of the turns in the prompt, or excluded by the person."""
    barred = np.zeros(columns.n, np.bool_)
    for turn in query.exclude_turns:
        barred |= columns.turn == turn
    if excluded := excluded_memories(store, query.conversation_id):
        barred |= np.isin(columns.id, list(excluded))
    return barred


def _woken(
    store: Store, columns: Columns, question: Question, ranking: Ranking, k: int
) -> BoolArray:
    """Faded rows that may compete after all (n,)."""
    faded = recallable(columns, question, ("faded",))
    if not faded.any():
        return faded
    weights = active_weights()
    best = {name: float(values[0]) for name, values in ranking.signals.items() if len(values)}
    coverage = best.get("words", 0.0) / weights["words"]
    if is_weak(coverage, best.get("meaning", 0.0) / weights["meaning"]):
        return faded
    first = ranking.rows[:k]
    summaries = columns.id[first[columns.kind[first] == KINDS.index("summary")]]
    members = [
        row[0]
        for summary in summaries.tolist()
        for row in store.read("SELECT id FROM memories WHERE faded_into = ?", (summary,))
    ]
    return faded & np.isin(columns.id, members)
