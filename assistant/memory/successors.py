"""What was said first and replaced later never reaches the model without what replaced it.

A message stays recallable after the thought drawn from it was superseded ("I live in Berlin", before
"I moved to Lisbon"), for it was said and may be asked about. Given alone it would answer for today.
Knows rows, and the memories that were chosen; no ranking.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

from assistant.memory.browse import excluded_memories
from assistant.memory.choosing import Room
from assistant.memory.messages import read_memories
from assistant.memory.schema import Store
from assistant.records import Recall, RecalledMemory

REPLACED: Final = "(This is no longer so.)"  # follows the statement in the prompt
PARTLY: Final = "(Some of this is no longer so.)"
# Of each chosen memory's message, how many thoughts were replaced, and how many hold.
_STATES: Final = """
SELECT m.id, sum(t.superseded_by IS NOT NULL) AS replaced, sum(t.superseded_by IS NULL) AS holding
FROM memories m JOIN thoughts t ON t.source_message_id = m.message_id
JOIN memories d ON d.id = t.memory_id AND d.state IN ('active', 'faded', 'superseded')
WHERE m.id IN ({chosen}) AND m.kind <> 'thought' GROUP BY m.id HAVING replaced > 0
"""
# The end of each chain of thoughts that begins at a chosen memory's message. A message that is chosen
# itself says what its thoughts say. CROSS JOIN keeps the order: by its own choice SQLite begins with
# every active memory, 0.1 s at 100 000.
_ENDS: Final = """
WITH RECURSIVE later (origin, id) AS (
  SELECT m.id, t.superseded_by FROM memories m CROSS JOIN thoughts t ON t.source_message_id = m.message_id
  WHERE m.id IN ({chosen}) AND t.superseded_by IS NOT NULL
  UNION SELECT l.origin, t.superseded_by FROM later l CROSS JOIN thoughts t ON t.id = l.id
  WHERE t.superseded_by IS NOT NULL)
SELECT l.origin, m.id, m.turn_id FROM later l CROSS JOIN thoughts t ON t.id = l.id
  CROSS JOIN memories m ON m.id = t.memory_id
WHERE t.superseded_by IS NULL AND m.state = 'active' AND m.searchable AND NOT EXISTS (
  SELECT 1 FROM memories c WHERE c.id IN ({chosen}) AND c.message_id = m.message_id)
ORDER BY l.origin, m.id
"""


def add_successors(
    store: Store,
    recall: Recall,
    room: Room,
    exclude_turns: Collection[int],
    conversation_id: int | None,
) -> Recall:
    """The recall with what replaced its memories before them; the last of them make room for it.

    What has no room even so takes the place of what it replaced. `exclude_turns` are read anyway, and
    what the person excluded from the conversation stays out of it.
    """
    if not recall.memories:
        return recall
    recall = replace(recall, memories=_marked(store, recall.memories))
    found = _find(store, [memory.id for memory in recall.memories])
    excluded = excluded_memories(store, conversation_id)
    wanted = {
        origin: memory
        for origin, memory, turn in found
        if turn not in exclude_turns and memory not in excluded
    }
    if not wanted:
        return recall
    successors = read_memories(store, list(set(wanted.values())))
    given: list[RecalledMemory] = []
    for memory in recall.memories:
        later = successors.get(wanted.get(memory.id, 0))
        if later is not None and later.id not in {other.id for other in given}:
            signals = {"replaces": memory.score}
            given.append(replace(later, score=memory.score, signals=signals))
        given.append(memory)
    kept = _fit(given, set(successors), room)
    ids = {memory.id for memory in kept}
    lost = [replace(m, reason="over budget") for m in recall.memories if m.id not in ids]
    near = [memory for memory in recall.near_misses if memory.id not in ids]
    return replace(recall, memories=tuple(kept), near_misses=(*lost, *near))


def _marked(store: Store, memories: Sequence[RecalledMemory]) -> tuple[RecalledMemory, ...]:
    """The memories, each that was replaced with a word that says so: two statements of one day tell
    a model nothing of which came later."""
    marks = ",".join("?" * len(memories))
    rows = store.read(_STATES.format(chosen=marks), [memory.id for memory in memories])
    said = {row["id"]: PARTLY if row["holding"] else REPLACED for row in rows}
    return tuple(
        replace(memory, resolved_text=f"{memory.resolved_text} {said[memory.id]}")
        if memory.id in said
        else memory
        for memory in memories
    )


def _find(store: Store, chosen: Sequence[int]) -> list[tuple[int, int, int | None]]:
    """(memory, the memory that says what holds now, its turn) of each that was replaced."""
    marks = ",".join(f"?{at}" for at in range(1, len(chosen) + 1))
    rows = store.read(_ENDS.format(chosen=marks), chosen)
    return [(row[0], row[1], row[2]) for row in rows]


def _fit(given: Sequence[RecalledMemory], later: set[int], room: Room) -> list[RecalledMemory]:
    """Leave out from the end what is over the count or the budget, what replaces others last."""
    kept = list(given)
    for is_spared in (True, False):
        for memory in reversed(given):
            if _has_room(kept, room):
                return kept
            if (memory.id in later) != is_spared:
                kept.remove(memory)
    return kept


def _has_room(memories: Sequence[RecalledMemory], room: Room) -> bool:
    if len(memories) > room.n_memories:
        return False
    if room.n_tokens is None or room.count_tokens is None:
        return True
    return sum(room.count_tokens(memory.resolved_text) for memory in memories) <= room.n_tokens
