"""The parts of recall by themselves: what a query asks for, what a text could answer, the weights."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.memory.cues import ASKS, DATE, NAME, NUMBER, cues_of, wanted_cues
from assistant.memory.memory import Memory
from assistant.memory.question import asks_assistant, take_apart
from assistant.memory.retention import retention, retention_of_many
from assistant.memory.weights import WEIGHTS, active_weights
from assistant.memory.words import replace_speakers, stem
from assistant.records import EncodedText

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "query",
    [
        "What did you recommend for dinner?",
        "Which book did you suggest?",
        "What was your recipe for bread?",
        "Could you remind me what you told me about the roof?",
    ],
)
def test_a_question_about_what_the_assistant_said_is_known(query: str) -> None:
    assert asks_assistant(query)


@pytest.mark.parametrize(
    "query",
    [
        "Do you recommend any book?",
        "Can you tell me my sister's name?",
        "What is the name of the dog?",
        "What do you call a group of crows?",
    ],
)
def test_a_request_is_no_question_about_what_was_said(query: str) -> None:
    assert not asks_assistant(query)


def test_cues_say_what_a_text_could_answer() -> None:
    assert cues_of("Shall we go?") == ASKS
    assert cues_of("We met on 4 June 2021.") & DATE
    assert cues_of("I have three of them.") & NUMBER
    assert cues_of("We flew to Lisbon.") & NAME
    assert cues_of("it rained.") == 0
    assert wanted_cues("When did it rain?") == DATE
    assert wanted_cues("How many are there?") == NUMBER
    assert wanted_cues("Where was it?") == NAME


def test_speakers_are_features_and_not_words() -> None:
    question = take_apart("What does Maria Will like?", ["", "Maria Will"], NOW)
    assert question.terms == (stem("like"),)
    assert question.speakers == {"Maria Will"}
    assert replace_speakers("What will Will do?", ["Will"]) == "What will I do?"


def test_without_priors_length_question_mark_and_speaker_are_off_and_nothing_else() -> None:
    off = set(WEIGHTS) - set(active_weights(priors=False))
    assert off == {"speaker", "length", "question", "reply_words", "reply_meaning"}


def test_every_signal_has_a_weight(tmp_path: Path) -> None:
    with Memory.open(tmp_path / "memory.db", now=NOW) as memory:
        memory.begin_turn(EncodedText("A dog.", "A dog.", None), NOW)
        _, signals = memory.signals("dog", None, NOW)
    assert set(signals) == set(WEIGHTS)


@given(
    st.floats(0, 4000),
    st.floats(0, 4000),
    st.floats(0, 1),
    st.booleans(),
)
def test_retention_of_many_is_retention_of_each(
    days: float, strength: float, importance: float, pinned: bool
) -> None:
    many = retention_of_many(
        np.array([days]), np.array([strength]), np.array([importance]), np.array([pinned])
    )
    one = retention(days, strength, importance=importance, pinned=pinned)
    assert many[0] == pytest.approx(one, abs=1e-6)


def test_scores_are_the_sum_of_their_signals(tmp_path: Path) -> None:
    with Memory.open(tmp_path / "memory.db", now=NOW) as memory:
        for text in ("The dog sleeps.", "Where is the dog?", "In the shed."):
            memory.begin_turn(EncodedText(text, text, None), NOW)
        for found in memory.recall("Where does the dog sleep?", None, NOW).memories:
            assert found.score == pytest.approx(sum(found.signals.values()), abs=1e-4)
