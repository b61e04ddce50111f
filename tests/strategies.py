"""Hypothesis strategies that several test modules share: moments, prose with dates, retentions."""

from datetime import UTC, datetime

from hypothesis import strategies as st

moments = st.datetimes(datetime(1990, 1, 1), datetime(2090, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone itself

_WORDS = (
    "I we Anna moved will was going the a my last next on in since birthday dog and March May . , ? "
    "\n `x` > \" 2021 of ago back this week Friday year two few days yesterday Today tomorrow's tonight "
    "summer months in_week before after again three about Christmas over"
)
plain_words = st.sampled_from(_WORDS.split(" "))
prose = st.lists(plain_words, max_size=25).map(" ".join)

relative_phrases = st.sampled_from(
    [
        "yesterday",
        "last week",
        "two days ago",
        "last Friday",
        "next month",
        "tomorrow evening",
        "3 years ago",
        "this weekend",
        "tonight",
        "a few days ago",
        "last March",
        "the week before last",
        "next Friday",
        "last summer",
        "a year ago today",
        "the day after tomorrow",
        "last Christmas",
        "next weekend",
    ]
)
