"""The columns recall ranks by, in RAM: a cache of `memories`, one row each.

Knows which rows are new, changed or gone since it last looked (`meta.revision`), and when everything
may have changed (`meta.generation`). Holds no text and no vector. A row is a position in these
arrays, never a memory's id.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from assistant.memory.cues import cues_of
from assistant.memory.schema import Store, from_text
from assistant.records import FloatArray

RowArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

SESSION_GAP_S: Final = 6 * 3600.0  # a longer pause within a conversation begins a new session
KINDS: Final = ("message", "passage", "thought", "summary")
STATES: Final = ("active", "faded", "superseded", "forgotten")
ROLES: Final = ("system", "user", "assistant")
FEW_ROWS: Final = 64  # up to here new rows are taken in one by one
_FIELDS: Final[dict[str, Any]] = {
    "id": np.int64,
    "kind": np.int8,  # position in KINDS
    "state": np.int8,  # position in STATES
    "role": np.int8,  # position in ROLES
    "speaker": np.int32,  # position in `speakers`; 0 is nobody
    "conversation": np.int64,  # 0 is none
    "turn": np.int64,  # 0 is none
    "message": np.int64,  # itself or the source; 0 is none
    "created": np.float64,  # seconds since 1970
    "last_used": np.float64,
    "strength_days": np.float32,
    "importance": np.float32,
    "pinned": np.bool_,
    "n_characters": np.int32,
    "log_length": np.float64,  # log1p of it: 2 ms for 100 000 rows, and every message is a change
    "cues": np.int32,  # bits of `cues.CUES`
    "previous": np.int64,  # row of the text before it in its session; -1 is none
    "next": np.int64,
    "session": np.int64,
}
_SELECT: Final = (
    "SELECT id, kind, state, role, coalesce(speaker, ''), coalesce(conversation_id, 0),"
    " coalesce(turn_id, 0), coalesce(message_id, 0), created, coalesce(last_used, created),"
    " strength_days, importance, pinned, length(text),"
    " coalesce(cues, CASE WHEN cues IS NULL THEN text END) FROM memories WHERE searchable = 1"
)


class Columns:
    """Arrays of length `n`, reached as attributes by the names of `_FIELDS`."""

    def __init__(self) -> None:
        self._clear("")

    def _clear(self, generation: str) -> None:
        self.generation = generation
        # Whose the positions are: while it stays, every row is where it was.
        self.layout = ""
        self.revision = 0
        self.n_taken = 0  # rows read from the store since they were kept in a file
        self.n = 0
        self.n_sessions = 0
        self.speakers: dict[str, int] = {"": 0}
        self._data: dict[str, npt.NDArray[Any]] = {
            name: np.zeros(0, dtype) for name, dtype in _FIELDS.items()
        }
        self._length_scale: tuple[float, float] | None = None
        self._session_lengths: npt.NDArray[np.float64] | None = None
        self._tails: dict[int, int] = {}  # conversation -> its last row

    def __getattr__(self, name: str) -> npt.NDArray[Any]:
        try:
            column: npt.NDArray[Any] = self.__dict__["_data"][name]
        except KeyError:
            raise AttributeError(name) from None
        return column[: self.n]

    def rows_of_session(self, session: int) -> RowArray:
        return np.flatnonzero(self.session == session)

    def session_lengths(self) -> npt.NDArray[np.float64]:
        """Characters said in each session, (n_sessions,)."""
        if self._session_lengths is None:
            lengths = np.bincount(self.session, self.n_characters, self.n_sessions)
            self._session_lengths = lengths.astype(np.float64)
        return self._session_lengths

    def standard_length(self, rows: RowArray) -> FloatArray:
        """How far the log length of each row is from the store's mean, in standard deviations."""
        if self._length_scale is None:
            logs = self.log_length
            self._length_scale = float(logs.mean()), float(logs.std()) or 1.0
        mean, deviation = self._length_scale
        return np.asarray((self.log_length[rows] - mean) / deviation, np.float32)

    def rows_of(self, ids: RowArray) -> RowArray:
        """The row of each memory id, -1 where it is not here."""
        if self.n == 0:
            return np.full(len(ids), -1, np.int64)
        at = np.minimum(np.searchsorted(self.id, ids), self.n - 1)
        return np.where(self.id[at] == ids, at, -1)

    def refresh(self, store: Store) -> bool:
        """Take in what changed in the store, by this process or another. True where rows went."""
        with store.snapshot() as connection:
            meta = dict(connection.execute("SELECT key, value FROM meta").fetchall())
            reloaded: bool = meta["generation"] != self.generation
            if reloaded:
                self._clear(meta["generation"])
            if int(meta["revision"]) != self.revision:
                self._take_rows(connection)
                self._drop_rows(connection)
                self.revision = int(meta["revision"])
                self._length_scale = self._session_lengths = None
            self.layout = self.layout or f"{self.generation}/{self.revision}"
        return reloaded

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Everything that `restore` needs, but what it can compute."""
        return {
            "revision": np.array(self.revision),
            "layout": np.array([self.generation, self.layout]),
            "speakers": np.frombuffer(
                json.dumps(list(self.speakers), ensure_ascii=False).encode(), np.uint8
            ),
            **{f"column_{name}": getattr(self, name) for name in _FIELDS},
        }

    def restore(self, store: Store, arrays: Mapping[str, npt.NDArray[Any]]) -> bool:
        """Take what `to_arrays` gave, of this store at some time before. False where it was not: of
        another generation or other columns, or of a store that was put back to before it."""
        if any(
            f"column_{name}" not in arrays or arrays[f"column_{name}"].dtype != dtype
            for name, dtype in _FIELDS.items()
        ):
            return False
        generation, layout = arrays["layout"].tolist()
        revision, ids = int(arrays["revision"]), arrays["column_id"]
        if store.meta("generation") != generation or int(store.meta("revision") or 0) < revision:
            return False
        last = int(ids[-1]) if len(ids) else 0
        created = store.value("SELECT created FROM memories WHERE id = ?", (last,))
        if created is None or from_text(created).timestamp() != arrays["column_created"][-1]:
            return False
        self._clear(generation)
        self.layout, self.revision, self.n = layout, revision, len(ids)
        speakers = json.loads(arrays["speakers"].tobytes())
        self.speakers = {name: number for number, name in enumerate(speakers)}
        self._data = {name: arrays[f"column_{name}"] for name in _FIELDS}
        self._count_sessions()
        return True

    def _count_sessions(self) -> None:
        """The number of sessions, and the last row of each conversation."""
        self.n_sessions = int(self.session.max(initial=-1)) + 1
        order = self._spoken()
        self._tails = dict(zip(self.conversation[order].tolist(), order.tolist(), strict=True))

    def _spoken(self) -> RowArray:
        """The rows that were said, conversation by conversation, in the order they were."""
        spoken = np.flatnonzero(self.kind <= KINDS.index("passage"))
        keys = (self.id[spoken], self.created[spoken], self.conversation[spoken])
        return spoken[np.lexsort(keys)]

    def _take_rows(self, connection: Any) -> None:
        """Every row newer than `revision`: a known id is overwritten, a new one appended."""
        # By its own choice SQLite reads the whole table in order of id: 32 ms of each turn at
        # 100 000 rows.
        source = _SELECT.replace(" WHERE", " INDEXED BY memories_revision WHERE")
        changed = connection.execute(
            f"{source if self.revision else _SELECT} AND revision > ? ORDER BY id",
            (self.revision,),
        ).fetchall()
        self.n_taken += len(changed)
        ids = np.array([row[0] for row in changed], np.int64)
        old = self.rows_of(ids)
        last = int(self.id[-1]) if self.n else 0
        if np.any((old < 0) & (ids <= last)):  # an id below ours became searchable: sort anew
            changed = connection.execute(f"{_SELECT} ORDER BY id").fetchall()
            self._clear(self.generation)
            old = np.full(len(changed), -1, np.int64)
        first = self.n
        rows = np.where(old >= 0, old, first + np.cumsum(old < 0) - 1)
        self._grow(first + int((old < 0).sum()))
        self._fill(rows, changed)
        self._link(first)

    def _drop_rows(self, connection: Any) -> None:
        """Rows that went, or may not be searched any more, are never found again."""
        gone = connection.execute(
            "SELECT memory_id FROM deletions WHERE revision > ?1 UNION ALL"
            " SELECT id FROM memories WHERE searchable = 0 AND revision > ?1",
            (self.revision,),
        ).fetchall()
        rows = self.rows_of(np.array([row[0] for row in gone], np.int64))
        self.state[rows[rows >= 0]] = STATES.index("forgotten")

    def _fill(self, rows: RowArray, source: list[Any]) -> None:
        """Put the rows of `_SELECT` into the columns."""
        if not source:
            return
        data = self._data
        (
            ids,
            kinds,
            states,
            roles,
            speakers,
            conversations,
            turns,
            messages,
            created,
            used,
            *ages,
            lengths,
            cues,
        ) = zip(*source, strict=True)
        for name, values, words in (
            ("kind", kinds, KINDS),
            ("state", states, STATES),
            ("role", roles, ROLES),
        ):
            place = {word: number for number, word in enumerate(words)}
            data[name][rows] = [place[value] for value in values]
        for name, values in (
            ("id", ids),
            ("conversation", conversations),
            ("turn", turns),
            ("message", messages),
            ("n_characters", lengths),
            *zip(("strength_days", "importance", "pinned"), ages, strict=True),
        ):
            data[name][rows] = values
        data["log_length"][rows] = np.log1p(data["n_characters"][rows])
        data["cues"][rows] = [c if isinstance(c, int) else cues_of(c) for c in cues]
        data["created"][rows] = [from_text(moment).timestamp() for moment in created]
        data["last_used"][rows] = [from_text(moment).timestamp() for moment in used]
        known = self.speakers
        data["speaker"][rows] = [known.setdefault(name, len(known)) for name in speakers]

    def _grow(self, n: int) -> None:
        """Room for `n` rows; doubling, so that appending one costs nothing on average."""
        capacity = len(self._data["id"])
        if n > capacity:
            capacity = max(n, 2 * capacity, 64)
            for name, old in self._data.items():
                self._data[name] = np.zeros(capacity, old.dtype)
                self._data[name][: self.n] = old[: self.n]
        self.n = n

    def _link(self, first: int) -> None:
        """Join the rows from `first` on to the texts before them; all rows anew where there are
        many, or where one is older than the last of its conversation."""
        if self.n - first > FEW_ROWS:
            self._link_all()
            return
        for row in range(first, self.n):
            spoken = self.kind[row] <= KINDS.index("passage")
            tail = self._tails.get(int(self.conversation[row]), -1) if spoken else -1
            if tail >= 0 and self.created[row] < self.created[tail]:
                self._link_all()
                return
            self._append(row, tail)
            if spoken:
                self._tails[int(self.conversation[row])] = row

    def _append(self, row: int, tail: int) -> None:
        near = tail >= 0 and self.created[row] - self.created[tail] <= SESSION_GAP_S
        self.previous[row], self.next[row] = (tail if near else -1), -1
        if near:
            self.next[tail] = row
            self.session[row] = self.session[tail]
        else:
            self.session[row] = self.n_sessions
            self.n_sessions += 1

    def _link_all(self) -> None:
        order = self._spoken()
        conversation, created = self.conversation[order], self.created[order]
        begins = np.ones(len(order), np.bool_)
        begins[1:] = (conversation[1:] != conversation[:-1]) | (np.diff(created) > SESSION_GAP_S)
        self.session[:] = -1
        self.previous[:] = -1
        self.next[:] = -1
        self.session[order] = np.cumsum(begins) - 1
        inner = np.flatnonzero(~begins)
        self.previous[order[inner]] = order[inner - 1]
        self.next[order[inner - 1]] = order[inner]
        self.n_sessions = int(begins.sum())
        self._tails = dict(zip(conversation.tolist(), order.tolist(), strict=True))
        lone = np.flatnonzero(self.session < 0)  # thoughts and summaries: a session each
        self.session[lone] = self.n_sessions + np.arange(len(lone))
        self.n_sessions += len(lone)
