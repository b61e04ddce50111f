"""How facts are worded for a person, in any front end: foreign text made safe to show, and counts.

People, models, memories and file names may hold anything. Control characters reach the terminal
itself (OSC 52 writes the clipboard) and some marks make a text look like another one, so
everything foreign goes through `clean` before it is shown.
"""

import re
from typing import Final

# A whole escape sequence goes, not its first byte alone: CSI, then OSC/DCS/PM/APC, then the rest.
# A string that nothing ends loses only its head: what follows may be all of a memory.
_ESCAPE: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]"
)
# What may not be shown: C0 but tab and newline, DEL, C1 (0x9b is CSI in one byte); the bidirectional
# overrides and isolates, with which a text can show other characters than it holds; what no UTF-8
# can carry. The marks U+061C, U+200E and U+200F stay: right-to-left text needs them.
UNSAFE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_PLURAL_END: Final = re.compile(r"(ies|s)(?= of |$)")
_LINE_END: Final = re.compile("\r\n|[\r\u2028\u2029]")


def clean(text: str) -> str:
    """`text` without anything that a terminal would act on. Line ends are LF, tabs are kept."""
    return UNSAFE.sub("", _ESCAPE.sub("", _LINE_END.sub("\n", text)))


def one_line(text: str, width: int = 0) -> str:
    """`clean` text on one line; cut to `width` characters with an ellipsis where width > 0."""
    line = " ".join(clean(text).split())
    return line[: width - 1].rstrip() + "…" if 0 < width < len(line) else line


def count(n: int, noun: str) -> str:
    """ "1 memory", "3 memories", "2 chats"."""
    plural = (
        f"{noun[:-1]}ies" if noun.endswith("y") else noun + ("es" if noun.endswith("s") else "s")
    )
    return f"{n} {noun if n == 1 else plural}"


def count_of(n: int, plural: str) -> str:
    """The same of a noun that is known by its plural: "1 memory", "1 line of prompt history"."""
    return f"{n} {plural if n != 1 else _PLURAL_END.sub(_singular_end, plural, count=1)}"


def _singular_end(end: re.Match[str]) -> str:
    return "y" if end[1] == "ies" else ""
