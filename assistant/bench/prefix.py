"""`assistant bench prefix`: what a turn reads of what the KV cache holds already.

Two figures. Over a conversation of ten turns through the real engine, store and embedder: the
tokens that each turn evaluates before its first word, against its message, its notes and 32 more.
And how much sooner a conversation of 2 000 tokens says its first word from its saved state than
from its text. Everything is kept in a temporary data directory.
"""

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any, Final, cast

import click

from assistant.bench.report import Settings, chosen_model, print_report
from assistant.config import Config, load_config
from assistant.conversation.assemble import open_assistant
from assistant.conversation.engine import Engine
from assistant.conversation.events import Replied
from assistant.conversation.recall import encode
from assistant.paths import Paths
from assistant.records import SamplingParameters
from assistant.runtime.model import Model

ALLOWANCE: Final = 32  # tokens beyond message and notes: the template's own
_START: Final = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_REPLY_TOKENS: Final = 40
_FACTS: Final = (
    "My sister Anna moved to Lisbon and adopted a dog called Bolo.",
    "I am allergic to walnuts, so I never eat carrot cake away from home.",
    "Our house has a leaking roof above the kitchen; the roofer is called Mr Brandt.",
    "I started to learn the cello with Mrs Okafor on Tuesdays.",
    "My father turned seventy and wants to see the northern lights.",
    "The old bicycle was stolen; the new one is green and has eleven gears.",
)
_QUESTIONS: Final = (
    "What should I bring when I visit Anna?",
    "Which cakes are safe for me at a party?",
    "Whom do I call about the kitchen ceiling?",
    "How should I practise between two cello lessons?",
    "Where could I travel with my father this winter?",
    "How do I keep a bicycle from being stolen?",
    "Does Bolo need anything for a summer in Lisbon?",
    "What would you cook for my father's birthday?",
    "When in the week do I have no time?",
    "What have I asked you about today?",
)


@contextmanager
def _engine(models_dir: Path, config: Config) -> Iterator[Engine]:
    """The program as it is, with a store of its own that holds `_FACTS` from days before."""
    with tempfile.TemporaryDirectory() as folder:
        paths = Paths(Path(folder) / "data")
        paths.create()
        paths.models_dir.rmdir()
        paths.models_dir.symlink_to(models_dir)
        engine = open_assistant(paths, config, now=_START)
        with engine.memory as memory, closing(engine):
            earlier = memory.new_conversation("Facts", _START - timedelta(days=7))
            for i, fact in enumerate(_FACTS):
                told = _START - timedelta(days=7, minutes=-i)
                memory.begin_turn(
                    encode(fact, engine.embedder, told), told, conversation_id=earlier
                )
            yield engine


def _turns(engine: Engine, n_turns: int) -> list[dict[str, int]]:
    """For each turn: tokens of its message, of its notes, and what it evaluated of how many."""
    model = cast(Model, engine.load())
    rows = []
    for i in range(n_turns):
        text = _QUESTIONS[i % len(_QUESTIONS)]
        *_, end = engine.ask(text, _START + timedelta(minutes=i))
        assert isinstance(end, Replied)
        asked = engine.why(end.turn.id).prompt[-1].content
        engine.settle()  # as the program does while the answer is being read
        rows.append(
            {
                "message": model.count_tokens(text),
                "notes": model.count_tokens(asked) - model.count_tokens(text),
                "evaluated": end.reply.usage.n_prefill,
                "prompt": end.reply.usage.n_prompt,
                "settled": model.prefilled.n_evaluated,
            }
        )
    return rows


def measure_reopening(model: Model, n_tokens: int = 2000) -> dict[str, float]:
    """First token of a conversation of `n_tokens`, by prefill and from its saved state, ms."""
    text = "The keeper climbed the stairs and looked out over the grey sea, as on every day. "
    tokens = model.tokenize(text * (n_tokens // 8))[:n_tokens]
    one = SamplingParameters(temperature=0, max_tokens=1)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "conversation.state"
        model.drop_sequence(0)
        start = perf_counter()
        expected = [token.id for token in model.stream(tokens, one)]
        prefill_s = perf_counter() - start
        start = perf_counter()
        model.save_state(file)
        save_s = perf_counter() - start
        model.drop_sequence(0)
        start = perf_counter()
        n_restored = model.load_state(file)
        load_s = perf_counter() - start
        same = [token.id for token in model.stream(tokens, one)] == expected
        reopen_s = perf_counter() - start
        size = file.stat().st_size
    return {
        "tokens": n_restored,
        "prefill_first_token_ms": round(prefill_s * 1000, 1),
        "reopen_first_token_ms": round(reopen_s * 1000, 1),
        "times_sooner": round(prefill_s / reopen_s, 1),
        "save_ms": round(save_s * 1000, 1),
        "load_ms": round(load_s * 1000, 1),
        "bytes": size,
        "same_token": same,
    }


def run(
    models_dir: Path, config: Config, *, n_turns: int = 10, n_tokens: int = 2000
) -> dict[str, Any]:
    """Both figures for the chat model that `config` names."""
    with _engine(models_dir, config) as engine:
        turns = _turns(engine, n_turns)
        reopen = measure_reopening(cast(Model, engine.load()), n_tokens)
    bounds = [row["message"] + row["notes"] + ALLOWANCE for row in turns[1:]]
    # The first turn reads the system prompt as well; nothing can be there before it.
    excess = [row["evaluated"] - bound for row, bound in zip(turns[1:], bounds, strict=True)]
    return {
        "evaluated": [row["evaluated"] for row in turns],
        "bound": [None, *bounds],
        "within_bound": all(extra <= 0 for extra in excess),
        "turns": turns,
        "reopen": reopen,
    }


@click.command("prefix")
@click.option("-m", "--model", "path", type=click.Path(path_type=Path), help="a GGUF file")
@click.option("--turns", default=10, show_default=True, help="turns of the conversation")
@click.option("--tokens", default=2000, show_default=True, help="length of the reopened one")
@click.pass_obj
def command(settings: Settings, path: Path | None, turns: int, tokens: int) -> None:
    """Tokens evaluated per turn, and how soon a conversation reopens."""
    chosen_model(settings, path)  # ModelMissing before anything is set up
    flags: dict[str, object] = {
        "sampling.max_tokens": _REPLY_TOKENS,
        "sampling.temperature": 0,
        "model": str(path) if path else settings.config.text("model") or None,
    }
    config = load_config(settings.paths.config_file, flags)
    report = run(settings.paths.models_dir, config, n_turns=turns, n_tokens=tokens)
    print_report(report, settings)
