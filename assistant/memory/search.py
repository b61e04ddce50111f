"""Recall: candidates from words and meaning, one ranking, and what is given to the model.

Knows the signals and their weights; knows no model (the query's vector and the counter of tokens
are handed in) and writes nothing.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from assistant.memory.columns import STATES, Columns
from assistant.memory.messages import read_memories
from assistant.memory.schema import Store
from assistant.memory.words import content_words, find_postings, replace_speakers, stem
from assistant.native import scan_int8
from assistant.records import FloatArray, Recall, RecalledMemory

RowArray = npt.NDArray[np.int64]

K1: Final = 1.2  # BM25 (Robertson and Zaragoza 2009, section 3), as FTS5 has them
B: Final = 0.75
N_SIMILAR: Final = 4096  # rows whose similarity is computed; all of a small store
SESSION_WEIGHT: Final = 0.4
SMOOTHING: Final = 0.3
N_NEAR_MISSES: Final = 10


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


def search(store: Store, columns: Columns, query: Query) -> Recall:
    """The memories for a query, best first, and the near-misses, each with its signals."""
    started = time.perf_counter()
    columns.refresh(store)
    signals, score = rank(store, columns, query)
    order = _best(score, query.k + N_NEAR_MISSES)
    found = read_memories(store, columns.id[order].tolist())
    ranked = [
        replace(
            found[int(columns.id[row])],
            score=float(score[row]),
            signals={name: float(values[row]) for name, values in signals.items()},
        )
        for row in order.tolist()
        if int(columns.id[row]) in found
    ]
    given, near = _choose(ranked, query)
    elapsed_ms = (time.perf_counter() - started) * 1000
    return Recall(query.text, tuple(given), tuple(near), elapsed_ms)


def rank(store: Store, columns: Columns, query: Query) -> tuple[dict[str, FloatArray], FloatArray]:
    """Each signal and the final score of every row, (n,); -inf for a row that may not be found."""
    words_asked = content_words(replace_speakers(query.text, columns.speakers))
    terms = dict.fromkeys(stem(word) for word in words_asked)
    words, session = _words(store, columns, [term for term in terms if term])
    meaning = _similarities(columns, query.vector)
    signals = {
        "words": _standardise(words),
        "meaning": _standardise(meaning),
        "session": SESSION_WEIGHT * _standardise(session),
    }
    own = sum(signals.values(), np.zeros(columns.n, np.float32))
    signals["neighbours"] = smooth(own, columns.previous, columns.next, SMOOTHING) - own
    score = own + signals["neighbours"]
    allowed = columns.state == STATES.index("active")
    if query.exclude_turns:
        allowed &= ~np.isin(columns.turn, np.fromiter(query.exclude_turns, np.int64))
    return signals, np.where(allowed, score, -np.inf).astype(np.float32)


def _words(store: Store, columns: Columns, terms: list[str]) -> tuple[FloatArray, FloatArray]:
    """BM25 of every row (n,), and of the session it is in (n,)."""
    own = np.zeros(columns.n, np.float32)
    sessions = np.zeros(columns.n_sessions, np.float32)
    if columns.n == 0:
        return own, own
    lengths = columns.n_characters.astype(np.float32)
    session_lengths = np.bincount(columns.session, lengths, columns.n_sessions)
    for term in terms:
        postings = find_postings(store, term)
        rows = columns.rows_of(postings.ids)
        known = rows >= 0
        rows, counts = rows[known], postings.counts[known]
        if len(rows) == 0:
            continue
        own[rows] += bm25(counts, lengths[rows], lengths.mean(), len(rows), columns.n)
        in_session = np.bincount(columns.session[rows], counts, columns.n_sessions)
        hit = np.flatnonzero(in_session)
        sessions[hit] += bm25(
            in_session[hit],
            session_lengths[hit],
            session_lengths.mean(),
            len(hit),
            columns.n_sessions,
        )
    return own, sessions[columns.session]


def bm25(
    counts: npt.NDArray[Any],
    lengths: npt.NDArray[Any],
    mean_length: float,
    n_hits: int,
    n: int,
) -> FloatArray:
    """One term's share of BM25 for the documents that hold it."""
    idf = np.log(1 + (n - n_hits + 0.5) / (n_hits + 0.5))
    norm = K1 * (1 - B + B * lengths / mean_length)
    return np.asarray(idf * counts * (K1 + 1) / (counts + norm), np.float32)


def _similarities(columns: Columns, vector: FloatArray | None) -> FloatArray:
    """Cosine of every row (n,); rows past the nearest N_SIMILAR get the last one's."""
    if vector is None or columns.n == 0 or not columns.scale.any():
        return np.zeros(columns.n, np.float32)
    k = min(columns.n, N_SIMILAR)
    rows, similarities = scan_int8(columns.codes, columns.scale, vector, k)
    every = np.full(columns.n, similarities[-1], np.float32)
    every[rows] = similarities
    return every


def smooth(score: FloatArray, previous: RowArray, following: RowArray, weight: float) -> FloatArray:
    """Temporal contiguity as a score (EM-LLM, arXiv 2407.09450, section 3.4): each text gains
    `weight` of its better neighbour and `weight` squared of the better one two away."""
    padded = np.append(score, np.float32(-np.inf))  # row -1 is nobody
    before, after = np.append(previous, -1), np.append(following, -1)
    total = score.copy()
    for step in (1, 2):
        near = np.maximum(padded[before], padded[after])[:-1]
        total += np.where(np.isfinite(near), weight**step * near, 0)
        before, after = before[np.append(previous, -1)], after[np.append(following, -1)]
    return total


def _standardise(values: FloatArray) -> FloatArray:
    """z-scores; zeros where nothing differs."""
    if len(values) == 0:
        return values
    deviation = float(values.std())
    return (values - values.mean()) / np.float32(deviation) if deviation > 1e-9 else values * 0


def _best(score: FloatArray, k: int) -> RowArray:
    """Rows of the k highest finite scores, best first, the earlier row first among equals."""
    k = min(k, len(score))
    if k == 0:
        return np.zeros(0, np.int64)
    rows = np.argpartition(-score, k - 1)[:k]
    rows = rows[np.isfinite(score[rows])]
    return rows[np.lexsort((rows, -score[rows]))]


def _choose(
    ranked: Sequence[RecalledMemory], query: Query
) -> tuple[list[RecalledMemory], list[RecalledMemory]]:
    """The first k that fit the token budget, and the others with the reason why not."""
    given: list[RecalledMemory] = []
    near: list[RecalledMemory] = []
    left = query.token_budget
    for memory in ranked:
        cost = query.count_tokens(memory.resolved_text) if query.count_tokens else 0
        if len(given) >= query.k:
            near.append(replace(memory, reason="beyond the count"))
        elif left is not None and cost > left:
            near.append(replace(memory, reason="over budget"))
        else:
            given.append(memory)
            left = None if left is None else left - cost
    return given, near
