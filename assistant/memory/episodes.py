"""Episodes: consecutive turns of a conversation between two surprises.

After EM-LLM (arXiv 2407.09450, section 3.1, equation 1): a boundary is where the surprise exceeds
mu + gamma sigma of a moving window before it. Two differences: the unit is a turn (the mean surprise of
the person's message, token by token, given the message before it) and not a token, and where no model
measured surprise, the distance of the message's vector from the one before takes its place. A long
pause always ends an episode. Surprise comes in as a plain float; this knows rows, no model.
"""

import sqlite3
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import numpy as np

from assistant.memory.schema import Store, from_text, to_text
from assistant.memory.sentences import content_words, split_sentences

Boundary = Literal["start", "gap", "surprise", "embedding"]
SEEN: Final = ("surprise", "embedding")  # boundaries by what is said, not by its time

# How many sigma above the window's mean: default, minimum, maximum of the paper's gamma.
GAMMA: Final = 1.0
WINDOW: Final = 16  # turns before, of the same conversation
MIN_WINDOW: Final = 3  # fewer say nothing about what is usual
MIN_TURNS: Final = 3  # a surprise this early continues the episode that it began with
MAX_TURNS: Final = 60  # an episode of a conversation that never surprises ends here
GAP_HOURS: Final = 6.0
TITLE_CHARACTERS: Final = 60


@dataclass(frozen=True, slots=True)
class Episode:
    """Turns first to last of one conversation. `strength` is how far over the threshold it began."""

    id: int
    conversation_id: int
    first_turn_id: int
    last_turn_id: int
    title: str
    boundary: Boundary
    strength: float
    created: datetime


def excess(value: float, window: Sequence[float], gamma: float = GAMMA) -> float:
    """How far `value` lies above mu + gamma sigma of the window; negative or 0 is no boundary."""
    if len(window) < MIN_WINDOW:
        return 0.0
    return value - (statistics.fmean(window) + gamma * statistics.pstdev(window))


def find_boundaries(values: Sequence[float], gamma: float = GAMMA) -> list[int]:
    """The positions in a series that begin an episode, 0 among them."""
    later = (
        at
        for at in range(1, len(values))
        if excess(values[at], values[max(0, at - WINDOW) : at], gamma) > 0
    )
    return [0, *later] if values else []


def observe_turn(
    connection: sqlite3.Connection, turn_id: int, surprise: float | None, now: datetime
) -> None:
    """Note a finished turn's surprise (nats a token, None if unknown) and put it into an episode.

    Turns of a conversation are observed in order; one seen before changes nothing.
    """
    turn = connection.execute("SELECT * FROM turns WHERE id = ?", (turn_id,)).fetchone()
    known = connection.execute(
        "SELECT 1 FROM turn_surprise WHERE turn_id = ?", (turn_id,)
    ).fetchone()
    if turn is None or known is not None:
        return
    before = connection.execute(
        "SELECT t.*, s.surprise, s.distance FROM turns t JOIN turn_surprise s ON s.turn_id = t.id"
        " WHERE t.conversation_id = ? AND t.id < ? ORDER BY t.id DESC LIMIT ?",
        (turn["conversation_id"], turn_id, WINDOW),
    ).fetchall()
    distance = _distance(connection, before[0]["id"], turn_id) if before else None
    connection.execute(
        "INSERT INTO turn_surprise (turn_id, surprise, distance) VALUES (?, ?, ?)",
        (turn_id, surprise, distance),
    )
    episode = connection.execute(
        "SELECT * FROM episodes WHERE conversation_id = ? AND first_turn_id < ?"
        " ORDER BY id DESC LIMIT 1",
        (turn["conversation_id"], turn_id),
    ).fetchone()
    begun = _boundary(turn, before, episode, surprise, distance)
    if begun is None:
        _extend(connection, episode["id"], turn_id)
        return
    if episode is not None:
        connection.execute("UPDATE episodes SET closed = 1 WHERE id = ?", (episode["id"],))
    cursor = connection.execute(
        "INSERT INTO episodes (conversation_id, first_turn_id, last_turn_id, boundary, strength,"
        " created) VALUES (?1, ?2, ?2, ?3, ?4, ?5)",
        (turn["conversation_id"], turn_id, *begun, to_text(now)),
    )
    _extend(connection, int(cursor.lastrowid or 0), turn_id)


def _boundary(
    turn: Any,
    before: Sequence[Any],
    episode: Any,
    surprise: float | None,
    distance: float | None,
) -> tuple[Boundary, float] | None:
    """What makes this turn begin an episode, and how strongly; None where it continues one."""
    if episode is None or not before:
        return "start", 0.0
    pause = from_text(turn["created"]) - from_text(before[0]["created"])
    hours = pause.total_seconds() / 3600
    if hours > GAP_HOURS:
        return "gap", hours
    if turn["id"] - episode["first_turn_id"] >= MAX_TURNS:
        return "start", 0.0
    if sum(row["id"] >= episode["first_turn_id"] for row in before) < MIN_TURNS:
        return None
    surprises = [row["surprise"] for row in before if row["surprise"] is not None]
    distances = [row["distance"] for row in before if row["distance"] is not None]
    if surprise is not None and len(surprises) >= MIN_WINDOW:
        over = excess(surprise, surprises)
        return ("surprise", over) if over > 0 else None
    if distance is not None and (over := excess(distance, distances)) > 0:
        return "embedding", over
    return None


def _distance(connection: sqlite3.Connection, before: int, turn_id: int) -> float | None:
    """1 - cosine of the person's messages of two turns; None without vectors."""
    vectors = []
    for turn in (before, turn_id):
        row = connection.execute(
            "SELECT v.codes FROM memories m JOIN vectors v ON v.memory_id = m.id AND v.view = 0"
            " JOIN embedders e ON e.id = v.embedder_id"
            " JOIN meta ON meta.key = 'embedder' AND meta.value = e.sha256"
            " WHERE m.turn_id = ? AND m.role = 'user' AND m.kind IN ('message', 'passage')"
            " ORDER BY m.id LIMIT 1",
            (turn,),
        ).fetchone()
        if row is None:
            return None
        vectors.append(np.frombuffer(row["codes"], np.int8).astype(np.float32))
    a, b = vectors
    return float(1 - a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-9))


def _extend(connection: sqlite3.Connection, episode_id: int, turn_id: int) -> None:
    connection.execute("UPDATE episodes SET last_turn_id = ? WHERE id = ?", (turn_id, episode_id))
    rows = connection.execute(
        "SELECT s.text FROM episodes e JOIN messages s ON s.conversation_id = e.conversation_id"
        " AND s.turn_id BETWEEN e.first_turn_id AND e.last_turn_id AND s.role = 'user'"
        " WHERE e.id = ? ORDER BY s.id LIMIT ?",
        (episode_id, MAX_TURNS),
    ).fetchall()
    title = make_title([row["text"] for row in rows])
    connection.execute("UPDATE episodes SET title = ? WHERE id = ?", (title, episode_id))


def make_title(texts: Sequence[str]) -> str:
    """The sentence that shares the most words with the others, cut to TITLE_CHARACTERS.

    Words count once a text, so the title is about what the episode keeps coming back to.
    """
    seen: dict[str, int] = {}
    for text in texts:
        for word in content_words(text):
            seen[word] = seen.get(word, 0) + 1
    best, best_value = "", -1.0
    for text in texts:
        for start, end in split_sentences(text[:2000]):
            meant = content_words(text[start:end])
            value = sum(seen.get(word, 0) for word in meant) / (len(meant) + 4)
            if meant and value > best_value:
                best, best_value = " ".join(text[start:end].split()), value
    if len(best) <= TITLE_CHARACTERS:
        return best.rstrip(".!")
    return best[:TITLE_CHARACTERS].rsplit(" ", 1)[0].rstrip(" ,;:.") + "\u2026"


def read_episodes(store: Store, conversation_id: int | None = None) -> list[Episode]:
    """Episodes in the order they began; those of one conversation, or all."""
    rows = store.read(
        "SELECT * FROM episodes WHERE ?1 IS NULL OR conversation_id = ?1 ORDER BY first_turn_id",
        (conversation_id,),
    )
    return [
        Episode(
            row["id"],
            row["conversation_id"],
            row["first_turn_id"],
            row["last_turn_id"],
            row["title"],
            row["boundary"],
            row["strength"],
            from_text(row["created"]),
        )
        for row in rows
    ]


def count_boundaries(store: Store) -> dict[str, int]:
    """How many episodes each kind of boundary began."""
    rows = store.read("SELECT boundary, count(*) FROM episodes GROUP BY boundary")
    return {str(row[0]): int(row[1]) for row in rows}


def boundary_shares(counts: Mapping[str, int]) -> dict[str, float]:
    """Of the episodes that begin in the middle of a conversation's talk, the share of each way to see
    it: surprise, or embedding distance where no model measured it. Empty without such episodes."""
    seen = {kind: counts.get(kind, 0) for kind in SEEN}
    total = sum(seen.values())
    return {kind: round(count / total, 4) for kind, count in seen.items()} if total else {}
