"""Foreign text as Textual may draw it, and dates as a list words them.

Square brackets reach Textual's markup (`[/foo]` raises, `[@click=app.quit]` acts), so text only ever
travels as `Content` or `Text` objects, never as `str`: `plain` and `cell` make them, from `clean` text.
Knows no widget.
"""

from datetime import datetime, timedelta
from typing import Final

from rich.text import Text
from textual.content import Content

from assistant.wording import clean, one_line

FAINT: Final = "$foreground 60%"  # `$text-muted` is for CSS alone: in a Content it comes out white


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
