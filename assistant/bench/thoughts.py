"""`bench thoughts`: how well each writer of thoughts does on the labelled messages in `data`.

precision     share of the thoughts that lie, for at least half of their characters, in a sentence
              labelled worth keeping
recall        share of those labels that a thought covers by at least half
false_content share of the thoughts that touch a sentence labelled untrue of the person, lack the
              calendar date they must carry, or hold a word that neither the message nor a resolved
              date has

dropped       thoughts a model worded that the store stage drops, for a word nobody said; the shares
              are of what is left

A generated thought has no place in the message; it is held to be the label whose words it covers
best, and false where its words come from no single sentence or its negation differs. That is lexical:
a wrong "who did what" passes, so its false share is a lower bound.
"""

import json
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from assistant.bench.report import Settings, print_report
from assistant.conversation.selection import Selection
from assistant.conversation.writers import (
    GeneratingWriter,
    ModelWriter,
    RuleWriter,
    ThoughtWriter,
)
from assistant.errors import ModelMissing
from assistant.memory.dates import resolve_dates
from assistant.memory.relating import ungrounded_words
from assistant.memory.sentences import content_words, split_sentences

DATA: Final = Path(__file__).parent / "data"
# Rules are tuned on the first alone.
PARTS: Final = ("dev", "heldout", "varied", "fresh", "blind", "last")
HELD_OUT: Final = ("heldout", "varied", "fresh")  # reported together; the others stand alone
MODELS: Final = (
    "smollm2-135m-instruct-q4_1",
    "qwen2.5-coder-0.5b-instruct-q4_k_m",
    "qwen2.5-coder-1.5b-instruct-q4_k_m",
)
HALF: Final = 0.5
COVERED: Final = 0.8  # of a generated thought's content words, by one sentence
_NEGATION: Final = re.compile(r"\b(?:not|no|never|cannot)\b|n['\u2019]t\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Labelled:
    """One message, with the places of its labels: worth keeping, and untrue of the person."""

    id: str
    text: str
    now: datetime
    keep: tuple[tuple[int, int, str], ...]  # start, end, the date the thought must carry or ""
    false: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class Count:
    """What one writer did on one part."""

    messages: int = 0
    gold: int = 0
    thoughts: int = 0
    right: int = 0
    found: int = 0
    false: int = 0
    dropped: int = 0  # not grounded in the message, so never stored
    elapsed_s: float = 0.0

    def report(self) -> dict[str, Any]:
        return {
            "messages": self.messages,
            "gold": self.gold,
            "thoughts": self.thoughts,
            "precision": _share(self.right, self.thoughts),
            "recall": _share(self.found, self.gold),
            "false_content": _share(self.false, self.thoughts),
            "dropped": self.dropped,
            "ms_per_message": round(1000 * self.elapsed_s / max(self.messages, 1), 2),
        }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def read_labelled(part: str) -> list[Labelled]:
    """The labelled messages of one of PARTS."""
    lines = (DATA / f"thoughts_{part}.jsonl").read_text("utf-8").splitlines()
    return [_read(json.loads(line)) for line in lines]


def _read(row: dict[str, Any]) -> Labelled:
    text = row["text"]

    def place(part: str) -> tuple[int, int]:
        return text.index(part), text.index(part) + len(part)

    return Labelled(
        row["id"],
        text,
        datetime.fromisoformat(row["now"]),
        tuple((*place(item["text"]), item.get("date", "")) for item in row["keep"]),
        tuple(place(item) for item in row["false"]),
    )


def measure(writer: ThoughtWriter, labelled: Sequence[Labelled]) -> Count:
    """Let a writer read every message and count what it does."""
    count = Count()
    for message in labelled:
        started = time.perf_counter()
        chosen = writer.write(message.text, message.now)
        count.elapsed_s += time.perf_counter() - started
        if writer.generates:
            n_written = len(chosen)
            chosen = [thought for thought in chosen if not _strays(message, thought)]
            count.dropped += n_written - len(chosen)
        count.messages += 1
        count.gold += len(message.keep)
        count.thoughts += len(chosen)
        judge = _judge_generated if writer.generates else _judge_selected
        judge(message, chosen, count)
    return count


def _judge_selected(message: Labelled, chosen: Sequence[Selection], count: Count) -> None:
    found = [False] * len(message.keep)
    for thought in chosen:
        length = sum(end - start for start, end in thought.pieces)
        within = sum(_overlap(thought, start, end) for start, end, _ in message.keep)
        count.right += within >= HALF * length
        untrue = any(_overlap(thought, start, end) for start, end in message.false)
        undated = False
        for at, (start, end, date) in enumerate(message.keep):
            if _overlap(thought, start, end) >= HALF * (end - start):
                found[at] = True
                undated |= date not in thought.text
        said = "\n".join([message.text, *_resolved(message, thought)])
        count.false += untrue or undated or bool(ungrounded_words(thought.text, said))
    count.found += sum(found)


def _strays(message: Labelled, thought: Selection) -> bool:
    """Whether the store stage would drop the thought: it holds a word nobody said."""
    said = f"{message.text}\n{resolve_dates(message.text, message.now)}"
    return bool(ungrounded_words(thought.text, said, loose=True))


def _resolved(message: Labelled, thought: Selection) -> Iterable[str]:
    return (resolve_dates(message.text[start:end], message.now) for start, end in thought.pieces)


def _overlap(thought: Selection, start: int, end: int) -> int:
    return sum(max(0, min(b, end) - max(a, start)) for a, b in thought.pieces)


def _judge_generated(message: Labelled, chosen: Sequence[Selection], count: Count) -> None:
    found = [False] * len(message.keep)
    for thought in chosen:
        share, start, end = max(
            (_covered(thought.text, message, a, b), a, b) for a, b in split_sentences(message.text)
        )
        source = message.text[start:end]
        untrue = any(a < end and start < b for a, b in message.false)
        negated = bool(_NEGATION.search(source)) != bool(_NEGATION.search(thought.text))
        if share < COVERED or untrue or negated:
            count.false += 1
            continue
        for at, (a, b, _) in enumerate(message.keep):
            if a < end and start < b:
                found[at] = True
        count.right += any(a < end and start < b for a, b, _ in message.keep)
    count.found += sum(found)


def _covered(thought: str, message: Labelled, start: int, end: int) -> float:
    """Share of the thought's content words that one sentence holds, in some form."""
    sentence = message.text[start:end]
    said = f"{sentence}\n{resolve_dates(sentence, message.now)}"
    meant = content_words(thought) - {"person", "user"}
    return 1 - len(ungrounded_words(thought, said, loose=True)) / max(len(meant), 1)


def count_stored(labelled: Sequence[Labelled]) -> int:
    """How many thoughts a fresh store lists after it has heard the messages, with the default writer."""
    from assistant.conversation.worker import PostThinkWorker
    from assistant.memory.memory import Memory
    from assistant.records import EncodedText, Recall

    now = datetime(2024, 6, 1, tzinfo=UTC)
    with (
        tempfile.TemporaryDirectory() as folder,
        Memory.open(Path(folder) / "memory.db", now=now) as memory,
    ):
        noted = EncodedText("Noted.", "Noted.", None)
        with memory.store.write():  # one transaction: nobody waits for an answer here
            for message in labelled:
                encoded = EncodedText(message.text, resolve_dates(message.text, message.now), None)
                turn = memory.begin_turn(encoded, message.now)
                memory.finish_turn(turn, noted, Recall(""), message.now)
        PostThinkWorker(memory, None, "bench").run_all(now)
        return len(memory.thoughts())


def run(
    writers: Iterable[ThoughtWriter],
    names: Sequence[str] = PARTS,
    on_progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Every writer on every part, on what is held out together, and on all of it."""
    parts = {name: read_labelled(name) for name in names}
    report: dict[str, Any] = {}
    for writer in writers:
        counts = {part: measure(writer, labelled) for part, labelled in parts.items()}
        report[writer.name] = {part: count.report() for part, count in counts.items()}
        held_out = [count for part, count in counts.items() if part in HELD_OUT]
        report[writer.name]["held out"] = _total(held_out).report()
        report[writer.name]["all"] = _total(counts.values()).report()
        on_progress(f"{writer.name}: {json.dumps(report[writer.name])}")
    labelled = [message for part in parts.values() for message in part]
    return {"messages": len(labelled), "stored": count_stored(labelled), "writers": report}


def _total(counts: Iterable[Count]) -> Count:
    whole = Count()
    for count in counts:
        for name in Count.__slots__:
            setattr(whole, name, getattr(whole, name) + getattr(count, name))
    return whole


WRITERS: Final = ("rules", "model", "generate")


def _writers(
    settings: Settings, kinds: Sequence[str], ids: Sequence[str]
) -> Iterable[ThoughtWriter]:
    """The writers of these kinds, for each installed model; one model in RAM at a time."""
    from assistant.conversation.assemble import load_model, open_catalogue

    if "rules" in kinds:
        yield RuleWriter()
    catalogue = open_catalogue(settings.paths)
    for model_id in ids if set(kinds) - {"rules"} else ():
        try:
            path = catalogue.path_of(model_id)
        except ModelMissing:
            click.echo(f"{model_id} is not installed and is left out.", err=True)
            continue
        model = load_model(path, settings.config)
        if "model" in kinds:
            yield ModelWriter(model, model_id)
        if "generate" in kinds:
            yield GeneratingWriter(model, model_id)
        model.close()


@click.command("thoughts")
@click.option("-m", "--model", "models", multiple=True, help="Model id; again for more of them.")
@click.option("--writer", "kinds", type=click.Choice(WRITERS), multiple=True, help="Only this one.")
@click.option("--part", type=click.Choice(PARTS), multiple=True, help="Only this part of the set.")
@click.pass_obj
def command(
    settings: Settings, models: tuple[str, ...], kinds: tuple[str, ...], part: tuple[str, ...]
) -> None:
    """Precision, recall and false content of each writer of thoughts."""
    writers = _writers(settings, kinds or WRITERS, models or MODELS)
    report = run(writers, part or PARTS, lambda line: click.echo(line, err=True))
    if settings.json:
        print_report(report, settings)
        return
    click.echo(f"{report['messages']} messages; a fresh store lists {report['stored']} thoughts")
    for name, parts in report["writers"].items():
        for part, figures in parts.items():
            click.echo(f"{name:<48} {part:<8} {json.dumps(figures)}")
