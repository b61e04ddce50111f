"""How facts reach a terminal or a pipe: clean text, JSON lines, one-line errors.

Knows nothing of models or memories. Everything that a person, a model or a memory wrote goes
through `clean` before it may reach a terminal.
"""

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from assistant.cli.settings import Settings
from assistant.wording import UNSAFE, clean, one_line

if TYPE_CHECKING:
    from assistant.errors import AssistantError


def print_text(text: str = "", *, newline: bool = True) -> None:
    """Write clean text to stdout and flush, so that a pipe sees it when it happens."""
    click.echo(clean(text), nl=newline)


def print_json(value: Any) -> None:
    """One JSON object on one line. Control characters leave as \\u escapes."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    click.echo(UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def note(text: str, settings: Settings) -> None:
    """A remark for the person, on stderr; silent with --quiet."""
    if not settings.quiet and sys.stderr is not None:
        click.echo(clean(text), err=True)


def error_shape(error: "AssistantError") -> dict[str, Any]:
    """The `error` member of every JSON shape."""
    return {
        "type": type(error).__name__,
        "what": error.what,
        "remedy": error.remedy,
        "exit_code": error.exit_code,
    }


def print_error(error: "AssistantError", settings: Settings) -> None:
    """`assistant: what. remedy` on stderr; with --json the same as an object on stdout."""
    if sys.stderr is not None:
        click.echo("assistant: " + one_line(str(error)), err=True)
    if settings.json and not settings.json_is_told and sys.stdout is not None:
        print_json({"v": 1, "status": "error", "error": error_shape(error)})
