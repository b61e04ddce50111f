"""What a question wants and what a text could give: a date, a number, a name. English; no store.

Answer typing as in question answering (Li and Roth 2002, coarse classes), by shape alone: no names,
dates or phrases of any data are listed here.
"""

import re
from typing import Final

ASKS: Final = 1  # ends in a question mark
DATE: Final = 2
NUMBER: Final = 4
NAME: Final = 8

_DATE: Final = re.compile(
    r"\b(?:(?:January|February|March|April|June|July|August|September|October|November|December)\b"
    r"|(?:in|of|since|until|by|from|last|next|this|\d{1,2}(?:st|nd|rd|th)?) May\b|May \d"
    r"|(?:19|20)\d\d\b|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|[Yy]esterday|[Tt]omorrow"
    r"|[Tt]onight|[Tt]oday|[Ww]eek(?:s|end|ends)?\b|\bago\b|\b(?:last|next) \w+)"
)
_NUMBER: Final = re.compile(
    r"\b(?:\d+|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|hundred"
    r"|thousand|once|twice|couple|half)\b",
    re.IGNORECASE,
)
# A capital inside a sentence, or the beginning of a quoted title.
_NAME: Final = re.compile(r"(?<=[a-z,] )(?!I\b)[A-Z][\w-]+|[\"\u201c][A-Z]")

_WANTS_DATE: Final = re.compile(
    r"^\W*(?:when|how long|since when|what (?:date|day|month|year|time)|(?:in|on|at|by|around) "
    r"(?:what|which) (?:date|day|month|year|week|time))\b",
    re.IGNORECASE,
)
_WANTS_NUMBER: Final = re.compile(
    r"\bhow (?:many|much|often|long|old|far|tall|big)\b", re.IGNORECASE
)
_WANTS_NAME: Final = re.compile(
    r"^\W*(?:where|who|whom|whose|which)\b|\b(?:city|town|country|state|place|company|name|names"
    r"|named|called|titles?|books?|films?|movies?|songs?|bands?|games?|brands?)\b",
    re.IGNORECASE,
)


def cues_of(text: str) -> int:
    """The bits of what a text could answer."""
    cues = ASKS if text.rstrip().endswith("?") else 0
    for bit, pattern in ((DATE, _DATE), (NUMBER, _NUMBER), (NAME, _NAME)):
        if pattern.search(text):
            cues |= bit
    return cues


def wanted_cues(question: str) -> int:
    """The bits of what a question asks for; 0 where its form does not say."""
    wanted = 0
    for bit, pattern in ((DATE, _WANTS_DATE), (NUMBER, _WANTS_NUMBER), (NAME, _WANTS_NAME)):
        if pattern.search(question):
            wanted |= bit
    return wanted
