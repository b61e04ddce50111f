"""How facts reach a terminal or a pipe: clean text, JSON lines, one-line errors.

Knows nothing of models or memories. Everything that a person, a model or a memory wrote goes
through `clean` before it may reach a terminal.
"""

import json
import re
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from assistant.cli.settings import Settings

if TYPE_CHECKING:
    from assistant.errors import AssistantError

# C0 but newline and tab, DEL, C1 (0x9b is CSI in one byte), and the marks that reorder text.
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u202a-\u202e\u2066-\u2069]")
# A whole escape sequence goes, not its first byte alone: CSI, then OSC/DCS/PM/APC, then the rest.
_ESCAPE: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]"
)


def clean(text: str) -> str:
    """`text` without anything that acts on a terminal."""
    return _CONTROL.sub("", _ESCAPE.sub("", text))


def one_line(text: str, width: int = 0) -> str:
    """`text` clean and on one line, cut to `width` characters where one is given."""
    flat = " ".join(clean(text).split())
    return flat if not width or len(flat) <= width else flat[: width - 1] + "…"


def print_text(text: str = "", *, newline: bool = True) -> None:
    """Write clean text to stdout and flush, so that a pipe sees it when it happens."""
    click.echo(clean(text), nl=newline)


def print_json(value: Any) -> None:
    """One JSON object on one line. Control characters leave as \\u escapes."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    click.echo(_CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


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
