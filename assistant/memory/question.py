"""A query taken apart: its terms, the dates and speakers it names, what it asks for and of whom."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from assistant.memory.cues import wanted_cues
from assistant.memory.date_spans import DateSpan
from assistant.memory.dates import parse_query_dates
from assistant.memory.words import content_words, replace_speakers, stem

# The person asks what the assistant said: only then may its messages be recalled.
_SAYING: Final = (
    r"(?:say|said|tell|told|mention(?:ed)?|recommend(?:ed)?|suggest(?:ed)?|answer(?:ed)?|repl(?:y|ied)"
    r"|advise[d]?|explain(?:ed)?|write|wrote|propose[d]?|call(?:ed)?|give|gave|list(?:ed)?|show(?:ed)?"
    r"|promise[d]?|claim(?:ed)?|come up with|came up with)"
)
_OF_ASSISTANT: Final = re.compile(
    rf"\b(?:you|the assistant)(?:'d| had| have|'ve)?(?: just| also| once| already| previously| ever)*"
    rf" {_SAYING}\b|\byour (?:\w+ )?(?:answer|reply|recommendation|suggestion|advice|idea|explanation"
    r"|list|message|poem|story|joke|recipe|plan|code|summary|draft)s?\b",
    re.IGNORECASE,
)
# "Did you say ...?" and "what do you recommend?": the first asks what was said, the second does not.
_NEW_REQUEST: Final = re.compile(
    r"\b(?:do|can|could|would|will|should) you(?: please)? " + _SAYING, re.IGNORECASE
)
_FIRST_PERSON: Final = re.compile(r"\b(?:I|me|my|mine|myself|we|our)\b")


@dataclass(frozen=True, slots=True)
class Question:
    """What recall knows of a query before it looks at a memory."""

    text: str  # without the names of speakers
    terms: tuple[str, ...]  # stemmed content words, each once
    dates: tuple[DateSpan, ...]
    speakers: frozenset[str]  # that it names
    wanted: int  # bits of `cues.CUES`
    asks_assistant: bool  # what the assistant said
    asks_self: bool  # about the person


def take_apart(query: str, speakers: Collection[str], now: datetime) -> Question:
    bare = replace_speakers(query, speakers)
    terms = dict.fromkeys(stem(word) for word in content_words(bare))
    terms.pop("", None)
    return Question(
        text=bare,
        terms=tuple(terms),
        dates=tuple(parse_query_dates(query, now)),
        speakers=frozenset(name for name in speakers if name and names_speaker(query, name)),
        wanted=wanted_cues(query),
        asks_assistant=asks_assistant(query),
        asks_self=bool(_FIRST_PERSON.search(query)),
    )


def asks_assistant(query: str) -> bool:
    """Whether a query asks for what the assistant said before."""
    return bool(_OF_ASSISTANT.search(_NEW_REQUEST.sub(" ", query)))


def names_speaker(query: str, name: str) -> bool:
    return replace_speakers(query, [name]) != query
