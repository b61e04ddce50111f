"""Ctrl-C and SIGTERM in every phase of a real `assistant ask`: its exit code, and nothing is lost."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

pytestmark = pytest.mark.model

LONG = "Tell me about this: " + " ".join(f"item {i} of the long list" for i in range(280))
PROGRAM = ("-m", "assistant")
SLOW_RECALL = (str(Path(__file__).parent / "slow_recall.py"),)
PHASES = {
    "loading model": (PROGRAM, "Tell me a long story about the sea.", "loading model"),
    "recalling": (SLOW_RECALL, "What did I say about the sea?", "recalling"),
    "reading prompt": (PROGRAM, LONG, "reading prompt"),
    "writing": (PROGRAM, "Count from one to two hundred in words.", r"(?i)one[^\r]*two"),
}


def start(text: str, home: Path, program: tuple[str, ...] = PROGRAM) -> pexpect.spawn:
    environment = {**os.environ, "ASSISTANT_DATA_DIR": str(home), "TERM": "xterm"}
    arguments = [*program, "ask", "--temperature", "0", text]
    return pexpect.spawn(
        sys.executable, arguments, env=environment, encoding="utf-8", timeout=120, echo=False
    )


def recorded(home: Path) -> list[tuple[str, str, int]]:
    database = sqlite3.connect(f"file:{home / 'memory.db'}?mode=ro", uri=True)
    try:
        return database.execute("SELECT role, text, partial FROM messages ORDER BY id").fetchall()
    finally:
        database.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("phase", PHASES)
def test_a_signal_ends_the_turn_soon_and_keeps_what_is_recorded(
    phase: str, number: signal.Signals, home: Path
) -> None:
    program, text, seen = PHASES[phase]
    process = start(text, home, program)
    process.expect(seen)
    process.kill(number)
    process.expect(pexpect.EOF)
    process.close()
    assert process.exitstatus == (130 if number == signal.SIGINT else 143)
    assert "Traceback" not in process.before
    said = recorded(home)
    assert said[0] == ("user", text, 0)
    assert not any(role == "assistant" and not partial for role, _, partial in said), (
        "the turn is stopped, not waited for"
    )
    if phase == "writing":
        assert said[1][0] == "assistant"
        assert "one" in said[1][1].lower()
        assert said[1][2] == 1, "the partial reply is marked"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_batch_that_loads_its_model_hears_a_signal_and_can_be_resumed(
    number: signal.Signals, home: Path, tmp_path: Path
) -> None:
    rows, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    rows.write_text('{"id": 1, "prompt": "Say one word."}\n')
    environment = {**os.environ, "ASSISTANT_DATA_DIR": str(home), "TERM": "xterm"}
    arguments = [*PROGRAM, "batch", str(rows), "-o", str(out), "--max-tokens", "4"]
    for more in ([], ["--resume"], ["--resume"]):
        process = pexpect.spawn(
            sys.executable, [*arguments, *more], env=environment, encoding="utf-8", timeout=120
        )
        process.expect("loading model")
        process.kill(number)
        process.expect(pexpect.EOF)
        process.close()
        assert process.exitstatus == (130 if number == signal.SIGINT else 143)
    ended = subprocess.run([sys.executable, *arguments, "--resume"], env=environment, check=False)
    assert ended.returncode == 0
    assert json.loads(out.read_text().splitlines()[-1])["status"] == "ok"


def test_two_interrupts_end_the_process_whatever_it_does(home: Path) -> None:
    process = start(LONG, home)
    process.expect("reading prompt")
    process.kill(signal.SIGINT)
    process.kill(signal.SIGINT)
    process.expect(pexpect.EOF)
    process.close()
    assert process.exitstatus == 130
    assert recorded(home)[0] == ("user", LONG, 0)
