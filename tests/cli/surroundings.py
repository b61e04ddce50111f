"""Runs command lines in odd surroundings, each in a fork of this one warm process.

`python surroundings.py WORK_DIR < CASES`: a JSON list of {"surrounding", "command", "data_dir"}.
Prints a JSON list of {"code", "out", "err"}. A process of its own, because pytest's has threads and
a fork of those may hang; one process, because forty starts of Python take longer than forty commands.
"""

import ctypes
import fcntl
import gc
import json
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import assistant.conversation.assemble  # once for all forks, as those below
import assistant.tui.app
from assistant.__main__ import main
from assistant.cli import COMMANDS, root
from assistant.paths import find_paths

CAPABILITY_VERSION = 0x20080522  # linux/capability.h: two sets of three words
SECONDS = 20


@dataclass
class Running:
    """One forked command; `reader` is the other end of its terminal or pipe."""

    pid: int
    folder: Path
    reader: int | None


def start(number: int, surrounding: str, command: list[str], work_dir: Path) -> Running:
    """Fork, and run the command in its surrounding."""
    folder = work_dir / str(number)
    folder.mkdir()
    reader, stdout = None, None
    if surrounding == "a full pipe":
        reader, stdout = full_pipe()
    elif surrounding == "a terminal of 20x5":
        reader, stdout = pty.openpty()
        fcntl.ioctl(stdout, termios.TIOCSWINSZ, struct.pack("HHHH", 5, 20, 0, 0))
    pid = os.fork()
    if pid:
        if stdout is not None:
            os.close(stdout)
        return Running(pid, folder, reader)
    try:
        os.dup2(os.open(folder / "err", os.O_CREAT | os.O_WRONLY), 2)
        os.dup2(os.open(folder / "out", os.O_CREAT | os.O_WRONLY) if stdout is None else stdout, 1)
        if surrounding == "a terminal of 20x5" and stdout is not None:
            os.dup2(stdout, 0)
            sys.stdin = open(0, closefd=False)  # noqa: SIM115 - as a new process would
        elif surrounding == "stdin closed":
            os.close(0)
            sys.stdin = None  # as Python starts with it closed
        else:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        if surrounding == "a read-only data directory":
            obey_permissions()
        os.closerange(3, 256)  # above all the pipes of the others: their readers are to leave
        code = main(command)
    except BaseException:  # noqa: BLE001 - told as what it is
        import traceback

        os.write(2, traceback.format_exc().encode())
        code = 99
    os._exit(code)


def obey_permissions() -> None:
    """Give up what lets root write anywhere; another user may not exist in a user namespace."""
    if sys.platform == "linux":
        header = struct.pack("Ii", CAPABILITY_VERSION, 0)
        if ctypes.CDLL(None, use_errno=True).capset(header, bytes(24)):
            raise OSError(ctypes.get_errno(), "capset")


def full_pipe() -> tuple[int, int]:
    """A pipe that nobody has read from for a long time."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, bytes(4096))
    except BlockingIOError:
        os.set_blocking(writer, True)
    return reader, writer


def finish(running: Running, surrounding: str) -> dict[str, object]:
    """Wait for it; a reader of a pipe leaves, one of a terminal reads on."""
    out, deadline = b"", time.monotonic() + SECONDS
    if surrounding == "a full pipe" and running.reader is not None:
        os.close(running.reader)
        running.reader = None
    while not (ended := os.waitpid(running.pid, os.WNOHANG))[0]:
        if time.monotonic() > deadline:
            os.kill(running.pid, signal.SIGKILL)
        if running.reader is None:
            time.sleep(0.005)
        elif select.select([running.reader], [], [], 0.005)[0]:
            out += read(running.reader)
    if running.reader is not None:
        while select.select([running.reader], [], [], 0)[0] and (more := read(running.reader)):
            out += more
        os.close(running.reader)
    file = running.folder / "out"
    return {
        "code": os.waitstatus_to_exitcode(ended[1]),
        "out": file.read_text("utf-8") if file.exists() else out.decode("utf-8", "replace"),
        "err": (running.folder / "err").read_text("utf-8"),
    }


def read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:  # the terminal's last user has gone
        return b""


def run_all(work_dir: Path) -> list[dict[str, object]]:
    """The cases of one surrounding at once: a full pipe makes its command wait."""
    ended = []
    for name in COMMANDS:
        root.get_command(None, name)  # imports its module
    assistant.conversation.assemble.open_catalogue(find_paths())  # is parsed once, too
    gc.freeze()  # else each fork's own collection copies what it shares with this process
    cases = enumerate(json.load(sys.stdin))
    for surrounding, together in groupby(cases, lambda case: case[1]["surrounding"]):
        started = []
        for number, case in together:
            os.environ["ASSISTANT_DATA_DIR"] = case["data_dir"]
            started.append(start(number, surrounding, case["command"], work_dir))
        ended += [finish(running, surrounding) for running in started]
    return ended


if __name__ == "__main__":
    print(json.dumps(run_all(Path(sys.argv[1]))))
