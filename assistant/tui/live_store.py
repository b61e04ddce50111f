"""The real memory behind `session.Store`: records in, what screens draw out. No SQL, no ranking.

It has a `Memory` of its own, so that screens are answered while a turn runs. Knows no widget.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from assistant.errors import AssistantError, NotFound
from assistant.records import Conversation, Recall
from assistant.tui.session import (
    Candidate,
    Conflict,
    MemoryDetails,
    MemoryFilter,
    MemoryRow,
    PortraitLine,
    SearchHit,
    TurnText,
    pair_turns,
)

if TYPE_CHECKING:
    from assistant.config import Config
    from assistant.memory.memory import Memory
    from assistant.paths import Paths


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

    def recall_of(self, turn_id: int) -> Recall:
        return self._memory.recalls(turn_id)

    def quoted(self, turn_id: int) -> Collection[int]:
        return self._memory.quoted_memories(turn_id)

    # --- memories ------------------------------------------------------------------------------

    def forget(self, memory_ids: Collection[int], now: datetime) -> int:
        return self._memory.forget(memory_ids, now)

    def undo(self, now: datetime) -> str:
        try:
            _, ids = self._memory.undo(now)
        except NotFound:
            return ""
        return "; ".join(self._memory.get(memory_id).text for memory_id in ids[:3])

    def pin(self, memory_ids: Collection[int], pinned: bool, now: datetime) -> None:
        for memory_id in memory_ids:
            self._memory.pin(memory_id, now, pinned=pinned)

    # What follows waits for the store; each says so where it is asked for.

    def rename(self, conversation_id: int, title: str) -> None:
        raise _not_yet("Renaming a chat")

    def search(self, text: str) -> Sequence[SearchHit]:
        raise _not_yet("Finding words in every chat")

    def memories(self, wanted: MemoryFilter, now: datetime) -> Sequence[MemoryRow]:
        raise _not_yet("The list of memories")

    def details(self, memory_id: int, now: datetime) -> MemoryDetails:
        raise _not_yet("Looking at one memory")

    def conflicts(self, now: datetime) -> Sequence[Conflict]:
        raise _not_yet("The list of conflicts")

    def settle_conflict(self, conflict: Conflict, keep: str, now: datetime) -> None:
        raise _not_yet("Deciding a conflict")

    def portrait(self, now: datetime) -> Sequence[PortraitLine]:
        raise _not_yet("The portrait")

    def erase(self, memory_ids: Collection[int], now: datetime) -> Sequence[str]:
        raise _not_yet("Erasing")

    def merge(self, memory_ids: Collection[int], now: datetime) -> None:
        raise _not_yet("Merging")

    def exclude(self, memory_id: int, conversation_id: int, now: datetime) -> None:
        raise _not_yet("Leaving a memory out of one chat")

    def candidates(self) -> Sequence[Candidate]:
        return [
            Candidate(thought.memory_id, thought.text)
            for thought in self._memory.thoughts(waiting=True)
        ]

    def decide(self, candidate_id: int, answer: str, now: datetime) -> None:
        if answer == "yes":
            self._memory.confirm_thought(candidate_id, now)
        else:
            self._memory.forget([candidate_id], now)

    def close(self) -> None:
        self._memory.close()


def _not_yet(what: str) -> AssistantError:
    return AssistantError(f"{what} is not possible in this version.")
