"""The main job with the real 0.5B, the real embedder and real processes: told, closed, asked."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.model, pytest.mark.timeout(900)]

TOLD = [
    "My sister Anna moved to Lisbon last week and adopted a dog called Bolo.",
    "The Wi-Fi password at the cabin is maple-otter-93.",
    "Our neighbour Tomasz plays the cello in the city orchestra.",
]
ASKED = [
    ("What is the name of Anna's dog?", "bolo"),
    ("What is the Wi-Fi password at the cabin?", "maple-otter-93"),
    ("Which instrument does Tomasz play?", "cello"),
]


def assistant(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "assistant", *arguments],
        env={**os.environ, "ASSISTANT_DATA_DIR": str(home)},
        capture_output=True,
        text=True,
        timeout=280,
        stdin=subprocess.DEVNULL,
    )


def test_what_was_said_is_answered_in_a_later_process(home: Path) -> None:
    for text in TOLD:
        done = assistant(home, "ask", "--max-tokens", "24", text)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()
    for i, (question, gold) in enumerate(ASKED):
        done = assistant(home, "ask", "--json", "--seed", "7", question)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert gold in told["answer"].lower()
        assert told["memories"][0]["text"] == TOLD[i]
        assert told["memories"][0]["source_turn"] == i + 1
        assert len(told["memories"]) <= 5
    database = sqlite3.connect(home / "memory.db")
    stored = dict(database.execute("SELECT text, resolved_text FROM messages"))
    thoughts = database.execute("SELECT text FROM memories WHERE kind = 'thought'").fetchall()
    database.close()
    assert "last week" not in stored[TOLD[0]]
    assert "the week of" in stored[TOLD[0]]
    assert any("Bolo" in text for (text,) in thoughts)


def test_a_batch_that_is_killed_half_way_is_resumed_with_every_id_once(
    home: Path, tmp_path: Path
) -> None:
    rows = [
        {"id": f"r{i}", "prompt": f"Say the number {i}.", "session": f"s{i % 20}"}
        for i in range(50)
    ]
    table, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = ["batch", str(table), "-o", str(out), "-j", "4", "--max-tokens", "8", "--no-memory"]
    environment = {**os.environ, "ASSISTANT_DATA_DIR": str(home)}
    with subprocess.Popen(
        [sys.executable, "-m", "assistant", *command], env=environment, stderr=subprocess.DEVNULL
    ) as process:
        while not out.exists() or out.read_text().count("\n") < 20:
            assert process.poll() is None, "it ended before it was killed"
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    before = out.read_text()
    assert 20 <= before.count("\n") < 50
    lines = before.splitlines(keepends=True)
    failed = {**json.loads(lines[3]), "status": "error", "answer": None}
    out.write_text(
        "".join([*lines[:3], json.dumps(failed) + "\n", *lines[4:]]) + '{"v": 1, "id": "r'
    )
    done = assistant(home, *command, "--resume")
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in out.read_text().splitlines()]
    assert sorted(row["id"] for row in answers) == sorted(row["id"] for row in rows)
    assert {row["status"] for row in answers} == {"ok"}
