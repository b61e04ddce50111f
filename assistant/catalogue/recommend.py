"""Which model suits a machine. Knows sizes, RAM and a disk rate; never if a source can be reached."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from assistant.catalogue.entries import Entry

LEAST_TOKENS_PER_S: Final = 5.0  # about as fast as one reads
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


def recommend(
    entries: Iterable[Entry],
    ram_bytes: int | None = None,
    disk_bytes_per_s: float | None = None,
) -> Entry | None:
    """The highest-ranked chat model that fits comfortably; None when none does.

    Where the disk's speed is known, a model larger than the RAM counts too if the weight window
    can stream it fast enough to talk with.
    """
    ram_bytes = machine_ram_bytes() if ram_bytes is None else ram_bytes

    def suits(entry: Entry) -> bool:
        rate = streamed_tokens_per_s(entry, ram_bytes, disk_bytes_per_s or 0)
        return fits(entry, ram_bytes) or rate >= LEAST_TOKENS_PER_S

    suited = [e for e in entries if e.kind == "chat" and e.rank > 0 and suits(e)]
    return max(suited, key=lambda entry: entry.rank, default=None)


def smaller(entries: Iterable[Entry], file_bytes: int, free_bytes: int) -> Entry | None:
    """The chat model to name where one of `file_bytes` is too slow: of those that are smaller and
    fit into `free_bytes`, the highest-ranked, then the largest. None where there is none.
    """
    fitting = [
        entry
        for entry in entries
        if entry.kind == "chat" and entry.bytes < file_bytes and entry.ram_bytes <= free_bytes
    ]
    return max(fitting, key=lambda entry: (entry.rank, entry.bytes), default=None)


def fits(entry: Entry, ram_bytes: int | None = None) -> bool:
    """Whether all weights fit beside everything else; if not, the weight window streams them."""
    total = machine_ram_bytes() if ram_bytes is None else ram_bytes
    return entry.ram_bytes <= RAM_SHARE * total


def streamed_tokens_per_s(entry: Entry, ram_bytes: int, disk_bytes_per_s: float) -> float:
    """The disk's bound on decode speed when the weights that do not fit are read for each token.

    A dense model reads all of them in every token, a mixture of experts its active share (as if
    experts were chosen evenly, which flatters no one). After arXiv 2312.11514, section 3.
    """
    missing = max(0.0, entry.ram_bytes - RAM_SHARE * ram_bytes) / entry.ram_bytes
    active = entry.active_b / entry.params_b if entry.active_b and entry.params_b else 1.0
    streamed_bytes = missing * active * entry.bytes
    return disk_bytes_per_s / streamed_bytes if streamed_bytes else float("inf")
