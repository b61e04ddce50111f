"""Fitting the weights of recall, judged by leaving out one conversation at a time.

Listwise softmax (ListNet, Cao et al. 2007, top-one): the evidence of a question shall be likely among
all memories of its conversation. Knows raw signals and which rows are evidence; knows no store.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final

import numpy as np

from assistant.bench.locomo import ADVERSARIAL
from assistant.records import FloatArray

L2: Final = 0.01
N_STEPS: Final = 250
STEP: Final = 0.15


@dataclass(frozen=True, slots=True)
class Example:
    """One question: its conversation, the raw signals (m, f), and the rows that are evidence."""

    dialogue: str
    category: int
    signals: FloatArray
    evidence: tuple[int, ...]


def fit_weights(examples: Sequence[Example]) -> FloatArray:
    """(f,) weights by Adam on the cross entropy, L2 on the weights of standardised signals."""
    longest = max(len(example.signals) for example in examples)
    shape = (len(examples), longest)
    x = np.zeros((*shape, examples[0].signals.shape[1]), np.float32)
    real = np.zeros(shape, np.bool_)
    wanted = np.zeros(shape, np.float32)
    for row, example in enumerate(examples):
        x[row, : len(example.signals)] = example.signals
        real[row, : len(example.signals)] = True
        wanted[row, list(example.evidence)] = 1 / len(example.evidence)
    scale = np.sqrt((x**2).sum((0, 1)) / real.sum()) + 1e-6
    x /= scale
    weights = np.zeros(x.shape[2], np.float32)
    mean, square = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, N_STEPS + 1):
        score = np.where(real, x @ weights, -np.inf)
        likely = np.exp(score - score.max(1, keepdims=True))
        likely /= likely.sum(1, keepdims=True)
        slope = np.einsum("qn,qnf->f", likely - wanted, x, optimize=True) / len(x) + L2 * weights
        mean = 0.9 * mean + 0.1 * slope
        square = 0.99 * square + 0.01 * slope**2
        size = STEP if step < 0.7 * N_STEPS else STEP / 5
        weights -= size * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-8)
    return np.asarray(weights / scale, np.float32)


def judge(examples: Sequence[Example], weights: FloatArray) -> list[dict[str, float]]:
    """For each question recall at 10 and 20 and whether all is among 20; ties against us."""
    figures = []
    for example in examples:
        score = example.signals @ weights
        ranks = [int((score >= score[row]).sum()) for row in example.evidence]
        figures.append(
            {
                "category": example.category,
                "recall_at_10": fmean(rank <= 10 for rank in ranks),
                "recall_at_20": fmean(rank <= 20 for rank in ranks),
                "all_at_20": float(all(rank <= 20 for rank in ranks)),
            }
        )
    return figures


def cross_validate(examples: Sequence[Example]) -> dict[str, Any]:
    """What the signals are worth on conversations that the weights were not fitted on."""
    examples = [example for example in examples if example.category != ADVERSARIAL]
    figures: list[dict[str, float]] = []
    for left_out in sorted({example.dialogue for example in examples}):
        weights = fit_weights([e for e in examples if e.dialogue != left_out])
        figures += judge([e for e in examples if e.dialogue == left_out], weights)
    names = ("recall_at_10", "recall_at_20", "all_at_20")
    return {
        "questions": len(figures),
        **{name: round(fmean(f[name] for f in figures), 4) for name in names},
        "by_category": {
            str(int(c)): round(fmean(f["recall_at_10"] for f in figures if f["category"] == c), 4)
            for c in sorted({f["category"] for f in figures})
        },
    }
