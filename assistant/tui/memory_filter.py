"""The line above the memory table, as `kind:thought before:2026-01 "fresh cilantro" anna`.

A pure parser: text in, `MemoryFilter` out, and a sentence about what was not understood.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, cast, get_args

from assistant.records import Kind, Role, State
from assistant.tui.session import MemoryFilter

_PART: Final = re.compile(r'"([^"]*)"?|(\S+)')
_DATE: Final = re.compile(r"(\d{4})(?:-(\d{1,2}))?(?:-(\d{1,2}))?")
_WHO: Final = {"me": "user", "you": "user", "user": "user", "assistant": "assistant"}

_YES_NO: Final = {"": True, "yes": True, "true": True, "no": False, "false": False}


@dataclass
class _Parts:
    words: list[str] = field(default_factory=list)
    phrases: list[str] = field(default_factory=list)
    kinds: list[Kind] = field(default_factory=list)
    roles: list[Role] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    before: datetime | None = None
    after: datetime | None = None
    pinned: bool | None = None
    problems: list[str] = field(default_factory=list)


def parse_filter(text: str) -> tuple[MemoryFilter, str]:
    """The filter, and what to tell the person about parts that mean nothing ("" when all do)."""
    parts = _Parts()
    for match in _PART.finditer(text):
        phrase, word = match.groups()
        if phrase is not None:
            if phrase.strip():
                parts.phrases.append(phrase.strip())
        else:
            _read(parts, word)
    wanted = MemoryFilter(
        tuple(parts.words),
        tuple(parts.phrases),
        tuple(parts.kinds),
        tuple(parts.roles),
        tuple(parts.states),
        parts.before,
        parts.after,
        parts.pinned,
    )
    return wanted, " ".join(parts.problems)


def _read(parts: _Parts, word: str) -> None:
    name, colon, value = word.lower().partition(":")
    match name if colon else "":
        case "kind" if value in get_args(Kind):
            parts.kinds.append(cast(Kind, value))
        case "kind":
            parts.problems.append(f"kind: is one of {', '.join(get_args(Kind))}.")
        case "state" if value in get_args(State):
            parts.states.append(cast(State, value))
        case "state":
            parts.problems.append(f"state: is one of {', '.join(get_args(State))}.")
        case "by" if value in _WHO:
            parts.roles.append(cast(Role, _WHO[value]))
        case "by":
            parts.problems.append("by: is me or assistant.")
        case "pinned" if value in _YES_NO:
            parts.pinned = _YES_NO[value]
        case "pinned":
            parts.problems.append("pinned: is yes or no.")
        case "before" | "after" as side:
            _read_date(parts, side, value)
        case _:
            parts.words.append(word)


def _read_date(parts: _Parts, side: str, value: str) -> None:
    match = _DATE.fullmatch(value)
    try:
        if match is None:
            raise ValueError
        year, month, day = (int(part or 1) for part in match.groups())
        when = datetime(year, month, day, tzinfo=UTC)
    except ValueError:
        if value:  # half typed: say nothing yet
            parts.problems.append(f"{side}: takes a date, as 2026-01 or 2026-01-31.")
        return
    if side == "before":
        parts.before = when
    else:
        parts.after = when
