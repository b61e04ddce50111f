"""What the TUI asks of the engine and the store, as two protocols, and the values it draws.

The screens are written against these; `assistant.tui.live` joins them to the real engine and
`tests/tui` to a fake one. Knows no widget and imports no library.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from assistant.conversation.events import Event
from assistant.records import Conversation, Message, Recall, Usage

ChatMode = Literal["normal", "read-only", "temporary"]
CHAT_MODES: tuple[ChatMode, ...] = ("normal", "read-only", "temporary")


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the header says of the model. `window` is the weight window's state in words."""

    name: str
    n_ctx: int
    window: str = "off"


@dataclass(frozen=True, slots=True)
class TurnText:
    """One turn as it is drawn. `recall` is None until it is asked for."""

    turn_id: int
    number: int
    prompt: str
    created: datetime
    reply: str = ""
    partial: bool = False
    recall: Recall | None = None
    usage: Usage | None = None


class Engine(Protocol):
    """The language model's side. Called on one thread, but for `stop`."""

    def load(self, on_progress: Callable[[float], None]) -> ModelFacts:
        """Load the model; progress in [0, 1]. Raises ModelError, OutOfMemory."""

    def ask(self, text: str, now: datetime) -> Iterator[Event]:
        """One turn in the open conversation (a new one where none is open)."""

    def open_conversation(self, conversation_id: int | None, mode: ChatMode = "normal") -> None:
        """Continue this conversation, or begin a new one with the next message."""

    def stop(self) -> None:
        """End the running turn within 300 ms, keeping what came. From any thread."""

    def close(self) -> None:
        """Free the model."""


class Store(Protocol):
    """The memory's side: quick reads and writes, called on one thread of its own."""

    def conversations(self) -> Sequence[Conversation]:
        """All that are kept, last used first."""

    def turns(self, conversation_id: int) -> Sequence[TurnText]:
        """One conversation from its first turn to its last."""

    def recall_of(self, turn_id: int) -> Recall:
        """What was given to the model in this turn, and what nearly was."""

    def forget(self, memory_ids: Collection[int], now: datetime) -> int:
        """Hide memories from every later recall; returns how many."""

    def undo(self, now: datetime) -> str:
        """Take back the last forget; says what came back, empty when there was nothing."""

    def close(self) -> None:
        """Close the file."""


def pair_turns(messages: Sequence[Message]) -> list[TurnText]:
    """Messages in order -> turns in order: each user message with the reply that follows it."""
    turns: dict[int, TurnText] = {}
    for message in messages:
        before = turns.get(message.turn_id)
        if message.role == "user":
            turns[message.turn_id] = TurnText(
                message.turn_id, len(turns) + 1, message.text, message.created
            )
        elif message.role == "assistant" and before is not None:
            turns[message.turn_id] = TurnText(
                before.turn_id,
                before.number,
                before.prompt,
                before.created,
                message.text,
                message.partial,
            )
    return list(turns.values())
