"""Kills at random moments, and many processes at one store: nothing acknowledged is ever lost."""

import os
import random
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assistant.memory.memory import Memory

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SHARE = float(os.environ.get("ASSISTANT_SOAK_SHARE", "1"))
WRITER = Path(__file__).with_name("soak_writer.py")

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]


def start(database: Path, name: str, seconds: float) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, str(WRITER), str(database), name, str(seconds)],
        stdout=subprocess.PIPE,
        text=True,
    )


def check(database: Path, acknowledged: set[str]) -> None:
    """Every acknowledged text is there, once, and the file is whole."""
    with Memory.open(database, now=NOW) as memory:
        assert memory.check_integrity() == []
        rows = memory.store.read("SELECT text, count(*) FROM messages GROUP BY text")
        texts = {row[0]: row[1] for row in rows}
        assert set(texts.values()) <= {1}
        for line in acknowledged:
            assert wording(line) in texts, line


def wording(line: str) -> str:
    if line.startswith("reply "):
        return f"R{line[1:]}."
    name, number = line.split(":")
    return f"My sister {name} moved to street {number} and likes soup number {number}."


def test_no_kill_loses_an_acknowledged_message(tmp_path: Path) -> None:
    database = tmp_path / "memory.db"
    chance = random.Random(11)
    acknowledged: set[str] = set()
    for kill in range(max(3, int(300 * SHARE))):
        process = start(database, f"Anna{kill}", 60)
        assert process.stdout is not None
        acknowledged.add(process.stdout.readline().strip())  # it is at work
        time.sleep(chance.uniform(0, 0.5))
        process.kill()
        left, _ = process.communicate()
        acknowledged.update(
            left.splitlines(keepends=False)[:-1] if left[-1:] != "\n" else left.split("\n")[:-1]
        )
    assert not [line for line in acknowledged if line.startswith("error")]
    check(database, acknowledged - {""})


def test_eight_processes_share_a_store(tmp_path: Path) -> None:
    database = tmp_path / "memory.db"
    seconds = max(4.0, 60 * SHARE)
    processes = [start(database, f"Berta{number}", seconds) for number in range(8)]
    acknowledged: set[str] = set()
    for process in processes:
        out, _ = process.communicate()
        acknowledged.update(out.splitlines())
        assert process.returncode == 0, out.splitlines()[-1:]
    assert not [line for line in acknowledged if line.startswith("error")]
    check(database, acknowledged)
