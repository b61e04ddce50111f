"""The benchmark of thoughts counts as its docstring says, and the default writer meets its marks."""

from datetime import UTC, datetime
from typing import Any

import pytest

from assistant.bench.thoughts import (
    HELD_OUT,
    PARTS,
    Count,
    Labelled,
    _judge_generated,
    _judge_selected,
    read_labelled,
    run,
)
from assistant.conversation.selection import Selection
from assistant.conversation.writers import RuleWriter

NOW = datetime(2024, 5, 2, tzinfo=UTC)
TEXT = "I moved here last week. Nice weather. If I were rich I would sail."
KEEP = (0, 23, "the week of 22 April 2024")
FALSE = (38, len(TEXT))
LABELLED = Labelled("x", TEXT, NOW, (KEEP,), (FALSE,))


def judge(*thoughts: tuple[int, int, str]) -> Count:
    count = Count(gold=1, thoughts=len(thoughts))
    chosen = [Selection(((a, b),), text, "fact", 1.0) for a, b, text in thoughts]
    _judge_selected(LABELLED, chosen, count)
    return count


def test_a_thought_on_a_label_is_right_and_finds_it() -> None:
    count = judge((0, 23, "I moved here the week of 22 April 2024."))
    assert (count.right, count.found, count.false) == (1, 1, 0)


def test_a_thought_without_its_date_is_false() -> None:
    assert judge((0, 23, "I moved here last week.")).false == 1


def test_a_thought_on_an_untrue_sentence_is_false() -> None:
    count = judge((38, len(TEXT), "If I were rich I would sail."))
    assert (count.right, count.found, count.false) == (0, 0, 1)


def test_a_thought_on_nothing_is_wrong_but_not_false() -> None:
    count = judge((24, 37, "Nice weather."))
    assert (count.right, count.found, count.false) == (0, 0, 0)


def test_a_word_that_was_not_said_is_false() -> None:
    assert judge((0, 23, "I moved to Rome the week of 22 April 2024.")).false == 1


def test_generated_wording_must_come_from_one_sentence() -> None:
    def count(text: str) -> Count:
        counted = Count()
        _judge_generated(LABELLED, [Selection(((0, len(TEXT)),), text, "fact", 1.0)], counted)
        return counted

    assert count("They moved here the week of 22 April 2024.").found == 1
    assert count("They never moved here.").false == 1
    assert count("They sailed here in nice weather.").false == 1


def test_every_label_is_in_its_message_and_both_halves_are_large_enough() -> None:
    parts = {part: read_labelled(part) for part in PARTS}
    assert len(parts["dev"]) >= 60
    assert sum(len(parts[name]) for name in HELD_OUT) >= 60
    assert len(parts["blind"]) >= 60
    ids = [message.id for part in parts.values() for message in part]
    assert len(ids) == len(set(ids))
    for part in parts.values():
        assert any(not message.keep for message in part)


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return run([RuleWriter()])


def test_the_rules_meet_their_marks_on_both_halves(report: dict[str, Any]) -> None:
    rules = report["writers"]["rules"]
    for half in (rules["dev"], rules["held out"]):
        assert half["precision"] >= 0.85
        assert half["recall"] >= 0.7
        assert half["false_content"] <= 0.05


def test_a_fresh_store_that_heard_the_set_lists_fifty_thoughts(report: dict[str, Any]) -> None:
    assert report["stored"] >= 50
