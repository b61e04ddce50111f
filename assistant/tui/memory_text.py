"""What stands beside the memory table, as text: details, neighbours, conflicts, the portrait.

Pure drawing: records in, `Content` out.
"""

from collections.abc import Sequence
from typing import Final

from textual.content import Content

from assistant.tui.session import Conflict, MemoryDetails, MemoryRow, Neighbour, PortraitLine
from assistant.tui.text import FAINT, day
from assistant.wording import clean, one_line

_BLOCKS: Final = "▁▂▃▄▅▆▇█"


def spark(values: Sequence[float]) -> str:
    """Numbers in [0, 1] as one line of blocks; the scale does not depend on them."""
    return "".join(
        _BLOCKS[min(len(_BLOCKS) - 1, int(max(0.0, min(1.0, value)) * len(_BLOCKS)))]
        for value in values
    )


def _title(text: str) -> Content:
    return Content.styled(text, "$primary bold")


def _faint(text: str) -> Content:
    return Content.styled(clean(text), FAINT)


def details_text(row: MemoryRow, details: MemoryDetails) -> Content:
    """Everything about one memory, the text first."""
    state = "" if row.state == "active" else f" · {row.state}"
    lines = [
        Content(clean(row.text)),
        _faint(
            f"{row.kind} {row.id} · {day(row.created)}{state}{' · pinned' if row.pinned else ''}"
        ),
    ]
    if details.curve:
        days = len(details.curve)
        lines += [
            Content(""),
            _title("Retention"),
            Content.assemble(
                Content.styled(spark(details.curve), "$accent"), _faint(f"  the next {days} days")
            ),
        ]
    if details.source:
        lines += [Content(""), _title("From"), Content(clean(details.source))]
    if details.history:
        lines += [Content(""), _title("History")]
        lines += [
            Content.assemble(_faint(f"{day(when)}  "), Content(one_line(what)))
            for when, what in details.history
        ]
    if details.neighbours:
        lines += [Content(""), _title("Neighbours"), *_tree(details.neighbours)]
    return Content("\n").join(lines)


def _tree(neighbours: Sequence[Neighbour], indent: str = "") -> list[Content]:
    lines: list[Content] = []
    for number, neighbour in enumerate(neighbours, 1):
        last = number == len(neighbours)
        lines.append(
            Content.assemble(
                _faint(
                    f"{indent}{'└' if last else '├'} {neighbour.how} · {day(neighbour.created)} "
                ),
                Content(one_line(neighbour.text, 120)),
            )
        )
        lines += _tree(neighbour.neighbours, indent + ("  " if last else "│ "))
    return lines


def conflict_text(conflicts: Sequence[Conflict]) -> Content:
    """The inbox: the first one can be decided, the rest wait under it."""
    if not conflicts:
        return Content.assemble(_title("Conflicts"), "\n\nNothing contradicts anything.")
    lines = [_title(f"Conflicts: {len(conflicts)}"), Content("")]
    for number, conflict in enumerate(conflicts):
        if conflict.reason:
            lines.append(_faint(conflict.reason))
        for name, row in (("newer", conflict.newer), ("older", conflict.older)):
            lines.append(
                Content.assemble(
                    _faint(f"{name} · {day(row.created)}  "), Content(one_line(row.text))
                )
            )
        if number == 0:
            lines.append(Content.styled("n keep newer  l keep older  b keep both", "$accent"))
        lines.append(Content(""))
    return Content("\n").join(lines)


def portrait_text(portrait: Sequence[PortraitLine]) -> Content:
    """Statements about the person, each with the messages it rests on."""
    if not portrait:
        return Content.assemble(_title("Portrait"), "\n\nThere is not enough to say yet.")
    lines = [
        _title("Portrait"),
        _faint("Made from what you said; change the sources to change it."),
    ]
    for statement in portrait:
        lines += [Content(""), Content(clean(statement.text))]
        lines += [
            _faint(f"  {day(when)}  {one_line(text, 120)}") for when, text in statement.sources
        ]
    return Content("\n").join(lines)
