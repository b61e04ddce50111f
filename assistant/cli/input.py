"""What a command takes from the outside: a text argument or stdin, a file, a yes.

Knows encodings and terminals; never what the text is for.
"""

import sys
from pathlib import Path

import click

from assistant.cli.settings import Settings
from assistant.errors import ConfirmationNeeded, InputError, NotFound
from assistant.wording import clean


def read_text(text: str, what: str = "text", example: str = "") -> str:
    """`text`, or stdin where it is "-". Raises InputError when it is empty or not UTF-8; `example` is a
    command that would do."""
    read = read_stdin() if text == "-" else text
    try:
        read.encode("utf-8")  # an argument that was no UTF-8 holds lone surrogates
    except UnicodeEncodeError:
        raise InputError("The text is not UTF-8.", "Convert it, e.g. with iconv.") from None
    if not read.strip():
        remedy = f"Give some words, as in: {example}." if example else "Give some words."
        raise InputError(f"The {what} is empty.", remedy)
    return read


def read_file(file: Path) -> str:
    """The text of a file. Raises NotFound, or InputError when it cannot be read as UTF-8."""
    try:
        return file.read_text("utf-8")
    except FileNotFoundError:
        raise NotFound(f"There is no file {file}.", "Check the path.") from None
    except UnicodeDecodeError:
        raise InputError(f"{file} is not UTF-8.", "Convert it, e.g. with iconv.") from None
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.", "Check the path.") from error


def confirm(
    question: str,
    settings: Settings,
    *,
    remedy: str = "Repeat it with --yes.",
    lasting: bool = False,
) -> bool:
    """Ask for a yes on the terminal; --yes answers it. Enter alone is a yes, but not where something is
    gone for good: `lasting`.

    Raises ConfirmationNeeded where nobody can be asked, with `remedy` as what to do next.
    """
    if settings.yes:
        return True
    if not settings.may_ask:
        raise ConfirmationNeeded(f"{clean(question).rstrip('?')}: this needs a yes.", remedy)
    return click.confirm(clean(question), default=not lasting, err=True)


def read_stdin() -> str:
    """All of stdin. Raises InputError when it is closed or not UTF-8."""
    if sys.stdin is None:
        raise InputError("There is no input to read.", "Give the text as an argument.")
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"The input is not UTF-8 (byte {error.start}).", "Convert it, e.g. with iconv."
        ) from None
