"""`assistant bench recall`: does recall bring back what a question about LoCoMo needs?

Counts as the data's README says: recall@k is the share of a question's evidence among the first k,
all@k whether all of it is there, and a tie counts against us. It asks the same `Memory.recall` as
the chat; only the adapter that records the files differs.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Final

import click
import numpy as np

from assistant.bench.fit import Example, cross_validate, fit_weights
from assistant.bench.locomo import ADVERSARIAL, Dialogue, Question, Session, load_dialogues
from assistant.bench.report import Settings, print_report
from assistant.conversation.recall import encode
from assistant.errors import ModelMissing
from assistant.memory.index import IndexKind
from assistant.memory.memory import Memory
from assistant.records import EncodedText, FloatArray, RecalledMemory

DEPTHS: Final = (5, 10, 20, 50)
N_RANKED: Final = 100  # twice the deepest depth, so that a tie at 50 is still counted


@dataclass(frozen=True, slots=True)
class Outcome:
    """One question: the rank of each piece of evidence (a large number where it was not found)."""

    category: int
    ranks: tuple[int, ...]
    ms: float

    def recall_at(self, k: int) -> float:
        return fmean(rank <= k for rank in self.ranks)

    def all_at(self, k: int) -> bool:
        return all(rank <= k for rank in self.ranks)


class Texts:
    """What is embedded once and recorded in several stores: messages and questions."""

    def __init__(self, dialogues: Sequence[Dialogue], embedder: Any) -> None:
        self.embedder = embedder
        self.sessions = {
            (dialogue.name, session.number): tuple(self._encode(session))
            for dialogue in dialogues
            for session in dialogue.sessions
        }
        self.query_vectors: dict[str, FloatArray] = {}
        self.embed_ms: list[float] = []

    def _encode(self, session: Session) -> Iterator[EncodedText]:
        before = ""
        for said in session.messages:
            yield encode(said.text, self.embedder, session.date, before)
            before = said.text

    def query_vector(self, text: str) -> FloatArray:
        if text not in self.query_vectors:
            started = perf_counter()
            self.query_vectors[text] = self.embedder.embed([text])[0]
            self.embed_ms.append((perf_counter() - started) * 1000)
        return self.query_vectors[text]


@contextmanager
def open_store(embedder: Any, now: datetime, index: IndexKind = "auto") -> Iterator[Memory]:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "memory.db"
        with Memory.open(file, now=now, index_dir=Path(folder) / "index", index=index) as memory:
            memory.use_embedder(embedder.id, embedder.dimension)
            yield memory


def record(memory: Memory, dialogue: Dialogue, texts: Texts) -> dict[str, int]:
    """Record a dialogue, one conversation a session; the memory of each key."""
    messages: dict[str, int] = {}
    with memory.store.write():
        for session in dialogue.sessions:
            conversation = memory.new_conversation(f"session {session.number}", session.date)
            encoded = texts.sessions[dialogue.name, session.number]
            for said, text in zip(session.messages, encoded, strict=True):
                messages[said.key] = memory.record_message(
                    text, session.date, conversation_id=conversation, speaker=said.speaker
                )
    rows = memory.store.read("SELECT message_id, id FROM memories WHERE kind = 'message'")
    by_message = {row["message_id"]: row["id"] for row in rows}
    return {key: by_message[message_id] for key, message_id in messages.items()}


def ask(memory: Memory, question: Question, texts: Texts, known: dict[str, int]) -> Outcome:
    now = memory_end(memory)
    vector = texts.query_vector(memory.query_text(question.text))
    recalled = memory.recall(question.text, vector, now, k=N_RANKED)
    ranks = rank_all(recalled.memories, [known[key] for key in question.evidence])
    return Outcome(question.category, ranks, recalled.elapsed_ms)


def memory_end(memory: Memory) -> datetime:
    """A day after the last message: when the questions are asked."""
    return memory.conversations(limit=1)[0].last_used + timedelta(days=1)


def rank_all(memories: Sequence[RecalledMemory], wanted: Iterable[int]) -> tuple[int, ...]:
    """For each wanted memory the number that score at least as high as it."""
    scores = np.array([memory.score for memory in memories])
    by_id = {memory.id: memory.score for memory in memories}
    return tuple(
        int((scores >= by_id[memory_id]).sum()) if memory_id in by_id else 10**9
        for memory_id in wanted
    )


def collect_examples(
    dialogues: Sequence[Dialogue], texts: Texts
) -> tuple[list[str], list[Example]]:
    """The names of the signals, and every question with the raw signals of all candidates."""
    names: list[str] = []
    examples: list[Example] = []
    for dialogue in dialogues:
        with open_store(texts.embedder, dialogue.sessions[0].date) as memory:
            known = record(memory, dialogue, texts)
            now = memory_end(memory)
            for question in dialogue.questions:
                vector = texts.query_vector(memory.query_text(question.text))
                ids, signals = memory.signals(question.text, vector, now)
                names = list(signals)
                rows = {memory_id: row for row, memory_id in enumerate(ids.tolist())}
                evidence = tuple(rows[known[key]] for key in question.evidence)
                table = np.stack(list(signals.values()), axis=1)
                examples.append(Example(dialogue.name, question.category, table, evidence))
    return names, examples


def fit(
    files: Sequence[Path], embedder: Any, *, on_progress: Callable[[str], None] = lambda line: None
) -> dict[str, Any]:
    """Weights fitted on all the files, and what they are worth with one file left out at a time."""
    dialogues = load_dialogues(files)
    on_progress(f"embedding {sum(d.n_messages for d in dialogues)} messages")
    names, examples = collect_examples(dialogues, Texts(dialogues, embedder))
    on_progress(f"fitting on {len(examples)} questions")
    counted = [example for example in examples if example.category != ADVERSARIAL]
    return {
        "left_out": cross_validate(counted),
        "weights": {
            name: round(float(weight), 3)
            for name, weight in zip(names, fit_weights(counted), strict=True)
        },
    }


def summarise(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    return {
        "questions": len(outcomes),
        "recall_at": {str(k): round(fmean(o.recall_at(k) for o in outcomes), 4) for k in DEPTHS},
        "all_at": {str(k): round(fmean(o.all_at(k) for o in outcomes), 4) for k in DEPTHS},
    }


def report_of(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The totals of categories 1-4, and every category by itself."""
    counted = [outcome for outcome in outcomes if outcome.category != ADVERSARIAL]
    categories = sorted({outcome.category for outcome in outcomes})
    return {
        **summarise(counted or outcomes),
        "by_category": {
            str(category): summarise([o for o in outcomes if o.category == category])
            for category in categories
        },
    }


def run(
    files: Sequence[Path],
    embedder: Any,
    *,
    priors: bool = True,
    pooled: bool = True,
    indexes: Sequence[IndexKind] = ("auto",),
    on_progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """The benchmark's JSON object: a store for each file, and beside it all files in one.

    By several kinds of index: an object for each of them.
    """
    dialogues = load_dialogues(files)
    on_progress(f"embedding {sum(d.n_messages for d in dialogues)} messages")
    texts = Texts(dialogues, embedder)
    reports = {
        kind: _run_with(dialogues, texts, kind, priors, pooled, on_progress) for kind in indexes
    }
    return (
        reports[indexes[0]]
        if len(indexes) == 1
        else {str(kind): found for kind, found in reports.items()}
    )


def _run_with(
    dialogues: Sequence[Dialogue],
    texts: Texts,
    index: IndexKind,
    priors: bool,
    pooled: bool,
    on_progress: Callable[[str], None],
) -> dict[str, Any]:
    outcomes: list[Outcome] = []
    for dialogue in dialogues:
        on_progress(f"{dialogue.name}: {len(dialogue.questions)} questions")
        with open_store(texts.embedder, dialogue.sessions[0].date, index) as memory:
            outcomes += _ask_all(memory, [dialogue], texts, priors)
    report = report_of(outcomes)
    if pooled:
        on_progress("all files in one store")
        with open_store(texts.embedder, dialogues[0].sessions[0].date, index) as memory:
            report["pooled"] = report_of(_ask_all(memory, dialogues, texts, priors))
    times = [outcome.ms for outcome in outcomes]
    report["embed_ms"] = round(float(np.median(texts.embed_ms)), 2)
    report["query_ms"] = {
        "p50": round(float(np.percentile(times, 50)), 2),
        "p99": round(float(np.percentile(times, 99)), 2),
    }
    return report


def _ask_all(
    memory: Memory, dialogues: Sequence[Dialogue], texts: Texts, priors: bool
) -> list[Outcome]:
    memory.priors = priors
    known = [record(memory, dialogue, texts) for dialogue in dialogues]
    return [
        ask(memory, question, texts, keys)
        for dialogue, keys in zip(dialogues, known, strict=True)
        for question in dialogue.questions
    ]


@click.command("recall")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--no-priors", is_flag=True, help="Without length, question mark and speaker name.")
@click.option(
    "--fit", "fitting", is_flag=True, help="Fit the weights of memory/weights.py instead."
)
@click.option(
    "--index",
    "indexes",
    type=click.Choice(["auto", "exact", "lsh", "hnsw"]),
    multiple=True,
    default=("auto",),
    help="The recall index, again and again for several in one run.",
)
@click.pass_obj
def command(
    settings: Settings,
    files: tuple[Path, ...],
    no_priors: bool,
    fitting: bool,
    indexes: tuple[IndexKind, ...],
) -> None:
    """Evidence recall on LoCoMo files."""
    from assistant.conversation.assemble import open_embedder

    embedder = open_embedder(settings.paths, settings.config)
    if embedder is None:
        raise ModelMissing("No embedder is installed.", "Run `assistant models pull`.")

    def say(line: str) -> None:
        click.echo(line, err=True)

    if fitting:
        print_report(fit(files, embedder, on_progress=say), settings)
        return
    report = run(files, embedder, priors=not no_priors, indexes=indexes, on_progress=say)
    print_report(report, settings)
