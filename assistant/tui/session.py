"""What the TUI asks of the engine and the store, as two protocols, and the values it draws.

The screens are written against these; `assistant.tui.live` joins them to the real engine and
`tests/tui_fakes.py` to a fake one. Knows no widget and imports no library.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, Protocol

from assistant.conversation.events import Event, Progress
from assistant.records import Conversation, Kind, Message, Recall, Role, State, Usage

Keep = Literal["newer", "older", "both"]
ChatMode = Literal["normal", "read-only", "temporary"]
MOST_LISTED: Final = 1000  # memories in the table; a filter finds the others


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the header says of the model. `window` is the weight window's state in words."""

    name: str
    n_ctx: int
    window: str = "off"


@dataclass(frozen=True, slots=True)
class TurnText:
    """One turn as it is drawn. `recall` is None until it is asked for; id 0 is not recorded."""

    turn_id: int
    number: int
    prompt: str
    created: datetime
    reply: str = ""
    partial: bool = False
    recall: Recall | None = None
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class MemoryRow:
    """One memory as the Memory screen lists it. `retention` in [0, 1], now."""

    id: int
    kind: Kind
    text: str
    role: Role
    created: datetime
    state: State = "active"
    retention: float = 1.0
    pinned: bool = False
    conversation_id: int = 0
    turn_id: int | None = None
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class MemoryFilter:
    """What the line above the table asks for. Dates are [after, before)."""

    words: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ()
    roles: tuple[Role, ...] = ()
    states: tuple[State, ...] = ()
    before: datetime | None = None
    after: datetime | None = None
    pinned: bool | None = None


@dataclass(frozen=True, slots=True)
class MemoryDetails:
    """Everything the store knows of one memory. `curve` is its retention over the next days."""

    source: str = ""  # the message it was drawn from
    history: Sequence[tuple[datetime, str]] = ()  # when, what happened
    neighbours: Sequence["Neighbour"] = ()
    curve: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A memory linked to another. `how` is "similar", "refines", "conflict" or "same turn"."""

    id: int
    text: str
    created: datetime
    how: str
    neighbours: Sequence["Neighbour"] = ()


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two memories that may not both be true. Nothing is decided but by the person."""

    older: MemoryRow
    newer: MemoryRow
    id: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PortraitLine:
    """One statement about the person, and the messages it rests on."""

    text: str
    sources: Sequence[tuple[datetime, str]] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A thought that waits for the person's yes (memory.mode = ask)."""

    id: int
    text: str
    topic: str = ""


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A message found by "find everywhere"."""

    conversation_id: int
    turn_id: int
    title: str
    text: str
    created: datetime


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model in the list. Speeds are tokens per second, 0 where unknown."""

    id: str
    kind: str
    size_bytes: int
    quantisation: str = ""
    installed: bool = False
    chosen: bool = False
    fit: str = ""  # "fits", or the window plan in words
    predicted_tps: float = 0.0
    measured_tps: float = 0.0
    licence: str = ""
    note: str = ""
    recommended: bool = False  # the best that fits this machine
    arrived_bytes: int = 0  # of a download that was paused or broken off


@dataclass(frozen=True, slots=True)
class Download:
    """How far a download is. `seconds_left` is None until a rate is known."""

    id: str
    done_bytes: int
    total_bytes: int
    phase: str = "downloading"
    bytes_per_s: float = 0.0
    seconds_left: float | None = None


class Engine(Protocol):
    """The language model's side. Called on one thread, but for `stop`."""

    def load(self, on_phase: Callable[[Progress], None]) -> ModelFacts:
        """Load the model and keep reporting phases. Raises ModelError, OutOfMemory."""

    def ask(self, text: str, now: datetime, *, replaces: int | None = None) -> Iterator[Event]:
        """One turn; `replaces` makes it another branch of that turn."""

    def regenerate(self, turn_id: int, now: datetime) -> Iterator[Event]:
        """Another reply to the same message, as another branch."""

    def answer_without(
        self, turn_id: int, memory_ids: Collection[int], now: datetime
    ) -> Iterator[Event]:
        """The same question without these memories. Nothing is recorded."""

    def choose_branch(self, turn_id: int) -> None:
        """Continue from this one of the turns with the same number."""

    def open_conversation(self, conversation_id: int | None, mode: ChatMode = "normal") -> None:
        """Continue this conversation, or begin a new one with the next message."""

    def put_down(self) -> None:
        """Close the open conversation and leave no trace of its text in the model's memory."""

    def prompt_of(self, turn_id: int) -> str:
        """The exact prompt of a turn; empty where it was not kept."""

    def edit(self, memory_id: int, text: str, now: datetime) -> None:
        """The person's correction, as a newer version; the older one stays in the history."""

    def merge(self, memory_ids: Sequence[int], text: str, now: datetime) -> None:
        """One thought in the person's words for several, which stay in its history."""

    def prefill(self, text: str, now: datetime) -> None:
        """Read the prompt of what is typed so far, so that Enter finds it read."""

    def idle(self, now: datetime) -> None:
        """Work that can wait, as post-think. Ends soon after `stop`."""

    def stop(self) -> None:
        """End what runs within 300 ms, keeping what came. From any thread."""

    def close(self) -> None:
        """Free the model."""


class Store(Protocol):
    """The memory's side: short reads and writes, called on one thread of its own."""

    def conversations(self) -> Sequence[Conversation]:
        """All that are kept, last used first."""

    def turns(self, conversation_id: int) -> Sequence[TurnText]:
        """One conversation from its first turn to its last, the active branches."""

    def branches(self, turn_id: int) -> Sequence[int]:
        """The turns that answer the same place in the conversation, oldest first."""

    def rename(self, conversation_id: int, title: str) -> None: ...

    def delete(self, conversation_id: int, now: datetime) -> None:
        """Hide a conversation and its memories; `undo` brings them back."""

    def search(self, text: str) -> Sequence[SearchHit]:
        """Messages of every conversation, best first."""

    def recall_of(self, turn_id: int) -> Recall:
        """What was given to the model in this turn, and what nearly was."""

    def quoted(self, turn_id: int) -> Collection[int]:
        """Ids of the memories whose words came back in the reply."""

    def memories(self, wanted: MemoryFilter, now: datetime) -> Sequence[MemoryRow]:
        """Newest first, at most MOST_LISTED."""

    def details(self, memory_id: int, now: datetime) -> MemoryDetails: ...

    def conflicts(self, now: datetime) -> Sequence[Conflict]: ...

    def settle_conflict(self, conflict: Conflict, keep: Keep, now: datetime) -> None:
        """The person's word on it; what is not kept is superseded, never deleted."""

    def portrait(self, now: datetime) -> Sequence[PortraitLine]: ...

    def forget(self, memory_ids: Collection[int], now: datetime) -> int:
        """Hide memories from every later recall; returns how many."""

    def undo(self, now: datetime) -> str:
        """Take back the last change; one line that says so, empty when there was nothing."""

    def erase(self, memory_ids: Collection[int], now: datetime) -> Sequence[str]:
        """Remove for good, everywhere; returns the lines of the receipt."""

    def pin(self, memory_ids: Collection[int], pinned: bool, now: datetime) -> None: ...

    def exclude(self, memory_id: int, conversation_id: int, now: datetime) -> None:
        """Never recall this memory in this conversation."""

    def include(self, memory_id: int, conversation_id: int) -> None:
        """Take `exclude` back."""

    def candidates(self) -> Sequence[Candidate]:
        """Thoughts that wait for a yes."""

    def decide(self, candidate_id: int, keep: bool, now: datetime) -> None: ...

    def close(self) -> None:
        """Close the file."""


class ModelShelf(Protocol):
    """The catalogue's side: what is on disk, what can be had, what was chosen."""

    def rows(self) -> Sequence[ModelRow]: ...

    def choose(self, model_id: str) -> str:
        """Use it from now on; returns its id. Raises ModelError."""

    def add(self, path: str) -> str:
        """Put a person's own GGUF on the list; returns its id. Raises ModelError."""

    def pull(self, model_id: str, on_progress: Callable[[Download], None]) -> bool:
        """Download; resumes what a pause left. False when it was paused. Raises DownloadError."""

    def pause(self) -> None:
        """End the running download, keeping what came. From any thread."""

    def found_files(self) -> Sequence[str]:
        """GGUF files lying about in the usual folders."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known before anything is loaded.

    `never_store` and `save_setting` raise SettingError where the file cannot be written.
    """

    memory_mode: str = "auto"
    data_dir: str = ""
    first_run: bool = False
    keys: Mapping[str, str] = field(default_factory=dict)
    may_prefill: Callable[[], bool] = lambda: False
    network: Callable[[], str] = lambda: ""  # empty while nothing leaves the machine
    never_store: Callable[[str], None] = lambda topic: None
    save_setting: Callable[[str, str], None] = lambda name, value: None


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
