"""The real memory behind `session.Store`: records in, what screens draw out. No SQL, no ranking.

It has a `Memory` of its own, so that screens are answered while a turn runs. Knows no widget.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal

from assistant.errors import NotFound
from assistant.records import Conversation, Kind, Recall, State
from assistant.tui.session import (
    MOST_LISTED,
    Candidate,
    Conflict,
    Keep,
    MemoryDetails,
    MemoryFilter,
    MemoryRow,
    Neighbour,
    PortraitLine,
    SearchHit,
    TurnText,
    pair_turns,
)

if TYPE_CHECKING:
    from assistant.config import Config
    from assistant.memory.browse import MemoryRow as StoredRow
    from assistant.memory.derived import HistoryEntry
    from assistant.memory.memory import Memory
    from assistant.paths import Paths

LISTED_KINDS: Final[tuple[Kind, ...]] = ("message", "thought", "summary")
LISTED_STATES: Final[tuple[State, ...]] = ("active", "faded")
N_NEIGHBOURS: Final = 8  # of one memory, and of each of those
CURVE_DAYS: Final = 30
N_QUOTED: Final = 3  # of the memories that an undo brought back
UNDONE: Final = {  # by kind of what was done; the others hide, and their undo brings back
    "add": "No longer kept",
    "edit": "As it was before",
    "merge": "Apart again",
    "pin": "No longer pinned",
    "unpin": "Pinned again",
    "keep both": "To be decided again",
    "supersede": "To be decided again",
}


def open_live_store(paths: "Paths", config: "Config") -> "LiveStore":
    """Raises StoreLocked, StoreCorrupt, StoreNewer."""
    from assistant.conversation.assemble import open_memory

    paths.create()
    return LiveStore(open_memory(paths, config, now=datetime.now(UTC)))


class LiveStore:
    """`assistant.memory.Memory` as `session.Store`."""

    def __init__(self, memory: "Memory") -> None:
        self._memory = memory

    # --- conversations -------------------------------------------------------------------------

    def conversations(self) -> Sequence[Conversation]:
        return self._memory.conversations()

    def turns(self, conversation_id: int) -> Sequence[TurnText]:
        return pair_turns(self._memory.messages(conversation_id))

    def branches(self, turn_id: int) -> Sequence[int]:
        return self._memory.branches(turn_id)

    def rename(self, conversation_id: int, title: str) -> None:
        self._memory.rename_conversation(conversation_id, title)

    def delete(self, conversation_id: int, now: datetime) -> None:
        self._memory.delete_conversation(conversation_id, now)

    def search(self, text: str) -> Sequence[SearchHit]:
        titles: dict[int, str] = {}
        hits: list[SearchHit] = []
        for message in self._memory.search_messages(text):
            known = message.conversation_id
            if known not in titles:
                titles[known] = self._memory.conversation(known).title
            hits.append(
                SearchHit(known, message.turn_id, titles[known], message.text, message.created)
            )
        return hits

    def recall_of(self, turn_id: int) -> Recall:
        return self._memory.recalls(turn_id)

    def quoted(self, turn_id: int) -> Collection[int]:
        return self._memory.quoted_memories(turn_id)

    # --- memories ------------------------------------------------------------------------------

    def forget(self, memory_ids: Collection[int], now: datetime) -> int:
        return self._memory.forget(memory_ids, now)

    def undo(self, now: datetime) -> str:
        try:
            kind, ids = self._memory.undo(now)
        except NotFound:
            return ""
        rows = [self._memory.details(memory_id) for memory_id in ids]
        texts = [row.text for row in rows if kind == "add" or row.state != "forgotten"]
        more = f" and {len(texts) - N_QUOTED} more" if len(texts) > N_QUOTED else ""
        return f"{UNDONE.get(kind, 'Back again')}: {' · '.join(texts[:N_QUOTED])}{more}"

    def pin(self, memory_ids: Collection[int], pinned: bool, now: datetime) -> None:
        self._memory.pin(memory_ids, now, pinned=pinned)

    def memories(self, wanted: MemoryFilter, now: datetime) -> Sequence[MemoryRow]:
        rows = self._memory.memories(
            words=wanted.words,
            phrases=wanted.phrases,
            kinds=wanted.kinds or LISTED_KINDS,
            roles=wanted.roles,
            states=wanted.states or LISTED_STATES,
            after=wanted.after,
            before=wanted.before,
            pinned=wanted.pinned,
            limit=MOST_LISTED,
        )
        return [_row(row, now) for row in rows]

    def details(self, memory_id: int, now: datetime) -> MemoryDetails:
        memory = self._memory
        row = memory.details(memory_id)
        source = "" if row.kind == "message" else self._source(row.message_id)
        history = [(entry.at, _happened(entry, memory_id)) for entry in memory.history(memory_id)]
        curve = [row.retention(now + timedelta(days=days)) for days in range(CURVE_DAYS)]
        return MemoryDetails(source, history, self._neighbours(memory_id, {memory_id}), curve)

    def _source(self, message_id: int | None) -> str:
        try:
            return self._memory.message(message_id).text if message_id is not None else ""
        except NotFound:  # erased since
            return ""

    def _neighbours(self, memory_id: int, seen: set[int], depth: int = 2) -> list[Neighbour]:
        found: list[Neighbour] = []
        for link in self._memory.links(memory_id)[:N_NEIGHBOURS]:
            other = link.to_memory if link.from_memory == memory_id else link.from_memory
            if other in seen:
                continue
            row = self._memory.details(other)
            seen = seen | {other}
            below = self._neighbours(other, seen, depth - 1) if depth > 1 else []
            found.append(Neighbour(other, row.text, row.created, link.kind, below))
        return found

    def conflicts(self, now: datetime) -> Sequence[Conflict]:
        memory = self._memory
        return [
            Conflict(
                _row(memory.details(conflict.a.memory_id), now),
                _row(memory.details(conflict.b.memory_id), now),
                conflict.id,
                conflict.reason,
            )
            for conflict in memory.conflicts()
        ]

    def settle_conflict(self, conflict: Conflict, keep: Keep, now: datetime) -> None:
        side: Literal["a", "b", "both"] = {"older": "a", "newer": "b", "both": "both"}[keep]  # type: ignore[assignment] # a table of literals
        self._memory.resolve_conflict(conflict.id, side, now)

    def portrait(self, now: datetime) -> Sequence[PortraitLine]:
        return [
            PortraitLine(line.text, [(line.said, self._source_of(line.memory_id))])
            for line in self._memory.portrait(now).lines
        ]

    def _source_of(self, memory_id: int) -> str:
        return self._source(self._memory.details(memory_id).message_id)

    def erase(self, memory_ids: Collection[int], now: datetime) -> Sequence[str]:
        receipt = self._memory.erase(memory_ids, now)
        return receipt.lines(lambda memory_id: self._memory.details(memory_id).text)

    def exclude(self, memory_id: int, conversation_id: int, now: datetime) -> None:
        self._memory.exclude(memory_id, conversation_id, now)

    def include(self, memory_id: int, conversation_id: int) -> None:
        self._memory.include(memory_id, conversation_id)

    def candidates(self) -> Sequence[Candidate]:
        """Oldest first, so that nothing waits for ever."""
        return [
            Candidate(thought.memory_id, thought.text, thought.object or "")
            for thought in reversed(self._memory.thoughts(waiting=True))
        ]

    def decide(self, candidate_id: int, keep: bool, now: datetime) -> None:
        if keep:
            self._memory.confirm_thought(candidate_id, now)
        else:
            self._memory.forget([candidate_id], now)

    def close(self) -> None:
        self._memory.close()


def _happened(entry: "HistoryEntry", memory_id: int) -> str:
    """One line of a thought's history; what happened to another version of it quotes that."""
    by = "you" if entry.actor == "person" else entry.actor
    quoted = f"“{entry.text}”" if entry.memory_id != memory_id else ""
    return " · ".join(part for part in (f"{entry.operation} by {by}", entry.reason, quoted) if part)


def _row(row: "StoredRow", now: datetime) -> MemoryRow:
    return MemoryRow(
        row.id,
        row.kind,
        row.text,
        row.role,
        row.created,
        row.state,
        row.retention(now),
        row.pinned,
        row.conversation_id,
        row.turn_id,
        row.speaker,
    )
