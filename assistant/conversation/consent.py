"""Mode `ask`: the person says whether memories may be given to the model, before they are.

The turn waits for the answer, which comes from the front end's own thread. Where nobody can be asked
nothing is given, and the person is told. Knows events, no memory and no model.
"""

import threading
from collections.abc import Callable, Collection, Generator
from dataclasses import replace
from typing import Final, Literal

from assistant.conversation.events import Event, Notice, RecallAsked
from assistant.records import Recall, RecalledMemory

# What the settings and the front end say: no question needed, ask, nobody to ask.
Agreement = Literal["given", "asked", "withheld"]
WITHHELD: Final = "memory.mode is ask and nobody could be asked: no memory was given to the model."
LOOK_SECONDS: Final = 0.05  # between two looks at whether the turn was stopped


class Question:
    """Memories that are asked for (an `events.Consent`). `answer` may be called from any thread, once."""

    def __init__(self, memories: tuple[RecalledMemory, ...]) -> None:
        self.memories = memories
        self._answered = threading.Event()
        self._given: frozenset[int] = frozenset()

    def answer(self, memory_ids: Collection[int]) -> None:
        """These of the memories may be given; none of them where it is empty."""
        self._given = frozenset(memory_ids)
        self._answered.set()

    def agree(self) -> None:
        """All of them may be given."""
        self.answer([memory.id for memory in self.memories])

    def wait(self, is_stopping: Callable[[], bool]) -> frozenset[int]:
        """The ids that may be given; none where the turn was stopped first."""
        while not self._answered.wait(LOOK_SECONDS):
            if is_stopping():
                return frozenset()
        return self._given


def ask_consent(
    recall: Recall, turn_id: int, agreement: Agreement, is_stopping: Callable[[], bool]
) -> Generator[Event, None, Recall]:
    """The recall with what may be given; the rest of it is among the near-misses."""
    asked = needing_consent(recall, turn_id)
    if agreement == "given" or not asked:
        return recall
    if agreement == "withheld":
        yield Notice(WITHHELD)
        return withhold(recall, asked)
    question = Question(asked)
    yield RecallAsked(question)
    given = question.wait(is_stopping)
    return withhold(recall, [memory for memory in asked if memory.id not in given])


def needing_consent(recall: Recall, turn_id: int) -> tuple[RecalledMemory, ...]:
    """All but the passages of the turn's own message (id 0 where it is not recorded)."""
    return tuple(m for m in recall.memories if m.id and m.turn_id != turn_id)


def withhold(recall: Recall, memories: Collection[RecalledMemory]) -> Recall:
    """The recall without these memories, which become its first near-misses."""
    ids = {memory.id for memory in memories}
    declined = tuple(replace(memory, reason="not agreed to") for memory in memories)
    return replace(
        recall,
        memories=tuple(memory for memory in recall.memories if memory.id not in ids),
        near_misses=(*declined, *recall.near_misses),
    )
