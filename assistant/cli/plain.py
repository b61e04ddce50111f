"""`assistant --plain`: a chat line by line, for screen readers, pipes and dumb terminals.

Append-only: no cursor is moved, nothing is redrawn, and text comes by whole sentences, as a screen
reader speaks them. Draws the engine's events; knows nothing of how they come about.
"""

import re
import sys
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from assistant.cli.ask import agreement, ask_consent, print_sources
from assistant.cli.output import note, print_text
from assistant.cli.settings import Settings
from assistant.errors import AssistantError, InputError

if TYPE_CHECKING:
    from assistant.cli.foreground import Foreground
    from assistant.conversation.engine import Engine
    from assistant.conversation.events import Event
    from assistant.conversation.worker import PostThinkWorker
    from assistant.records import Recall

COMMANDS: Final = {
    "/help": "these commands",
    "/new": "a new conversation",
    "/why": "the memories given to the model for the last answer",
    "/quit": "the end; so does the end of the input",
}
_COMMAND: Final = re.compile(r"/[a-z]+")  # not "/etc/fstab", which is a question about a file
_SENTENCE: Final = re.compile(r"(?<=[.!?:;])\s+|(?<=\n)")


def chat(settings: Settings) -> int:
    """Read a line, answer it, until the input ends. Returns the exit code."""
    from assistant.cli.first_run import ensure_models
    from assistant.conversation.assemble import open_assistant, open_worker

    ensure_models(settings)
    now, asked = datetime.now(UTC), agreement(settings)
    engine = open_assistant(settings.paths, settings.config, now=now, agreement=asked)
    with closing(engine.memory), closing(engine):
        repl = Repl(settings, engine, open_worker(engine, settings.config))
        note("Type a line and press Enter. /help lists the commands.", settings)
        while (line := read_line(settings)) is not None:
            if line.strip() and not repl.answer(line.strip()):
                break
    return 0


def read_line(settings: Settings) -> str | None:
    """The next line of the person; None at the end of the input. Raises InputError."""
    if settings.stdin_is_terminal:
        print_text("you: ", newline=False)
    try:
        line = sys.stdin.buffer.readline()
        return line.decode("utf-8") if line else None
    except UnicodeDecodeError:
        raise InputError("The input is not UTF-8.", "Convert it, e.g. with iconv.") from None


class Repl:
    """One plain chat."""

    def __init__(
        self, settings: Settings, engine: "Engine", worker: "PostThinkWorker | None"
    ) -> None:
        self._settings, self._engine, self._worker = settings, engine, worker
        self._recall: Recall | None = None

    def answer(self, line: str) -> bool:
        """Run a command or a turn. False at the end."""
        if line in COMMANDS:
            return self._command(line)
        if _COMMAND.fullmatch(line):
            note(f"There is no command {line}. /help lists them.", self._settings)
            return True
        try:
            self._turn(line)
        except AssistantError as error:
            note(f"assistant: {error}", self._settings)
        except KeyboardInterrupt:
            print_text("\n(stopped)")
        return True

    def _command(self, line: str) -> bool:
        if line == "/help":
            print_text("\n".join(f"{name}  {what}" for name, what in COMMANDS.items()))
        elif line == "/new":
            self._engine.open_conversation(None)
            print_text("A new conversation.")
        elif line == "/why" and self._recall is not None:
            print_sources(self._recall)
        elif line == "/why":
            print_text("Nothing was given to the model yet.")
        return line != "/quit"

    def _turn(self, line: str) -> None:
        from assistant.cli.foreground import Foreground

        sentences = Sentences()

        def draw(event: "Event") -> None:
            from assistant.conversation import events

            match event:
                case events.TokenText(text=text):
                    for sentence in sentences.feed(text):
                        print_text(sentence)
                case events.RecallAsked(question=question):
                    ask_consent(question)
                case events.RecallDone(recall=recall):
                    self._recall = recall
                case events.Notice(text=text):
                    note(text, self._settings)

        foreground: Foreground[None] = Foreground()
        try:
            foreground.run(lambda front: self._work(front, line), draw)
        finally:
            if rest := sentences.rest():
                print_text(rest)

    def _work(self, front: "Foreground[None]", line: str) -> None:
        """In the work's thread: one turn, then the thoughts that are due."""
        now = datetime.now(UTC)
        front.on_stop(self._engine.stop)
        for event in self._engine.ask(line, now):
            front.emit(event)
        if self._worker is not None and not front.interrupted:
            front.on_stop(self._worker.stop)
            self._worker.run_all(now)


class Sentences:
    """Whole sentences out of text that comes in pieces."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> list[str]:
        """The sentences that `text` completes."""
        *whole, self._held = _SENTENCE.split(self._held + text)
        return [sentence.strip("\n") for sentence in whole if sentence.strip()]

    def rest(self) -> str:
        """What was left unfinished."""
        held, self._held = self._held.strip("\n"), ""
        return held
