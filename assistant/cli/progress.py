"""One line on stderr that says what is being waited for. Draws on a terminal only.

Knows phases and shares; nothing of what makes them.
"""

import sys
from types import TracebackType
from typing import Self

import click

from assistant.cli.settings import Settings
from assistant.wording import one_line


class StatusLine:
    """`show` replaces the line, `clear` takes it away. Silent with --quiet and off a terminal."""

    def __init__(self, settings: Settings) -> None:
        self.draws = (
            settings.stderr_is_terminal and not settings.quiet and not settings.terminal_is_dumb
        )
        self._shown = ""

    def show(self, text: str, share: float | None = None) -> None:
        line = one_line(text) + (f" {share:.0%}" if share is not None else "")
        if self.draws and line != self._shown:
            click.echo(f"\r\x1b[K{line}", err=True, nl=False)
            self._shown = line

    def clear(self) -> None:
        if self._shown:
            click.echo("\r\x1b[K", err=True, nl=False)
            sys.stderr.flush()
            self._shown = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()
