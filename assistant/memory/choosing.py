"""From a ranking to what the model reads: no duplicates, nothing weak, within the token budget.

Knows texts and scores; knows no store, no model and no signal.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from assistant.memory.words import content_words, stem
from assistant.records import RecalledMemory

SAME_WORDS: Final = 0.8  # share of the shorter text's content words that another one holds
WEAK_MARGIN: Final = 4.0  # log-odds below the best: e^-4, 2 % as likely to be what was asked for
MIN_GIVEN: Final = 2  # given before weakness ends the list


@dataclass(frozen=True, slots=True)
class Room:
    """What may be given. Without a budget nothing but the count is looked at."""

    n_memories: int
    n_tokens: int | None
    count_tokens: Callable[[str], int] | None


def choose(
    ranked: Sequence[RecalledMemory], room: Room
) -> tuple[list[RecalledMemory], list[RecalledMemory]]:
    """What is given, best first, and the near-misses with the reason why each lost.

    The weights are fitted as log-odds, so a difference of scores says how much less likely the lower
    one is to be needed; past WEAK_MARGIN a memory distracts more often than it helps.
    """
    given: list[RecalledMemory] = []
    near: list[RecalledMemory] = []
    words: list[tuple[int, frozenset[str]]] = []
    left = room.n_tokens
    for memory in ranked:
        own = frozenset(stem(word) for word in content_words(memory.resolved_text))
        reason, cost = _refuse(memory, own, words, given, room, left)
        if reason:
            near.append(replace(memory, reason=reason))
            continue
        given.append(memory)
        words.append((memory.id, own))
        left = None if left is None else left - cost
    return given, near


def _refuse(
    memory: RecalledMemory,
    own: frozenset[str],
    words: Sequence[tuple[int, frozenset[str]]],
    given: Sequence[RecalledMemory],
    room: Room,
    left: int | None,
) -> tuple[str, int]:
    """Why a memory is not given, empty where it is; and the tokens it takes."""
    if len(given) >= room.n_memories:
        return "over the count", 0
    if left is None:
        return "", 0
    for other, theirs in words:
        if own and len(own & theirs) >= SAME_WORDS * min(len(own), len(theirs) or 1):
            return f"near-duplicate of {other}", 0
    if len(given) >= MIN_GIVEN and memory.score < given[0].score - WEAK_MARGIN:
        return "weak", 0
    cost = room.count_tokens(memory.resolved_text) if room.count_tokens else 0
    return ("over budget", 0) if cost > left else ("", cost)
