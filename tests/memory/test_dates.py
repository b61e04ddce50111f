"""Relative dates against a fixed Wednesday, 7 June 2023, and what must never be touched."""

import re
from datetime import UTC, date, datetime

import pytest
from hypothesis import example, given, settings

from assistant.memory.dates import find_dates, parse_query_dates, resolve_dates
from strategies import moments, prose, relative_phrases

NOW = datetime(2023, 6, 7, 15, 0, tzinfo=UTC)  # a Wednesday


@pytest.mark.parametrize(
    ("text", "resolved"),
    [
        ("Anna moved to Lisbon last week.", "Anna moved to Lisbon the week of 29 May 2023."),
        ("Yesterday I ran.", "On 6 June 2023 I ran."),
        ("yesterday was long", "6 June 2023 was long"),
        ("I saw her two days ago.", "I saw her on 5 June 2023."),
        ("I bought it last Friday.", "I bought it on Friday 2 June 2023."),
        ("last Friday night we sang", "the night of Friday 2 June 2023 we sang"),
        ("I start next month.", "I start in July 2023."),
        ("I moved here in March.", "I moved here in March 2023."),
        ("We will move in March.", "We will move in March 2024."),
        ("I left in August", "I left in August 2022"),
        ("We leave tomorrow evening", "We leave the evening of 8 June 2023"),
        ("He died 3 years ago.", "He died in 2020."),
        ("this weekend I rest", "the weekend of 10 June 2023 I rest"),
        ("this weekend I went hiking", "the weekend of 3 June 2023 I went hiking"),
        ("Dinner tonight?", "Dinner the night of 7 June 2023?"),
        ("last night I slept", "the night of 6 June 2023 I slept"),
        ("since last year", "since 2022"),
        ("Last year was hard", "2022 was hard"),
        ("late last month", "late May 2023"),
        ("earlier this week I cooked", "earlier in the week of 5 June 2023 I cooked"),
        ("in March last year", "in March 2022"),
        ("on Friday last week", "on Friday 2 June 2023"),
        ("the week before last", "the week of 22 May 2023"),
        ("the day after tomorrow", "on 9 June 2023"),
        ("the night before last", "the night of 5 June 2023"),
        ("two weeks ago we met", "the week of 22 May 2023 we met"),
        ("a few days ago", "a few days before 7 June 2023"),
        ("about two years ago", "about two years before 7 June 2023"),
        ("a year ago today", "on 7 June 2022"),
        ("I'll see you in two weeks", "I'll see you in the week of 19 June 2023"),
        ("a week from tomorrow", "on 15 June 2023"),
        ("next Friday", "on Friday 9 or 16 June 2023"),
        ("next Monday", "on Monday 12 June 2023"),
        ("this coming Friday", "on Friday 9 June 2023"),
        ("this past Friday", "on Friday 2 June 2023"),
        ("on Sunday I went home", "on Sunday 4 June 2023 I went home"),
        ("I will go on Sunday", "I will go on Sunday 11 June 2023"),
        ("The test is on Friday", "The test is on Friday 9 June 2023"),
        ("It's my first race on Sunday", "It's my first race on Sunday 11 June 2023"),
        ("I have choir on Sundays", "I have choir on Sundays"),
        ("The test on Friday", "The test on Friday"),
        ("last summer", "the summer of 2022"),
        ("next summer", "the summer of 2024"),
        ("last winter", "the winter of 2022-2023"),
        ("last Christmas", "Christmas 2022"),
        ("next weekend", "the weekend of 10 or 17 June 2023"),
        ("> Where?\nI came yesterday", "> Where?\nI came on 6 June 2023"),
        ("I WENT YESTERDAY", "I WENT on 6 June 2023"),
    ],
)
def test_a_relative_date_becomes_a_calendar_date(text: str, resolved: str) -> None:
    assert resolve_dates(text, NOW) == resolved


@pytest.mark.parametrize(
    "text",
    [
        "the other day I fell",
        "I rest on Fridays and every Friday",
        "on Friday",  # neither past nor to come
        "My birthday is in March.",
        "I left in May 2022, on Friday 3 June",
        "the last week of May",
        "my last year at school",
        "over the last year",
        "I wasn't born yesterday",
        "like there is no tomorrow",
        "today's world",
        "kids today",
        'I watched Last Week Tonight and "Yesterday" again',
        "We heard Yesterday by the Beatles",
        "I read USA Today",
        "run `yesterday` or today() or last_week or log.today",
        "```\nyesterday\n```",
        "    x = yesterday",
        "> I came yesterday",
        "https://example.org/today",
        "I read it in two days",
        "you may march in line",
        "she said “I leave tomorrow” and left",
        "a fall this steep",
        "recently, soon, nowadays, one day",
        "I came two weeks back from Spain",
        "a week ago Friday",
        "",
    ],
)
def test_what_is_vague_idiomatic_quoted_or_code_is_left_alone(text: str) -> None:
    assert resolve_dates(text, NOW) == text


@settings(max_examples=300)
@example("last last Christmas", datetime(2000, 1, 1, tzinfo=UTC))
@given(prose, moments)
def test_resolving_twice_is_resolving_once(text: str, now: datetime) -> None:
    once = resolve_dates(text, now)
    assert resolve_dates(once, now) == once


@given(relative_phrases, moments, moments)
def test_a_resolved_phrase_means_the_same_at_any_later_time(
    phrase: str, now: datetime, later: datetime
) -> None:
    once = resolve_dates(f"We met {phrase}.", now)
    assert once != f"We met {phrase}."
    assert resolve_dates(once, later) == once


@given(prose, moments)
def test_no_other_word_is_lost(text: str, now: datetime) -> None:
    dated = re.compile(
        r"yesterday|today|tomorrow|tonight|ago|back|last|next|this|in|on|the|a|after|before|week|year|"
        r"months?|days?|summer|friday|christmas|march|may|two|three|few|about|over|of",
        re.IGNORECASE,
    )
    kept = [word for word in re.findall(r"\w+", text) if not dated.fullmatch(word)]
    resolved = iter(re.findall(r"\w+", resolve_dates(text, now)))
    assert all(word in resolved for word in kept)  # each, in order


@pytest.mark.parametrize(
    ("query", "start", "end"),
    [
        ("What did I do last Friday?", date(2023, 6, 2), date(2023, 6, 3)),
        ("Where was I in May 2021?", date(2021, 5, 1), date(2021, 6, 1)),
        ("What happened on 5 March 2022?", date(2022, 3, 5), date(2022, 3, 6)),
        ("What happened on March 5th, 2022?", date(2022, 3, 5), date(2022, 3, 6)),
        ("Anything on 2022-03-05?", date(2022, 3, 5), date(2022, 3, 6)),
        ("Where did I live in 2019?", date(2019, 1, 1), date(2020, 1, 1)),
        ("the summer of 2022", date(2022, 6, 1), date(2022, 9, 1)),
        ("What did I do in March last year?", date(2022, 3, 1), date(2022, 4, 1)),
        ("Who came in the last two weeks?", date(2023, 5, 24), date(2023, 6, 8)),
    ],
)
def test_a_question_names_the_days_it_asks_about(query: str, start: date, end: date) -> None:
    (span,) = parse_query_dates(query, NOW)
    assert (span.start, span.end, span.yearless) == (start, end, False)


def test_a_month_without_a_year_is_that_month_of_any_year() -> None:
    (span,) = parse_query_dates("Where do we meet in June?", NOW)
    assert span.yearless
    assert span.contains(date(2019, 6, 30))
    assert not span.contains(date(2019, 7, 1))


@pytest.mark.parametrize("query", ["When did Anna move?", "may I march on?", "31 February 2023"])
def test_a_question_without_days_has_no_spans(query: str) -> None:
    assert [span for span in parse_query_dates(query, NOW) if span.text != "2023"] == []


def test_written_dates_are_found_in_order() -> None:
    texts = [span.text for span in find_dates("On 5 May 2021, then June 2022, then 3 July.")]
    assert texts == ["5 May 2021", "June 2022", "3 July"]
