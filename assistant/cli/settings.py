"""What one run of the command line was told: the global options, the paths and the config.

Reads the config when it is first needed and not before: `--help` needs none. Knows no command.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from assistant.paths import Paths, find_paths

if TYPE_CHECKING:
    from assistant.config import Config


@dataclass
class Settings:
    """The global options of this run. `ctx.obj` of every command."""

    data_dir: Path | None = None
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    no_input: bool = False
    yes: bool = False
    color: str = "auto"
    json_is_told: bool = False  # the command has put its own error on stdout
    flags: dict[str, object] = field(default_factory=dict)  # settings given on the command line

    @cached_property
    def paths(self) -> Paths:
        return find_paths(self.data_dir)

    @cached_property
    def config(self) -> "Config":
        """flags > environment > file > built-in. Raises SettingError."""
        from assistant.config import load_config

        return load_config(self.paths.config_file, self.flags)

    def override(self, flags: Mapping[str, object]) -> None:
        """Lay a command's own options (setting name -> value or None) over the config."""
        self.flags.update({name: value for name, value in flags.items() if value is not None})
        self.__dict__.pop("config", None)

    @property
    def stdin_is_terminal(self) -> bool:
        return _is_terminal(sys.stdin)

    @property
    def stdout_is_terminal(self) -> bool:
        return _is_terminal(sys.stdout)

    @property
    def stderr_is_terminal(self) -> bool:
        return _is_terminal(sys.stderr)

    @property
    def terminal_is_dumb(self) -> bool:
        return os.environ.get("TERM", "dumb") in ("", "dumb")

    @property
    def may_ask(self) -> bool:
        """Whether a question can be put to a person: a terminal on both sides, and no --no-input."""
        return not self.no_input and self.stdin_is_terminal and self.stderr_is_terminal


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


def set_colour(context: click.Context, settings: Settings) -> None:
    """`--color` and NO_COLOR decide for click; unset, click looks at the terminal itself."""
    if settings.color == "always":
        context.color = True
    elif settings.color == "never" or os.environ.get("NO_COLOR"):
        context.color = False
