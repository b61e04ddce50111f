"""How an answer to a LoCoMo question is counted, and how sure a mean of such counts is.

Knows two texts and a category, or arrays of figures; no model and no store. Counts as the data's
authors do (arXiv 2402.17753, section 4.1, and the evaluation they published with it): F1 over
stemmed words, and for questions with several answers the best part for each of them. Their stemmer
and this one are both Porter's; this one is FTS5's own.
"""

import re
import string
from collections import Counter
from statistics import fmean
from typing import Final

import numpy as np
import numpy.typing as npt

from assistant.memory.words import stem

MULTI_HOP: Final = 1  # its answers are lists, set apart by commas
N_RESAMPLES: Final = 10_000
_NO_PUNCTUATION: Final = str.maketrans("", "", string.punctuation)
_ARTICLE: Final = re.compile(r"\b(?:a|an|the|and)\b")  # "and" is among them there too
Interval = tuple[float, float]
Figures = npt.NDArray[np.float64]


def tokens_of(text: str) -> list[str]:
    """The stemmed words of a text: lower case, no punctuation, no articles."""
    bare = _ARTICLE.sub(" ", text.lower().translate(_NO_PUNCTUATION))
    return [stem(word) or word for word in bare.split()]


def f1(answer: str, truth: str) -> float:
    """Harmonic mean of precision and recall over words, each as often as it stands in both."""
    said, wanted = tokens_of(answer), tokens_of(truth)
    n_same = sum((Counter(said) & Counter(wanted)).values())
    return 2 * n_same / (len(said) + len(wanted)) if n_same else 0.0


def f1_of_parts(answer: str, truth: str) -> float:
    """For each comma-separated part of the truth the best F1 of any part of the answer; their mean."""
    parts = answer.split(",")
    return fmean(max(f1(part, wanted) for part in parts) for wanted in truth.split(","))


def score(answer: str, truth: str, category: int) -> float:
    """In [0, 1], as LoCoMo counts a question of this category (1 to 4)."""
    return f1_of_parts(answer, truth) if category == MULTI_HOP else f1(answer, truth)


def ratio_interval(part: Figures, whole: Figures, seed: int) -> Interval:
    """95 % interval of mean(part) / mean(whole) over the same questions, (n,) each, not all 0.

    Paired percentile bootstrap (Efron and Tibshirani 1993, chapter 13): questions are drawn with
    replacement, both figures of each together.
    """
    rows = _resamples(len(part), seed)
    parts, wholes = part[rows].mean(axis=1), whole[rows].mean(axis=1)  # (N_RESAMPLES,)
    known = wholes > 0
    return _percentiles(parts[known] / wholes[known])


def difference_interval(one: Figures, other: Figures, seed: int) -> Interval:
    """95 % interval of mean(one - other), drawn as in `ratio_interval`."""
    return _percentiles((one - other)[_resamples(len(one), seed)].mean(axis=1))


def _resamples(n: int, seed: int) -> npt.NDArray[np.int64]:
    """(N_RESAMPLES, n) row numbers."""
    return np.random.default_rng(seed).integers(0, n, (N_RESAMPLES, n))


def _percentiles(values: Figures) -> Interval:
    low, high = np.percentile(values, (2.5, 97.5))
    return round(float(low), 4), round(float(high), 4)
