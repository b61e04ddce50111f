"""`assistant bench graph`: personalised PageRank over the graph of a store of 100 000 messages.

The store is recorded as the chat does it, without vectors; its graph is the one that recall asks
(phrases, neighbours, links). Each question seeds it as in a recall: its phrases, and N_SEEDS
passages in the place of the nearest by meaning, here those that share its rarest words.
Timed are the spreading alone, and with the look-up of the seeds. Knows no ranking.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Final

import click
import numpy as np

from assistant.bench.index_corpus import collect_sentences
from assistant.bench.locomo import load_dialogues
from assistant.bench.report import Settings, print_report
from assistant.memory.caches import Caches
from assistant.memory.entity_graph import EntityGraph
from assistant.memory.graph import pagerank
from assistant.memory.memory import Memory
from assistant.memory.question import take_apart
from assistant.memory.signals import N_SEEDS, find_terms
from assistant.memory.vectors import Meaning
from assistant.records import EncodedText, FloatArray

PER_CONVERSATION: Final = 40
AT_ONCE: Final = 50  # conversations in one transaction
START: Final = datetime(2020, 1, 1, tzinfo=UTC)
N_QUESTIONS: Final = 300
SEED: Final = 0


@dataclass(frozen=True, slots=True)
class Timed:
    """One question: milliseconds, and what it reached."""

    spread_ms: float
    with_seeds_ms: float
    n_seeds: int
    n_reached: int
    total: float  # of all ranks: 1


def run(
    files: Sequence[Path],
    *,
    n: int = 100_000,
    n_questions: int = N_QUESTIONS,
    on_progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Milliseconds p50, p99 and most of one PageRank, over the graph of `n` messages."""
    dialogues = load_dialogues(files)
    said = [m.text for d in dialogues for s in d.sessions for m in s.messages]
    texts = [*said, *collect_sentences(max(0, n - len(said)))][:n]
    asked = [q.text for d in dialogues for q in d.questions]
    asked = asked or [" ".join(text.split()[:8]) for text in texts[:: max(1, n // n_questions)]]
    random = np.random.default_rng(SEED)
    with (
        TemporaryDirectory() as folder,
        Memory.open(Path(folder) / "m.db", now=START) as memory,
    ):
        on_progress(f"recording {n} messages")
        _fill(memory, [texts[at] for at in random.permutation(n)])
        caches = Caches(Meaning(None, "exact"))
        caches.refresh_columns(memory.store)
        started = perf_counter()
        graph = caches.refresh_graph(memory.store)
        build_s = perf_counter() - started
        on_progress("asking")
        picked = [asked[at] for at in random.integers(0, len(asked), n_questions)]
        timed = list(_ask(memory, caches, graph, picked))
    return {
        "messages": n,
        "nodes": graph.graph.n_nodes,
        "edges": len(graph.graph.targets) // 2,
        "questions": len(timed),
        "pagerank_ms": _figures([t.spread_ms for t in timed]),
        "with_seeds_ms": _figures([t.with_seeds_ms for t in timed]),
        "seeds": float(np.median([t.n_seeds for t in timed])),
        "nodes_reached": float(np.median([t.n_reached for t in timed])),
        "furthest_from_1": round(max(abs(t.total - 1) for t in timed), 6),
        "build_s": round(build_s, 2),
    }


def _fill(memory: Memory, texts: Sequence[str]) -> None:
    for first in range(0, len(texts), AT_ONCE * PER_CONVERSATION):
        until = min(first + AT_ONCE * PER_CONVERSATION, len(texts))
        with memory.store.write():
            for begin in range(first, until, PER_CONVERSATION):
                at = START + timedelta(minutes=10 * begin)
                conversation = memory.new_conversation(f"part {begin}", at)
                for text in texts[begin : begin + PER_CONVERSATION]:
                    encoded = EncodedText(text, text, None)
                    memory.record_message(encoded, at, conversation_id=conversation)


def _ask(
    memory: Memory, caches: Caches, graph: EntityGraph, questions: Sequence[str]
) -> Iterator[Timed]:
    for text in questions:
        rows, shares = _passages(memory, caches, text)
        started = perf_counter()
        seeds, mass = graph.seeds(memory.store, text, rows, shares)
        seeded = perf_counter()
        ranks = pagerank(graph.graph, seeds, mass)
        ended = perf_counter()
        if len(seeds):  # else there is nothing to spread
            yield Timed(
                (ended - seeded) * 1000,
                (ended - started) * 1000,
                len(seeds),
                int((ranks > 0).sum()),
                float(ranks.sum(dtype=np.float64)),
            )


def _passages(memory: Memory, caches: Caches, text: str) -> tuple[np.ndarray[Any, Any], FloatArray]:
    """The rows that share the most of a question's words, by their rarity, and what share it is."""
    question = take_apart(text, (), START)
    terms = find_terms(memory.store, caches.columns, question.terms)
    score = np.asarray(terms.rarity @ terms.hits[:, :-1] / terms.total, np.float32)
    rows = np.argsort(-score, kind="stable")[:N_SEEDS]
    return rows, score[rows]


def _figures(times: Sequence[float]) -> dict[str, float]:
    return {
        "p50": round(float(np.percentile(times, 50)), 2),
        "p99": round(float(np.percentile(times, 99)), 2),
        "most": round(max(times), 2),
    }


@click.command("graph")
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--n", default=100_000, show_default=True, type=click.IntRange(100))
@click.option("--questions", default=N_QUESTIONS, show_default=True, type=click.IntRange(1))
@click.pass_obj
def command(settings: Settings, files: tuple[Path, ...], n: int, questions: int) -> None:
    """Personalised PageRank over 100 000 messages and their phrases."""

    def say(line: str) -> None:
        click.echo(line, err=True)

    print_report(run(files, n=n, n_questions=questions, on_progress=say), settings)
