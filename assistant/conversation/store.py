"""The store stage: derived thoughts get their vectors and go into memory, in one transaction.

Knows an embedder's shape and the `Memory` facade. A thought that is not grounded in its message is
dropped here, the rest is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from assistant.conversation.ports import TextEmbedder
from assistant.errors import EmbeddingError
from assistant.memory.memory import Memory
from assistant.records import Job, NewThought


@dataclass(frozen=True, slots=True)
class Lease:
    """The job at hand and who holds it."""

    job: Job
    owner: str


def store(
    thoughts: Sequence[NewThought],
    quoted: Sequence[int],
    lease: Lease,
    memory: Memory,
    embedder: TextEmbedder | None,
    now: datetime,
    *,
    confirmed: bool = True,
    surprise: float | None = None,
) -> bool:
    """Keep what a job derived, strengthen what was quoted, place the turn, and mark the job done.

    False, and nothing is written, where another owner has taken the lease by now.
    """
    grounded = [thought for thought in thoughts if memory.is_grounded(thought)]
    outcomes = memory.finish_job(
        lease.job,
        lease.owner,
        embed(grounded, embedder),
        now,
        confirmed=confirmed,
        quoted=quoted,
        surprise=surprise,
    )
    return outcomes is not None


def embed(thoughts: Sequence[NewThought], embedder: TextEmbedder | None) -> list[NewThought]:
    """The thoughts with their vectors; without where there is no embedder, or it fails."""
    if embedder is None or not thoughts:
        return list(thoughts)
    try:
        vectors = embedder.embed([thought.text for thought in thoughts])
    except EmbeddingError:
        return list(thoughts)
    return [replace(t, vector=v) for t, v in zip(thoughts, vectors, strict=True)]
