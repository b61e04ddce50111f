"""What the engine tells a front end, in order. Frozen facts; no widget, no model, no store.

A turn yields: Recorded, Phase("recalling"), RecallDone, Phase("reading prompt"), Phase("writing"),
TokenText..., Replied. A Notice may come at any point. A failure after Recorded raises an
AssistantError once what came so far is recorded.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, Protocol

from assistant.records import Recall, RecalledMemory, Reply, Turn

PhaseName = Literal["loading model", "recalling", "reading prompt", "writing"]


@dataclass(frozen=True, slots=True)
class Recorded:
    """The person's message is on disk."""

    turn: Turn


@dataclass(frozen=True, slots=True)
class Phase:
    """What the person is waiting for. `share` in [0, 1], or None where it is not known."""

    name: PhaseName
    share: float | None = None


class Consent(Protocol):
    """A question to the person: may these be given to the model? The turn waits for the answer."""

    memories: tuple[RecalledMemory, ...]

    def answer(self, memory_ids: Collection[int]) -> None: ...
    def agree(self) -> None: ...


@dataclass(frozen=True, slots=True)
class RecallAsked:
    """memory.mode is ask: nothing is given before the person answers. Comes before RecallDone."""

    question: Consent


@dataclass(frozen=True, slots=True)
class RecallDone:
    """What is given to the model, and the near-misses."""

    recall: Recall


@dataclass(frozen=True, slots=True)
class TokenText:
    """The next piece of the answer, as valid UTF-8. May contain anything: never parse as markup."""

    text: str


@dataclass(frozen=True, slots=True)
class Notice:
    """One sentence for the person, as "Your message is too long to read whole; ..."."""

    text: str


@dataclass(frozen=True, slots=True)
class Replied:
    """The reply is on disk; the person can type again."""

    turn: Turn
    reply: Reply


Event = Recorded | Phase | RecallAsked | RecallDone | TokenText | Notice | Replied
Progress = Phase | Notice  # what can come inside one long call, where no event can be yielded
