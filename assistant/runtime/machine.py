"""What this machine offers a model: physical cores and free RAM, as its limits allow.

Knows the operating system's own counters (Linux, macOS), nothing of models.
"""

import os
import subprocess
from pathlib import Path
from typing import Final

_CPU_DIR: Final = Path("/sys/devices/system/cpu")
_CGROUP_DIR: Final = Path("/sys/fs/cgroup")


def physical_cores() -> int:
    """Cores this process may use, hyper-threads counted once, no more than the cgroup's quota."""
    if not hasattr(os, "sched_getaffinity"):
        return _macos_cores()
    allowed = os.sched_getaffinity(0)
    cores = set()
    for cpu in allowed:
        siblings = _read(_CPU_DIR / f"cpu{cpu}" / "topology" / "core_cpus_list")
        cores.add(siblings or str(cpu))
    return max(1, min(len(cores), _cgroup_cpus() or len(cores)))


def available_ram_bytes() -> int | None:
    """RAM that can still be had without swapping, within the cgroup's limit; None where unknown."""
    free = None
    for line in _read(Path("/proc/meminfo")).splitlines():
        if line.startswith("MemAvailable:"):
            free = int(line.split()[1]) * 1024
    limit, used = _read(_CGROUP_DIR / "memory.max"), _read(_CGROUP_DIR / "memory.current")
    if free is not None and limit.isdigit() and used.isdigit():
        # The page cache counts as used but gives way.
        cached = _cgroup_page_cache_bytes()
        free = min(free, max(0, int(limit) - int(used) + cached))
    return free


def _cgroup_page_cache_bytes() -> int:
    fields = dict(
        line.split() for line in _read(_CGROUP_DIR / "memory.stat").splitlines() if " " in line
    )
    return int(fields.get("file", "0"))


def _cgroup_cpus() -> int | None:
    quota, _, period = _read(_CGROUP_DIR / "cpu.max").partition(" ")
    if not quota.isdigit() or not period.isdigit():
        return None
    return max(1, int(quota) // int(period))


def _macos_cores() -> int:
    for name in ("hw.perflevel0.physicalcpu", "hw.physicalcpu"):
        answer = subprocess.run(
            ["/usr/sbin/sysctl", "-n", name], capture_output=True, text=True, check=False
        )
        if answer.stdout.strip().isdigit():
            return int(answer.stdout)
    return os.cpu_count() or 1


def _read(file: Path) -> str:
    try:
        return file.read_text("ascii").strip()
    except OSError:
        return ""
