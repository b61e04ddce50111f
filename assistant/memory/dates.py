"""Relative dates in English, resolved against the moment a text was written.

`resolve_dates("I moved last week", now)` gives "I moved the week of 29 May 2023". Pure text to text: no
store, no model, no clock (`now` is an argument, and the calendar day is the one in its own time zone).
Conservative: what is vague ("the other day", "recently"), habitual ("on Fridays"), idiomatic ("born
yesterday"), a title ("Last Week Tonight"), quoted, or code is left as it stands. A wrong date is
worse than none. It does not know languages other than English, holidays that move, or times of day.

`parse_query_dates` reads the other way: the days a question is about, for recall to filter or boost by.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Final

from assistant.memory.date_rules import RULES, Place
from assistant.memory.date_spans import (
    MONTHS,
    WEEKDAYS,
    DateSpan,
    day_span,
    month_span,
    season_span,
    year_span,
)

_PATTERNS: Final = tuple(re.compile(pattern, re.IGNORECASE) for pattern, _ in RULES)
_ANY: Final = re.compile(
    r"(?<![\w.@#$/\\_-])(?:"
    + "|".join(f"(?:{pattern})" for pattern, _ in RULES)
    + r")(?![\w(/\\_@=]|\.\w|-\w)",
    re.IGNORECASE,
)
_HINT: Final = re.compile(
    r"yesterday|today|tomorrow|tonight|\bago\b|\bback\b|last|next|\bthis\b|\bpast\b|from now|\bon\b|\bin\b",
    re.IGNORECASE,
)
# Not the person's own sentence, or not of this moment: code, addresses, quoted lines and speech.
_OPAQUE: Final = re.compile(
    r"```.*?(?:```|\Z)|`[^`\n]+`|https?://\S+|^(?:>|\t| {4})[^\n]*$|\"[^\"\n]*\"|“[^”\n]*”",
    re.DOTALL | re.MULTILINE,
)
_DETERMINER: Final = re.compile(
    r"\b(?:the|a|my|your|his|her|its|our|their|that|one|final|very|every|each|per|at|[\w]+['\u2019]s)\s+$",
    re.IGNORECASE,
)
_GOVERNED: Final = re.compile(
    r"\b(?:on|in|at|by|since|until|till|from|for|before|after|of|than|to|between|through|during|"
    r"around|about|the|this|that|as|early|late|mid|beyond|is|was|until|like|versus|vs)[\s-]+$",
    re.IGNORECASE,
)
_SUBJECT: Final = re.compile(
    r"['\u2019]s?\b|\s+(?:was|is|were|will|would|has|had|marks?|marked)\b", re.I
)
_LOOSE: Final = re.compile(r"\b(?:earlier|later)\s+$", re.IGNORECASE)


def find_relative_dates(text: str, now: datetime) -> Iterator[tuple[int, int, DateSpan]]:
    """The relative phrases of `text` that have one reading, as (start, end, span), in order."""
    if not _HINT.search(text):
        return
    opaque = [match.span() for match in _OPAQUE.finditer(text)]
    starts = [start for start, _ in opaque]
    for match in _ANY.finditer(text):
        start, end = match.span()
        at = bisect_right(starts, start) - 1
        if (at >= 0 and start < opaque[at][1]) or _is_title(text, start, end):
            continue
        span = _read(match.group(), Place(text, start, end, now.date()))
        if span is not None:
            yield start, end, span


def _read(phrase: str, place: Place) -> DateSpan | None:
    determined = _DETERMINER.search(place.text[max(0, place.start - 24) : place.start])
    if determined and re.match(r"(?:last|next|past|this)\b", phrase, re.IGNORECASE):
        return None  # "my last week there", "over the last year"
    for pattern, (_, rule) in zip(_PATTERNS, RULES, strict=True):
        if found := pattern.fullmatch(phrase):
            groups = tuple(" ".join(group.split()) if group else group for group in found.groups())
            try:
                return rule(groups, place)
            except (ValueError, OverflowError):  # before year 1 or after 9999
                return None
    return None


def _is_title(text: str, start: int, end: int) -> bool:
    """Capitals inside a sentence: the song "Yesterday", the show Last Week Tonight."""
    phrase = text[start:end]
    if phrase.isupper():
        return False
    last_word = phrase.split()[-1]
    if last_word[0].isupper() and last_word.lower() not in _PROPER:
        return " " in phrase.strip() or not _begins_sentence(text, start)
    return False


_PROPER: Final = {*WEEKDAYS, *map(str.lower, MONTHS), "christmas", "halloween", "eve", "day"}


def _begins_sentence(text: str, at: int) -> bool:
    before = text[:at].rstrip(" \t*_•-\u2013—('\"")
    return not before or before[-1] in ".!?:;\n…"


def resolve_dates(text: str, now: datetime) -> str:
    """`text` with its relative dates written as calendar dates; every other character is kept.

    Idempotent: resolving again, whenever, changes nothing that was resolved.
    """
    pieces, at = [], 0
    for start, end, span in find_relative_dates(text, now):
        pieces += [text[at:start], _fit(text, start, end, span)]
        at = end
    return "".join([*pieces, text[at:]]) if pieces else text


def _fit(text: str, start: int, end: int, span: DateSpan) -> str:
    """The span's words with the preposition and the capital letter that the sentence needs."""
    before = text[max(0, start - 24) : start]
    written = span.text
    if text[start : start + 3].lower() in ("on ", "in "):
        written = f"{text[start : start + 2].lower()} {written}"
    elif _LOOSE.search(before):
        written = f"{span.preposition or 'in'} {written}"
    elif span.preposition and not _GOVERNED.search(before) and not _SUBJECT.match(text, end):
        written = f"{span.preposition} {written}"
    capital = text[start].isupper() and (
        _begins_sentence(text, start) or not text[start + 1].isupper()
    )
    return written[0].upper() + written[1:] if capital else written


# ---- the days a text names outright ----

_MONTH_NAMES: Final = "|".join(f"{name}|{name[:3]}" if name != "May" else name for name in MONTHS)
_EXPLICIT: Final = re.compile(
    rf"\b(?P<d1>\d{{1,2}})(?:st|nd|rd|th)?(?:\s+of)?\s+(?P<m1>{_MONTH_NAMES})\b\.?,?(?:\s+(?P<y1>\d{{4}})\b)?"
    rf"|\b(?P<m2>{_MONTH_NAMES})\b\.?\s+(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\s+(?P<y2>\d{{4}})\b)?"
    r"|\b(?P<y3>\d{4})[-/](?P<m3>\d{1,2})[-/](?P<d3>\d{1,2})\b"
    rf"|\b(?P<m4>{_MONTH_NAMES})\b,?(?:\s+of)?\s+(?P<y4>\d{{4}})\b"
    r"|\b(?P<s5>spring|summer|autumn|fall|winter)(?:\s+of)?\s+(?P<y5>\d{4})\b"
    r"|\b(?P<y6>(?:19|20)\d\d)\b",
    re.IGNORECASE,
)
_BARE_MONTH: Final = re.compile(
    rf"\b(?:in|during|since|by|until|around|last|this|of|for|early|late|mid)[\s-]+(?P<month>{_MONTH_NAMES})\b"
    r"(?!\.?\s+\d)"
)
_TRAILING: Final = re.compile(
    r"\b(?:in|over|during|for|within)\s+the\s+(?:last|past)\s+(?:(?P<n>\d{1,3}|\w+)\s+)?"
    r"(?P<unit>day|week|month|year)s?\b",
    re.IGNORECASE,
)
_TRAILING_DAYS: Final = {"day": 1, "week": 7, "month": 31, "year": 366}
_COUNTS: Final = {"two": 2, "couple": 2, "three": 3, "few": 5, "four": 4, "five": 5, "six": 6}


def find_dates(text: str) -> list[DateSpan]:
    """The calendar dates written out in `text`, in order. Without a year they are `yearless`."""
    spans = []
    for match in _EXPLICIT.finditer(text):
        try:
            spans.append(_read_explicit({k: v for k, v in match.groupdict().items() if v}))
        except ValueError:  # 31 February, year 0
            continue
    return spans


def _read_explicit(found: dict[str, str]) -> DateSpan:
    parts = {name[0]: value for name, value in found.items()}
    year = int(parts["y"]) if "y" in parts else 2000  # a leap year, so that 29 February exists
    if "s" in parts:
        return season_span(parts["s"], year)
    if "m" not in parts:
        return year_span(year)
    month = int(parts["m"]) if parts["m"].isdigit() else _month_number(parts["m"])
    if "d" not in parts:
        return month_span(year, month)
    span = day_span(date(year, month, int(parts["d"])))
    return span if "y" in parts else _yearless(span)


def _yearless(span: DateSpan) -> DateSpan:
    return DateSpan(span.start, span.end, span.text[:-5], span.preposition, yearless=True)


def _month_number(name: str) -> int:
    return [month[:3].lower() for month in MONTHS].index(name[:3].lower()) + 1


def parse_query_dates(query: str, now: datetime) -> list[DateSpan]:
    """The stretches of days a question asks about; empty where it names none.

    A month or day without a year comes back `yearless`: it matches that month of any year.
    """
    spans = [span for _, _, span in find_relative_dates(query, now)]
    if spans:  # what is left after them may still name a date: "last week or in May 2022"
        query = _without_relative(query, now)
    spans += find_dates(query)
    for match in _BARE_MONTH.finditer(query):
        if match["month"][0].isupper():
            spans.append(_yearless(month_span(2000, _month_number(match["month"]))))
    for match in _TRAILING.finditer(query):
        number = match["n"] or "1"
        n = int(number) if number.isdigit() else _COUNTS.get(number.lower(), 1)
        start = now.date() - timedelta(days=min(n, 100) * _TRAILING_DAYS[match["unit"].lower()])
        spans.append(DateSpan(start, now.date() + timedelta(days=1), match.group()))
    return spans


def _without_relative(text: str, now: datetime) -> str:
    for start, end, _ in reversed(list(find_relative_dates(text, now))):
        text = f"{text[:start]} {text[end:]}"
    return text
