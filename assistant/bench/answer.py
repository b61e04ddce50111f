"""`assistant bench answer`: are answers from recalled memories as good as from the evidence itself?

The first questions of LoCoMo's categories 1, 2 and 4 are answered twice by the chat's own stages
(recall, prompt, greedy generation): with what was recalled, and with the evidence in its place.
What counts is the ratio of the two F1s. `--order` tries other orders of the notes in the prompt.
Knows no ranking; embedded stores live in a temporary folder for the length of one run.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from time import perf_counter
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import click

from assistant.bench.answer_reader import Kept, ModelReader, Reader, Tokens
from assistant.bench.answer_report import (
    SEED,
    Row,
    difference_from_relevance,
    figures_of,
    lines_of,
)
from assistant.bench.answer_score import score
from assistant.bench.locomo import Dialogue, Question, load_dialogues
from assistant.bench.recall import N_RANKED
from assistant.bench.recall_store import Texts, memory_end, open_store, record
from assistant.bench.report import Settings, print_report
from assistant.conversation.prompt import Room, build_prompt
from assistant.conversation.recall import RecallLimits, recall
from assistant.errors import InputError, ModelMissing
from assistant.memory.memory import Memory
from assistant.records import Recall, RecalledMemory, SamplingParameters

CATEGORIES: Final = (1, 2, 4)
MODELS: Final = ("qwen2.5-coder-0.5b-instruct-q4_k_m", "qwen2.5-coder-1.5b-instruct-q4_k_m")
# F1 punishes every word beyond the answer, and the truths are phrases. Not part of the query.
INSTRUCTION: Final = "Answer with a short phrase only."
CONDITIONS: Final = ("recalled", "gold")
N_PARALLEL: Final = 4  # answers written at once; a decode step reads the weights once for all

Memories = tuple[RecalledMemory, ...]

# The prompt shows the best memory last: each order is what to hand it so that this comes out.
ARRANGE: Final[Mapping[str, Callable[[Memories], Memories]]] = MappingProxyType(
    {
        "relevance": lambda best_first: best_first,  # as the chat has it: the best one last
        "time": lambda best_first: tuple(
            sorted(best_first, key=lambda memory: (memory.created, memory.id), reverse=True)
        ),
        "first": lambda best_first: best_first[::-1],  # the best one first
    }
)
ORDERS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {**{name: (name,) for name in ARRANGE}, "both": ("relevance", "time"), "all": tuple(ARRANGE)}
)


OpenReader = Callable[[str], AbstractContextManager[Reader]]


@dataclass(frozen=True, slots=True)
class Asking:
    """What the settings say: the system prompt, and how much may be recalled and answered."""

    system: str
    n_memories: int
    memory_tokens: int
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Case:
    """One question with its two sets of memories, each best first."""

    question: Question
    memories: Mapping[str, Memories]  # by condition

    @property
    def evidence_given(self) -> float:
        """Share of the evidence that was recalled."""
        given = {memory.id for memory in self.memories["recalled"]}
        return fmean(memory.id in given for memory in self.memories["gold"])

    def describe(self) -> dict[str, Any]:
        asked = self.question
        return {"category": asked.category, "question": asked.text, "truth": asked.answer}


class Key(NamedTuple):
    """What a prompt is for; `case` is its place in the list."""

    case: int
    order: str
    condition: str


class Evidence:
    """The conversations, each in a store of its own, and what a question finds there."""

    def __init__(self, dialogues: Sequence[Dialogue], embedder: Any, stack: ExitStack) -> None:
        self._texts = Texts(dialogues, embedder)
        self._stores: dict[str, tuple[Memory, dict[str, int]]] = {}
        for dialogue in dialogues:
            memory = stack.enter_context(open_store(embedder, dialogue.sessions[0].date))
            self._stores[dialogue.name] = memory, record(memory, dialogue, self._texts)

    def case(self, name: str, question: Question, reader: Reader, asking: Asking) -> Case:
        """Recalled as the chat does it, a day after the last message; and the evidence itself."""
        memory, known = self._stores[name]
        now = memory_end(memory)
        vector = self._texts.query_vector(memory.query_text(question.text))
        limits = RecallLimits(asking.n_memories, asking.memory_tokens, reader.count_tokens)
        found = recall(question.text, vector, memory, now, limits).memories
        ranked = memory.recall(question.text, vector, now, k=N_RANKED).memories
        place = {each.id: i for i, each in enumerate(ranked)}
        gold = [memory.get(known[key]) for key in question.evidence]
        gold.sort(key=lambda each: place.get(each.id, N_RANKED))
        return Case(question, {"recalled": found, "gold": tuple(gold)})


def choose_questions(dialogues: Sequence[Dialogue], n: int) -> list[tuple[Dialogue, Question]]:
    """The first n / 3 of each category, by file and index. Raises InputError where none is there."""
    left = dict.fromkeys(CATEGORIES, n // len(CATEGORIES))
    chosen = []
    for dialogue in dialogues:
        for question in dialogue.questions:
            if left.get(question.category, 0) > 0:
                left[question.category] -= 1
                chosen.append((dialogue, question))
    if not chosen:
        raise InputError("There is no question to ask.", "Give more files, or --questions 3.")
    return chosen


def prompt_for(
    question: Question, memories: Memories, order: str, reader: Reader, asking: Asking
) -> Tokens:
    """The prompt of a new conversation whose first message is the question."""
    text = f"{question.text} {INSTRUCTION}"
    recalled = Recall(question.text, ARRANGE[order](memories))
    room = Room(reader.n_ctx, asking.max_tokens, asking.memory_tokens)
    return build_prompt(text, recalled, (), reader, asking.system, room).tokens


def measure(
    reader: Reader,
    cases: Sequence[Case],
    orders: Sequence[str],
    asking: Asking,
    kept: Kept,
    on_progress: Callable[[str], None],
) -> dict[str, Any]:
    """One model's figures."""
    started = perf_counter()
    prompts = {
        Key(i, order, condition): prompt_for(
            case.question, case.memories[condition], order, reader, asking
        )
        for i, case in enumerate(cases)
        for order in orders
        for condition in CONDITIONS
    }
    answer_all(reader, prompts, cases, kept, on_progress)
    rows = [_count(cases[key.case].question, key, kept[prompts[key]]) for key in prompts]
    return {
        "orders": {
            order: figures_of([row for row in rows if row.order == order]) for order in orders
        },
        "against_relevance": {
            order: difference_from_relevance(rows, order)
            for order in orders[1:]
            if orders[0] == "relevance"
        },
        "evidence_given": round(fmean(case.evidence_given for case in cases), 4),
        "memories_given": round(fmean(len(case.memories["recalled"]) for case in cases), 2),
        "prompt_tokens": round(fmean(map(len, prompts.values())), 1),
        "seconds": round(perf_counter() - started, 1),
    }


def answer_all(
    reader: Reader,
    prompts: Mapping[Key, Tokens],
    cases: Sequence[Case],
    kept: Kept,
    on_progress: Callable[[str], None],
) -> None:
    """Every prompt that is not kept yet, once: a single note reads the same in every order."""
    wanted: dict[Tokens, Key] = {}
    for key, tokens in prompts.items():
        if tokens not in kept:
            wanted.setdefault(tokens, key)
    for n, (tokens, answer) in enumerate(reader.answer(list(wanted)), 1):
        key = wanted[tokens]
        about = {"order": key.order, "condition": key.condition, **cases[key.case].describe()}
        kept.add(tokens, answer, about)
        if n % 20 == 0:
            on_progress(f"{n} of {len(wanted)} prompts answered")


def _count(question: Question, key: Key, answer: str) -> Row:
    f1 = score(answer, question.answer, question.category)
    return Row(key.order, key.condition, question.category, f1)


def run(
    files: Sequence[Path],
    embedder: Any,
    open_reader: OpenReader,
    asking: Asking,
    *,
    models: Sequence[str] = MODELS,
    n_questions: int = 120,
    orders: Sequence[str] = ("relevance",),
    on_progress: Callable[[str], None] = lambda line: None,
    answers: Path | None = None,
) -> dict[str, Any]:
    """The benchmark's JSON object."""
    chosen = choose_questions(load_dialogues(files), n_questions)
    dialogues = list({dialogue.name: dialogue for dialogue, _ in chosen}.values())
    on_progress(f"{len(chosen)} questions about {len(dialogues)} conversations")
    report: dict[str, Any] = {
        "questions": len(chosen),
        "instruction": INSTRUCTION,
        "max_tokens": asking.max_tokens,
        "seed": SEED,
        "models": {},
    }
    with ExitStack() as stack:
        evidence = Evidence(dialogues, embedder, stack)
        for model in models:
            on_progress(model)
            with open_reader(model) as reader, Kept(answers, model, asking.max_tokens) as kept:
                cases = [
                    evidence.case(dialogue.name, question, reader, asking)
                    for dialogue, question in chosen
                ]
                report["models"][model] = measure(reader, cases, orders, asking, kept, on_progress)
    return report


@click.command("answer")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("-m", "--model", "models", multiple=True, help="id or file; default: 0.5B and 1.5B")
@click.option("--questions", default=120, show_default=True, help="a third of each category")
@click.option("--order", type=click.Choice(list(ORDERS)), default="relevance", show_default=True)
@click.option("--max-tokens", default=48, show_default=True, help="longest answer, tokens")
@click.option("--answers", type=click.Path(path_type=Path), help="keep answers here, JSONL")
@click.pass_obj
def command(
    settings: Settings,
    files: tuple[Path, ...],
    models: tuple[str, ...],
    questions: int,
    order: str,
    max_tokens: int,
    answers: Path | None,
) -> None:
    """Answers from recalled memories against answers from the evidence, on LoCoMo files."""
    from assistant.conversation.assemble import behaviour, load_model, open_catalogue, open_embedder

    embedder = open_embedder(settings.paths, settings.config)
    if embedder is None:
        raise ModelMissing("No embedder is installed.", "Run `assistant models pull`.")
    catalogue = open_catalogue(settings.paths)
    behaves = behaviour(settings.config, "")
    sampling = SamplingParameters(temperature=0, max_tokens=max_tokens)

    @contextmanager
    def open_reader(name: str) -> Iterator[Reader]:
        path = catalogue.path_of(name)
        with load_model(path, settings.config, n_sequences=N_PARALLEL) as model:
            yield ModelReader(model, sampling)

    report = run(
        files,
        embedder,
        open_reader,
        Asking(behaves.system, behaves.n_memories, behaves.memory_tokens, max_tokens),
        models=models or MODELS,
        n_questions=questions,
        orders=ORDERS[order],
        on_progress=lambda line: click.echo(line, err=True),
        answers=answers,
    )
    if settings.json:
        print_report(report, settings)
    else:
        click.echo("\n".join(lines_of(report)))
