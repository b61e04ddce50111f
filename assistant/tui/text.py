"""Foreign text made safe to draw: what people, models, memories and file names may contain.

Two dangers, met in two places. Control characters reach the terminal itself (OSC 52 writes the
clipboard), so `clean` takes them out. Square brackets reach Textual's markup (`[/foo]` raises,
`[@click=app.quit]` acts), so text only ever travels as `Content` or `Text` objects, never as `str`:
`plain` and `cell` make them. Knows no widget.
"""

import re
from datetime import datetime, timedelta
from typing import Final

from rich.text import Text
from textual.content import Content

# C0 but tab and newline, DEL, C1; then the bidirectional overrides and isolates, with which a text
# can show other characters than it holds. The marks U+200E and U+200F stay: right-to-left text needs them.
_UNSAFE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)

FAINT: Final = "$foreground 60%"  # `$text-muted` is for CSS alone: in a Content it comes out white


def clean(text: str) -> str:
    """`text` without anything a terminal would act on. Newlines are LF, tabs are kept."""
    return _UNSAFE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def one_line(text: str, width: int = 0) -> str:
    """`clean` text on one line; cut to `width` characters with an ellipsis where width > 0."""
    line = " ".join(clean(text).split())
    return line[: width - 1].rstrip() + "…" if 0 < width < len(line) else line


def plain(text: str, style: str = "") -> Content:
    """Foreign text for a Static, a Label, an OptionList: never parsed as markup."""
    return Content.styled(clean(text), style) if style else Content(clean(text))


def cell(text: str, style: str = "") -> Text:
    """Foreign text for a DataTable or a Tree, which would read a `str` as markup."""
    return Text(one_line(text), style=style, no_wrap=True, end="")


def ago(then: datetime, now: datetime) -> str:
    """How a person would date it in a list: "now", "12 min", "3 h", "yesterday", "4 Jun"."""
    elapsed = now - then
    if elapsed < timedelta(minutes=1):
        return "now"
    if elapsed < timedelta(hours=1):
        return f"{elapsed.seconds // 60} min"
    days = (now.date() - then.date()).days
    if days == 0:
        return f"{elapsed.seconds // 3600} h"
    if days == 1:
        return "yesterday"
    return day(then) if then.year != now.year else f"{then.day} {then:%b}"


def day(then: datetime) -> str:
    """A date without doubt about day and month: "4 Jun 2023"."""
    return f"{then.day} {then:%b %Y}"


def count(n: int, noun: str) -> str:
    """ "1 memory", "3 memories", "2 chats"."""
    plural = (
        f"{noun[:-1]}ies" if noun.endswith("y") else noun + ("es" if noun.endswith("s") else "s")
    )
    return f"{n} {noun if n == 1 else plural}"
