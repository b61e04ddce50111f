"""The phrases that name a date relative to now, one pattern and one function each.

A rule gets the groups of its pattern and the place it was found, and returns the days meant, or None
where the words have another reading ("I read it in two days", "next summer" said in spring). It does
not know code, quotation or titles: `dates` leaves those out before it asks.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from typing import Final

from assistant.memory.date_spans import (
    MONTHS,
    WEEKDAYS,
    DateSpan,
    day_span,
    format_day,
    month_span,
    season_span,
    shifted_span,
    week_span,
    weekend_span,
)

_HOLIDAYS: Final = {
    "christmas": (12, 25, "Christmas"),
    "halloween": (10, 31, "Halloween"),
    "new year's eve": (12, 31, "New Year's Eve"),
    "valentine's day": (2, 14, "Valentine's Day"),
}
_NUMBERS: Final = {
    word: number
    for number, word in enumerate(
        (
            "one",
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
        ),
        1,
    )
} | {"a": 1, "an": 1}


@dataclass(frozen=True)
class Place:
    """Where a phrase was found: what a rule may look at to decide."""

    text: str
    start: int
    end: int
    today: date

    @cached_property
    def tense(self) -> str:
        """ "past", "future", or "" where the sentence shows neither or both.

        A present that says when is a timetable's, and means what comes: "The test is on Friday."
        """
        begin = max(self.text.rfind(mark, 0, self.start) for mark in ".!?\n") + 1
        ends = [at for mark in ".!?\n" if (at := self.text.find(mark, self.end)) >= 0]
        sentence = self.text[begin : min(ends, default=len(self.text))]
        past = bool(_PAST.search(_PARTICIPLE_ADJECTIVE.sub(" ", sentence)))
        future = bool(_FUTURE.search(sentence) or (not past and _TIMED.search(sentence)))
        return "" if past == future else "past" if past else "future"


_Groups = tuple[str | None, ...]
_Rule = tuple[str, Callable[[_Groups, Place], DateSpan | None]]


_FUTURE: Final = re.compile(
    r"\b(?:will|won't|shall|gonna|going to|about to|(?:plan|hope|want|need|intend|due|supposed) to|"
    r"planning (?:to|on)|must|upcoming|(?:come|arrive|start|begin|end|leave|open|close|expire|run)s)\b|['\u2019]ll\b|\b(?:am|is|are)\s+\w{2,}ing\b|"
    r"['\u2019](?:m|re|s)\s+\w{2,}ing\b",
    re.IGNORECASE,
)
_TIMED: Final = re.compile(
    rf"(?:\b(?:is|are|am|have|has|got)\b|['\u2019](?:s|m|re|ve)\b).*\bon\s+(?:{'|'.join(WEEKDAYS)})\b",
    re.IGNORECASE | re.DOTALL,
)
_PARTICIPLE_ADJECTIVE: Final = re.compile(
    r"(?:\b(?:am|is|are|be|get|gets|feel|i)|['\u2019](?:m|re|s))\s+(?:(?:so|very|really|not|all)\s+)?"
    r"\w+ed\s+(?:to|for|about|that|by|with)\b",
    re.IGNORECASE,
)
_PAST: Final = re.compile(
    r"\b(?:was|were|did|didn't|had|went|came|got|saw|met|bought|took|made|gave|told|said|left|found|"
    r"began|won|lost|ran|ate|flew|drove|wrote|read out|sold|sent|kept|broke|fell|felt|thought|became|"
    r"(?!need|feed|speed|seed|breed|indeed|wed\b|red\b|bed\b|hundred|sacred|naked)\w{2,}ed)\b",
    re.IGNORECASE,
)


def _count(word: str) -> int | None:
    word = word.lower()
    return int(word) if word.isdigit() else _NUMBERS.get(word)


def _named_day(groups: _Groups, place: Place) -> DateSpan | None:
    word, part = (group or "" for group in groups)
    offset = {"yesterday": -1, "today": 0, "tomorrow": 1}[word.lower()]
    before = place.text[max(0, place.start - 24) : place.start]
    after = place.text[place.end : place.end + 24]
    if _DAY_IDIOM_BEFORE.search(before) or _DAY_IDIOM_AFTER.match(after):
        return None
    return day_span(place.today + timedelta(days=offset), part)


_DAY_IDIOM_BEFORE: Final = re.compile(
    r"(?:\bno|n['\u2019]t born|not born|\bhere|\bgone|like there was no|\bkids|\bpeople|\bworld)[\s,]+$",
    re.IGNORECASE,
)
_DAY_IDIOM_AFTER: Final = re.compile(
    r"['\u2019]s\s+(?:world|news|society|youth|kids|age|standards|technology|economy)|,?\s+gone tomorrow",
    re.IGNORECASE,
)


def _two_days_off(groups: _Groups, place: Place) -> DateSpan:
    return day_span(place.today + timedelta(days=-2 if groups[0] == "before yesterday" else 2))


def _part_of_today(groups: _Groups, place: Place) -> DateSpan:
    return day_span(place.today, groups[0] or "night")


def _night_before(groups: _Groups, place: Place) -> DateSpan:
    return day_span(place.today - timedelta(days=2 if groups[0] else 1), "night")


def _two_units_off(groups: _Groups, place: Place) -> DateSpan:
    unit, before = (groups[0] or "").lower(), (groups[1] or "").lower().startswith("before")
    sign = -2 if before else 2
    if unit == "weekend":
        return weekend_span(
            _saturday(place.today, last=True) + timedelta(weeks=-1 if before else 2)
        )
    return shifted_span(place.today, unit, sign)


def _saturday(today: date, *, last: bool) -> date:
    """The Saturday of the latest weekend that has begun, or, on a weekend, of the one before."""
    saturday = today - timedelta(days=(today.weekday() - 5) % 7)
    return saturday - timedelta(weeks=1) if last and today.weekday() >= 5 else saturday


def _unit(groups: _Groups, place: Place) -> DateSpan | None:
    which, unit = ((group or "").lower() for group in groups)
    offset = {"last": -1, "past": -1, "this": 0, "this past": -1, "this coming": 1, "next": 1}
    if unit == "weekend":
        return _relative_weekend(which, place)
    return shifted_span(place.today, unit, offset[which])


def _relative_weekend(which: str, place: Place) -> DateSpan | None:
    today = place.today
    if which in ("last", "past", "this past"):
        return weekend_span(_saturday(today, last=which == "last"))
    this = today + timedelta(days=5 - today.weekday())  # of the running week
    if which == "this" and today.weekday() < 5 and place.tense == "past":
        return weekend_span(this - timedelta(weeks=1))
    if which in ("this", "this coming"):
        return weekend_span(this)
    if today.weekday() >= 5:
        return weekend_span(this + timedelta(weeks=1))
    later = this + timedelta(weeks=1)  # "next weekend" said on a Tuesday means either
    return replace(weekend_span(later), start=this, text=f"the weekend of {_either(this, later)}")


def _either(first: date, second: date) -> str:
    if (first.year, first.month) == (second.year, second.month):
        return f"{first.day} or {format_day(second)}"
    return f"{format_day(first)} or {format_day(second)}"


def _weekday(groups: _Groups, place: Place) -> DateSpan | None:
    which, name, part = ((group or "").lower() for group in groups)
    wanted, today = WEEKDAYS.index(name), place.today
    previous = today - timedelta(days=(today.weekday() - wanted - 1) % 7 + 1)
    coming = today + timedelta(days=(wanted - today.weekday() - 1) % 7 + 1)
    if which in ("last", "past", "this past") or (which == "on" and place.tense == "past"):
        return day_span(previous, part, weekday=True)
    if which == "this coming" or (which == "on" and place.tense == "future"):
        return day_span(coming, part, weekday=True)
    if which == "this":
        return day_span(today + timedelta(days=wanted - today.weekday()), part, weekday=True)
    if which != "next":
        return None
    later = today + timedelta(days=wanted - today.weekday(), weeks=1)
    if later == coming:
        return day_span(later, part, weekday=True)
    either = f"{name.capitalize()} {_either(coming, later)}"  # said on a Monday it means either
    span = DateSpan(coming, later + timedelta(days=1), either, "on")
    return replace(span, text=f"the {part} of {either}", preposition="") if part else span


def _weekday_of_week(groups: _Groups, place: Place) -> DateSpan:
    name, part, which = ((group or "").lower() for group in groups)
    monday = week_span(place.today, {"last": -1, "this": 0, "next": 1}[which]).start
    return day_span(monday + timedelta(days=WEEKDAYS.index(name)), part, weekday=True)


def _month_of_year(groups: _Groups, place: Place) -> DateSpan | None:
    name, which = groups[0] or "", (groups[1] or "").lower()
    if not name[0].isupper():
        return None
    year = place.today.year + {"last": -1, "this": 0, "next": 1}[which]
    return month_span(year, MONTHS.index(name.capitalize()) + 1)


def _month(groups: _Groups, place: Place) -> DateSpan | None:
    which, name = (groups[0] or "").lower(), groups[1] or ""
    if not name[0].isupper():
        return None  # "may", "march"
    wanted, today = MONTHS.index(name.capitalize()) + 1, place.today
    if which == "this":
        return month_span(today.year, wanted)
    if which == "last" or (which == "in" and place.tense == "past"):
        ended = wanted < today.month or (which == "in" and wanted == today.month)
        return month_span(today.year - (not ended), wanted)
    if which == "next" or (which == "in" and place.tense == "future"):
        return month_span(today.year + (wanted <= today.month), wanted)
    return None


def _season(groups: _Groups, place: Place) -> DateSpan | None:
    which, name, today = (groups[0] or "").lower(), (groups[1] or "").lower(), place.today
    spans = [season_span(name, today.year + offset) for offset in (-2, -1, 0, 1)]
    if which == "last":
        return max((span for span in spans if span.end <= today), key=lambda span: span.start)
    running = [span for span in spans if span.start <= today < span.end]
    if which == "this":
        return running[0] if running else None if name == "winter" else spans[2]
    # "next summer" said in spring means this year's or the one after: left alone
    return spans[3] if spans[2].start <= today else None


def _holiday(groups: _Groups, place: Place) -> DateSpan | None:
    which = (groups[0] or "").lower()
    month, day, name = _HOLIDAYS[(groups[1] or "").lower().replace("\u2019", "'")]
    held = date(place.today.year, month, day)
    year = place.today.year + {
        "last": -(held >= place.today),
        "this": 0,
        "next": int(held <= place.today),
    }.get(which, 0)
    held = date(year, month, day)
    return DateSpan(held, held + timedelta(days=1), f"{name} {year}")


def _ago(groups: _Groups, place: Place) -> DateSpan | None:
    modifier, number, unit, exact = ((group or "").lower() for group in groups)
    n, today = _count(number), place.today
    if (
        modifier or n is None
    ):  # "about two years", "a few days": the words stay, the anchor is named
        words = re.sub(r"\s+(?:ago|back)\b.*$", "", place.text[place.start : place.end])
        start = shifted_span(today, unit, -min(n or 10, 50)).start
        return DateSpan(start, today, f"{words} before {format_day(today)}")
    if n > 150 or (unit == "day" and n > 3000):
        return None
    if exact:
        anchor = today - timedelta(days=1) if exact == "yesterday" else today
        return _anniversary(anchor, unit, -n)
    return shifted_span(today, unit, -n)


def _anniversary(anchor: date, unit: str, n: int) -> DateSpan | None:
    """The same day `n` units off: "a year ago today"."""
    if unit in ("day", "week", "fortnight"):
        return day_span(anchor + n * timedelta(days={"day": 1, "week": 7, "fortnight": 14}[unit]))
    target = shifted_span(anchor, unit, n).start
    month = target.month if unit == "month" else anchor.month
    try:
        return day_span(date(target.year, month, anchor.day))
    except ValueError:  # 29 February, 31 of a shorter month
        return month_span(target.year, month)


def _ahead(groups: _Groups, place: Place) -> DateSpan | None:
    number, unit, certain = ((group or "").lower() for group in groups)
    n = _count(number)
    if n is None or n > 150 or not (certain or place.tense == "future"):
        return None  # "I read it in two days" is how long it took
    return shifted_span(place.today, unit, n)


def _from_now(groups: _Groups, place: Place) -> DateSpan | None:
    number, unit, anchor = ((group or "").lower() for group in groups)
    n = _count(number)
    if n is None or n > 150:
        return None
    if anchor == "now":
        return shifted_span(place.today, unit, n)
    return _anniversary(place.today + timedelta(days=anchor == "tomorrow"), unit, n)


_DAY_NAMES: Final = "|".join(WEEKDAYS)
_MONTH_NAMES: Final = "|".join(MONTHS)
_PARTS: Final = "morning|afternoon|evening|night"
_N: Final = r"(\d{1,3}|" + "|".join(_NUMBERS) + ")"
_VAGUE: Final = (
    r"(\d{1,3}|a\s+few|a\s+couple\s+of|a\s+couple|several|some|" + "|".join(_NUMBERS) + ")"
)
_UNITS: Final = "(day|week|fortnight|month|year)"
_NOT_NAMED: Final = r"(?!\s+of\b|\s+\d|\s+(?:of\s+)?(?:last|this|next)\s+(?:week|year)\b)"

RULES: Final[tuple[_Rule, ...]] = (
    (r"the\s+day\s+(before\s+yesterday|after\s+tomorrow)", _two_days_off),
    (r"the\s+night\s+(before\s+last)|last\s+night", _night_before),
    (
        r"the\s+(week|weekend|month|year)\s+(before\s+last|after\s+next)" + _NOT_NAMED,
        _two_units_off,
    ),
    (rf"(yesterday|today|tomorrow)(?:\s+({_PARTS}))?", _named_day),
    (r"this\s+(morning|afternoon|evening)|tonight", _part_of_today),
    (rf"({_DAY_NAMES})(?:\s+({_PARTS}))?(?:\s+of)?\s+(last|this|next)\s+week", _weekday_of_week),
    (rf"({_MONTH_NAMES})(?:\s+of)?\s+(last|this|next)\s+year", _month_of_year),
    (
        rf"(last|past|this\s+past|this\s+coming|this|next|on)\s+({_DAY_NAMES})(?:\s+({_PARTS}))?"
        + _NOT_NAMED,
        _weekday,
    ),
    (rf"(last|this|next|in)\s+({_MONTH_NAMES})" + _NOT_NAMED, _month),
    (r"(last|this|next)\s+(spring|summer|autumn|fall|winter)" + _NOT_NAMED, _season),
    (
        r"(last|this|next)\s+(christmas|halloween|new\s+year['\u2019]s\s+eve|valentine['\u2019]s\s+day)"
        + _NOT_NAMED,
        _holiday,
    ),
    (
        r"(last|this\s+past|this\s+coming|this|next)\s+(weekend|week|month|year)" + _NOT_NAMED,
        _unit,
    ),
    (
        r"(?:(about|around|roughly|almost|nearly|over|under|(?:more|less)\s+than|at\s+least)\s+)?"
        rf"{_VAGUE}\s+{_UNITS}s?\s+(?:ago(?:\s+(today|yesterday))?|back(?!\s+(?:from|to|in|into|at)\b))"
        rf"(?!\s+(?:on\s+)?(?:{_DAY_NAMES})\b)",
        _ago,
    ),
    (rf"{_N}\s+{_UNITS}s?\s+from\s+(now|today|tomorrow)", _from_now),
    (rf"in\s+{_N}\s+{_UNITS}s?(['\u2019]s?\s+time)?", _ahead),
)
