"""A fake engine and store for the TUI's tests: predictable events at a set rate, no weights.

Knows the protocols of `assistant.tui.session` and nothing of how screens draw.
"""

import asyncio
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from textual.pilot import Pilot

from assistant.conversation.consent import Question
from assistant.conversation.events import (
    Event,
    Phase,
    Progress,
    RecallAsked,
    RecallDone,
    Recorded,
    Replied,
    TokenText,
)
from assistant.errors import ModelUnreadable
from assistant.records import Conversation, Recall, RecalledMemory, Reply, Turn, Usage
from assistant.tui.app import AssistantApp
from assistant.tui.history import PromptHistory
from assistant.tui.session import (
    Candidate,
    ChatMode,
    Conflict,
    Download,
    Facts,
    Keep,
    MemoryDetails,
    MemoryFilter,
    MemoryRow,
    ModelFacts,
    ModelRow,
    ModelShelf,
    Neighbour,
    PortraitLine,
    SearchHit,
    TurnText,
)
from assistant.tui.widgets.prompt import PromptInput
from assistant.tui.widgets.transcript import Transcript
from assistant.tui.widgets.turn import TurnView

NOW = datetime(2026, 3, 14, 9, 26, tzinfo=UTC)
LOOK_S = 0.005  # between two looks at a condition


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

NO_DETAILS = MemoryDetails()


@dataclass
class FakeStore:
    """Two conversations held in a dict."""

    conversations_: dict[int, Conversation] = field(default_factory=dict)
    turns_: dict[int, list[TurnText]] = field(default_factory=dict)
    recalls: dict[int, Recall] = field(default_factory=dict)
    forgotten: list[int] = field(default_factory=list)
    rows: list[MemoryRow] = field(default_factory=list)
    details_: MemoryDetails = NO_DETAILS
    conflicts_: list[Conflict] = field(default_factory=list)
    candidates_: list[Candidate] = field(default_factory=list)
    branches_: list[int] = field(default_factory=list)
    calls: list[tuple[object, ...]] = field(default_factory=list)
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

    def branches(self, turn_id: int) -> Sequence[int]:
        return self.branches_ or [turn_id]

    def recall_of(self, turn_id: int) -> Recall:
        return self.recalls.get(turn_id, Recall(""))

    def forget(self, memory_ids: Collection[int], now: datetime) -> int:
        self.forgotten += memory_ids
        return len(memory_ids)

    def undo(self, now: datetime) -> str:
        return f"{self.forgotten.pop()}" if self.forgotten else ""

    def rename(self, conversation_id: int, title: str) -> None:
        known = self.conversations_[conversation_id]
        self.conversations_[conversation_id] = replace(known, title=title)

    def delete(self, conversation_id: int, now: datetime) -> None:
        del self.conversations_[conversation_id]

    def search(self, text: str) -> Sequence[SearchHit]:
        return [
            SearchHit(id_, turn.turn_id, self.conversations_[id_].title, turn.prompt, turn.created)
            for id_, turns in self.turns_.items()
            for turn in turns
            if text.casefold() in turn.prompt.casefold()
        ]

    def quoted(self, turn_id: int) -> Collection[int]:
        return [1]

    def memories(self, wanted: MemoryFilter, now: datetime) -> Sequence[MemoryRow]:
        return [
            replace(row, state="forgotten" if row.id in self.forgotten else row.state)
            for row in self.rows
            if (not wanted.kinds or row.kind in wanted.kinds)
            and all(word in row.text.casefold() for word in wanted.words)
        ]

    def details(self, memory_id: int, now: datetime) -> MemoryDetails:
        return self.details_

    def conflicts(self, now: datetime) -> Sequence[Conflict]:
        return self.conflicts_

    def settle_conflict(self, conflict: Conflict, keep: Keep, now: datetime) -> None:
        self.calls.append(("settle", keep))
        self.conflicts_.remove(conflict)

    def portrait(self, now: datetime) -> Sequence[PortraitLine]:
        return [PortraitLine("Lives by the sea.", [(NOW, "I moved to the coast.")])]

    def erase(self, memory_ids: Collection[int], now: datetime) -> Sequence[str]:
        self.calls.append(("erase", tuple(memory_ids)))
        self.rows = [row for row in self.rows if row.id not in memory_ids]
        return [f"{len(memory_ids)} rows", "2 backups"]

    def pin(self, memory_ids: Collection[int], pinned: bool, now: datetime) -> None:
        self.calls.append(("pin", tuple(memory_ids), pinned))

    def exclude(self, memory_id: int, conversation_id: int, now: datetime) -> None:
        self.calls.append(("exclude", memory_id, conversation_id))

    def include(self, memory_id: int, conversation_id: int) -> None:
        self.calls.append(("include", memory_id, conversation_id))

    def candidates(self) -> Sequence[Candidate]:
        return self.candidates_

    def decide(self, candidate_id: int, keep: bool, now: datetime) -> None:
        self.calls.append(("decide", candidate_id, keep))
        self.candidates_ = [c for c in self.candidates_ if c.id != candidate_id]

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
    asks_first: bool = False  # before it gives what was recalled
    given: tuple[int, ...] | None = None
    asked: list[str] = field(default_factory=list)
    opened: list[tuple[int | None, ChatMode]] = field(default_factory=list)
    calls: list[tuple[object, ...]] = field(default_factory=list)
    n_idle: int = 0
    closed: bool = False
    _stop: threading.Event = field(default_factory=threading.Event)
    _conversation_id: int | None = None

    def load(self, on_phase: Callable[[Progress], None]) -> ModelFacts:
        on_phase(Phase("loading model", 0.4))
        if self.load_gate is not None:
            self.load_gate.wait(10)
        if self.load_error is not None:
            raise self.load_error
        return self.facts

    def open_conversation(self, conversation_id: int | None, mode: ChatMode = "normal") -> None:
        self.opened.append((conversation_id, mode))
        self._conversation_id = conversation_id

    def ask(self, text: str, now: datetime, *, replaces: int | None = None) -> Iterator[Event]:
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
        if self.asks_first:
            self._stop.clear()
            question = Question(self.recall.memories)
            yield RecallAsked(question)
            self.given = tuple(sorted(question.wait(self._stop.is_set)))
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
        if replaces is not None:
            turns[:] = [old for old in turns if old.turn_id != replaces]
        turns.append(TurnText(turn.id, turn.number, text, now, reply.text, reply.partial))
        self.store.recalls[turn.id] = self.recall
        yield Replied(turn, reply)

    def regenerate(self, turn_id: int, now: datetime) -> Iterator[Event]:
        self.calls.append(("regenerate", turn_id))
        return self.ask("again", now, replaces=turn_id)

    def answer_without(
        self, turn_id: int, memory_ids: Collection[int], now: datetime
    ) -> Iterator[Event]:
        self.calls.append(("without", turn_id, tuple(memory_ids)))
        yield Phase("writing")
        yield TokenText("I do not know the dog's name.")
        yield Replied(Turn(0, 0, 0, 0, now), Reply("", "stop", Usage(1, 1)))

    def choose_branch(self, turn_id: int) -> None:
        self.calls.append(("choose", turn_id))

    def put_down(self) -> None:
        self.calls.append(("put down",))

    def prompt_of(self, turn_id: int) -> str:
        return f"<|im_start|>the prompt of turn {turn_id} [/foo]"

    def edit(self, memory_id: int, text: str, now: datetime) -> None:
        self.calls.append(("edit", memory_id, text))
        self.store.rows = [
            replace(row, id=row.id + 100, text=text) if row.id == memory_id else row
            for row in self.store.rows
        ]

    def merge(self, memory_ids: Sequence[int], text: str, now: datetime) -> None:
        self.calls.append(("merge", tuple(memory_ids), text))

    def prefill(self, text: str, now: datetime) -> None:
        self.calls.append(("prefill", text))

    def idle(self, now: datetime) -> None:
        self.n_idle += 1

    def stop(self) -> None:
        self._stop.set()

    def close(self) -> None:
        self.closed = True


def _pieces(text: str) -> list[str]:
    words = text.split(" ")
    return [word if n == 0 else f" {word}" for n, word in enumerate(words)]


@dataclass
class FakeShelf:
    """Three models: one chosen, one installed, one to be had. A pull waits for `gate`, a look for `look`."""

    look: threading.Event | None = None
    pull_error: Exception | None = None
    gate: threading.Event = field(default_factory=threading.Event)
    calls: list[tuple[object, ...]] = field(default_factory=list)
    models: list[ModelRow] = field(
        default_factory=lambda: [
            ModelRow(
                "qwen2.5-coder-0.5b", "chat", 491_400_064, "Q4_K_M", True, True, "fits",
                licence="Apache-2.0", measured_tps=41.2,
            ),
            ModelRow("smollm2-135m", "chat", 98_362_432, "Q4_1", True, False, "fits"),
            ModelRow(
                "qwen3-30b-a3b", "chat", 18_600_000_000, "Q4_K_M", False, False,
                "through the window", predicted_tps=4.2, licence="Apache-2.0", note="large [/foo]",
            ),
        ]
    )  # fmt: skip
    _stop: threading.Event = field(default_factory=threading.Event)

    def rows(self) -> Sequence[ModelRow]:
        if self.look is not None:
            self.look.wait(10)
        return list(self.models)

    def choose(self, model_id: str) -> str:
        self.calls.append(("choose", model_id))
        self.models = [replace(row, chosen=row.id == model_id) for row in self.models]
        return model_id

    def add(self, path: str) -> str:
        if not path.endswith(".gguf"):
            raise ModelUnreadable(f"{path} is no GGUF file.")
        self.calls.append(("add", path))
        self.models.append(ModelRow("my-own", "chat", 1000, installed=True))
        return "my-own"

    def pull(self, model_id: str, on_progress: Callable[[Download], None]) -> bool:
        self.calls.append(("pull", model_id))
        self._stop.clear()
        if self.pull_error is not None:
            raise self.pull_error
        on_progress(Download(model_id, 6_000_000_000, 18_600_000_000, "downloading", 8e6, 1575.0))
        while not self.gate.wait(0.01):
            if self._stop.is_set():
                return False
        self.models = [
            replace(row, installed=True) if row.id == model_id else row for row in self.models
        ]
        return True

    def pause(self) -> None:
        self._stop.set()

    def found_files(self) -> Sequence[str]:
        return ["/home/me/[@click=app.quit]model.gguf"]


def make_app(
    engine: FakeEngine,
    history: PromptHistory | None = None,
    *,
    shelf: ModelShelf | None = None,
    facts: Facts | None = None,
    theme: str = "assistant-dark",
) -> AssistantApp:
    """The app over fakes, at NOW."""
    return AssistantApp(
        engine,
        lambda: engine.store,
        shelf=shelf,
        history=history,
        facts=facts,
        theme=theme,
        clock=lambda: NOW,
    )


def make_store() -> FakeStore:
    """Eight memories, one conflict, and details for each."""
    rows = [
        MemoryRow(
            number,
            "thought" if number % 2 else "message",
            f"Memory {number} about [/foo] cilantro",
            "user",
            NOW - timedelta(days=number),
            retention=1 / number,
        )
        for number in range(1, 9)
    ]
    details = MemoryDetails(
        "I avoid cilantro.",
        [(NOW, "inserted by rules 1")],
        [Neighbour(3, "Anna [/b] walks", NOW, "similar", [Neighbour(4, "A dog", NOW, "refines")])],
        [1.0, 0.5, 0.0],
    )
    return FakeStore(
        rows=rows,
        details_=details,
        conflicts_=[Conflict(rows[3], rows[1], reason="one for, one against")],
    )


async def wait_for(pilot: Pilot[int], condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Let the app run until `condition` holds.

    Not with `pilot.pause`: it waits for every widget, also for one that is removed meanwhile.
    """
    for _ in range(int(seconds / LOOK_S)):
        await asyncio.sleep(LOOK_S)
        if condition():
            return
    raise AssertionError("the condition never held")


def is_idle(app: AssistantApp) -> bool:
    return not app.backend.busy


async def say(pilot: Pilot[int], app: AssistantApp, text: str) -> TurnView:
    """Send a message and wait for its answer."""
    app.screen.query_one(PromptInput).fill(text)
    await pilot.press("enter")
    await wait_for(pilot, lambda: is_idle(app))
    view = app.screen.query_one(Transcript).last
    assert view is not None
    return view


def drawn(app: AssistantApp) -> str:
    """Every character on the screen, as a person would see it."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())
