"""From a ranking to what the model reads: no duplicates, nothing weak, within the token budget.

Knows texts and scores; knows no store, no model and no signal.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from assistant.memory.weights import WEIGHTS
from assistant.memory.words import content_words, stems
from assistant.records import RecalledMemory

SAME_WORDS: Final = 0.8  # share of the shorter text's content words that another one holds
# Log-odds below the best: e^-2, 14 % as likely to be what was asked for. Chosen on 150 LoCoMo questions
# that `bench answer` does not ask: the 0.5B's F1 was .344, .362, .357 and .353 at 1.5, 2, 2.5 and 3. At 2
# it is given 3.1 memories with .71 of the evidence, at 3 were 3.8 with .73.
WEAK_MARGIN: Final = 2.0
# Below all three a memory has nothing to do with the query: 3 of 726 pieces of evidence were.
UNRELATED: Final = {"window": 0.15, "meaning": 0.2, "context": 0.25}
MIN_GIVEN: Final = 2  # given before weakness ends the list
# The least that words and meaning together must say for the best memory, or nothing is given: small
# talk ("Thanks, that helps.") reaches 1.1 over 16 unrelated facts, a question about one 2.5 and more.
# By shares of their own: what is about the question at all does not change when the ranking is fitted.
FIT: Final = {"words": 1.5, "meaning": 2.9}
MIN_FIT: Final = 1.2
MIN_SHARE_OF_WORDS: Final = 0.2  # where there is no vector


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
    if room.n_tokens is not None and not _fits(ranked):
        return [], [replace(memory, reason="weak") for memory in ranked]
    left = room.n_tokens
    for memory in ranked:
        reason, cost = _refuse(memory, given, room, left)
        if reason:
            near.append(replace(memory, reason=reason))
            continue
        given.append(memory)
        left = None if left is None else left - cost
    return given, near


def _fits(ranked: Sequence[RecalledMemory]) -> bool:
    """Whether any memory is about the question at all: a score alone only says which is nearest."""
    pairs = [(_raw(memory, "words"), _raw(memory, "meaning")) for memory in ranked]
    if any(meaning for _, meaning in pairs):
        fits = (FIT["words"] * words + FIT["meaning"] * meaning for words, meaning in pairs)
        return max(fits) >= MIN_FIT
    return max((words for words, _ in pairs), default=0.0) >= MIN_SHARE_OF_WORDS


def _raw(memory: RecalledMemory, signal: str) -> float:
    """A signal before its weight."""
    return memory.signals.get(signal, 0.0) / WEIGHTS[signal].value


def _refuse(
    memory: RecalledMemory,
    given: Sequence[RecalledMemory],
    room: Room,
    left: int | None,
) -> tuple[str, int]:
    """Why a memory is not given, empty where it is; and the tokens it takes."""
    if len(given) >= room.n_memories:
        return "over the count", 0
    if left is None:
        return "", 0
    own = _content(memory)
    for other in given:
        theirs = _content(other)
        if own and len(own & theirs) >= SAME_WORDS * min(len(own), len(theirs) or 1):
            return f"near-duplicate of {other.id}", 0
    if len(given) >= MIN_GIVEN and memory.score < given[0].score - WEAK_MARGIN:
        return "weak", 0
    if memory.kind != "passage" and _is_unrelated(memory):
        return "unrelated", 0
    cost = room.count_tokens(memory.resolved_text) if room.count_tokens else 0
    return ("over budget", 0) if cost > left else ("", cost)


def _content(memory: RecalledMemory) -> frozenset[str]:
    return frozenset(stems(content_words(memory.resolved_text)))


def _is_unrelated(memory: RecalledMemory) -> bool:
    return all(_raw(memory, name) < least for name, least in UNRELATED.items())
