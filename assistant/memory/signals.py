"""The signals of recall: candidate rows from words, meaning and sessions, and what speaks for each.

Every signal is a column over the candidates, raw and unweighted. Knows the columns in RAM and the
word index; knows no weights, no texts and no prompt.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from assistant.memory.caches import Caches
from assistant.memory.columns import ROLES, STATES, Columns
from assistant.memory.cues import ASKS, DATE, NAME
from assistant.memory.entity_graph import EntityGraph
from assistant.memory.episode_rows import best_of, rows_of_best
from assistant.memory.question import Question
from assistant.memory.retention import retention_of_many
from assistant.memory.schema import Store
from assistant.memory.vectors import CONTEXT_VIEW, TEXT_VIEW, Meaning
from assistant.memory.words import Postings, find_postings
from assistant.records import FloatArray

RowArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Found = tuple[RowArray, FloatArray]  # rows and cosines, best first

SMALL: Final = 2000  # up to here every row is a candidate
# Candidates from each of the two kinds of vectors. 100 lose one question of 760 among the first 20 of
# 2760 messages and save 3 of 20 ms at 100 000.
N_BY_MEANING: Final = 300
N_BY_WORDS: Final = 500
N_BY_GRAPH: Final = 100
N_SEEDS: Final = 50  # nearest passages that the graph starts from
N_BY_SESSION: Final = 300  # rows of the best sessions
N_SESSIONS: Final = 5
DF_CAP: Final = 0.05  # a term in more of the memories than this only re-ranks
K1: Final = 1.2  # BM25 (Robertson and Zaragoza 2009, section 3)
B: Final = 0.75
DAY_S: Final = 86400.0


@dataclass(frozen=True, slots=True)
class Terms:
    """The query's terms in a store: `hits[t]` are the rows (n + 1,) that hold term t, the last one
    standing for row -1, nobody. `rarity` is their inverse document frequency."""

    hits: BoolArray  # (n_terms, n + 1)
    rows: tuple[RowArray, ...]
    counts: tuple[npt.NDArray[np.float32], ...]
    rarity: FloatArray  # (n_terms,)

    @property
    def total(self) -> float:
        return float(self.rarity.sum()) or 1.0


@dataclass(frozen=True, slots=True)
class Signals:
    """`rows` (m,) may be found; each of `values` is (m,)."""

    rows: RowArray
    values: dict[str, FloatArray]


@dataclass(frozen=True, slots=True)
class Asked:
    """The query's vector among the store's, by rows. Without a vector every cosine is 0."""

    columns: Columns
    vectors: Meaning
    vector: FloatArray | None  # (dimension,)

    def nearest(self, allowed: BoolArray) -> list[Found]:
        """The nearest rows and their cosines, by the text alone and by the text in its context."""
        if self.vector is None or self.columns.n == 0:
            return []
        ids = self.columns.id
        by_id = np.zeros(int(ids[-1]) + 1, np.bool_)
        if ids[-1] - ids[0] + 1 == len(
            ids
        ):  # ids rise: nothing was erased, and a slice is 20 times faster
            by_id[int(ids[0]) :] = allowed
        else:
            by_id[ids] = allowed
        found = []
        for ids, cosines in self.vectors.nearest(self.vector, N_BY_MEANING, by_id):
            rows = self.columns.rows_of(ids)
            found.append((rows[rows >= 0], cosines[rows >= 0]))
        return found

    def among(self, rows: RowArray) -> "Cosines":
        """Both cosines of these rows, looked up once."""
        ring = np.unique(rows[rows >= 0])
        if self.vector is None:
            nothing = np.zeros(len(ring) + 1, np.float32)
            return Cosines(ring, nothing, nothing)
        ids = self.columns.id[ring]
        text = np.nan_to_num(self.vectors.cosines(TEXT_VIEW, self.vector, ids))
        context = self.vectors.cosines(CONTEXT_VIEW, self.vector, ids)
        context = np.where(np.isnan(context), text, context)
        return Cosines(ring, np.append(text, 0), np.append(context, 0))


@dataclass(frozen=True, slots=True)
class Cosines:
    """Of `rows` (m,), rising, and last a 0 for row -1: `texts` and `contexts` (m + 1,). A row without
    a text before it, or without its vector, has the text's cosine as its context's."""

    rows: RowArray
    texts: FloatArray
    contexts: FloatArray

    def places(self, rows: RowArray) -> RowArray:
        """Where each of `rows` is in the arrays."""
        return np.where(rows >= 0, np.searchsorted(self.rows, rows), len(self.rows))


def measure(
    store: Store,
    caches: Caches,
    question: Question,
    vector: FloatArray | None,  # (dimension,)
    now: datetime,
    allowed: BoolArray,  # (n,)
) -> Signals:
    """Find the candidates and measure every signal of each."""
    columns, vectors = caches.columns, caches.vectors
    terms = find_terms(store, columns, question.terms)
    sessions = _session_scores(columns, terms)
    asked = Asked(columns, vectors, vector if vectors.fits(vector) else None)
    near = asked.nearest(allowed)
    connected = _connected(store, columns, question, caches.refresh_graph(store), near)
    episodes = caches.episodes.positions(columns)
    rows = _candidates(columns, allowed, terms, sessions, episodes, connected, near)
    if len(rows) == 0:
        return Signals(rows, {})
    before, after = columns.previous[rows], columns.next[rows]
    cosines = asked.among(np.concatenate([rows, before, after]))
    own, prior, following = (cosines.places(r) for r in (rows, before, after))
    words = terms.rarity @ terms.hits[:, rows] / terms.total
    window = terms.hits[:, rows] | terms.hits[:, before] | terms.hits[:, after]
    cues = columns.cues[rows]
    replies = (before >= 0) & (columns.cues[before] & ASKS > 0)
    values = {
        "meaning": cosines.texts[own],
        "context": cosines.contexts[own],
        "neighbours": np.maximum(cosines.contexts[prior], cosines.contexts[following]),
        "words": words,
        "window": terms.rarity @ window / terms.total,
        "episode": best_of(episodes, cosines.rows, cosines.texts[:-1])[episodes[rows]],
        "session": sessions[columns.session[rows]],
        "time": _in_time(columns.created[rows], question),
        "answer": cues & question.wanted > 0,
        "dated": cues & DATE > 0,
        "named": cues & NAME > 0,
        "graph": connected[rows],
        "retention": _retained(columns, rows, now),
        "speaker": _spoken_by(columns, rows, question),
        "length": columns.standard_length(rows),
        "question": cues & ASKS > 0,
        "reply_words": replies * (terms.rarity @ terms.hits[:, before] / terms.total),
        "reply_meaning": replies * np.maximum(cosines.texts[prior], 0),
    }
    return Signals(rows, {name: np.asarray(v, np.float32) for name, v in values.items()})


def find_terms(store: Store, columns: Columns, terms: tuple[str, ...]) -> Terms:
    """Where the terms stand, as rows."""
    hits = np.zeros((len(terms), columns.n + 1), np.bool_)
    rows: list[RowArray] = []
    counts: list[npt.NDArray[np.float32]] = []
    rarity = np.zeros(len(terms), np.float32)
    for number, term in enumerate(terms):
        postings: Postings = find_postings(store, term)
        at = columns.rows_of(postings.ids)
        known = at >= 0
        rows.append(at[known])
        counts.append(postings.counts[known])
        hits[number, at[known]] = True
        rarity[number] = inverse_frequency(int(known.sum()), columns.n)
    return Terms(hits, tuple(rows), tuple(counts), rarity)


def inverse_frequency(n_hits: int | npt.NDArray[Any], n: int) -> Any:
    """BM25's idf, never negative."""
    return np.log1p((n - n_hits + 0.5) / (n_hits + 0.5))


def _session_scores(columns: Columns, terms: Terms) -> FloatArray:
    """BM25 of each session as one document, over the sum of the terms' rarity: (n_sessions,)."""
    n = columns.n_sessions
    scores = np.zeros(max(n, 1), np.float32)
    if n == 0:
        return scores
    lengths = columns.session_lengths()
    norm = K1 * (1 - B + B * lengths / lengths.mean())
    total = 0.0
    for rows, counts in zip(terms.rows, terms.counts, strict=True):
        tf = np.bincount(columns.session[rows], counts, n)
        hit = np.flatnonzero(tf)
        rarity = float(inverse_frequency(len(hit), n))
        total += rarity
        scores[hit] += rarity * tf[hit] * (K1 + 1) / (tf[hit] + norm[hit])
    return scores / np.float32(total or 1.0)


def _candidates(
    columns: Columns,
    allowed: BoolArray,
    terms: Terms,
    sessions: FloatArray,
    episodes: RowArray,
    connected: FloatArray,
    near: Sequence[Found],
) -> RowArray:
    """Rows worth measuring: all of a small store, else the best by each way of finding."""
    if columns.n <= SMALL:
        return np.flatnonzero(allowed)
    found = [
        _by_words(columns, terms),
        *(rows for rows, _ in near),
        _by_session(columns, sessions),
        rows_of_best(episodes, near),
        _largest(connected, N_BY_GRAPH),
    ]
    rows = np.unique(np.concatenate(found))
    ring = np.concatenate([rows, columns.previous[rows], columns.next[rows]])
    rows = np.unique(ring[ring >= 0])
    return np.asarray(rows[allowed[rows]], np.int64)


def _connected(
    store: Store, columns: Columns, question: Question, graph: EntityGraph, near: Sequence[Found]
) -> FloatArray:
    """PageRank of every row from the query's phrases and its nearest passages (n,)."""
    rows, similarities = near[0] if near else (np.zeros(0, np.int64), np.zeros(0, np.float32))
    connected = np.zeros(columns.n, np.float32)
    ranks = graph.rank(store, question.text, rows[:N_SEEDS], similarities[:N_SEEDS])
    connected[: len(ranks)] = ranks
    return connected


def _by_words(columns: Columns, terms: Terms) -> RowArray:
    """The rows that hold most of the rare terms."""
    score = np.zeros(columns.n, np.float32)
    for rows, rarity in zip(terms.rows, terms.rarity, strict=True):
        if len(rows) <= DF_CAP * columns.n:
            score[rows] += rarity
    return _largest(score, N_BY_WORDS)


def _by_session(columns: Columns, sessions: FloatArray) -> RowArray:
    """Coarse to fine (HCAM): the rows of the best sessions, the best session's first."""
    best = _largest(sessions, N_SESSIONS)
    best = best[np.argsort(-sessions[best], kind="stable")]
    return np.concatenate([columns.rows_of_session(s) for s in best.tolist()] or [best])[
        :N_BY_SESSION
    ]


def _largest(score: FloatArray, k: int) -> RowArray:
    """Rows of the k largest positive scores, in no order."""
    positive = np.flatnonzero(score > 0)
    if len(positive) <= k:
        return positive
    return positive[np.argpartition(-score[positive], k - 1)[:k]]


def _in_time(created: npt.NDArray[np.float64], question: Question) -> BoolArray:
    inside = np.zeros(len(created), np.bool_)
    if not question.dates:
        return inside
    days, at = np.unique((created // DAY_S).astype(np.int64), return_inverse=True)
    epoch = datetime(1970, 1, 1, tzinfo=UTC).date()
    for span in question.dates:
        named = [span.contains(epoch + timedelta(days=day)) for day in days.tolist()]
        inside |= np.array(named)[at]
    return inside


def _retained(columns: Columns, rows: RowArray, now: datetime) -> FloatArray:
    elapsed_days = (now.timestamp() - columns.last_used[rows]) / DAY_S
    return retention_of_many(
        elapsed_days, columns.strength_days[rows], columns.importance[rows], columns.pinned[rows]
    )


def _spoken_by(columns: Columns, rows: RowArray, question: Question) -> BoolArray:
    """Said by the one speaker the query names; by the person where it says "my", and by the
    assistant where it asks what the assistant said."""
    if len(question.speakers) == 1:
        (name,) = question.speakers
        return np.asarray(columns.speaker[rows] == columns.speakers[name])
    role = ROLES.index("assistant" if question.asks_assistant else "user")
    if question.speakers or not (question.asks_assistant or question.asks_self):
        return np.zeros(len(rows), np.bool_)
    return np.asarray((columns.role[rows] == role) & (columns.speaker[rows] == 0))


def recallable(columns: Columns, question: Question, states: tuple[str, ...]) -> BoolArray:
    """Which rows may be found (n,): of these states, and the assistant's only where asked for."""
    allowed = np.zeros(columns.n, np.bool_)
    for state in states:  # ten times as fast as `isin` at 100 000 rows
        allowed |= columns.state == STATES.index(state)
    if not question.asks_assistant:
        allowed &= columns.role != ROLES.index("assistant")
    return allowed
