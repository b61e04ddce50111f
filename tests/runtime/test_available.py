"""Free RAM as the kernel's files tell it, under control groups of both versions."""

from pathlib import Path

from assistant.runtime.available import available_bytes

GIB = 1 << 30


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


MEMINFO = {"proc/meminfo": f"MemTotal: 99 kB\nMemAvailable: {8 * GIB // 1024} kB\n"}


def test_without_limits_it_is_what_the_system_has(tmp_path: Path) -> None:
    assert available_bytes(write(tmp_path, MEMINFO)) == 8 * GIB


def test_a_system_that_says_nothing_is_unknown(tmp_path: Path) -> None:
    assert available_bytes(tmp_path) is None


def test_a_limit_of_version_two_counts_and_its_page_cache_gives_way(tmp_path: Path) -> None:
    files = {
        **MEMINFO,
        "proc/self/cgroup": "0::/user.slice/app\n",
        "sys/fs/cgroup/user.slice/app/memory.max": str(4 * GIB),
        "sys/fs/cgroup/user.slice/app/memory.current": str(3 * GIB),
        "sys/fs/cgroup/user.slice/app/memory.stat": f"inactive_file {GIB}\nactive_file {GIB}\n",
    }
    assert available_bytes(write(tmp_path, files)) == 3 * GIB


def test_the_tightest_of_the_groups_above_counts(tmp_path: Path) -> None:
    files = {
        **MEMINFO,
        "proc/self/cgroup": "0::/user.slice/app\n",
        "sys/fs/cgroup/user.slice/app/memory.max": "max",
        "sys/fs/cgroup/user.slice/app/memory.current": str(GIB),
        "sys/fs/cgroup/user.slice/memory.max": str(2 * GIB),
        "sys/fs/cgroup/user.slice/memory.current": str(GIB),
    }
    assert available_bytes(write(tmp_path, files)) == GIB


def test_a_limit_of_version_one_counts_in_a_container_too(tmp_path: Path) -> None:
    files = {
        **MEMINFO,
        "proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/docker/0123\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": str(2 * GIB),
        "sys/fs/cgroup/memory/memory.usage_in_bytes": str(GIB),
        "sys/fs/cgroup/memory/memory.stat": f"total_inactive_file {GIB // 2}\n",
    }
    assert available_bytes(write(tmp_path, files)) == 3 * GIB // 2


def test_no_limit_of_version_one_is_a_huge_number(tmp_path: Path) -> None:
    files = {
        **MEMINFO,
        "proc/self/cgroup": "4:memory:/\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
        "sys/fs/cgroup/memory/memory.usage_in_bytes": str(GIB),
    }
    assert available_bytes(write(tmp_path, files)) == 8 * GIB
