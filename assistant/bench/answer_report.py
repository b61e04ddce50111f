"""The figures of `bench answer`: mean F1s, their ratio, its interval, and the lines to print.

Knows counted answers; nothing of how they came to be.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from assistant.bench.answer_score import Figures, difference_interval, ratio_interval

SEED: Final = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One counted answer."""

    order: str
    condition: str
    category: int
    f1: float


def _f1s(rows: Sequence[Row], condition: str) -> Figures:
    """(questions,) in the order of the cases."""
    return np.array([row.f1 for row in rows if row.condition == condition], np.float64)


def figures_of(rows: Sequence[Row]) -> dict[str, Any]:
    categories = sorted({row.category for row in rows})
    return {
        **_ratio(rows),
        "by_category": {
            str(category): _ratio([row for row in rows if row.category == category])
            for category in categories
        },
    }


def _ratio(rows: Sequence[Row]) -> dict[str, Any]:
    recalled, gold = _f1s(rows, "recalled"), _f1s(rows, "gold")
    known = bool(gold.any())
    return {
        "questions": len(recalled),
        "f1_recalled": round(float(recalled.mean()), 4),
        "f1_gold": round(float(gold.mean()), 4),
        "ratio": round(float(recalled.mean() / gold.mean()), 4) if known else None,
        "ratio_interval": ratio_interval(recalled, gold, SEED) if known else None,
    }


def difference_from_relevance(rows: Sequence[Row], order: str) -> dict[str, Any]:
    """F1 with recalled memories in this order less that with the best one last."""
    ours, base = (
        _f1s([row for row in rows if row.order == name], "recalled")
        for name in (order, "relevance")
    )
    return {
        "f1": round(float((ours - base).mean()), 4),
        "interval": difference_interval(ours, base, SEED),
    }


def lines_of(report: Mapping[str, Any]) -> Iterator[str]:
    """The report as text: the orders side by side, one line for all questions and each category."""
    yield f"{report['questions']} questions, temperature 0, 95 % intervals by paired bootstrap"
    for model, figures in report["models"].items():
        yield f"{model}  ({figures['evidence_given']:.0%} of the evidence recalled)"
        for order, total in figures["orders"].items():
            parts = {"all": total, **total["by_category"]}
            for name, part in parts.items():
                yield (
                    f"  {order:<10} {name:<4} n={part['questions']:<4} "
                    f"F1 {part['f1_recalled']:.3f} / {part['f1_gold']:.3f} = {_ratio_text(part)}"
                )
        for order, change in figures["against_relevance"].items():
            low, high = change["interval"]
            yield f"  {order} - relevance: {change['f1']:+.4f} F1 [{low:+.4f}, {high:+.4f}]"


def _ratio_text(part: Mapping[str, Any]) -> str:
    if part["ratio"] is None:
        return "-"  # nothing was answered from the evidence
    low, high = part["ratio_interval"]
    return f"{part['ratio']:.3f} [{low:.3f}, {high:.3f}]"
