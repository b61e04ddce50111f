"""Ctrl-C and SIGTERM in every phase of a real `assistant ask`: its exit code, and nothing is lost."""

import os
import signal
import sqlite3
import sys
import time
from pathlib import Path

import pexpect
import pytest

pytestmark = pytest.mark.model

LONG = "Tell me about this: " + " ".join(f"item {i} of the long list" for i in range(280))
PHASES = {
    "loading model": ("Tell me a long story about the sea.", "loading model"),
    "reading prompt": (LONG, "reading prompt"),
    "writing": ("Count from one to two hundred in words.", r"(?i)one[^\r]*two"),
}


def start(text: str, home: Path) -> pexpect.spawn:
    environment = {**os.environ, "ASSISTANT_DATA_DIR": str(home), "TERM": "xterm"}
    arguments = ["-m", "assistant", "ask", "--temperature", "0", text]
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
    text, seen = PHASES[phase]
    process = start(text, home)
    process.expect(seen)
    began = time.perf_counter()
    process.kill(number)
    process.expect(pexpect.EOF)
    process.close()
    elapsed = time.perf_counter() - began
    assert process.exitstatus == (130 if number == signal.SIGINT else 143)
    assert "Traceback" not in process.before
    assert elapsed < 6, "the turn is stopped, not waited for"
    said = recorded(home)
    assert said[0] == ("user", text, 0)
    if phase == "writing":
        assert said[1][0] == "assistant"
        assert "one" in said[1][1].lower()
        assert said[1][2] == 1, "the partial reply is marked"


def test_two_interrupts_end_the_process_whatever_it_does(home: Path) -> None:
    process = start(LONG, home)
    process.expect("reading prompt")
    process.kill(signal.SIGINT)
    process.kill(signal.SIGINT)
    process.expect(pexpect.EOF)
    process.close()
    assert process.exitstatus == 130
    assert recorded(home)[0] == ("user", LONG, 0)
