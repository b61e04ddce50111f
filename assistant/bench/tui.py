"""`assistant bench tui`: what the terminal app costs, measured from outside in a pseudo-terminal.

CPU to the first usable frame of the real program, CPU while nothing happens, resident memory, the time from a key to
its character on the screen while tokens stream, and the time in which a long conversation opens. Knows the
keys of the app and nothing of its modules: it starts processes and reads what they draw.
"""

import fcntl
import os
import pty
import re
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import click

from assistant.bench.report import Settings, print_report
from assistant.paths import Paths
from assistant.records import EncodedText, Role

COLUMNS, ROWS = 120, 40
N_TURNS: Final = 5000  # of the long conversation
N_KEYS: Final = 200  # keys typed while tokens stream
IDLE_S: Final = 10.0
RATE: Final = 60  # tokens a second
TYPED: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"  # the streamed text holds no capital letter
_ESCAPES: Final = re.compile(
    rb"\x1b(?:\[[0-9;:?<>=]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])"
)
_START: Final = datetime(2026, 1, 1, tzinfo=UTC)


class Screen:
    """A program in a pseudo-terminal: its output as it comes, its costs as the kernel counts them."""

    def __init__(self, pid: int, descriptor: int) -> None:
        self.pid = pid
        self._descriptor = descriptor
        self._seen = b""

    def send(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    def forget(self) -> None:
        """Only what is drawn from now on counts."""
        self.read(0)
        self._seen = b""

    def read(self, seconds: float) -> bytes:
        """What came within `seconds`; the control sequences are left out."""
        if not select.select([self._descriptor], [], [], seconds)[0]:
            return b""
        try:
            piece = os.read(self._descriptor, 1 << 16)
        except OSError:  # the program has ended
            return b""
        self._seen += piece
        return piece

    def wait(self, drawn: str, seconds: float = 30.0) -> float:
        """Seconds until `drawn` was written. Raises TimeoutError."""
        began = perf_counter()
        wanted = drawn.encode()
        while perf_counter() - began < seconds:
            self.read(0.02)
            if wanted in _ESCAPES.sub(b"", self._seen):
                return perf_counter() - began
        raise TimeoutError(f"{drawn!r} was not drawn within {seconds} s.")

    def drain(self, seconds: float) -> None:
        """Let the program draw for a while."""
        end = perf_counter() + seconds
        while perf_counter() < end:
            self.read(0.05)
            self._seen = b""

    @property
    def cpu_s(self) -> float:
        """User and system time of the process and its threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def rss_mb(self) -> float:
        pages = int(Path(f"/proc/{self.pid}/statm").read_text("ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextmanager
def running(arguments: Sequence[str], environment: dict[str, str]) -> Iterator[Screen]:
    """`python arguments` in a terminal of COLUMNS x ROWS, killed at the end."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdin=theirs, stdout=theirs, stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", **environment},
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    try:
        yield Screen(process.pid, ours)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(ours)


def run(
    models_dir: Path, n_turns: int = N_TURNS, n_keys: int = N_KEYS, idle_s: float = IDLE_S
) -> dict[str, Any]:
    """Every figure, on a data directory of its own. The embedder is the one in `models_dir`."""
    with tempfile.TemporaryDirectory() as folder:
        paths = Paths(Path(folder) / "data")
        paths.create()
        report = measure_first_frame(paths)
        _write_conversation(paths, n_turns)
        arguments = ["-m", "assistant.tui.measure", str(paths.data_dir), str(RATE)]
        with running(arguments, {}) as screen:
            screen.wait("steady")
            screen.drain(2)
            report |= {"rss_mb": round(screen.rss_mb, 1)}
            report |= measure_idle(screen, idle_s)
            report |= measure_opening(screen, n_turns)
            report |= measure_keys(screen, n_keys)
        paths.models_dir.rmdir()
        paths.models_dir.symlink_to(models_dir.resolve())
        report |= measure_embedder(arguments)
    return report


def measure_embedder(arguments: Sequence[str]) -> dict[str, Any]:
    """Resident memory once the first message is embedded."""
    with running([*arguments, "embedder"], {}) as screen:
        screen.wait("steady")
        screen.drain(2)
        is_loaded = "onnxruntime" in Path(f"/proc/{screen.pid}/maps").read_text("utf-8")
        return {"rss_with_embedder_mb": round(screen.rss_mb, 1) if is_loaded else None}


def measure_first_frame(paths: Paths) -> dict[str, Any]:
    """Wall and CPU seconds until the input of the real program is drawn."""
    began = perf_counter()
    with running(["-m", "assistant", "--data-dir", str(paths.data_dir)], {}) as screen:
        screen.wait("Say something")
        return {
            "first_frame_s": round(perf_counter() - began, 2),
            "first_frame_cpu_s": round(screen.cpu_s, 2),
        }


def measure_idle(screen: Screen, seconds: float) -> dict[str, Any]:
    """Share of one core used while nobody does anything, in percent."""
    before = screen.cpu_s
    screen.drain(seconds)
    return {"idle_cpu_percent": round(100 * (screen.cpu_s - before) / seconds, 2)}


def measure_opening(screen: Screen, n_turns: int) -> dict[str, Any]:
    """From Enter in the list of conversations to the last turn of the long one."""
    screen.send("\x0f")
    screen.drain(0.5)
    screen.send("\x1b[B")
    screen.drain(0.5)
    screen.forget()
    before = screen.cpu_s
    screen.send("\r")
    opened = screen.wait(f"question {n_turns}")
    cpu = screen.cpu_s - before
    screen.drain(1)
    scrolls = []
    for _ in range(20):
        screen.forget()
        screen.send("\x1b[5~")
        scrolls.append(_next_draw(screen))
        screen.drain(0.1)
    return {
        "open_turns": n_turns,
        "open_s": round(opened, 2),
        "open_cpu_s": round(cpu, 2),
        "page_up_ms": _percentiles(scrolls),
    }


def _next_draw(screen: Screen) -> float:
    began = perf_counter()
    while not screen.read(0.5) and perf_counter() - began < 2:
        continue
    return perf_counter() - began


def measure_keys(screen: Screen, n_keys: int) -> dict[str, Any]:
    """From a key to its character on the screen while an answer streams."""
    screen.send("\x0e")
    screen.drain(1)
    screen.send("go")
    screen.drain(0.5)
    screen.send("\r")
    screen.wait("harbour")
    screen.drain(2)
    before, began = screen.cpu_s, perf_counter()
    delays = []
    for number in range(n_keys):
        screen.forget()
        key = TYPED[number % len(TYPED)]
        screen.send(key)
        delays.append(screen.wait(key, 5))
        screen.drain(0.05 + 0.037 * (number % 3))  # out of step with the draws
    busy = (screen.cpu_s - before) / (perf_counter() - began)
    return {
        "tokens_per_s": RATE,
        "key_to_screen_ms": _percentiles(delays),
        "streaming_cpu_percent": round(100 * busy, 1),
    }


def _percentiles(seconds: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=20)
    return {"p50": round(1000 * cuts[9], 1), "p95": round(1000 * cuts[18], 1)}


def _write_conversation(paths: Paths, n_turns: int) -> None:
    """One conversation of `n_turns` turns, without vectors: the screen shows none."""
    from assistant.memory.memory import Memory

    with Memory.open(paths.database, now=_START) as memory, memory.store.write():
        conversation_id = memory.new_conversation("A long one", _START)
        for number in range(1, n_turns + 1):
            now = _START + timedelta(minutes=number)
            said: tuple[tuple[Role, str], ...] = (
                ("user", f"question {number}"),
                ("assistant", f"The *answer* to it, {number} of many.\n\n- one\n- two\n"),
            )
            for role, text in said:
                memory.record_message(
                    EncodedText(text, text, None), now, conversation_id=conversation_id, role=role
                )


@click.command("tui")
@click.option("--turns", default=N_TURNS, show_default=True, help="Of the long conversation.")
@click.option("--keys", default=N_KEYS, show_default=True, help="Typed while tokens stream.")
@click.option("--idle", default=IDLE_S, show_default=True, help="Seconds of doing nothing.")
@click.pass_obj
def command(settings: Settings, turns: int, keys: int, idle: float) -> None:
    """First frame, idle CPU, memory, key to screen while tokens stream, opening a long chat."""
    print_report(run(settings.paths.models_dir, turns, keys, idle), settings)
