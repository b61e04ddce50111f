"""Runs a command under a hard memory limit that counts the page cache (control groups, v1 or v2).

Knows the kernel's control files and nothing of what runs. A ulimit would not do: it counts address
space, and a mapped file lives in the page cache, which no ulimit counts.
"""

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from assistant.errors import AssistantError

_ROOT: Final = Path("/sys/fs/cgroup")
# Joins the group, then becomes the command: what is counted begins with the command's first page.
_JOIN: Final = 'echo $$ > "$0" && exec "$@"'


@dataclass(frozen=True, slots=True)
class Limited:
    """What came of a command. `killed`: it did not live within the limit."""

    output: str
    killed: bool
    peak_bytes: int


@dataclass(frozen=True, slots=True)
class _Files:
    """The names of one version's control files."""

    limit: str
    peak: str
    no_swap: tuple[str, str]


_V1: Final = _Files(
    "memory.limit_in_bytes", "memory.max_usage_in_bytes", ("memory.swappiness", "0")
)
_V2: Final = _Files("memory.max", "memory.peak", ("memory.swap.max", "0"))


def run_limited(command: Sequence[str], limit_bytes: int) -> Limited:
    """Raises AssistantError where no group may be made, or the command fails for another reason."""
    with _group(limit_bytes) as (folder, files):
        done = subprocess.run(
            ["/bin/sh", "-c", _JOIN, str(folder / "cgroup.procs"), *command],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        peak = (folder / files.peak).read_text().strip()
    killed = done.returncode == -9
    if done.returncode and not killed:
        raise AssistantError(f"The measured process ended with {done.returncode}.")
    return Limited(done.stdout, killed, int(peak) if peak.isdigit() else 0)


@contextmanager
def _group(limit_bytes: int) -> Iterator[tuple[Path, _Files]]:
    parent, files = _find_parent()
    folder = parent / f"assistant-bench-{os.getpid()}"
    try:
        folder.mkdir()
        (folder / files.limit).write_text(str(limit_bytes))
    except OSError as error:
        with suppress(OSError):
            folder.rmdir()
        raise _refused(error.strerror or "refused") from error
    with suppress(OSError):  # not there where the kernel has no swap
        (folder / files.no_swap[0]).write_text(files.no_swap[1])
    try:
        yield folder, files
    finally:
        _remove(folder)


def _find_parent() -> tuple[Path, _Files]:
    if (_ROOT / "memory" / _V1.limit).exists():
        return _ROOT / "memory", _V1
    if not (_ROOT / "cgroup.controllers").exists():
        raise _refused("this system has none")
    control = _ROOT / "cgroup.subtree_control"
    try:
        if "memory" not in control.read_text().split():
            control.write_text("+memory")
    except OSError as error:
        raise _refused(error.strerror or "refused") from error
    return _ROOT, _V2


def _remove(folder: Path) -> None:
    for _ in range(50):  # the last pages are given back a moment after the process has ended
        try:
            folder.rmdir()
        except OSError:
            time.sleep(0.02)
        else:
            return


def _refused(reason: str) -> AssistantError:
    return AssistantError(
        f"A memory limit needs a control group of its own: {reason}.",
        "Run as root, or where the memory controller is delegated to you.",
    )
