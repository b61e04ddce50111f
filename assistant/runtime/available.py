"""How much RAM a model may really take: what the system has free, within every limit on the process.

Knows the kernel's own counters (MemAvailable, control groups v1 and v2); nothing of models.
"""

from pathlib import Path
from typing import Final

_UNLIMITED: Final = 1 << 60  # version 1 writes a number near 2**63 where there is no limit


def available_bytes(root: Path = Path("/")) -> int | None:
    """RAM that can be had without swapping; None where the system does not say.

    The page cache counts as free, for it gives way. `root` is where /proc and /sys are mounted.
    """
    free = _mem_available(root)
    for limit, used in _cgroup_limits(root):
        free = max(0, limit - used) if free is None else min(free, max(0, limit - used))
    return free


def _mem_available(root: Path) -> int | None:
    for line in _read(root / "proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _cgroup_limits(root: Path) -> list[tuple[int, int]]:
    """(limit, bytes that cannot be reclaimed) of the process's groups and all above them."""
    limits = []
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            folder, names = root / "sys/fs/cgroup", ("memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            folder = root / "sys/fs/cgroup/memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
        else:
            continue
        # Inside a container the path is the host's, and the group itself is the mount's root.
        for group in _parents(folder, path):
            limit, used = _read(group / names[0]), _read(group / names[1])
            if limit.isdigit() and used.isdigit() and int(limit) < _UNLIMITED:
                limits.append((int(limit), max(0, int(used) - _page_cache(group))))
    return limits


def _parents(folder: Path, path: str) -> list[Path]:
    parts = [part for part in path.split("/") if part and part != ".."]
    return [folder.joinpath(*parts[:n]) for n in range(len(parts), -1, -1)]


def _page_cache(group: Path) -> int:
    """Bytes of the group's file pages, which the kernel takes back when RAM is short."""
    fields = dict(
        line.split() for line in _read(group / "memory.stat").splitlines() if line.count(" ") == 1
    )
    version_1 = "total_inactive_file" in fields
    names = ("total_inactive_file", "total_active_file") if version_1 else (
        "inactive_file", "active_file"
    )  # fmt: skip
    return sum(int(fields.get(name, "0")) for name in names)


def _read(file: Path) -> str:
    try:
        return file.read_text("ascii").strip()
    except OSError:
        return ""
