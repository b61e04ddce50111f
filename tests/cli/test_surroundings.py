"""Odd surroundings: stdin closed, a full pipe, a tiny terminal, a dumb one. Nothing hangs."""

import os
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

PROGRAM = f"{sys.executable} -m assistant"
QUIET_COMMANDS = [
    "config show",
    "config path",
    "chats list",
    "memory list",
    "memory stats",
    "models list",
    "doctor",
    "--help",
]


@pytest.mark.parametrize("command", QUIET_COMMANDS)
def test_a_command_does_without_stdin(command: str, data_dir: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{PROGRAM} {command} <&-"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode in (0, 3), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", QUIET_COMMANDS)
def test_a_reader_that_leaves_ends_a_command_quietly(command: str, data_dir: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{PROGRAM} {command} | true"], capture_output=True, text=True, timeout=60
    )
    assert done.stderr == "" or "Traceback" not in done.stderr


def test_ask_from_a_closed_stdin_is_an_input_error(data_dir: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{PROGRAM} ask - <&-"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_a_tiny_terminal_is_enough(data_dir: Path) -> None:
    process = pexpect.spawn(
        PROGRAM + " config show", dimensions=(5, 20), encoding="utf-8", timeout=60
    )
    process.expect(pexpect.EOF)
    process.close()
    assert process.exitstatus == 0


def test_a_dumb_terminal_gets_the_plain_chat(data_dir: Path) -> None:
    process = pexpect.spawn(
        PROGRAM + " --no-input", env={**os.environ, "TERM": "dumb"}, encoding="utf-8", timeout=60
    )
    process.expect(pexpect.EOF)
    process.close()
    assert process.exitstatus == 3, "there is no model"
    assert "assistant models pull" in process.before
    assert "\x1b" not in process.before


def test_colour_is_never_sent_into_a_pipe(data_dir: Path) -> None:
    for more in ("", "--color always", "--color never"):
        done = subprocess.run(
            ["sh", "-c", f"{PROGRAM} {more} models list"], capture_output=True, timeout=60
        )
        assert b"\x1b" not in done.stdout
