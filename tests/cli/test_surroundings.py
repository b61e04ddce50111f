"""Odd surroundings: stdin closed, a full pipe, a tiny terminal, a read-only data directory, a dumb
terminal. Every command ends, with a code of the table and no traceback."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import click
import pexpect
import pytest

from assistant.cli import root
from assistant.memory.memory import Memory
from assistant.records import EncodedText, Recall
from conftest import NOW

PROGRAM = f"{sys.executable} -m assistant"
SURROUNDINGS = [
    "stdin closed",
    "a full pipe",
    "a terminal of 20x5",
    "a read-only data directory",
]
# Each command with arguments that it can do something with; no model is installed.
ARGUMENTS = {
    "ask": ["Hello"],
    "batch": ["rows.jsonl", "-o", "answers.jsonl"],
    "chats search": ["peanuts"],
    "chats show": ["1"],
    "chats rename": ["1", "Another title"],
    "chats delete": ["1", "--yes"],
    "completion": ["bash"],
    "config get": ["model"],
    "config set": ["sampling.seed", "7"],
    "memory search": ["peanuts"],
    "memory show": ["1"],
    "memory history": ["1"],
    "memory graph": ["1"],
    "memory add": ["I am a thought"],
    "memory edit": ["1", "Another text"],
    "memory merge": ["1", "2"],
    "memory pin": ["1"],
    "memory forget": ["1"],
    "memory erase": ["1", "--yes"],
    "memory revert": ["1"],
    "memory import": ["rows.jsonl"],
    "memory restore": ["no-backup.db", "--yes"],
    "models show": ["smollm2-135m-instruct-q4_1"],
    "models pull": ["smollm2-135m-instruct-q4_1", "--no-input"],
    "models add": ["no-model.gguf"],
    "models use": ["smollm2-135m-instruct-q4_1"],
    "models remove": ["smollm2-135m-instruct-q4_1"],
    "models plan": ["smollm2-135m-instruct-q4_1"],
}
WRITES = {
    "chats rename", "chats delete", "config set", "memory add", "memory edit", "memory merge",
    "memory pin", "memory forget", "memory erase", "memory undo", "memory revert", "memory import",
    "memory backup", "memory restore", "memory reindex",
}  # fmt: skip


def commands(group: click.Group = root, path: str = "") -> Iterator[str]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group) and name != "bench":
            yield from commands(command, f"{path}{name} ")
        else:
            yield path + name


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a conversation in it, whose files others may read."""
    folder = tmp_path_factory.mktemp("written") / "data"
    folder.mkdir()
    (folder / "models").mkdir()
    with Memory.open(folder / "memory.db", now=NOW) as memory:
        conversation = memory.new_conversation("Food", NOW)
        said = EncodedText("I avoid peanuts", "I avoid peanuts", None)
        turn = memory.begin_turn(said, NOW, conversation_id=conversation)
        memory.finish_turn(turn, EncodedText("Noted", "Noted", None), Recall(""), NOW)
    return folder


def test_every_command_ends_with_a_code_and_no_traceback(written: Path, tmp_path: Path) -> None:
    cases = []
    for number, (surrounding, name) in enumerate(product(SURROUNDINGS, commands())):
        data_dir = tmp_path / f"data{number}"
        shutil.copytree(written, data_dir)
        cases.append({
            "surrounding": surrounding,
            "command": [*name.split(), *ARGUMENTS.get(name, [])],
            "data_dir": str(data_dir),
        })  # fmt: skip
        if surrounding == "a read-only data directory":
            close_to_writers(data_dir)
    done = run_all(cases, tmp_path)
    for (surrounding, name), ended in zip(product(SURROUNDINGS, commands()), done, strict=True):
        told = (surrounding, name, ended)
        assert "Traceback" not in str(ended), told
        assert ended["code"] in {0, 1, 2, 3, 4, 6, 9, 141}, told
        assert ended["code"] != 0 or not ended["err"].startswith("assistant: "), told
        if surrounding == "a read-only data directory" and name in WRITES:
            assert ended["code"] != 0, told
            assert ended["err"].count("\n") == 1, told
        if surrounding == "a terminal of 20x5" and name.startswith(("chats", "config")):
            assert ended["code"] == 0, told


def close_to_writers(data_dir: Path) -> None:
    for path in [data_dir, *data_dir.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)


def run_all(cases: list[dict[str, Any]], tmp_path: Path) -> list[dict[str, Any]]:
    work_dir = tmp_path / "work"
    work_dir.mkdir()
    script = Path(__file__).with_name("surroundings.py")
    done = subprocess.run(
        [sys.executable, script, work_dir],
        input=json.dumps(cases), capture_output=True, text=True, timeout=120, cwd=tmp_path,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # a fork of threads may hang
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_ask_from_a_closed_stdin_is_an_input_error(data_dir: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{PROGRAM} ask - <&-"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_a_full_disk_is_an_error_with_its_name(data_dir: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{PROGRAM} config show > /dev/full"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


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
