"""Stretches of days and how they are written: "29 May 2023", "the week of 29 May 2023", "2022".

Calendar arithmetic only; knows no text and no clock. Weeks begin on Monday; seasons are those of the
northern hemisphere.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_SEASON_START: Final = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}


@dataclass(frozen=True, slots=True)
class DateSpan:
    """Days [start, end) that a phrase names. `yearless`: the same days of any year ("in June").

    `text` is the phrase that stands for it without a reference time; `preposition` fits before it.
    """

    start: date
    end: date
    text: str
    preposition: str = ""
    yearless: bool = False

    def contains(self, day: date) -> bool:
        if not self.yearless:
            return self.start <= day < self.end
        last = self.end - timedelta(days=1)
        return (self.start.month, self.start.day) <= (day.month, day.day) <= (last.month, last.day)


def format_day(day: date) -> str:
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def day_span(day: date, part: str = "", *, weekday: bool = False) -> DateSpan:
    written = f"{WEEKDAYS[day.weekday()].capitalize()} " * weekday + format_day(day)
    end = day + timedelta(days=1)
    if part:
        return DateSpan(day, end, f"the {part.lower()} of {written}")
    return DateSpan(day, end, written, "on")


def week_span(day: date, weeks: int = 0) -> DateSpan:
    monday = day - timedelta(days=day.weekday()) + timedelta(weeks=weeks)
    return DateSpan(monday, monday + timedelta(days=7), f"the week of {format_day(monday)}")


def weekend_span(saturday: date) -> DateSpan:
    text = f"the weekend of {format_day(saturday)}"
    return DateSpan(saturday, saturday + timedelta(days=2), text)


def month_span(year: int, month: int) -> DateSpan:
    """A whole month; months outside 1..12 carry into the years."""
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    end = date(year + month // 12, month % 12 + 1, 1)
    return DateSpan(date(year, month, 1), end, f"{MONTHS[month - 1]} {year}", "in")


def year_span(year: int) -> DateSpan:
    return DateSpan(date(year, 1, 1), date(year + 1, 1, 1), str(year), "in")


def season_span(name: str, year: int) -> DateSpan:
    """The season that begins in `year`; winter runs into the next one."""
    name = "autumn" if name.lower() == "fall" else name.lower()
    start = month_span(year, _SEASON_START[name])
    end = month_span(year, _SEASON_START[name] + 3).start
    years = f"{year}-{year + 1}" if name == "winter" else str(year)
    return DateSpan(start.start, end, f"the {name} of {years}")


def shifted_span(today: date, unit: str, n: int) -> DateSpan:
    """The day, week, month or year `n` units after `today`, as coarse as the unit itself."""
    if unit == "day":
        return day_span(today + timedelta(days=n))
    if unit in ("week", "fortnight"):
        return week_span(today, n * (2 if unit == "fortnight" else 1))
    if unit == "month":
        return month_span(today.year, today.month + n)
    return year_span(today.year + n)
