"""How a command opens the store, and the embedder where a question's meaning is needed.

Knows `assemble`; nothing of what a command then does.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from assistant.cli.settings import Settings

if TYPE_CHECKING:
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
