"""How many cores a model may use, as the machine and the limits on the process allow.

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
