"""How two statements stand to each other, and whether one is grounded in a text. Words only.

Says "equal", "within", "contains", "conflict", "caused", "similar" or "unrelated" by the content words, numbers and
negations of two short texts. It understands nothing: what it calls a conflict is a question to the
person, never a reason to drop a statement.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
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
_NUMBER_WORDS: Final = (
    "two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty"
)
_NUMBERS: Final = frozenset(_NUMBER_WORDS.split())
_OF_FIGURES: Final = _DATE_WORDS | _NUMBERS
_NOT_PLAIN: Final = frozenset(["longer", "former", "formerly", "anymore", "stopped", "quit"])
_NO_NAMES: Final = frozenset(month.capitalize() for month in _DATE_WORDS)
_CAUSE: Final = re.compile(
    r"\b(?:because(?:\s+of)?|due\s+to|thanks\s+to|after|since|on\s+account\s+of)\s+(?P<cause>[^,.;]+)",
    re.IGNORECASE,
)
_SUBJECT_WORDS: Final = "i we my our he she they it his her their its you your the this that both"
_SUBJECTS: Final = frozenset(_SUBJECT_WORDS.split())
_THE_PERSON: Final = frozenset({"person", "user"})  # how a model calls who spoke
_NAME: Final = re.compile(r"(?<=[a-z,;] )[A-Z][\w-]+")


@dataclass(frozen=True, slots=True)
class Related:
    """How the new text stands to an older thought. "within": the new one says no more than it."""

    thought_id: int
    relation: Relation
    reason: str = ""
    weight: float = 0.0


class Statement:
    """A text taken apart once, for it is compared with many."""

    def __init__(self, text: str) -> None:
        said = words(text)
        self.text = text
        self.meant = [stem(word) for word in said if word not in STOPWORDS]  # in order
        self.content = frozenset(self.meant)
        self.negated = bool(_NEGATION.search(text))
        self.stance = bool(self.content & _FOR) - bool(self.content & _AGAINST)
        self.subject = _subject(said)

    @cached_property
    def figures(self) -> frozenset[str]:
        return _figures(self.content)

    @cached_property
    def plain(self) -> frozenset[str]:
        return self.content - self.figures - _NOT_PLAIN

    @cached_property
    def names(self) -> frozenset[str]:
        found = (stem(name.lower()).capitalize() for name in _NAME.findall(self.text))
        return frozenset(found) - _NO_NAMES

    @cached_property
    def cause(self) -> frozenset[str]:
        """The words of the cause it gives; none where it gives none."""
        cause = _CAUSE.search(self.text)
        return Statement(cause["cause"]).plain if cause else frozenset()


def relate(new: str, old: str, thought_id: int) -> Related:
    """Compare a new statement with an older one."""
    return relate_statements(Statement(new), Statement(old), thought_id)


def relate_statements(new: Statement, old: Statement, thought_id: int) -> Related:
    agree = new.negated == old.negated and new.stance == old.stance
    if agree and (same := _same(new, old)) is not None:
        return Related(thought_id, same, weight=1.0)
    if reason := _contradiction(new, old):
        return Related(thought_id, "conflict", reason, 1.0)
    if new.cause and new.cause <= old.content:
        return Related(thought_id, "caused", f"said with {' '.join(sorted(new.cause))}", 1.0)
    shared = new.content & old.content
    overlap = len(shared) / max(len(new.content | old.content), 1)
    names = new.names & old.names
    if names or overlap >= SIMILAR_OVERLAP:
        reason = f"both mention {', '.join(sorted(names))}" if names else ""
        return Related(
            thought_id, "similar", reason or f"both say {', '.join(sorted(shared))}", overlap
        )
    return Related(thought_id, "unrelated", weight=overlap)


def _same(new: Statement, old: Statement) -> Relation | None:
    """Whether the two say the same of the same subject, one of them perhaps with more after it.

    The order of the words counts: "My sister has two cats" says nothing of whoever said "I have two
    cats", and "Anna helps Ben" is not "Ben helps Anna".
    """
    ours, theirs = new.meant, old.meant
    n = min(len(ours), len(theirs))
    if not n or new.subject != old.subject or ours[:n] != theirs[:n]:
        return None
    if len(ours) == len(theirs):
        return "equal"
    if n < MIN_WITHIN:
        return None
    if len(ours) < len(theirs):
        return "within"
    return None if _figures(ours[n:]) else "contains"


def _subject(said: Iterable[str]) -> str:
    """The word that says who or whose; "i" where it was left out ("Allergic to nuts")."""
    heads = (word.partition("'")[0] for word in said)
    found = next((word for word in heads if word in _SUBJECTS), "i")
    return {"we": "i", "our": "my"}.get(found, found)


def _contradiction(new: Statement, old: Statement) -> str:
    """Why the two may not both be true; empty where nothing says so, or of two subjects."""
    if new.subject != old.subject:
        return ""
    shared = new.plain & old.plain
    if new.stance * old.stance < 0:
        return "one for, one against" if shared - _FOR - _AGAINST else ""
    if not shared or len(shared) < CONFLICT_OVERLAP * len(new.plain | old.plain):
        return ""
    if new.negated != old.negated:
        return "one says yes, one says no"
    if new.plain == old.plain and new.figures and old.figures and new.figures != old.figures:
        return "same words, other figures or dates"
    return ""


def _figures(found: Iterable[str]) -> frozenset[str]:
    return frozenset(word for word in found if word[0].isdigit() or word in _OF_FIGURES)


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
