"""Summaries: sentences selected from memories, dated, with their sources. Nothing is worded anew.

A summary is a memory of kind "summary" that stands for others: an episode that faded, a day, or the
portrait of the person. Because its text is made of its sources' sentences, it goes, or is made anew
from what remains, when one of them is erased or forgotten. Knows rows and words, no model.

Functions that write take the connection of a running transaction.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Final, Literal

from assistant.memory.schema import to_text
from assistant.memory.sentences import content_words, split_sentences

SummaryKind = Literal["day", "portrait", "episode"]

EPISODE_CHARACTERS: Final = 400
EPISODE_SENTENCES: Final = 4
OVERLAP: Final = 0.5  # of content words; above, a sentence repeats one that was chosen
_ENDS: Final = (".", "!", "?", "\u2026", ":", ";")
RICH_WORDS: Final = 12  # content words; more say no more about a sentence's worth


@dataclass(frozen=True, slots=True)
class Source:
    """One memory a summary may draw on. `worth` raises it: a thought, a pinned or used memory."""

    memory_id: int
    text: str
    created: str
    worth: float = 0.0


@dataclass(frozen=True, slots=True)
class Chosen:
    """One sentence of a summary and where it is from."""

    memory_id: int
    sentence: str
    created: str


def choose_sentences(
    sources: Iterable[Source], *, n_sentences: int, n_characters: int
) -> list[Chosen]:
    """The sentences that say the most, none twice, in the order they were said.

    Greedy: by worth and by content words, each at most OVERLAP covered by one chosen before
    (maximal marginal relevance, Carbonell and Goldstein 1998, with a hard bound).
    """
    ranked = sorted(_candidates(sources), key=lambda found: -found[0])
    chosen: list[tuple[Chosen, set[str]]] = []
    left = n_characters
    for _, sentence, meant in ranked:
        if len(chosen) == n_sentences:
            break
        if len(sentence.sentence) > left or _repeats(meant, (said for _, said in chosen)):
            continue
        chosen.append((sentence, meant))
        left -= len(sentence.sentence) + 1
    return sorted((sentence for sentence, _ in chosen), key=lambda c: (c.created, c.memory_id))


def _candidates(sources: Iterable[Source]) -> Iterable[tuple[float, Chosen, set[str]]]:
    for source in sources:
        for start, end in split_sentences(source.text):
            sentence = as_sentence(" ".join(source.text[start:end].split()))
            meant = content_words(sentence)
            if not meant or sentence.endswith("?"):
                continue
            value = source.worth + min(len(meant), RICH_WORDS) / RICH_WORDS
            yield value, Chosen(source.memory_id, sentence, source.created), meant


def as_sentence(text: str) -> str:
    """With a full stop where nothing ends it (a clause of a longer sentence): another follows it."""
    return text if text.rstrip("\"'\u201d\u2019)]*_").endswith(_ENDS) else f"{text}."


def _repeats(meant: set[str], said: Iterable[set[str]]) -> bool:
    return any(len(meant & other) > OVERLAP * min(len(meant), len(other)) for other in said)


def insert_summary(
    connection: sqlite3.Connection,
    kind: SummaryKind,
    text: str,
    sources: Sequence[int],
    now: datetime,
    *,
    created: str,
    conversation_id: int | None = None,
    episode_id: int | None = None,
    day: str | None = None,
    searchable: bool = True,
) -> int:
    """Store a summary and what it is drawn from; returns its memory. `created` dates it."""
    cursor = connection.execute(
        "INSERT INTO memories (kind, text, searchable, role, conversation_id, created)"
        " VALUES ('summary', ?, ?, 'user', ?, ?)",
        (text, int(searchable), conversation_id, created),
    )
    memory_id = int(cursor.lastrowid or 0)
    cursor = connection.execute(
        "INSERT INTO summaries (memory_id, kind, day, episode_id, created) VALUES (?, ?, ?, ?, ?)",
        (memory_id, kind, day, episode_id, to_text(now)),
    )
    connection.executemany(
        "INSERT OR IGNORE INTO summary_sources (summary_id, memory_id, position) VALUES (?, ?, ?)",
        [(cursor.lastrowid, source, at) for at, source in enumerate(sources)],
    )
    return memory_id


def drop_summaries(
    connection: sqlite3.Connection, kind: SummaryKind, day: str | None = None
) -> None:
    """Remove summaries of a kind, or the one of a day, to make them anew."""
    connection.execute(
        "DELETE FROM memories WHERE id IN (SELECT memory_id FROM summaries WHERE kind = ?"
        " AND (?2 IS NULL OR day = ?2))",
        (kind, day),
    )


def renew_days(connection: sqlite3.Connection, days: Iterable[str]) -> None:
    """What was said on these days (YYYY-MM-DD) is not what it was: summarise them when next idle."""
    for day in days:
        drop_summaries(connection, "day", day)


def renew_around(connection: sqlite3.Connection, memory_ids: Sequence[int]) -> None:
    """These memories were hidden or came back: their days, and a portrait drawn from them, are made
    anew when next idle."""
    ids = json.dumps(list(memory_ids))
    days = connection.execute(
        "SELECT DISTINCT substr(created, 1, 10) FROM memories"
        " WHERE id IN (SELECT value FROM json_each(?))",
        (ids,),
    ).fetchall()
    renew_days(connection, [day for (day,) in days])
    connection.execute(
        "DELETE FROM memories WHERE id IN (SELECT s.memory_id FROM summaries s JOIN summary_sources o"
        " ON o.summary_id = s.id WHERE s.kind = 'portrait'"
        " AND o.memory_id IN (SELECT value FROM json_each(?)))",
        (ids,),
    )


def summaries_drawn_from(connection: sqlite3.Connection, memory_ids: Collection[int]) -> list[int]:
    """The memories of every summary that has one of these among its sources, or stands for one."""
    found: set[int] = set()
    for start in range(0, len(memory_ids), 400):
        part = list(memory_ids)[start : start + 400]
        marks = ",".join("?" * len(part))
        rows = connection.execute(
            "SELECT s.memory_id FROM summaries s JOIN summary_sources o ON o.summary_id = s.id"
            f" WHERE o.memory_id IN ({marks})"
            f" UNION SELECT faded_into FROM memories WHERE id IN ({marks})"
            " AND faded_into IS NOT NULL",
            [*part, *part],
        ).fetchall()
        found.update(int(row[0]) for row in rows)
    return sorted(found)


def forget_sources(
    connection: sqlite3.Connection, memory_ids: Collection[int], now: datetime
) -> list[int]:
    """Remove every summary drawn from these memories and make it anew from its other sources.

    Call it before the memories' rows go (erase) or after they were hidden (forget); either way they
    are not drawn on again. Days and the portrait are dropped: they are made anew when next idle.
    Returns the memories of the summaries removed.
    """
    gone = set(memory_ids)
    affected = summaries_drawn_from(connection, memory_ids)
    for summary in affected:
        _replace_summary(connection, summary, gone, now)
    return affected


def _replace_summary(
    connection: sqlite3.Connection, summary: int, gone: set[int], now: datetime
) -> None:
    row = connection.execute(
        "SELECT s.*, m.conversation_id FROM summaries s JOIN memories m ON m.id = s.memory_id"
        " WHERE s.memory_id = ?",
        (summary,),
    ).fetchone()
    if row is not None and row["kind"] == "episode":
        _make_anew(connection, row, gone, now)
    _hand_on_recalls(connection, summary)
    connection.execute("DELETE FROM memories WHERE id = ?", (summary,))


def rejoin(connection: sqlite3.Connection, memory_ids: Collection[int], now: datetime) -> None:
    """Faded memories that come back are summarised again, with the others of their summary. The one
    that was made without them goes."""
    rows = connection.execute(
        "SELECT m.id, m.text, m.created, m.importance, m.role, m.conversation_id, m.faded_into"
        " FROM memories m LEFT JOIN memories s ON s.id = m.faded_into WHERE m.state = 'faded'"
        " AND m.id IN (SELECT value FROM json_each(?)) AND (s.id IS NULL OR s.state = 'active')"
        " ORDER BY coalesce(m.conversation_id, 0), m.created, m.id",
        (json.dumps(list(memory_ids)),),
    ).fetchall()
    lone = [row for row in rows if row["faded_into"] is None]
    for conversation_id, members in groupby(lone, key=lambda row: row["conversation_id"]):
        insert_episode_summary(connection, list(members), now, conversation_id, None)
    for summary in {row["faded_into"] for row in rows} - {None}:
        _replace_summary(connection, summary, set(), now)


def _hand_on_recalls(connection: sqlite3.Connection, summary: int) -> None:
    """Turns that were given a summary were given its sources' sentences: say so before it goes, or
    erasing a source would not find the prompts that hold them."""
    connection.execute(
        "INSERT OR IGNORE INTO recalls"
        " (turn_id, memory_id, rank, given, score, signals, reason, quoted)"
        " SELECT r.turn_id, o.memory_id, r.rank, r.given, r.score, r.signals, r.reason, r.quoted"
        " FROM recalls r JOIN summaries s ON s.memory_id = r.memory_id"
        " JOIN summary_sources o ON o.summary_id = s.id WHERE s.memory_id = ?",
        (summary,),
    )


def _make_anew(connection: sqlite3.Connection, row: Any, gone: set[int], now: datetime) -> None:
    members = connection.execute(
        "SELECT id, text, created, importance, role FROM memories WHERE faded_into = ?"
        " AND state = 'faded' ORDER BY created, id",
        (row["memory_id"],),
    ).fetchall()
    remaining = [member for member in members if member["id"] not in gone]
    if not remaining:
        return
    made = insert_episode_summary(
        connection, remaining, now, row["conversation_id"], row["episode_id"]
    )
    connection.execute(  # an undo brings them back to it
        "UPDATE memories SET faded_into = ? WHERE faded_into = ?", (made, row["memory_id"])
    )


def insert_episode_summary(
    connection: sqlite3.Connection,
    members: Sequence[Any],
    now: datetime,
    conversation_id: int | None,
    episode_id: int | None,
) -> int | None:
    """Compress memories (rows with id, text, created, importance, role) into one summary that
    stands for them; None where they hold no sentence to choose."""
    sources = [
        Source(m["id"], m["text"], m["created"], m["importance"] + (m["role"] == "user"))
        for m in members
    ]
    chosen = choose_sentences(
        sources, n_sentences=EPISODE_SENTENCES, n_characters=EPISODE_CHARACTERS
    )
    summary = None
    if chosen:
        summary = insert_summary(
            connection,
            "episode",
            " ".join(sentence.sentence for sentence in chosen),
            list(dict.fromkeys(sentence.memory_id for sentence in chosen)),
            now,
            created=members[-1]["created"],
            conversation_id=conversation_id,
            episode_id=episode_id,
        )
    connection.executemany(
        "UPDATE memories SET faded_into = ? WHERE id = ?", [(summary, m["id"]) for m in members]
    )
    return summary
