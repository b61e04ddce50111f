"""`assistant bench typing`: how soon the first token comes when the prompt was read while you typed.

Each question is asked twice through the real engine, store and embedder, each time as the first of
a new conversation: Enter right after the last key, and Enter after a pause in which the engine
recalled and read ahead as it does behind the app. The clock runs from Enter to the first token, so
recording, recall and whatever is left to read are in it. The two ways have a store each, with the
same memories, and share one model, whose cells are emptied in between.
"""

import tempfile
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import Any, Final, cast

import click

from assistant.bench.report import Settings, chosen_model, print_report
from assistant.config import Config, load_config
from assistant.conversation.assemble import open_assistant
from assistant.conversation.engine import Engine
from assistant.conversation.events import Event, RecallDone, Recorded, TokenText
from assistant.conversation.history import SEQUENCE
from assistant.conversation.recall import encode
from assistant.paths import Paths
from assistant.records import Recall

PAUSE_S: Final = 3.0  # default; seconds between the last key and Enter
KEYS_S: Final = 0.3  # of these, what the input waits for another key before it reads ahead
_START: Final = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_FACTS: Final = (
    "My sister Anna moved from Porto to Lisbon in January because she found work at the aquarium "
    "there, and she now lives in a small flat near the river with two big windows.",
    "Anna adopted a dog called Bolo from a shelter; he is brown, afraid of bicycles, and has to be "
    "walked three times a day, also when it rains, or he chews the chairs.",
    "Anna cannot eat gluten, so when I cook for her I take rice flour, and her favourite dinner is "
    "baked cod with potatoes, olives and a lot of garlic.",
    "Anna turns forty on the ninth of May, and our mother wants all of us to come to Lisbon for a "
    "long weekend and rent a boat with room for twelve people.",
    "Anna plays the viola in an amateur orchestra on Thursdays; at the moment they rehearse a Haydn "
    "symphony for a concert in the old post office in June.",
    "I promised Anna that I would repair the lamp of our grandmother and bring it along the next "
    "time I visit, wrapped in blankets, because the glass is thin.",
)
_QUESTIONS: Final = (
    "What should I bring when I visit Anna in Lisbon?",
    "What could I cook for Anna when she comes to dinner?",
    "What would be a good present for the birthday of Anna?",
    "On which evenings is Anna at home in Lisbon?",
    "How does Anna spend her week in Lisbon with the dog?",
    "Who should look after the dog while Anna plays a concert?",
)


@dataclass(frozen=True, slots=True)
class Answered:
    """What one Enter brought."""

    first_token_ms: float
    first_text: str
    memories: tuple[str, ...]  # given to the model
    n_notes: int  # tokens of them
    same_recall: bool = True  # as what was read ahead


@contextmanager
def _engines(models_dir: Path, config: Config) -> Iterator[tuple[Engine, Engine]]:
    """Two engines over one model, each with a store that holds `_FACTS` from the days before."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        opened = []
        for name in ("at-once", "after-a-pause"):
            paths = Paths(root / name)
            paths.create()
            paths.models_dir.rmdir()
            paths.models_dir.symlink_to(models_dir)
            engine = open_assistant(paths, config, now=_START)
            stack.callback(engine.memory.close)
            _tell(engine)
            opened.append(engine)
        first, second = opened
        model = first.load()
        stack.callback(model.close)
        yield first, Engine(second.memory, second.embedder, lambda _: model, second.behaviour)


def _tell(engine: Engine) -> None:
    for days, fact in enumerate(_FACTS, start=3):
        told = _START - timedelta(days=days)
        earlier = engine.memory.new_conversation("Anna", told)
        encoded = encode(fact, engine.embedder, told)
        engine.memory.begin_turn(encoded, told, conversation_id=earlier)


def _begin(engine: Engine) -> None:
    """A new conversation whose system prompt is read, as it is by the time somebody types."""
    engine.open_conversation(None)
    engine.load().drop_sequence(SEQUENCE)
    engine.settle()


def _answer(engine: Engine, text: str, now: datetime, pressed: float) -> Answered:
    """From Enter at `pressed` to the first token; the rest of the answer is not waited for."""
    turn_id, first_ms, first_text = 0, 0.0, ""
    memories: tuple[str, ...] = ()
    turn = engine.ask(text, now)
    for event in turn:
        if isinstance(event, Recorded):
            turn_id = event.turn.id
        if isinstance(event, RecallDone):
            memories = tuple(memory.text for memory in event.recall.memories)
        if isinstance(event, TokenText):
            first_ms, first_text = (perf_counter() - pressed) * 1000, event.text
            break
    cast("Generator[Event, None, None]", turn).close()  # what came is kept as partial
    count, asked = engine.load().count_tokens, engine.why(turn_id).prompt[-1].content
    return Answered(first_ms, first_text, memories, count(asked) - count(text))


def measure(
    at_once: Engine, paused: Engine, pause_s: float, thread: ThreadPoolExecutor
) -> list[tuple[Answered, Answered]]:
    """Every question both ways. `thread`: the one that the engines were made on."""
    rows = []
    for n, text in enumerate(_QUESTIONS):
        now = _START + timedelta(minutes=n)
        thread.submit(_begin, at_once).result()
        first = thread.submit(_answer, at_once, text, now, perf_counter()).result()
        thread.submit(_begin, paused).result()
        sleep(KEYS_S)
        guess = thread.submit(paused.prefill, text, now)
        sleep(pause_s - KEYS_S)
        pressed = perf_counter()
        paused.stop()
        later = thread.submit(_answer, paused, text, now, pressed).result()
        read = tuple(memory.text for memory in (guess.result() or Recall(text)).memories)
        rows.append((first, replace(later, same_recall=read == later.memories)))
    return rows


def run(models_dir: Path, config: Config, *, pause_s: float = PAUSE_S) -> dict[str, Any]:
    """Both ways for the chat model that `config` names."""
    with ThreadPoolExecutor(1) as thread:  # a store is used on the thread that opened it
        opened = _engines(models_dir, config)
        at_once, paused = thread.submit(opened.__enter__).result()
        try:
            rows = measure(at_once, paused, pause_s, thread)
        finally:
            thread.submit(opened.__exit__, None, None, None).result()
    return {
        "model": at_once.behaviour.model_name,
        "embedder": at_once.embedder is not None,
        "pause_s": pause_s,
        "questions": len(rows),
        "memories": [len(first.memories) for first, _ in rows],
        "notes_tokens": [first.n_notes for first, _ in rows],
        "recall_unchanged": [later.same_recall for _, later in rows],
        "same_first_token": sum(first.first_text == later.first_text for first, later in rows),
        "at_once_ms": [round(first.first_token_ms) for first, _ in rows],
        "after_pause_ms": [round(later.first_token_ms) for _, later in rows],
        **_summary([row for row in rows if row[1].same_recall]),
    }


def _summary(rows: Sequence[tuple[Answered, Answered]]) -> dict[str, float]:
    """Medians of the questions for which Enter recalled what was recalled while typing, and how
    many times sooner the median and the worst of them is answered."""
    if not rows:
        return {}
    sooner = [first.first_token_ms / later.first_token_ms for first, later in rows]
    at_once = median(first.first_token_ms for first, _ in rows)
    later = median(later.first_token_ms for _, later in rows)
    return {
        "at_once_median_ms": round(at_once),
        "after_pause_median_ms": round(later),
        "times_sooner": round(at_once / later, 1),
        "times_sooner_worst": round(min(sooner), 1),
    }


@click.command("typing")
@click.option("-m", "--model", "path", type=click.Path(path_type=Path), help="a GGUF file")
@click.option("--pause", default=PAUSE_S, show_default=True, help="seconds before Enter")
@click.pass_obj
def command(settings: Settings, path: Path | None, pause: float) -> None:
    """Time to the first token with and without a pause before Enter."""
    chosen_model(settings, path)  # ModelMissing before anything is set up
    flags: dict[str, object] = {
        "sampling.max_tokens": 8,
        "sampling.temperature": 0,
        "model": str(path) if path else settings.config.text("model") or None,
    }
    config = load_config(settings.paths.config_file, flags)
    print_report(run(settings.paths.models_dir, config, pause_s=pause), settings)
