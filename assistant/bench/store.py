"""`assistant bench store`: recall and recording in a store of 100 000 messages.

The messages are LoCoMo's, where files are given, and sentences of the installed Python packages.
Recall is timed end to end without the query's embedding; recording durably, without its embedding.
The vectors are those of `bench index`, in turn, whichever text they go with: the time depends on how
sentence vectors lie, not on which is whose. Before `bench index --prepare` they are random directions,
which lie as no sentences do: no axes are worth more than others, so codes are longer. The report says
which.
The first recall is timed three times: after the filling, when indexes and graph are made; after the
store was opened again; and the same with nothing of its files in the page cache.
"""

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Final

import click
import numpy as np

from assistant.bench.index_corpus import collect_sentences
from assistant.bench.index_data import in_context, vectors_file
from assistant.bench.locomo import load_dialogues
from assistant.bench.report import Settings, print_report
from assistant.memory.index import IndexKind
from assistant.memory.memory import Memory
from assistant.records import EncodedText, FloatArray, Recall

DIMENSION: Final = 384
PER_CONVERSATION: Final = 40
START: Final = datetime(2020, 1, 1, tzinfo=UTC)
N_RECORDED: Final = 200
N_QUERIES: Final = 300
N_MIXED: Final = 100


class Vectors:
    """What stands for embeddings, (dimension,) each: sentences' where there are some, else random."""

    def __init__(self, sentences: FloatArray | None, n: int) -> None:
        """`sentences` (m, DIMENSION), norm 1; the last N_QUERIES of them are asked. Else `n` random ones."""
        self._random = np.random.default_rng(0)
        self.kind = "random directions" if sentences is None else "sentences"
        if sentences is None:
            sentences = self._random.standard_normal((n + N_QUERIES, DIMENSION), np.float32)
            sentences /= np.linalg.norm(sentences, axis=1, keepdims=True)
        self._said, self._asked = sentences[:-N_QUERIES], sentences[-N_QUERIES:]
        self._n = 0

    def of_question(self) -> FloatArray:
        return np.array(self._asked[self._random.integers(len(self._asked))])

    def encode(self, text: str) -> EncodedText:
        """`text` with the next vector, in the context of the one before."""
        own, before = (self._said[at % len(self._said)] for at in (self._n, self._n - 1))
        self._n += 1
        return EncodedText(text, text, np.array(own), context_vector=in_context(own, before))


def run(
    files: Sequence[Path],
    *,
    n: int = 100_000,
    index: IndexKind = "auto",
    sentences: FloatArray | None = None,
    folder: Path | None = None,
    on_progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Milliseconds p50 and p99 of recall and of recording, at `n` messages."""
    dialogues = load_dialogues(files)
    said = [m.text for d in dialogues for s in d.sessions for m in s.messages]
    asked = [q.text for d in dialogues for q in d.questions]
    texts = [*said, *collect_sentences(max(0, n - len(said)))][:n]
    asked = (asked or [" ".join(text.split()[:8]) for text in texts[:: max(1, n // 500)]])[:]
    random, vectors = np.random.default_rng(0), Vectors(sentences, n)
    order = random.permutation(len(texts))
    with TemporaryDirectory(dir=folder) as temporary:
        place = Path(temporary)
        with _open(place, index) as memory:
            on_progress(f"recording {n} messages")
            fill_s = _fill(memory, [texts[i] for i in order], vectors)
            on_progress("recalling")
            now = START + timedelta(days=800)
            built_ms = _recall(memory, asked[0], vectors, now).elapsed_ms
            meanings = [_meaning(memory, vectors, now) for _ in range(N_QUERIES)]
            picked = [asked[i] for i in random.integers(0, len(asked), N_QUERIES)]
            recalls = [_recall(memory, text, vectors, now).elapsed_ms for text in picked]
            on_progress("recording")
            records = _record(memory, texts, vectors, now)
            mixed = [_after_one(memory, text, vectors, now) for text in picked[:N_MIXED]]
            size = memory.stats()["bytes"]
            kinds = sorted(memory.nearest(vectors.of_question(), now))
        on_progress("opening")
        opened_ms = _open_and_recall(place, index, asked[1], vectors, now)
        cold_ms = None
        if _leave_page_cache(place):
            cold_ms = _open_and_recall(place, index, asked[2], vectors, now)
    return {
        "messages": n,
        "questions": N_QUERIES,
        "questions_after_a_message": len(mixed),
        "messages_recorded": len(records),
        "indexes": kinds,
        "vectors": vectors.kind,
        "meaning_ms": _percentiles(meanings),
        "recall_ms": _percentiles(recalls),
        "recall_after_a_message_ms": _percentiles(mixed),
        "record_ms": _percentiles(records),
        "first_recall_ms": {
            "built": round(built_ms, 1),
            "opened": round(opened_ms, 1),
            "opened_from_disk": None if cold_ms is None else round(cold_ms, 1),
        },
        "fill_s": round(fill_s, 1),
        "bytes": size,
    }


def _open(place: Path, index: IndexKind) -> Memory:
    memory = Memory.open(place / "m.db", now=START, index_dir=place / "index", index=index)
    memory.use_embedder("bench", DIMENSION)
    return memory


def _open_and_recall(
    place: Path, index: IndexKind, text: str, vectors: Vectors, now: datetime
) -> float:
    """Milliseconds from opening the store to the end of its first recall."""
    started = perf_counter()
    with _open(place, index) as memory:
        _recall(memory, text, vectors, now)
        return (perf_counter() - started) * 1000


def _leave_page_cache(place: Path) -> bool:
    """What a machine that was just started has of these files in RAM: nothing. False where the
    system offers no way (macOS)."""
    if not hasattr(os, "posix_fadvise"):
        return False
    for file in (file for file in place.rglob("*") if file.is_file()):
        descriptor = os.open(file, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
    return True


def _fill(memory: Memory, texts: Sequence[str], vectors: Vectors) -> float:
    started = perf_counter()
    for first in range(0, len(texts), 50 * PER_CONVERSATION):
        with memory.store.write():
            for begin in range(
                first, min(first + 50 * PER_CONVERSATION, len(texts)), PER_CONVERSATION
            ):
                at = START + timedelta(minutes=10 * begin)
                conversation = memory.new_conversation(f"part {begin}", at)
                for text in texts[begin : begin + PER_CONVERSATION]:
                    memory.record_message(vectors.encode(text), at, conversation_id=conversation)
    return perf_counter() - started


def _recall(
    memory: Memory,
    text: str,
    vectors: Vectors,
    now: datetime,
    exclude_turns: Sequence[int] = (),
) -> Recall:
    return memory.recall(
        text,
        vectors.of_question(),
        now,
        k=5,
        exclude_turns=exclude_turns,
        token_budget=320,
        count_tokens=lambda t: len(t) // 4,
    )


def _meaning(memory: Memory, vectors: Vectors, now: datetime) -> float:
    """The part of a recall that searches by meaning, in both views."""
    vector = vectors.of_question()
    started = perf_counter()
    memory.nearest(vector, now)
    return (perf_counter() - started) * 1000


def _record(memory: Memory, texts: Sequence[str], vectors: Vectors, now: datetime) -> list[float]:
    """Durable recording of one message, as a turn begins."""
    conversation = memory.new_conversation("recorded", now)
    times = []
    for text in texts[:N_RECORDED]:
        encoded = vectors.encode(text)
        started = perf_counter()
        memory.begin_turn(encoded, now, conversation_id=conversation)
        times.append((perf_counter() - started) * 1000)
    return times


def _after_one(memory: Memory, text: str, vectors: Vectors, now: datetime) -> float:
    """Recall right after a new message, as in a turn: every cache has something to take in."""
    turn = memory.begin_turn(vectors.encode(text), now)
    return _recall(memory, text, vectors, now, [turn.id]).elapsed_ms


def _percentiles(times: Sequence[float]) -> dict[str, float]:
    return {
        "p50": round(float(np.percentile(times, 50)), 2),
        "p99": round(float(np.percentile(times, 99)), 2),
    }


@click.command("store")
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--n", default=100_000, show_default=True, type=click.IntRange(100))
@click.option("--index", default="auto", type=click.Choice(["auto", "exact", "lsh", "hnsw"]))
@click.pass_obj
def command(settings: Settings, files: tuple[Path, ...], n: int, index: IndexKind) -> None:
    """Recall and recording at 100 000 messages."""
    file = vectors_file(settings.paths.data_dir / "bench")
    sentences = np.load(file, mmap_mode="r") if file.exists() else None
    report = run(
        files, n=n, index=index, sentences=sentences,
        on_progress=lambda line: click.echo(line, err=True),
    )  # fmt: skip
    print_report(report, settings)
