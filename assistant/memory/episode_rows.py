"""Which episode each row of the columns is of: the level above the message (HCAM, EM-LLM).

A cache beside the columns. An episode's table says where it begins; a row is of the last one of its
conversation that began at or before its turn. Where none was observed yet, the session stands for it.
Knows rows, turns and plain scores; knows no vector and no weight.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from assistant.memory.columns import Columns
from assistant.memory.schema import Store
from assistant.records import FloatArray

RowArray = npt.NDArray[np.int64]

NONE: Final = -1
N_EPISODES: Final = 20  # the best ones, whose rows are candidates
N_ROWS: Final = 200  # of theirs, at most


class EpisodeRows:
    """The episodes of one store, each by its position: first those observed, then the sessions."""

    def __init__(self) -> None:
        self._newest = NONE  # id of the last episode taken in
        self._layout = ""  # of the columns whose rows `_observed` are
        self._begins = np.zeros((0, 2), np.int64)  # conversation and first turn, rising
        # (n,) position in `_begins`, NONE where there is none
        self._observed = np.zeros(0, np.int32)

    def refresh(self, store: Store, columns: Columns) -> None:
        """Catch up with the refreshed columns and with the episodes that began since."""
        newest = int(store.value("SELECT max(id) FROM episodes") or 0)
        if newest != self._newest or columns.layout != self._layout:
            begins = store.read(
                "SELECT conversation_id, first_turn_id FROM episodes"
                " ORDER BY conversation_id, first_turn_id"
            )
            self._begins = np.array([tuple(row) for row in begins], np.int64).reshape(-1, 2)
            self._observed = np.zeros(0, np.int32)
            self._newest, self._layout = newest, columns.layout
        known = len(self._observed)
        if known < columns.n:
            self._observed = np.concatenate([self._observed, self._find(columns, known)])

    def _find(self, columns: Columns, first: int) -> npt.NDArray[np.int32]:
        """The observed episode of each row from `first` on."""
        conversation, turn = columns.conversation[first:], columns.turn[first:]
        if len(self._begins) == 0:
            return np.full(len(turn), NONE, np.int32)
        # One key for both: conversations apart by more than any turn's number.
        apart = int(max(turn.max(initial=0), self._begins[:, 1].max())) + 1
        keys = self._begins[:, 0] * apart + self._begins[:, 1]
        last = np.searchsorted(keys, conversation * apart + turn, side="right") - 1
        same = (last >= 0) & (self._begins[last, 0] == conversation) & (conversation > 0)
        return np.where(same, last, NONE).astype(np.int32)

    @property
    def n_observed(self) -> int:
        return len(self._begins)

    def positions(self, columns: Columns) -> RowArray:
        """The episode of every row (n,), below `n_observed` + the number of sessions."""
        observed = self._observed[: columns.n]
        return np.where(observed == NONE, self.n_observed + columns.session, observed)


def best_of(episodes: RowArray, rows: RowArray, scores: FloatArray) -> FloatArray:
    """The highest positive score of `rows` (m,) in each episode up to the last of theirs, else 0."""
    best = np.zeros(int(episodes[rows].max(initial=NONE)) + 1, np.float32)
    np.maximum.at(best, episodes[rows], scores)
    return best


def rows_of_best(episodes: RowArray, found: Sequence[tuple[RowArray, FloatArray]]) -> RowArray:
    """Rows of the episodes that hold the best of what was found, the best episode's first: a message
    that fits brings those that were said around it (EM-LLM, arXiv 2407.09450, section 3.2)."""
    if not found:
        return np.zeros(0, np.int64)
    rows, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
    score = best_of(episodes, rows, scores)
    best = np.flatnonzero(score > 0)
    best = best[np.argsort(-score[best], kind="stable")[:N_EPISODES]]
    place = np.full(int(episodes.max(initial=0)) + 1, len(best), np.int64)
    place[best] = np.arange(len(best))
    places = place[episodes]
    inside = np.flatnonzero(places < len(best))
    return inside[np.argsort(places[inside], kind="stable")][:N_ROWS]
