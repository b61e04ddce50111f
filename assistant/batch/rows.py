"""The rows of a batch: what a line of input may say, and everything that is refused up front.

Knows JSON lines; nothing of models or of what is done with a row.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from assistant.errors import InputError

KEYS: Final = ("id", "prompt", "session", "system", "meta")
REMEDY: Final = (
    'A row is {"id": "1", "prompt": "...", "session"?: "...", "system"?: "...", "meta"?: {}}.'
)


@dataclass(frozen=True, slots=True)
class Row:
    """One question. Rows of one session are one conversation, answered in the order they stand."""

    id: str | int
    prompt: str
    session: str | None = None
    system: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)


def read_rows(text: str) -> list[Row]:
    """Every row of the input. Raises InputError on the first line that is no row, on an empty
    input and on an id that stands twice: nothing is answered before all of it is in order."""
    rows = [
        _row(line, number) for number, line in enumerate(text.split("\n"), start=1) if line.strip()
    ]
    if not rows:
        raise InputError("The input has no rows.", REMEDY)
    twice = [str(id) for id, count in Counter(str(row.id) for row in rows).items() if count > 1]
    if twice:
        shown = ", ".join(twice[:5]) + (", ..." if len(twice) > 5 else "")
        raise InputError(f"Ids that stand more than once: {shown}.", "Give every row its own id.")
    return rows


def _row(line: str, number: int) -> Row:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise InputError(f"Line {number} is not JSON: {error}.", REMEDY) from None
    if not isinstance(value, dict):
        raise InputError(f"Line {number} is not a JSON object.", REMEDY)
    unknown = sorted(set(value) - set(KEYS))
    if unknown:
        raise InputError(f"Line {number} has a key {unknown[0]!r} that no row has.", REMEDY)
    _check(value, number)
    session = value.get("session")
    return Row(
        id=value.get("id", number),
        prompt=value["prompt"],
        session=None if session is None else str(session),
        system=value.get("system"),
        meta=value.get("meta") or {},
    )


def _check(value: Mapping[str, Any], number: int) -> None:
    """Types of the members. Raises InputError."""
    prompt, meta = value.get("prompt"), value.get("meta") or {}
    fits = {
        "prompt": isinstance(prompt, str) and bool(prompt.strip()),
        "id": isinstance(value.get("id", number), str | int),
        "session": isinstance(value.get("session"), str | int | None),
        "system": isinstance(value.get("system"), str | None),
        "meta": isinstance(meta, dict),
    }
    for name, right in fits.items():
        if not right:
            missing = name == "prompt" and prompt is None
            what = f"has no {name}" if missing else f"has a {name} of the wrong kind"
            raise InputError(f"Line {number} {what}.", REMEDY)


def digest(rows: Sequence[Row]) -> str:
    """What the input asks, as one hash: blank lines and the order of keys do not count."""
    told = [[row.id, row.prompt, row.session, row.system, dict(row.meta)] for row in rows]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
