"""A monkey at the keyboard: whatever is pressed, clicked, pasted and resized, and whatever fails
meanwhile, the app lives, keeps what it was told and lets the person out.

First over the fakes, then over a real store and the real engine with a fake model. A failure prints its
seed and the steps; ASSISTANT_MONKEY_SEED begins with that seed. The soak plays ten seeds of each at full
length (ASSISTANT_SOAK_SHARE=1, two minutes), more with a larger share.
"""

import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest

from assistant.config import Config, load_config, save_setting
from assistant.conversation import assemble
from assistant.conversation.engine import Engine
from assistant.conversation.events import Event, Progress, Recorded
from assistant.conversation.recall import encode
from assistant.conversation.states import KeptStates
from assistant.errors import (
    AssistantError,
    DiskFull,
    EmbeddingError,
    GenerationError,
    ModelUnreadable,
    NotFound,
    OutOfMemory,
    SourceUnreachable,
    StoreLocked,
)
from assistant.memory.memory import Memory
from assistant.paths import Paths
from assistant.records import NewThought, Recall, Token
from assistant.tui import worker
from assistant.tui.app import AssistantApp
from assistant.tui.live import LiveEngine
from assistant.tui.live_store import open_live_store
from assistant.tui.messages import BackgroundFailed, JobFailed
from assistant.tui.session import Candidate, Download, Facts, ModelFacts, TurnText
from assistant.tui.widgets.dialogs import Confirm
from conftest import SOAK_SHARE
from fakes import FakeEmbedder, FakeModel, FakeModelInfo
from tui_fakes import ANNA, NOW, FakeEngine, FakeShelf, make_store
from tui_monkey import ODD_TEXTS, SIZES, Monkey, Prompts, World, make_steps

FIRST_SEED = int(os.environ.get("ASSISTANT_MONKEY_SEED", "0"))
LOCKED = StoreLocked("The store is locked by another process.", "Close it and try again.")
N_MEMORIES = 120
N_STEPS = 24  # a step is a few keys and takes some 40 ms
N_SOAK_STEPS = max(N_STEPS, min(120, round(300 * SOAK_SHARE)))
SOAK_SEEDS = range(FIRST_SEED + 2, FIRST_SEED + 2 + max(1, round(10 * SOAK_SHARE)))
CODE = "Here:\n\n```python\nprint('one')\n```\n\n" + "and more words of it " * 60


class Faulty:
    """A store that fails while the world says so; what is not there is NotFound, as in the real one."""

    def __init__(self, store: Any, world: World) -> None:
        self._store = store
        self._world = world

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)

        def call(*args: Any) -> Any:
            if name != "close":
                self._world.fail("store", LOCKED)
                time.sleep(0.1 if "slow" in self._world.faults else 0)
            if name == "erase":
                self._world.erased.append(len(args[0]))
            try:
                return found(*args)
            except KeyError as error:
                raise NotFound(f"There is no {error}.") from error

        return call


class MonkeyEngine(FakeEngine):
    """A fake engine that fails while the world says so, and is slow while the world holds it."""

    world: World

    def load(self, on_phase: Callable[[Progress], None]) -> ModelFacts:
        self.world.fail("load", ModelUnreadable("[/foo] is no GGUF file.", "Choose another."))
        return super().load(on_phase)

    def open_conversation(self, conversation_id: int | None, mode: Any = "normal") -> None:
        self.world.fail("store", LOCKED)
        super().open_conversation(conversation_id, mode)

    def ask(self, text: str, now: datetime, *, replaces: int | None = None) -> Iterator[Event]:
        self.world.asked.append(text)
        return self._events(text, now, replaces)

    def regenerate(self, turn_id: int, now: datetime) -> Iterator[Event]:
        return self._events("again", now, turn_id)

    def _events(self, text: str, now: datetime, replaces: int | None) -> Iterator[Event]:
        self.world.fail("store", LOCKED)
        if self._conversation_id not in self.store.conversations_:
            self._conversation_id = None
        for event in super().ask(text, now, replaces=replaces):
            yield event
            self.tokens_per_second = 0.0 if self.world.flow.is_set() else 20.0
            self.world.fail("model", GenerationError("llama.cpp failed [/foo]."))

    def edit(self, memory_id: int, text: str, now: datetime) -> None:
        self.world.fail("embedder", EmbeddingError("onnxruntime failed."))
        super().edit(memory_id, text, now)

    def merge(self, memory_ids: Any, text: str, now: datetime) -> None:
        self.world.fail("embedder", EmbeddingError("onnxruntime failed."))
        super().merge(memory_ids, text, now)

    def idle(self, now: datetime) -> None:
        self.world.fail("store", LOCKED)
        super().idle(now)


class MonkeyShelf(FakeShelf):
    """Downloads that trickle, break off and fill the disk."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world

    def choose(self, model_id: str) -> str:
        self.world.fail("load", ModelUnreadable(f"{model_id} [/foo] is no GGUF file."))
        return super().choose(model_id)

    def pull(self, model_id: str, on_progress: Callable[[Download], None]) -> bool:
        self.world.pulled.append(model_id)
        self.world.fail("net", SourceUnreachable("No source [/foo] answers."))

        def report(step: Download) -> None:
            on_progress(step)
            self.world.fail("disk", DiskFull("There is no room for it."))

        self.gate = self.world.flow
        return super().pull(model_id, report)


class MonkeyEmbedder(FakeEmbedder):
    def __init__(self, world: World) -> None:
        self.world = world

    def embed(self, texts: Any) -> Any:
        self.world.fail("embedder", EmbeddingError("onnxruntime failed."))
        return super().embed(texts)


class Pace(Flag):
    """Waited for before each token: a while where the world holds it, else not at all."""

    def __init__(self, flow: Flag) -> None:
        super().__init__()
        self._flow = flow

    def wait(self, timeout: float | None = None) -> bool:
        return self._flow.wait(0.05)


class MonkeyModel(FakeModel):
    world: World

    def stream(self, *args: Any, **options: Any) -> Iterator[Token]:
        for token in super().stream(*args, **options):
            yield token
            self.world.fail("model", GenerationError("llama.cpp failed [/foo]."))


def watch(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    """Note what was confirmed and what the threads report."""
    answer = Confirm.action_answer

    def noted(self: Confirm, yes: bool) -> None:
        if yes:
            world.confirmed.append(self._question)
        answer(self, yes)

    def failed(kind: type) -> Callable[[AssistantError], object]:
        def made(error: AssistantError) -> object:
            world.failures.append(error)
            return kind(error)

        return made

    monkeypatch.setattr(Confirm, "action_answer", noted)
    monkeypatch.setattr(worker, "JobFailed", failed(JobFailed))
    monkeypatch.setattr(worker, "BackgroundFailed", failed(BackgroundFailed))


def facts_of(seed: int, world: World, **more: Any) -> Facts:
    return Facts(
        memory_mode="ask" if seed % 2 else "auto",
        data_dir="/data [/foo]",
        first_run=seed % 3 == 2,
        may_prefill=lambda: True,
        save_setting=world.save_setting,
        never_store=lambda topic: world.save_setting("memory.never_store", topic),
        **more,
    )


async def run(app: AssistantApp, world: World, history: Prompts, seed: int, n_steps: int) -> None:
    steps = make_steps(seed, n_steps)
    try:
        async with app.run_test(size=SIZES[-1 - seed % 7]):
            monkey = Monkey(app, world, history)
            await monkey.play(steps)
            if seed % 4:  # else it is left in the midst of it
                await monkey.check_sent()
            await monkey.finish()
    except BaseException as error:
        error.add_note(f"seed {seed}, {n_steps} steps")
        raise


async def play_on_fakes(seed: int, n_steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    world, history = World(), Prompts()
    watch(monkeypatch, world)
    store = make_store()
    store.rows += [
        type(store.rows[0])(100 + n, "thought", text, "user", NOW)
        for n, text in enumerate(ODD_TEXTS)
    ]
    store.candidates_ = [Candidate(50 + n, text) for n, text in enumerate(ODD_TEXTS[:3])]
    turns = [TurnText(n, n, f"Question {n}", NOW, ODD_TEXTS[n % 10]) for n in range(1, 40)]
    store.add(1, ODD_TEXTS[0], turns)
    store.add(2, "", turns[:1])
    engine = MonkeyEngine(store, reply=CODE, recall=ANNA, asks_first=seed % 4 == 3)
    engine.world = world
    app = AssistantApp(
        engine,
        lambda: Faulty(store, world),  # type: ignore[arg-type,return-value] # by __getattr__
        shelf=MonkeyShelf(world),
        history=history,
        facts=facts_of(seed, world),
        clock=lambda: NOW,
    )
    await run(app, world, history, seed, n_steps)


def fill(memory: Memory, embedder: FakeEmbedder) -> None:
    """Some hundred memories, the odd ones among them."""
    for n in range(N_MEMORIES // 2):
        when = NOW - timedelta(days=N_MEMORIES - n)
        odd = ODD_TEXTS[n % len(ODD_TEXTS)]
        text = (
            odd if n % 4 == 0 and odd.strip() else f"I like tea number {n} and my cat Tom{n % 7}."
        )
        with suppress(AssistantError):
            encoded = encode(text, embedder, when)
            turn = memory.begin_turn(encoded, when, conversation_id=1 if n % 3 and n > 1 else None)
            memory.finish_turn(turn, encode(f"So {text}", embedder, when), Recall(text), when)
            said = memory.messages(turn.conversation_id)[-2]
            memory.insert_thought(
                NewThought(text, said.id, "rules", "1"), when, confirmed=n % 10 != 3
            )


async def play_on_a_real_store(
    seed: int, n_steps: int, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    world, history = World(), Prompts()
    watch(monkeypatch, world)
    paths = Paths(folder / "data")
    paths.create()

    def read_config() -> Config:
        return load_config(paths.config_file, {}, {})

    def save(name: str, value: str) -> None:
        world.save_setting(name, value)
        save_setting(paths.config_file, name, value)

    save("memory.mode", "ask" if seed % 2 else "auto")
    config = read_config()
    embedder = MonkeyEmbedder(world)
    with assemble.open_memory(paths, config, now=NOW) as memory:
        memory.use_embedder(embedder.id, embedder.dimension)
        fill(memory, embedder)

    def open_assistant(paths: Paths, config: Any, *, now: datetime, **more: Any) -> Engine:
        world.fail("load", ModelUnreadable("[/foo] is no GGUF file.", "Choose another."))
        world.fail("store", LOCKED)
        memory = assemble.open_memory(paths, config, now=now)
        memory.use_embedder(embedder.id, embedder.dimension)

        def load(on_progress: Callable[[float], None]) -> MonkeyModel:
            on_progress(0.5)
            world.fail("disk", OutOfMemory("It does not fit."))
            model = MonkeyModel(
                2048, FakeModelInfo(), reply=lambda asked: CODE, token_pause=Pace(world.flow)
            )
            model.world = world
            return model

        behaviour = assemble.behaviour(config, "fake [/foo]", more["agreement"])
        states = KeptStates(paths.states_dir, "fake")
        return Engine(memory, embedder, load, behaviour, states=states, on_phase=more["on_phase"])

    for name in ("begin_turn", "finish_turn"):
        monkeypatch.setattr(Memory, name, failing(getattr(Memory, name), world))
    monkeypatch.setattr(assemble, "open_assistant", open_assistant)
    engine = Counted(LiveEngine(paths, read_config), world)
    app = AssistantApp(
        engine,  # type: ignore[arg-type] # by __getattr__
        lambda: Faulty(open_live_store(paths, config), world),  # type: ignore[arg-type,return-value]
        shelf=MonkeyShelf(world),
        history=history,
        facts=replace(facts_of(seed, world), save_setting=save),
        clock=lambda: NOW,
    )
    before = said_in(paths)
    await run(app, world, history, seed, n_steps)
    if not world.erased:
        assert said_in(paths) == before + Counter(engine.recorded)


def said_in(paths: Paths) -> Counter[int]:
    """How many messages of the person each turn has."""
    with closing(sqlite3.connect(paths.database)) as connection:
        rows = connection.execute("SELECT turn_id FROM messages WHERE role = 'user'")
        return Counter(turn_id for (turn_id,) in rows)


def failing(method: Callable[..., Any], world: World) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        world.fail("store", LOCKED)
        return method(*args, **options)

    return call


class Counted:
    """The real engine; notes what it was asked and which turns it said were recorded."""

    def __init__(self, engine: LiveEngine, world: World) -> None:
        self._engine = engine
        self._world = world
        self.recorded: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def ask(self, text: str, now: datetime, *, replaces: int | None = None) -> Iterator[Event]:
        self._world.asked.append(text)
        return self._noted(self._engine.ask(text, now, replaces=replaces))

    def regenerate(self, turn_id: int, now: datetime) -> Iterator[Event]:
        return self._noted(self._engine.regenerate(turn_id, now))

    def _noted(self, events: Iterator[Event]) -> Iterator[Event]:
        for event in events:
            if isinstance(event, Recorded):
                self.recorded.append(event.turn.id)
            yield event


@pytest.fixture(autouse=True)
def _folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # where /export writes


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + 2))
async def test_the_app_outlives_a_monkey(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    await play_on_fakes(seed, N_STEPS, monkeypatch)


async def test_the_app_over_a_real_store_outlives_a_monkey(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    await play_on_a_real_store(FIRST_SEED, N_STEPS, monkeypatch, tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize("seed", SOAK_SEEDS)
async def test_the_app_outlives_a_monkey_for_long(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await play_on_fakes(seed, N_SOAK_STEPS, monkeypatch)


@pytest.mark.soak
@pytest.mark.parametrize("seed", SOAK_SEEDS)
async def test_the_app_over_a_real_store_outlives_a_monkey_for_long(
    seed: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    await play_on_a_real_store(seed, N_SOAK_STEPS, monkeypatch, tmp_path)
