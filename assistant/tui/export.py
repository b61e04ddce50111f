"""A chat as a markdown file. Knows the turns' texts and nothing of the store."""

from collections.abc import Sequence
from pathlib import Path

from assistant.paths import from_home, open_private
from assistant.tui.session import TurnText
from assistant.tui.text import day
from assistant.wording import clean


def to_markdown(turns: Sequence[TurnText]) -> str:
    """Each turn as a heading with its date, the message as a quote, the answer as it was written."""
    parts: list[str] = []
    for turn in turns:
        quote = "\n".join(f"> {line}" for line in clean(turn.prompt).splitlines())
        reply = clean(turn.reply) + ("\n\n*(stopped here)*" if turn.partial else "")
        parts.append(f"## {turn.number} · {day(turn.created)}\n\n{quote}\n\n{reply}\n")
    return "\n".join(parts)


def export_markdown(turns: Sequence[TurnText], name: str) -> Path:
    """Write to `name`, 0600. Raises OSError, also where the file exists."""
    file = from_home(Path(name)).absolute()
    with open(str(file), "x", encoding="utf-8", opener=_private) as out:
        out.write(to_markdown(turns))
    return file


def _private(path: str, flags: int) -> int:
    return open_private(Path(path), flags)
