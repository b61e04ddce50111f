"""Idle work on what is kept: the oldest memories that are hardly retained fade into summaries.

After MemoryBank (arXiv 2305.10250, section 3): what is not used is forgotten along R = exp(-t / S).
Here to fade means to leave the active set: the row, its text and its vector stay, a summary of selected
sentences stands for it, and recall searches it when what is active answers weakly; a use wakes it.
Nothing is deleted. Knows no model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Final

from assistant.memory.retention import retention
from assistant.memory.schema import Store, from_text, to_text
from assistant.memory.summaries import insert_episode_summary

FADE_RETENTION: Final = 0.1  # below, a memory may fade: 69 days unused at the initial strength
MIN_ACTIVE: Final = 500  # a store this small gains nothing by fading
MAX_AT_ONCE: Final = 2000  # memories faded in one call, so that a call stays short
GROUP: Final = 40  # most memories one summary stands for

_CANDIDATES: Final = (
    "SELECT m.*, e.id AS episode FROM memories m LEFT JOIN episodes e ON e.conversation_id = m.conversation_id"
    " AND m.turn_id BETWEEN e.first_turn_id AND e.last_turn_id"
    " WHERE m.state = 'active' AND m.pinned = 0 AND m.kind <> 'summary'"
    # What waits for the person's yes is in no summary.
    " AND NOT EXISTS (SELECT 1 FROM thoughts t WHERE t.memory_id = m.id AND t.confirmed = 0)"
    " AND coalesce(m.last_used, m.created) < ? ORDER BY m.created, m.id"
)


@dataclass(frozen=True, slots=True)
class Faded:
    """What one call did."""

    n_memories: int = 0
    n_summaries: int = 0


def fade(store: Store, now: datetime, *, limit: int = MAX_AT_ONCE) -> Faded:
    """Let the oldest memories of low retention fade, a group at a time, each in a transaction.

    Memories of one episode fade together, or of one conversation where it has no episodes. Stops
    where MIN_ACTIVE would be left.
    """
    n_active = int(store.value("SELECT count(*) FROM memories WHERE state = 'active'") or 0)
    limit = min(limit, n_active - MIN_ACTIVE)
    if limit <= 0:
        return Faded()
    low = [row for row in store.read(_CANDIDATES, (to_text(now),)) if _is_low(row, now)][:limit]
    n_summaries = 0
    for group in _groups(low):
        n_summaries += _fade_group(store, group, now)
    return Faded(len(low), n_summaries)


def _is_low(row: Any, now: datetime) -> bool:
    since = from_text(row["last_used"] or row["created"])
    elapsed_days = (now - since).total_seconds() / 86400
    kept = retention(elapsed_days, row["strength_days"], importance=row["importance"])
    return kept < FADE_RETENTION


def _groups(rows: Sequence[Any]) -> list[list[Any]]:
    """Rows of one episode or conversation together, at most GROUP of them."""

    def key(row: Any) -> tuple[int, int]:
        return row["conversation_id"] or 0, row["episode"] or 0

    groups = []
    for _, found in groupby(sorted(rows, key=key), key):
        members = list(found)
        groups += [members[at : at + GROUP] for at in range(0, len(members), GROUP)]
    return groups


def _fade_group(store: Store, rows: Sequence[Any], now: datetime) -> int:
    """One transaction: the summary, and the memories it stands for. Returns the summaries made."""
    with store.write() as connection:
        connection.executemany(
            "UPDATE memories SET state = 'faded' WHERE id = ? AND state = 'active'",
            [(row["id"],) for row in rows],
        )
        conversation_id, episode_id = rows[0]["conversation_id"], rows[0]["episode"]
        made = insert_episode_summary(connection, rows, now, conversation_id, episode_id)
    return int(made is not None)
