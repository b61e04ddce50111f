"""How a command opens the store, and the embedder where a question's meaning is needed.

Knows `assemble`; nothing of what a command then does.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from assistant.cli.settings import Settings

if TYPE_CHECKING:
    from assistant.embedding.embedder import Embedder
    from assistant.memory.memory import Memory


@contextmanager
def opened_memory(
    settings: Settings, now: datetime, *, read_only: bool = False
) -> Iterator["Memory"]:
    """The person's store. Raises StoreLocked, StoreCorrupt, StoreNewer."""
    from assistant.conversation.assemble import open_memory

    if not read_only:
        settings.paths.create()
    with open_memory(settings.paths, settings.config, now=now, read_only=read_only) as memory:
        yield memory


@contextmanager
def opened_recall(
    settings: Settings, now: datetime, *, read_only: bool = False
) -> Iterator[tuple["Memory", "Embedder | None"]]:
    """The store and the embedder whose vectors it holds; None where it is not installed."""
    from assistant.conversation.assemble import serve_embedder

    with opened_memory(settings, now, read_only=read_only) as memory:
        yield memory, serve_embedder(settings.paths, settings.config, memory)
