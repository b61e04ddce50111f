"""How two statements stand to each other, and whether one is grounded in a text. Words only.

Says "equal", "within", "contains", "conflict", "caused", "similar" or "unrelated" by the content words, numbers and
negations of two short texts. It understands nothing: what it calls a conflict is a question to the
person, never a reason to drop a statement.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

from assistant.memory.date_spans import MONTHS, WEEKDAYS
from assistant.memory.sentences import STOPWORDS, content_words, stem, words

Relation = Literal["equal", "within", "contains", "conflict", "caused", "similar", "unrelated"]

CONFLICT_OVERLAP: Final = 0.6  # of the words without numbers; below, two statements are two topics
SIMILAR_OVERLAP: Final = 0.35
MIN_WITHIN: Final = 2  # content words; one shared word is no statement

_NEGATION: Final = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|neither|nor|without|cannot|stopped|quit|no longer|"
    r"used to|former|formerly|anymore)\b|n['\u2019]t\b",
    re.IGNORECASE,
)
_FOR: Final = frozenset({"love", "like", "enjoy", "adore", "prefer", "favourite", "favorite"})
_AGAINST: Final = frozenset({"hate", "dislike", "loathe", "detest", "avoid"})
_DATE_WORDS: Final = frozenset(
    {*(month.lower() for month in MONTHS), *WEEKDAYS, "week", "weekend", "night", "morning"}
)
_NUMBERS: Final = frozenset(
    [
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "twenty",
        "thirty",
        "forty",
        "fifty",
    ]
)
_NO_NAMES: Final = frozenset(month.capitalize() for month in _DATE_WORDS)
_CAUSE: Final = re.compile(
    r"\b(?:because(?:\s+of)?|due\s+to|thanks\s+to|after|since|on\s+account\s+of)\s+(?P<cause>[^,.;]+)",
    re.IGNORECASE,
)
_SUBJECTS: Final = frozenset(
    [
        "i",
        "we",
        "my",
        "our",
        "he",
        "she",
        "they",
        "it",
        "his",
        "her",
        "their",
        "its",
        "you",
        "your",
        "the",
        "this",
        "that",
        "both",
    ]
)
_THE_PERSON: Final = frozenset({"person", "user"})  # how a model calls who spoke
_NAME: Final = re.compile(r"(?<=[a-z,;] )[A-Z][\w-]+")


@dataclass(frozen=True, slots=True)
class Related:
    """How the new text stands to an older thought. "within": the new one says no more than it."""

    thought_id: int
    relation: Relation
    reason: str = ""
    weight: float = 0.0


def relate(new: str, old: str, thought_id: int) -> Related:
    """Compare a new statement with an older one."""
    ours, theirs = content_words(new), content_words(old)
    agree = _polarity(new) == _polarity(old) and _stance(ours) == _stance(theirs)
    if agree and (same := _same(new, old)) is not None:
        return Related(thought_id, same, weight=1.0)
    if reason := _contradiction(new, old, ours, theirs):
        return Related(thought_id, "conflict", reason, 1.0)
    cause = _CAUSE.search(new)
    if cause and (named := _plain(content_words(cause["cause"]))) and named <= theirs:
        return Related(thought_id, "caused", f"said with {' '.join(sorted(named))}", 1.0)
    shared = ours & theirs
    overlap = len(shared) / max(len(ours | theirs), 1)
    names = _names(new) & _names(old)
    if names or overlap >= SIMILAR_OVERLAP:
        reason = f"both mention {', '.join(sorted(names))}" if names else ""
        return Related(
            thought_id, "similar", reason or f"both say {', '.join(sorted(shared))}", overlap
        )
    return Related(thought_id, "unrelated", weight=overlap)


def _same(new: str, old: str) -> Relation | None:
    """Whether the two say the same of the same subject, one of them perhaps with more after it.

    The order of the words counts: "My sister has two cats" says nothing of whoever said "I have two
    cats", and "Anna helps Ben" is not "Ben helps Anna".
    """
    ours, theirs = _meant(new), _meant(old)
    n = min(len(ours), len(theirs))
    if not n or _subject(new) != _subject(old) or ours[:n] != theirs[:n]:
        return None
    if len(ours) == len(theirs):
        return "equal"
    if n < MIN_WITHIN:
        return None
    if len(ours) < len(theirs):
        return "within"
    return None if _figures(set(ours[n:])) else "contains"


def _meant(text: str) -> list[str]:
    """The content words in the order they were said."""
    return [stem(word) for word in words(text) if word not in STOPWORDS]


def _subject(text: str) -> str:
    """The word that says who or whose; "i" where it was left out ("Allergic to nuts")."""
    said = (word.partition("'")[0] for word in words(text))
    found = next((word for word in said if word in _SUBJECTS), "i")
    return {"we": "i", "our": "my"}.get(found, found)


def _contradiction(new: str, old: str, ours: set[str], theirs: set[str]) -> str:
    """Why the two may not both be true; empty where nothing says so, or of two subjects."""
    if _subject(new) != _subject(old):
        return ""
    plain_ours, plain_theirs = _plain(ours), _plain(theirs)
    overlap = len(plain_ours & plain_theirs) / max(len(plain_ours | plain_theirs), 1)
    if _stance(ours) * _stance(theirs) < 0:
        stance = _FOR | _AGAINST
        return "one for, one against" if (plain_ours & plain_theirs) - stance else ""
    if overlap < CONFLICT_OVERLAP or not plain_ours & plain_theirs:
        return ""
    if _polarity(new) != _polarity(old):
        return "one says yes, one says no"
    figures = _figures(ours), _figures(theirs)
    if plain_ours == plain_theirs and all(figures) and figures[0] != figures[1]:
        return "same words, other figures or dates"
    return ""


def _polarity(text: str) -> bool:
    return bool(_NEGATION.search(text))


def _stance(found: set[str]) -> int:
    return bool(found & _FOR) - bool(found & _AGAINST)


def _figures(found: set[str]) -> set[str]:
    return {word for word in found if word[0].isdigit() or word in _DATE_WORDS | _NUMBERS}


def _plain(found: set[str]) -> set[str]:
    return found - _figures(found) - {"longer", "former", "formerly", "anymore", "stopped", "quit"}


def _names(text: str) -> set[str]:
    return {stem(name.lower()).capitalize() for name in _NAME.findall(text)} - _NO_NAMES


def ungrounded_words(text: str, source: str, *, loose: bool = False) -> list[str]:
    """The content words of `text` that `source` lacks, in order; none where it is grounded.

    `source` is the message with its resolved form, so a resolved date counts as said. `loose` lets an
    inflected form pass ("lives" for "living"), for wording that a model made.
    """
    said = {stem(word) for word in words(source)}
    missing = []
    for word in words(text):
        if word in said or stem(word) in said or not content_words(word):
            continue
        if loose and (
            stem(word) in _THE_PERSON or any(_share_a_root(word, other) for other in said)
        ):
            continue
        missing.append(word)
    return missing


def _share_a_root(a: str, b: str) -> bool:
    n = max(4, min(len(a), len(b)) - 3)
    return len(a) > 3 and len(b) > 3 and a[:n] == b[:n] and abs(len(a) - len(b)) <= 3
