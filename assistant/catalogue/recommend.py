"""Which model suits a machine. Knows sizes and RAM; never whether a source can be reached."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from assistant.catalogue.entries import Entry

RAM_SHARE: Final = 0.6  # of the machine's RAM: the rest is the person's other programs
_LIMIT_FILES: Final = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def machine_ram_bytes() -> int:
    """RAM of this machine, or the limit of the container it runs in."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for file in _LIMIT_FILES:
        try:
            total = min(total, int(Path(file).read_text("ascii")))
        except (OSError, ValueError):  # no cgroup, or "max"
            continue
    return total


def recommend(entries: Iterable[Entry], ram_bytes: int | None = None) -> Entry | None:
    """The ranked chat model that fits comfortably; None when none does."""
    budget = RAM_SHARE * (machine_ram_bytes() if ram_bytes is None else ram_bytes)
    fitting = [e for e in entries if e.kind == "chat" and e.rank > 0 and e.ram_bytes <= budget]
    return max(fitting, key=lambda entry: entry.rank, default=None)


def fits(entry: Entry, ram_bytes: int | None = None) -> bool:
    """Whether all weights fit beside everything else; if not, the weight window streams them."""
    total = machine_ram_bytes() if ram_bytes is None else ram_bytes
    return entry.ram_bytes <= RAM_SHARE * total
