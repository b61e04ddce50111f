"""The default thought writer: rules that select sentences worth keeping. It writes nothing itself.

A thought is a stretch of the person's own message with its dates resolved. Left out first: code,
quotations, pasted text, questions, requests, greetings, hypotheses, fiction, and what is said of the
assistant. What remains is scored for what lasts: facts, preferences, plans, events and relations of
the person. A sentence that begins with "she" or "it" is taken together with the kept one before it, or
not at all. Knows text and a date; no store, no model. The words are in `exclusions` and `vocabulary`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time
from typing import Final, Literal, get_args

from assistant.conversation import english as e
from assistant.conversation import exclusions as x
from assistant.conversation import vocabulary as v
from assistant.conversation.slot_patterns import SLOTS
from assistant.memory.dates import find_dates, find_relative_dates, resolve_dates
from assistant.memory.sentences import split_sentences
from assistant.memory.slots import MAY_FILL, is_single_valued, names_region

Label = Literal["fact", "preference", "plan", "event", "relation"]
LABELS: Final[tuple[Label, ...]] = get_args(Label)

NAME: Final = "rules"
VERSION: Final = "3"

KEEP_SCORE: Final = 1.0  # default; what a sentence needs
MAX_CHARACTERS: Final = 400  # of one thought; a longer sentence is prose, found as its message
MIN_WORDS: Final = 3


@dataclass(frozen=True, slots=True)
class Selection:
    """Stretches [start, end) of a message that make one thought; `text` is their resolved form."""

    pieces: tuple[tuple[int, int], ...]
    text: str
    label: Label
    score: float
    slot: tuple[str, str, str] | None = None  # subject, relation, object
    event_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence that may become a thought. `reason` says why it may not; empty if it may."""

    start: int
    end: int
    text: str
    reason: str = ""
    stated: bool = False  # an entry of what the person lists about themselves


def select_thoughts(text: str, now: datetime) -> list[Selection]:
    """The thoughts of one message of the person, in order; often none."""
    chosen: list[Selection] = []
    before: Sentence | None = None  # the sentence right before, where it may say who "she" is
    sentences = read_sentences(text)
    asks = any(sentence.reason in ("question", "request") for sentence in sentences)
    for sentence in sentences:
        kept = None if sentence.reason else _select(sentence, chosen, before, text, now, asks)
        before = None if sentence.reason else sentence
        if kept is None:
            continue
        if chosen and kept.pieces[0] == chosen[-1].pieces[0]:
            chosen[-1] = kept
        else:
            chosen += _apart(kept, text, now)
    return chosen


def describe(statement: str, now: datetime) -> Selection:
    """What the person states by hand, as the rules would read it: its label, slot and date."""
    label, score = score_sentence(statement, now)
    return make_selection(statement, ((0, len(statement)),), label, now, score)


def _apart(kept: Selection, text: str, now: datetime) -> list[Selection]:
    """Two statements of one sentence as two thoughts, where one of them can be replaced later.

    "I live in Berlin and I work as a nurse": who moves is a nurse still.
    """
    (start, end), *more = kept.pieces
    if more or kept.slot is None or not is_single_valued(kept.slot[1]):
        return [kept]
    for joint in e.CLAUSES.finditer(text, start, end):
        halves = ((start, joint.start()), (joint.end(), end))
        scored = [score_sentence(text[a:b], now) for a, b in halves]
        if all(score >= KEEP_SCORE for _, score in scored):
            first, second = (
                make_selection(text, (piece,), label, now, score)
                for piece, (label, score) in zip(halves, scored, strict=True)
            )
            return [*_apart(first, text, now), *_apart(second, text, now)]
    return [kept]


def read_sentences(text: str) -> list[Sentence]:
    """Every sentence of a message, without its opening phrase, with why it cannot be a thought."""
    if x.FICTION.search(text) or x.EXERCISE.search(text) or x.is_sum(text):
        return [Sentence(a, b, text[a:b], "fiction") for a, b in split_sentences(text)]
    foreign = _foreign_spans(text)
    profile = v.PROFILE.search(text)
    sentences: list[Sentence] = []
    for start, end in split_sentences(text):
        bullet = v.BULLET.match(text, start, end)
        retracted = x.RETRACTS.match(text[start:end])
        mocks = x.MOCKS.match(text[start:end])
        start, end = _trim(text, bullet.end() if bullet else start, end)
        core = text[start:end]
        inside = any(a < end and start < b for a, b in foreign)
        stated = bool(bullet and profile and profile.end() <= start and core)
        reason = "quoted or code" if inside else "" if stated else _reason_to_drop(core)
        reason = "not meant" if mocks else reason
        if reason in _OF_ONE_CLAUSE and (clause := _sound_clause(core, reason)):
            start, end = start + clause[0], start + clause[1]
            core, reason = text[start:end], ""
        if retracted and sentences:
            sentences[-1] = replace(sentences[-1], reason="not meant")
        sentences.append(Sentence(start, end, core, reason, stated))
    return _leave_out_text(sentences)


def _leave_out_text(sentences: list[Sentence]) -> list[Sentence]:
    """Drop what a sentence asks work on: all after it, or all before it where it comes last."""
    at = next((i for i, s in enumerate(sentences) if x.TEXT_TASK.search(s.text)), None)
    if at is None:
        return sentences
    if at == len(sentences) - 1:
        at = -1
    return [
        replace(s, reason=s.reason or "a text") if i > at else s for i, s in enumerate(sentences)
    ]


# What one half of a sentence can be while the other states something.
_OF_ONE_CLAUSE: Final = frozenset({"hypothesis", "passing state", "small talk"})


def _sound_clause(core: str, reason: str) -> tuple[int, int] | None:
    """The half of a sentence that states something, where the other half is why it was dropped.

    "I've lived here for years and I'm thinking of leaving": the first half. What follows a
    supposition is part of it, so there the first half alone counts, as before small talk.
    """
    if x.SUPPOSES.match(core):
        return None
    for joint in e.CLAUSES.finditer(core):
        halves = [(0, joint.start()), (joint.end(), len(core))]
        for start, end in halves[: 2 if reason == "passing state" else 1]:
            if not _reason_to_drop(core[start:end]):
                return start, end
    return None


def _foreign_spans(text: str) -> list[tuple[int, int]]:
    """Stretches that are not the person speaking: code, quoted lines, quotations, pasted text."""
    spans = [match.span() for match in x.FOREIGN.finditer(text)]
    if pasted := x.PASTED.search(text):
        spans.append((pasted.start(), len(text)))
    pastes = filter(None, (paste.search(text) for paste in x.PASTES))
    return [*spans, *((begins.end() - 1, len(text)) for begins in pastes)]


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    """Drop an opening like "Hi!", "By the way," or "Remember that", and a question at the end."""
    if text[start:end].endswith("?") and (asked := v.LEADING_QUESTION.match(text, start, end)):
        start, end = asked.end(), end - 1
    while (opening := v.OPENING.match(text, start, end)) and opening.end() < end:
        start = opening.end()
    if text[start:end].endswith("?") and (asked := v.TRAILING_QUESTION.search(text, start, end)):
        end = asked.start()
    if request := v.TRAILING_REQUEST.search(text, start, end):
        end = request.start()
    if closing := v.CLOSING.search(text, start, end):
        end = closing.start()
    return start, end


def _reason_to_drop(core: str) -> str:
    core = e.with_apostrophes(core)
    if v.STANDING.search(core):
        return ""  # a wish for all answers, in the form of a request
    for reason, pattern in x.DROP:
        if pattern.search(core):
            return reason
    if len(core) > MAX_CHARACTERS:
        return "too long"
    if not e.is_english(core):
        return "not in English"
    known = v.PRONOUN_START.match(core) or v.SELF_START.match(core) or v.CONDITION.search(core)
    short = len(core.split()) + bool(known) < MIN_WORDS
    return "too short" if short else ""


def _select(
    sentence: Sentence,
    chosen: Sequence[Selection],
    before: Sentence | None,
    text: str,
    now: datetime,
    asks: bool,
) -> Selection | None:
    previous = chosen[-1] if chosen else None
    label, score = score_sentence(sentence.text, now, follows=previous is not None, asks=asks)
    score = max(score, KEEP_SCORE) if sentence.stated else score
    if score < KEEP_SCORE:
        return None
    piece = (sentence.start, sentence.end)
    if not v.PRONOUN_START.match(sentence.text):
        return make_selection(text, (piece,), label, now, score)
    named = before is not None and any(v.EVIDENCE[e].search(before.text) for e in v.NAMES_SOMEBODY)
    if before and named and (not previous or previous.pieces[-1][0] < before.start):
        if v.PRONOUN_START.match(before.text):
            return None
        return make_selection(text, ((before.start, before.end), piece), label, now, score)
    if previous is None or len(previous.text) + len(sentence.text) > MAX_CHARACTERS:
        return None  # nobody to say who "she" is
    return make_selection(text, (*previous.pieces, piece), previous.label, now, previous.score)


def make_selection(
    text: str,
    pieces: tuple[tuple[int, int], ...],
    label: Label,
    now: datetime,
    score: float = KEEP_SCORE,
) -> Selection:
    """Stretches of a message as one thought: dates resolved, slot and event time read off."""
    resolved = " ".join(resolve_dates(text[start:end], now).strip() for start, end in pieces)
    chosen = Selection(pieces, resolved, label, score, find_slot(resolved))
    for span in find_dates(resolved):
        if not span.yearless:
            midnight = datetime.combine(span.start, time(), tzinfo=now.tzinfo)
            return replace(chosen, event_time=midnight)
    return chosen


def score_sentence(
    sentence: str, now: datetime, *, follows: bool = False, asks: bool = False
) -> tuple[Label, float]:
    """What the sentence is, and how much speaks for keeping it.

    `follows`: the sentence right before it was kept, so a date or a name alone is evidence here.
    `asks`: the message asks for something else, so a sentence without a verb is its background.
    """
    sentence = e.with_apostrophes(sentence)
    found = {name for name, pattern in v.EVIDENCE.items() if pattern.search(sentence)}
    if any(find_relative_dates(sentence, now)):
        found.add("relative date")
    if find_dates(sentence) or v.DAY_AND_MONTH.search(sentence):
        found.add("date")
    _weigh_together(found, sentence, asks)
    score = sum(v.WEIGHTS[name] for name in found)
    if follows and found & {"relative date", "date", "name", "number", "copula", "third person"}:
        score += v.FOLLOWS_WEIGHT
    return _label(found), score


def _weigh_together(found: set[str], sentence: str, asks: bool) -> None:
    """Drop and add evidence that another piece of evidence makes void or stronger."""
    if "takes me" in found or ("life" in found and "passing thing" not in found):
        found -= v.OF_A_DAY  # "He died this morning." is no passing remark
    if "standing" in found:
        found -= {"task", "to the assistant"}  # it is about the answers to come
    if "event" in found:
        found.discard("have")  # "bought" is one verb
    if "past" in found and found & {"date", "relative date"}:
        found.add("dated past")
    if _has_verb(sentence):
        found -= v.OF_FRAGMENTS
    elif e.OF_THIS_TALK.search(sentence):
        found -= v.OF_SHORT_FRAGMENTS
    elif asks and not v.DETERMINED.match(sentence):
        found.add("background")
    elif sentence[-1:] not in ".!":
        found -= v.OF_SHORT_FRAGMENTS  # a search query has no full stop


def _has_verb(sentence: str) -> bool:
    """Whether the first part of a sentence, as far as its comma, has a verb of its own."""
    first = sentence.partition(",")[0]
    return bool(v.FINITE.search(first if " " in first else sentence))


def _label(found: set[str]) -> Label:
    """The label whose evidence is the most telling; "fact" where none is."""
    if "preference" in found:
        return "preference"
    if "plan" in found:
        return "plan"
    if "event" in found or ("past" in found and found & {"relative date", "date"}):
        return "event"
    if "relation" in found:
        return "relation"
    return "fact"


def find_slot(sentence: str) -> tuple[str, str, str] | None:
    """(subject, relation, object) where a pattern gives all three in the person's words, else None.

    The subject is "person" for the person who writes.
    """
    sentence = v.CORRECTED.sub("is ", v.NOT_THAT.sub("", sentence))
    if v.PAST_STATE.search(sentence):  # "I used to live in Rome" fills no slot of today
        clauses = [c for c in v.CLAUSE_END.split(sentence) if not v.PAST_STATE.search(c)]
        return next(filter(None, map(find_slot, clauses)), None)
    for pattern, subject, relation in SLOTS:
        if match := pattern.search(sentence):
            groups = {name: " ".join(found.split()) for name, found in match.groupdict().items()}
            value = groups["object"].strip(" .,!;")
            relation = relation.format(**groups).lower()
            if relation in MAY_FILL and names_region(value):
                relation = MAY_FILL[relation]
            return (subject.format(**groups).lower(), relation, value) if value else None
    return None
