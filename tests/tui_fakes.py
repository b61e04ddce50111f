"""A fake engine and store for the TUI's tests: predictable events at a set rate, no weights.

Knows the protocols of `assistant.tui.session` and nothing of how screens draw.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from assistant.conversation.events import (
    Event,
    Phase,
    RecallDone,
    Recorded,
    Replied,
    TokenText,
)
from assistant.records import Conversation, Recall, RecalledMemory, Reply, Turn, Usage
from assistant.tui.session import ChatMode, ModelFacts, TurnText

NOW = datetime(2026, 3, 14, 9, 26, tzinfo=UTC)


def memory(number: int, text: str, **facts: object) -> RecalledMemory:
    """A memory said `number` days before NOW."""
    made = RecalledMemory(
        id=number,
        kind="message",
        text=text,
        resolved_text=text,
        role="user",
        created=NOW - timedelta(days=number),
        conversation_id=1,
        turn_id=number,
        score=1.0 / number,
        signals={"words": 0.5, "meaning": 0.75},
    )
    return replace(made, **facts)  # type: ignore[arg-type]


FACTS = ModelFacts("qwen2.5-coder-0.5b-instruct-q4_k_m", 4096)

ANNA = Recall(
    "dog",
    (
        memory(1, "My sister Anna moved to Lisbon last week and adopted a dog called Bolo."),
        memory(2, "Anna loves long walks."),
    ),
    (memory(3, "I had a cat once.", reason="weak"),),
    4.2,
)


@dataclass
class FakeStore:
    """Two conversations held in a dict."""

    conversations_: dict[int, Conversation] = field(default_factory=dict)
    turns_: dict[int, list[TurnText]] = field(default_factory=dict)
    recalls: dict[int, Recall] = field(default_factory=dict)
    forgotten: list[int] = field(default_factory=list)
    closed: bool = False

    def add(self, conversation_id: int, title: str, turns: Sequence[TurnText]) -> None:
        when = NOW - timedelta(hours=conversation_id)
        self.conversations_[conversation_id] = Conversation(
            conversation_id, title, when, when, len(turns)
        )
        self.turns_[conversation_id] = list(turns)

    def conversations(self) -> Sequence[Conversation]:
        return sorted(self.conversations_.values(), key=lambda c: c.last_used, reverse=True)

    def turns(self, conversation_id: int) -> Sequence[TurnText]:
        return self.turns_[conversation_id]

    def recall_of(self, turn_id: int) -> Recall:
        return self.recalls.get(turn_id, Recall(""))

    def forget(self, memory_ids: Collection[int], now: datetime) -> int:
        self.forgotten += memory_ids
        return len(memory_ids)

    def undo(self, now: datetime) -> str:
        return f"{self.forgotten.pop()}" if self.forgotten else ""

    def close(self) -> None:
        self.closed = True


@dataclass
class FakeEngine:
    """Answers with `reply`, cut into words, `tokens_per_second` of them (0: all at once)."""

    store: FakeStore
    reply: str = "Anna's dog is called **Bolo**."
    recall: Recall = ANNA
    tokens_per_second: float = 0.0
    load_gate: threading.Event | None = None
    facts: ModelFacts = FACTS
    load_error: Exception | None = None
    asked: list[str] = field(default_factory=list)
    opened: list[tuple[int | None, ChatMode]] = field(default_factory=list)
    closed: bool = False
    _stop: threading.Event = field(default_factory=threading.Event)
    _conversation_id: int | None = None

    def load(self, on_progress: Callable[[float], None]) -> ModelFacts:
        on_progress(0.4)
        if self.load_gate is not None:
            self.load_gate.wait(10)
        if self.load_error is not None:
            raise self.load_error
        return self.facts

    def open_conversation(self, conversation_id: int | None, mode: ChatMode = "normal") -> None:
        self.opened.append((conversation_id, mode))
        self._conversation_id = conversation_id

    def ask(self, text: str, now: datetime) -> Iterator[Event]:
        self.asked.append(text)
        if self._conversation_id is None:
            self._conversation_id = len(self.store.conversations_) + 1
            self.store.add(self._conversation_id, text, [])
        turns = self.store.turns_[self._conversation_id]
        turn = Turn(
            100 * self._conversation_id + len(turns), self._conversation_id, len(turns) + 1, 1, now
        )
        yield Recorded(turn)
        yield Phase("recalling")
        yield RecallDone(self.recall)
        yield Phase("reading prompt", 0.5)
        yield Phase("writing")
        self._stop.clear()
        pieces, n_tokens = [], 0
        for piece in _pieces(self.reply):
            if self._stop.wait(1 / self.tokens_per_second if self.tokens_per_second else 0):
                break
            pieces.append(piece)
            n_tokens += 1
            yield TokenText(piece)
        stopped = self._stop.is_set()
        usage = Usage(200, n_tokens, 100, 100, 4.2, 500.0, 500.0 + 25.0 * n_tokens)
        reply = Reply("".join(pieces), "stopped" if stopped else "stop", usage)
        turns.append(TurnText(turn.id, turn.number, text, now, reply.text, reply.partial))
        self.store.recalls[turn.id] = self.recall
        yield Replied(turn, reply)

    def stop(self) -> None:
        self._stop.set()

    def close(self) -> None:
        self.closed = True


def _pieces(text: str) -> list[str]:
    words = text.split(" ")
    return [word if n == 0 else f" {word}" for n, word in enumerate(words)]


def sleep_until(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Wait in a thread that is not the app's."""
    end = time.perf_counter() + seconds
    while not condition() and time.perf_counter() < end:
        time.sleep(0.01)
    return condition()
