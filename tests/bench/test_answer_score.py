"""How an answer is counted, and the intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.bench.answer_score import (
    difference_interval,
    f1,
    f1_of_parts,
    ratio_interval,
    score,
    tokens_of,
)


def test_words_are_counted_without_case_punctuation_articles_and_endings() -> None:
    assert tokens_of("The Dogs, and a cat!") == ["dog", "cat"]
    assert tokens_of("running") == tokens_of("runs")


def test_f1_is_the_harmonic_mean_of_precision_and_recall() -> None:
    assert f1("She painted a horse", "horse") == pytest.approx(2 * (1 / 3) / (1 / 3 + 1))
    assert f1("nothing of it", "horse") == 0
    assert f1("", "horse") == 0


def test_a_word_counts_as_often_as_it_stands_in_both() -> None:
    assert f1("horse horse", "horse") == pytest.approx(2 / 3)


def test_a_multi_hop_truth_is_matched_part_by_part() -> None:
    assert f1_of_parts("sunset, horse", "horse, sunset") == 1
    assert f1_of_parts("horse", "horse, sunset") == 0.5
    assert score("sunset, horse", "horse, sunset", category=1) == 1
    assert score("horse", "horse, sunset", category=4) == pytest.approx(2 / 3)


@given(st.text(max_size=40), st.text(max_size=40), st.sampled_from((1, 2, 4)))
def test_a_score_lies_between_zero_and_one(answer: str, truth: str, category: int) -> None:
    assert 0 <= score(answer, truth, category) <= 1


@given(st.lists(st.sampled_from(["horse", "sunset", "clarinet", "2016"]), min_size=1))
def test_the_truth_itself_scores_one(words: list[str]) -> None:
    assert score(" ".join(words), " ".join(words), category=2) == 1


def test_the_interval_holds_the_ratio_and_is_the_same_for_the_same_seed() -> None:
    rng = np.random.default_rng(1)
    gold = rng.random(120)
    recalled = gold * rng.random(120)
    low, high = ratio_interval(recalled, gold, 0)
    assert low < recalled.mean() / gold.mean() < high
    assert (low, high) == ratio_interval(recalled, gold, 0)


def test_a_paired_ratio_of_equal_figures_is_certain() -> None:
    figures = np.array([0.1, 0.9, 0.4])
    assert ratio_interval(figures / 2, figures, 0) == (0.5, 0.5)
    assert difference_interval(figures, figures, 0) == (0, 0)
