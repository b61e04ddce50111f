"""The vectors that `bench index` searches: embeddings of real sentences, made once and kept.

100 000 sentences to be found and 1 000 to ask, all different, from the installed Python's own
documentation (`index_corpus`). Beyond 100 000 the rows are repeated with a seeded perturbation: a unit
vector v becomes (v + 0.6 g) / |v + 0.6 g|, g a random unit vector, which leaves a cosine near 0.86 to
the original: about a paraphrase. Questions are never perturbed.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.lib.format import open_memmap

from assistant.bench.index_corpus import collect_sentences
from assistant.errors import NotFound
from assistant.records import FloatArray

N_REAL: Final = 100_000
N_QUERIES: Final = 1_000
NOISE: Final = 0.6
SEED: Final = 7
EMBED_AT_ONCE: Final = 256


@dataclass(frozen=True, slots=True)
class IndexData:
    vectors: FloatArray  # (n, dimension), norm 1
    queries: FloatArray  # (m, dimension), norm 1
    truth: np.ndarray[Any, np.dtype[np.int64]]  # (m, 10): the nearest by float32, in no order
    note: str


def prepare(
    folder: Path, embedder: Any, on_progress: Callable[[int, int], None], n: int = N_REAL
) -> Path:
    """Embed the sentences, unless that was done; where the vectors are.

    What an interrupted run embedded is kept, and the next one goes on behind it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    sentences = collect_sentences(n + N_QUERIES)
    digest = hashlib.sha256("\n".join(sentences).encode()).hexdigest()
    file, about = vectors_file(folder), {"embedder": embedder.id, "sentences": digest}
    if file.exists() and _note(file) == about:
        return file
    unfinished = file.with_suffix(".unfinished.npy")
    shape = (len(sentences), embedder.dimension)
    if not (unfinished.exists() and _note(unfinished) == about):
        open_memmap(unfinished, "w+", np.float32, shape)
        _note_file(unfinished).write_text(json.dumps(about), "utf-8")
    vectors = open_memmap(unfinished, "r+")
    for first in range(_count_done(vectors), len(sentences), EMBED_AT_ONCE):
        part = sentences[first : first + EMBED_AT_ONCE]
        vectors[first : first + len(part)] = embedder.embed(part)
        on_progress(first + len(part), len(sentences))
    vectors.flush()
    unfinished.replace(file)
    _note_file(unfinished).replace(_note_file(file))
    return file


def _count_done(vectors: FloatArray) -> int:
    """Rows up to the first that is still zero, in whole steps: the last one may be half written."""
    empty = np.flatnonzero(~vectors[::EMBED_AT_ONCE].any(axis=1))
    steps = int(empty[0]) if empty.size else -(-len(vectors) // EMBED_AT_ONCE)
    return max(steps - 1, 0) * EMBED_AT_ONCE


def _note_file(file: Path) -> Path:
    return file.with_suffix(".json")


def _note(file: Path) -> Any:
    """What the vectors in `file` were made from; None where that is unknown."""
    note = _note_file(file)
    return json.loads(note.read_text("utf-8")) if note.exists() else None


def vectors_file(folder: Path) -> Path:
    return folder / "sentences.npy"


def load(folder: Path, n: int) -> IndexData:
    """`n` vectors and the questions. Raises NotFound before `prepare`."""
    file = vectors_file(folder)
    if not file.exists():
        raise NotFound(
            f"No sentence vectors at {file}.",
            "Run `assistant bench index --prepare` once; it takes about ten minutes.",
        )
    every = np.load(file, mmap_mode="r")
    real, queries = np.array(every[: min(n, len(every) - N_QUERIES)]), np.array(every[-N_QUERIES:])
    vectors = perturbed(real, n)
    note = f"{len(real)} real sentence embeddings"
    if n > len(real):
        note += f" and {n - len(real)} perturbed copies (seed {SEED}, noise {NOISE})"
    return IndexData(vectors, queries, nearest(vectors, queries), note)


def perturbed(real: FloatArray, n: int) -> FloatArray:
    """The real rows, then perturbed copies of them in turn, (n, dimension)."""
    vectors = np.empty((n, real.shape[1]), np.float32)
    vectors[: len(real)] = real[:n]
    random = np.random.default_rng(SEED)
    for first in range(len(real), n, len(real)):
        part = real[: n - first]
        noise = random.standard_normal(part.shape, np.float32)
        noise /= np.linalg.norm(noise, axis=1, keepdims=True)
        noisy = part + np.float32(NOISE) * noise
        vectors[first : first + len(part)] = noisy / np.linalg.norm(noisy, axis=1, keepdims=True)
    return vectors


def in_context(own: FloatArray, before: FloatArray) -> FloatArray:
    """What stands for the vector of a text in its context: the mean of its own and of the one before
    it, at norm 1."""
    both = own + before
    return both / np.linalg.norm(both)


def nearest(
    vectors: FloatArray, queries: FloatArray, k: int = 10
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Rows of the k nearest by float32, (m, k), block by block."""
    best = np.full((len(queries), k), -np.inf, np.float32)
    rows = np.zeros((len(queries), k), np.int64)
    for first in range(0, len(vectors), 50_000):
        similarity = queries @ vectors[first : first + 50_000].T
        here = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
        both = np.hstack([best, np.take_along_axis(similarity, here, axis=1)])
        ids = np.hstack([rows, here + first])
        top = np.argpartition(-both, k - 1, axis=1)[:, :k]
        best, rows = np.take_along_axis(both, top, axis=1), np.take_along_axis(ids, top, axis=1)
    return rows
