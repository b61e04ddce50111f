"""The real app in a real pseudo-terminal with the real 0.5B model: no fake anywhere.

The captured screens are kept as text in `screens/`, so that a reader sees what a person saw.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pyte
import pytest

SCREENS = Path(__file__).parent / "screens"
KEYS = {
    "enter": "\r", "esc": "\x1b", "up": "\x1b[A", "down": "\x1b[B", "f1": "\x1bOP", "f3": "\x1bOR",
    "ctrl+n": "\x0e", "ctrl+o": "\x0f", "ctrl+q": "\x11", "ctrl+r": "\x12", "ctrl+w": "\x17",
}  # fmt: skip


class Terminal:
    """One run of `assistant` in a terminal of columns x rows, read into a screen."""

    def __init__(self, child: "pexpect.spawn[bytes]", columns: int, rows: int) -> None:
        self.child = child
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.received = b""

    def read(self, seconds: float = 0.05) -> None:
        """Draw what the program wrote in the next moment."""
        try:
            piece = self.child.read_nonblocking(1 << 16, timeout=seconds)
        except pexpect.TIMEOUT:
            return
        self.received += piece
        # pyte reads the sub-parameters of underline styles ("4:3m") as text
        self._stream.feed(piece)

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    def wait(self, condition: Callable[[str], bool], seconds: float = 60.0) -> str:
        """Until the drawn text fulfils `condition`."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            self.read()
            if condition(self.text):
                return self.text
        raise AssertionError(f"never drawn; the screen is\n{self.text}")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.child.send(KEYS.get(key, key))
            self.read(0.15)

    def say(self, text: str) -> None:
        self.press(text, "enter")

    def keep(self, name: str) -> None:
        """Write the screen beside the tests when asked to (ASSISTANT_KEEP_SCREENS=1)."""
        if os.environ.get("ASSISTANT_KEEP_SCREENS"):
            seen = b""
            while seen != self.received:  # until nothing is drawn any more
                seen = self.received
                self.read(1.0)
            SCREENS.mkdir(exist_ok=True)
            (SCREENS / f"{name}.txt").write_text(self.text + "\n", "utf-8")


@contextmanager
def running(data_dir: Path, columns: int = 80, rows: int = 24) -> Iterator[Terminal]:
    environment = {
        **os.environ,
        "ASSISTANT_DATA_DIR": str(data_dir),
        "ASSISTANT_SAMPLING_TEMPERATURE": "0",
        "ASSISTANT_SAMPLING_SEED": "1",
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
    }
    child = pexpect.spawn(
        sys.executable, ["-m", "assistant"], env=environment, dimensions=(rows, columns), timeout=60
    )
    try:
        yield Terminal(child, columns, rows)
    finally:
        child.close(force=True)


def quit_cleanly(terminal: Terminal) -> None:
    terminal.press("ctrl+q")
    end = time.perf_counter() + 20
    while terminal.child.isalive() and time.perf_counter() < end:
        try:
            terminal.read()
        except pexpect.EOF:
            break
    terminal.child.wait()
    assert terminal.child.exitstatus == 0


def is_free(text: str) -> bool:
    """An answer stands there with its speed, and nothing runs."""
    return "tokens/s" in text and "esc stops" not in text


@pytest.mark.model
def test_a_person_talks_stops_asks_why_forgets_leaves_and_comes_back(home: Path) -> None:
    with running(home) as terminal:
        terminal.wait(lambda text: "1 of 3" in text and "here already" in text)
        terminal.keep("1-first-run")
        terminal.press("esc")
        terminal.wait(lambda text: "1 of 3" not in text)
        terminal.say("My sister Anna adopted a dog called Bolo last week.")
        terminal.wait(is_free, 120)
        terminal.keep("2-answer")
        terminal.press("ctrl+n")
        terminal.wait(lambda text: "Nothing you write leaves" in text)
        terminal.say("What is the name of Anna's dog?")
        terminal.wait(lambda text: "given to the model" in text, 120)
        terminal.wait(is_free, 120)
        assert "Bolo" in terminal.text
        terminal.keep("3-remembered")
        terminal.press("ctrl+w")
        page = terminal.wait(lambda text: "Given to the model" in text)
        assert "My sister Anna adopted a dog called Bolo last week." in page
        terminal.keep("4-why")
        terminal.press("f")
        terminal.wait(lambda text: "· forgotten" in text)
        terminal.press("u")
        terminal.wait(lambda text: "· forgotten" not in text)
        terminal.press("esc")
        terminal.wait(lambda text: "Say something" in text)
        terminal.press("ctrl+r")
        terminal.wait(lambda text: "\u20392/2\u203a" in text and is_free(text), 120)
        terminal.keep("5-regenerated")
        terminal.press("ctrl+n")
        terminal.say("Write a long story about a lighthouse keeper and her two brothers.")
        terminal.wait(lambda text: "writing" in text and "word" in text, 120)
        began = time.perf_counter()
        terminal.press("esc")
        terminal.wait(lambda text: "a partial answer" in text, 10)
        assert time.perf_counter() - began < 3  # the engine stops within 0.3 s; then it is recorded
        terminal.keep("6-stopped")
        quit_cleanly(terminal)
    with running(home) as terminal:
        terminal.wait(lambda text: "context 0 %" in text)
        terminal.press("ctrl+o")
        terminal.wait(lambda text: "What is the name of Anna's dog?" in text)
        terminal.keep("7-chats")
        terminal.press("down", "down", "enter")
        terminal.wait(lambda text: "\u20392/2\u203a" in text)
        assert "Bolo" in terminal.text
        terminal.keep("8-reopened")
        quit_cleanly(terminal)


def test_the_first_frame_comes_without_a_model_and_names_what_to_do(data_dir: Path) -> None:
    with running(data_dir) as terminal:
        terminal.wait(lambda text: "1 of 3" in text)
        terminal.press("esc")
        terminal.wait(lambda text: "1 of 3" not in text and "/models or F4" in text)
        terminal.press("/help", "enter")
        terminal.wait(lambda text: "everywhere" in text)
        terminal.press("esc")
        quit_cleanly(terminal)


@pytest.mark.parametrize("size", [(40, 12), (20, 5)])
def test_a_tiny_terminal_is_drawn_on_and_left_cleanly(
    data_dir: Path, size: tuple[int, int]
) -> None:
    with running(data_dir, *size) as terminal:
        terminal.wait(lambda text: bool(text.strip()))
        terminal.press("esc", "h", "i")
        quit_cleanly(terminal)
