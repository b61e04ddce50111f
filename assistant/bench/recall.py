"""`assistant bench recall`: does recall bring back what a question about LoCoMo needs?

Counts as the data's README says: recall@k is the share of a question's evidence among the first k,
all@k whether all of it is there, and a tie counts against us. It asks the same `Memory.recall` as
the chat; only the adapter that records the files differs.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import Any, Final

import click
import numpy as np

from assistant.bench.filler import Filler
from assistant.bench.fit import Example, cross_validate, fit_weights
from assistant.bench.locomo import ADVERSARIAL, Dialogue, Question, load_dialogues
from assistant.bench.recall_store import Texts, memory_end, open_store, record
from assistant.bench.report import Settings, print_report
from assistant.errors import ModelMissing
from assistant.memory.episodes import boundary_shares
from assistant.memory.index import IndexKind
from assistant.memory.memory import Memory
from assistant.memory.weights import WEIGHTS
from assistant.records import RecalledMemory

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


def ask(
    memory: Memory, question: Question, texts: Texts, known: dict[str, int], now: datetime
) -> Outcome:
    vector = texts.query_vector(memory.query_text(question.text))
    recalled = memory.recall(question.text, vector, now, k=N_RANKED)
    ranks = rank_all(recalled.memories, [known[key] for key in question.evidence])
    return Outcome(question.category, ranks, recalled.elapsed_ms)


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
    texts: Texts,
    dialogues: Sequence[Dialogue],
    *,
    without: Sequence[str] = (),
    on_progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Weights fitted on all the files, and what they are worth with one file left out at a time:
    with every signal, and again without each of `without`."""
    names, examples = collect_examples(dialogues, texts)
    on_progress(f"fitting on {len(examples)} questions")
    counted = [example for example in examples if example.category != ADVERSARIAL]
    report: dict[str, Any] = {"left_out": cross_validate(counted)}
    for signal in without:
        on_progress(f"without {signal}")
        column = names.index(signal)
        fewer = [replace(e, signals=np.delete(e.signals, column, axis=1)) for e in counted]
        report.setdefault("left_out_without", {})[signal] = cross_validate(fewer)
    fitted = zip(names, fit_weights(counted), strict=True)
    return {**report, "weights": {name: round(float(weight), 3) for name, weight in fitted}}


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


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run asks of which stores. `n_filled`: messages in one more pooled store, 0 for none."""

    dialogues: Sequence[Dialogue]
    texts: Texts
    priors: bool = True
    n_filled: int = 0
    filler: Filler | None = None
    say: Callable[[str], None] = lambda line: None

    @property
    def n_messages(self) -> int:
        return sum(dialogue.n_messages for dialogue in self.dialogues)


def run(plan: Plan, indexes: Sequence[IndexKind] = ("auto",)) -> dict[str, Any]:
    """The benchmark's JSON object: a store for each file, and beside it all files in one.

    By several kinds of index: an object for each of them.
    """
    reports = {str(kind): _run_with(plan, kind) for kind in indexes}
    return reports if len(reports) > 1 else next(iter(reports.values()))


def _run_with(plan: Plan, index: IndexKind) -> dict[str, Any]:
    outcomes: list[Outcome] = []
    begun: Counter[str] = Counter()
    for dialogue in plan.dialogues:
        plan.say(f"{dialogue.name}: {len(dialogue.questions)} questions")
        with open_store(plan.texts.embedder, dialogue.sessions[0].date, index) as memory:
            outcomes += _ask_all(plan, memory, [dialogue])
            begun.update(memory.boundary_counts())
    report = report_of(outcomes)
    plan.say("all files in one store")
    report["pooled"] = _pooled(plan, index, 0)
    if plan.filler is not None:
        plan.say(f"all files in one store of {plan.n_filled} messages")
        report["filled"] = _pooled(plan, index, plan.n_filled - plan.n_messages)
    report["episodes"] = {
        "turns": plan.n_messages,
        "begun_by": dict(begun),
        "boundary_shares": boundary_shares(begun),
    }
    report["embed_ms"] = round(float(np.median(plan.texts.embed_ms)), 2)
    report["query_ms"] = _percentiles(outcomes)
    return report


def _pooled(plan: Plan, index: IndexKind, n_filling: int) -> dict[str, Any]:
    """Every question to one store of all files and `n_filling` messages more."""
    with open_store(plan.texts.embedder, plan.dialogues[0].sessions[0].date, index) as memory:
        if plan.filler is not None and n_filling > 0:
            plan.filler.record(memory, plan.dialogues, n_filling)
        outcomes = _ask_all(plan, memory, plan.dialogues)
        n = memory.stats()["messages"]
    return {"messages": n, **report_of(outcomes), "query_ms": _percentiles(outcomes)}


def _ask_all(plan: Plan, memory: Memory, dialogues: Sequence[Dialogue]) -> list[Outcome]:
    memory.priors = plan.priors
    known = [record(memory, dialogue, plan.texts) for dialogue in dialogues]
    now = memory_end(memory)
    return [
        ask(memory, question, plan.texts, keys, now)
        for dialogue, keys in zip(dialogues, known, strict=True)
        for question in dialogue.questions
    ]


def _percentiles(outcomes: Sequence[Outcome]) -> dict[str, float]:
    times = [outcome.ms for outcome in outcomes]
    return {f"p{at}": round(float(np.percentile(times, at)), 2) for at in (50, 99)}


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
@click.option(
    "--without",
    metavar="SIGNAL",
    multiple=True,
    type=click.Choice(list(WEIGHTS)),
    help="--fit: again without it.",
)
@click.option(
    "--fill", metavar="N", default=0, type=click.IntRange(0), help="Also one store of N messages."
)
@click.option("--surprise", is_flag=True, help="Episodes by the chat model's surprise. Minutes.")
@click.option("-m", "--model", help="--surprise: the model, an id or a file.")
@click.pass_obj
def command(
    settings: Settings,
    files: tuple[Path, ...],
    no_priors: bool,
    fitting: bool,
    indexes: tuple[IndexKind, ...],
    without: tuple[str, ...],
    fill: int,
    surprise: bool,
    model: str | None,
) -> None:
    """Evidence recall on LoCoMo files.

    --fill N records all files among sentences of the installed Python's documentation, N messages
    in all, spoken by the files' speakers on the files' days; `bench index --prepare` embeds them.
    """
    from assistant.conversation.assemble import open_embedder

    embedder = open_embedder(settings.paths, settings.config)
    if embedder is None:
        raise ModelMissing("No embedder is installed.", "Run `assistant models pull`.")

    def say(line: str) -> None:
        click.echo(line, err=True)

    filler = Filler(settings.paths.data_dir / "bench", embedder, say) if fill else None
    dialogues = load_dialogues(files)
    say(f"embedding {sum(d.n_messages for d in dialogues)} messages")
    texts = Texts(dialogues, embedder)
    if surprise:
        _measure_surprises(settings, model, texts, dialogues, say)
    if fitting:
        report = fit(texts, dialogues, without=without, on_progress=say)
    else:
        report = run(Plan(dialogues, texts, not no_priors, fill, filler, say), indexes)
    print_report(report, settings)


def _measure_surprises(
    settings: Settings,
    model: str | None,
    texts: Texts,
    dialogues: Sequence[Dialogue],
    say: Callable[[str], None],
) -> None:
    from assistant.conversation.assemble import load_model, open_catalogue

    wanted = model or settings.config.text("model")
    catalogue = open_catalogue(settings.paths)
    with load_model(catalogue.path_of(catalogue.chosen(wanted)), settings.config) as meter:
        texts.measure_surprises(dialogues, meter, say)
