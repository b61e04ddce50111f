"""The app as it is over a real store, with a model that writes words at a set rate: for `bench tui`.

`python -m assistant.tui.measure DATA_DIR TOKENS_PER_SECOND [embedder]`. Nothing else uses it; the app
itself never asks whether it is being measured.
"""

import sys
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from assistant.config import load_config
from assistant.conversation.events import (
    Event,
    Phase,
    Progress,
    RecallDone,
    Recorded,
    Replied,
    TokenText,
)
from assistant.paths import Paths
from assistant.records import Recall, Reply, Turn, Usage
from assistant.tui.app import AssistantApp
from assistant.tui.history import PromptHistory
from assistant.tui.live_store import open_live_store
from assistant.tui.session import ChatMode, Facts, ModelFacts

N_TOKENS: Final = 100_000  # more than any measurement waits for: it is stopped
# Markdown of several kinds, as an answer has it; it holds no capital letter, which `bench tui` types.
WORDS: Final = [
    "the",
    "harbour",
    "was",
    "**quiet**",
    "that",
    "morning",
    ",",
    "and",
    "the",
    "boats",
    "lay",
    "still",
    ".",
    "\n\n-",
    "one",
    "rope\n-",
    "two",
    "oars\n\n```python\ndef",
    "row(boat):\n",
    "",
    "",
    "",
    "return",
    "boat\n```\n\nthen",
    "the",
    "wind",
    "came",
    "up",
    "from",
    "the",
    "south",
    ".",
    "",
]


class SteadyEngine:
    """Answers everything with the same words, `rate` of them a second, until it is stopped."""

    def __init__(self, rate: float, embed: Callable[[str], object]) -> None:
        """`embed` is called once, as for the first message."""
        self._seconds = 1 / rate
        self._embed = embed
        self._stop = threading.Event()

    def load(self, on_phase: Callable[[Progress], None]) -> ModelFacts:
        self._embed("What is the name of the dog that my sister adopted last year?")
        return ModelFacts("steady", 4096)

    def ask(self, text: str, now: datetime, *, replaces: int | None = None) -> Iterator[Event]:
        self._stop.clear()
        turn = Turn(0, 0, 1, 0, now)
        yield Recorded(turn)
        yield RecallDone(Recall(text))
        yield Phase("writing")
        n_tokens = 0
        while n_tokens < N_TOKENS and not self._stop.wait(self._seconds):
            yield TokenText(WORDS[n_tokens % len(WORDS)] + " ")
            n_tokens += 1
        yield Replied(turn, Reply("", "stopped", Usage(1, n_tokens)))

    def regenerate(self, turn_id: int, now: datetime) -> Iterator[Event]:
        return self.ask("", now)

    def answer_without(
        self, turn_id: int, memory_ids: Collection[int], now: datetime
    ) -> Iterator[Event]:
        return self.ask("", now)

    def choose_branch(self, turn_id: int) -> None:
        """One branch is all there is."""

    def open_conversation(self, conversation_id: int | None, mode: ChatMode = "normal") -> None:
        """Every conversation gets the same answer."""

    def put_down(self) -> None:
        """Nothing is held."""

    def prompt_of(self, turn_id: int) -> str:
        return ""

    def edit(self, memory_id: int, text: str, now: datetime) -> None:
        """Nothing is recorded."""

    def merge(self, memory_ids: Sequence[int], text: str, now: datetime) -> None:
        """Nothing is recorded."""

    def prefill(self, text: str, now: datetime) -> None:
        """There is nothing to read ahead."""

    def idle(self, now: datetime) -> None:
        """Nothing waits."""

    def stop(self) -> None:
        self._stop.set()

    def close(self) -> None:
        """Nothing is held."""


def main(data_dir: str, rate: str, embedder: str = "") -> int:
    paths = Paths(Path(data_dir))
    config = load_config(paths.config_file, {}, {})
    opened: list[object] = []

    def embed(text: str) -> None:
        from assistant.conversation.assemble import open_embedder

        if embedder and (found := open_embedder(paths, config)) is not None:
            found.embed([text])
            opened.append(found)  # it stays in memory

    app = AssistantApp(
        SteadyEngine(float(rate), embed),
        lambda: open_live_store(paths, config),
        history=PromptHistory(),
        facts=Facts(),
    )
    return app.run() or 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
