"""Days and the portrait: what was said, in selected sentences with their dates and sources.

After MemoryBank (arXiv 2305.10250, section 2.2: daily summaries, user portrait), but selected, not
written: every line is a sentence of the person's, so every line has a source and none can be false of
what was said. Both are made anew when what they draw on changes. Knows rows and words, no model.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from assistant.memory.date_spans import format_day
from assistant.memory.retention import retention
from assistant.memory.schema import Store, from_text
from assistant.memory.summaries import (
    Source,
    as_sentence,
    choose_sentences,
    drop_summaries,
    insert_summary,
)

DAY_SENTENCES: Final = 5
DAY_CHARACTERS: Final = 600
PORTRAIT_LINES: Final = 16
LABEL_LINES: Final = 5  # of one label, so that no label fills the portrait
LABELS: Final = ("fact", "relation", "preference", "plan", "event")


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence of a day or of the portrait, when it was said, and the memory it is from."""

    text: str
    said: datetime
    memory_id: int


@dataclass(frozen=True, slots=True)
class Portrait:
    """What the person has said of themselves. `made` is None where there is nothing yet."""

    lines: tuple[Line, ...]
    made: datetime | None

    def text(self, n_characters: int | None = None) -> str:
        """The lines with their dates, as many as fit."""
        written, left = [], n_characters
        for line in self.lines:
            row = f"- {line.text} ({format_day(line.said.date())})"
            if left is not None and len(row) + 1 > left:
                break
            written.append(row)
            left = None if left is None else left - len(row) - 1
        return "\n".join(written)


# ---- days ----


def make_days(store: Store, now: datetime, limit: int = 50) -> int:
    """Summarise days that are over and have none yet, the oldest first. Returns how many."""
    rows = store.read(
        "SELECT DISTINCT substr(m.created, 1, 10) AS day FROM memories m"
        " WHERE m.kind = 'message' AND m.role = 'user' AND m.state IN ('active', 'faded')"
        " AND substr(m.created, 1, 10) < ? AND NOT EXISTS (SELECT 1 FROM summaries s"
        " WHERE s.kind = 'day' AND s.day = substr(m.created, 1, 10)) ORDER BY day LIMIT ?",
        (now.date().isoformat(), limit),
    )
    for row in rows:
        _make_day(store, row["day"], now)
    return len(rows)


def _make_day(store: Store, day: str, now: datetime) -> None:
    with store.write() as connection:
        rows = connection.execute(
            "SELECT id, text, created, kind, importance FROM memories WHERE role = 'user'"
            " AND kind IN ('message', 'thought') AND state IN ('active', 'faded')"
            " AND searchable = 1 AND created >= ?1 AND created < ?1 || 'U' ORDER BY created, id",
            (day,),
        ).fetchall()
        sources = [
            Source(row["id"], row["text"], row["created"], row["importance"] + _is_thought(row))
            for row in rows
        ]
        chosen = choose_sentences(sources, n_sentences=DAY_SENTENCES, n_characters=DAY_CHARACTERS)
        # A day without a sentence worth keeping gets an empty row, or it would be tried each time.
        insert_summary(
            connection,
            "day",
            "\n".join(line.sentence for line in chosen),
            [line.memory_id for line in chosen],
            now,
            created=f"{day}T23:59:59.000000+00:00",
            day=day,
            searchable=False,
        )


def _is_thought(row: Any) -> float:
    return float(row["kind"] == "thought")


def read_days(store: Store, limit: int = 30) -> list[tuple[date, str]]:
    """The latest days with something to say, newest first."""
    rows = store.read(
        "SELECT s.day, m.text FROM summaries s JOIN memories m ON m.id = s.memory_id"
        " WHERE s.kind = 'day' AND m.text <> '' ORDER BY s.day DESC LIMIT ?",
        (limit,),
    )
    return [(date.fromisoformat(row["day"]), row["text"]) for row in rows]


# ---- the portrait ----


def choose_lines(store: Store, now: datetime) -> list[Line]:
    """The thoughts that say most about the person now: lasting ones first, few of each label.

    Of two that may not both be true, only the newer one, until the person says which. A plan whose day
    is over is none any more."""
    rows = store.read(
        "SELECT t.label, m.* FROM thoughts t JOIN memories m ON m.id = t.memory_id"
        " WHERE m.state = 'active' AND t.confirmed = 1"
        " AND (t.label <> 'plan' OR coalesce(substr(t.event_time, 1, 10), '9') >= ?)",
        (now.date().isoformat(),),
    )
    outdated = _older_sides(store)
    rows = [row for row in rows if row["id"] not in outdated]
    ranked = sorted(rows, key=lambda row: (-_standing(row, now), row["id"]))
    lines: list[Line] = []
    for label in LABELS:
        same = [row for row in ranked if row["label"] == label][:LABEL_LINES]
        lines += [Line(row["text"], from_text(row["created"]), row["id"]) for row in same]
    return lines[:PORTRAIT_LINES]


def _older_sides(store: Store) -> set[int]:
    """Of each conflict that the person has not decided, the memory that was said first."""
    rows = store.read(
        "SELECT CASE WHEN (a.created, a.id) < (b.created, b.id) THEN a.id ELSE b.id END FROM links l"
        " JOIN memories a ON a.id = l.from_memory JOIN memories b ON b.id = l.to_memory"
        " WHERE l.kind = 'conflict' AND l.resolution IS NULL"
        " AND a.state = 'active' AND b.state = 'active'"
    )
    return {int(row[0]) for row in rows}


def _standing(row: Any, now: datetime) -> float:
    """How much a thought belongs into the portrait: its worth, its use, how well it is retained."""
    since = from_text(row["last_used"] or row["created"])
    elapsed_days = (now - since).total_seconds() / 86400
    kept = retention(
        elapsed_days, row["strength_days"], importance=row["importance"], pinned=bool(row["pinned"])
    )
    used = 0.2 * min(row["use_count"], 5)
    return float(row["importance"] + used + kept + row["pinned"])


def make_portrait(store: Store, now: datetime) -> Portrait:
    """Make the portrait anew where what it draws on has changed; returns it."""
    lines = choose_lines(store, now)
    text = "\n".join(as_sentence(line.text) for line in lines)
    with store.write() as connection:
        old = _stored(connection)
        if old is None or old["text"] != text:
            drop_summaries(connection, "portrait")
            if lines:
                insert_summary(
                    connection,
                    "portrait",
                    text,
                    [line.memory_id for line in lines],
                    now,
                    created=now.isoformat(timespec="microseconds"),
                    searchable=False,
                )
    return read_portrait(store)


def _stored(connection: sqlite3.Connection) -> Any:
    return connection.execute(
        "SELECT m.text, s.created, s.id FROM summaries s JOIN memories m ON m.id = s.memory_id"
        " WHERE s.kind = 'portrait'"
    ).fetchone()


def read_portrait(store: Store) -> Portrait:
    """The portrait as it was last made, less what was forgotten or erased since, or
    waits for the person again."""
    rows: Sequence[Any] = store.read(
        "SELECT m.id, m.text, m.created, s.created AS made FROM summaries s"
        " JOIN summary_sources o ON o.summary_id = s.id JOIN memories m ON m.id = o.memory_id"
        " WHERE s.kind = 'portrait' AND m.state = 'active' AND m.searchable ORDER BY o.position"
    )
    lines = tuple(Line(row["text"], from_text(row["created"]), row["id"]) for row in rows)
    return Portrait(lines, from_text(rows[0]["made"]) if rows else None)
