"""A process that changes the embedder of a store until it is killed: what the soak tests run.

    python soak_reindexer.py DATABASE

Prints how many vectors are made after each batch, and "done" after the change.
"""

import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from assistant.memory.memory import Memory
from assistant.records import FloatArray

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OLD, NEW = ("old", 96), ("new", 128)  # embedder, dimensions; of fewer the index guesses too often
BATCH_S = 0.3  # as a model takes; no run between two kills may reach the end


def vectors_of(texts: Sequence[str], embedder: tuple[str, int]) -> FloatArray:
    """(n, dimension): for each text one direction of its own, and another for each embedder."""
    name, dimension = embedder
    seeds = [[ord(name[0]), *text.encode()] for text in texts]
    made = [np.random.default_rng(seed).standard_normal(dimension) for seed in seeds]
    return np.array([v / np.linalg.norm(v) for v in made], np.float32).reshape(-1, dimension)


def embed_slowly(texts: Sequence[str]) -> FloatArray:
    time.sleep(BATCH_S)
    return vectors_of(texts, NEW)


def main(database: str) -> None:
    with Memory.open(Path(database), now=NOW) as memory:
        for progress in memory.reindex(*NEW, embed_slowly):
            print(progress.done, flush=True)
    print("done", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
