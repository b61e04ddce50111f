"""How well a memory is retained, and how use strengthens it. Numbers in, numbers out; knows no store.

After MemoryBank (arXiv 2305.10250, section 3, "Memory Updating Mechanism"), which borrows Ebbinghaus'
curve R = exp(-t / S), t since the last use and S the strength, both in days here. (The published code
computes exp(-t / 5 * S), under which a stronger memory fades faster; the property tests hold both
directions.) Retention ranks, compresses and hides: it never deletes and never multiplies a score.
"""

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]

# Strength, days: at birth, at least, at most.
INITIAL_STRENGTH_DAYS: Final = 30.0
MIN_STRENGTH_DAYS: Final = 1.0
MAX_STRENGTH_DAYS: Final = 3650.0

# One use multiplies strength by up to GROWTH, the more the further the memory had faded (the spacing
# effect), and adds a day at least, so that it always grows, as MemoryBank's S += 1.
GROWTH: Final = 2.5
MIN_GAIN_DAYS: Final = 1.0

IMPORTANCE_GAIN: Final = 3.0  # a memory of importance 1 lasts (1 + 3) times as long as one of 0
PINNED_FLOOR: Final = 0.9


def retention(
    elapsed_days: float, strength_days: float, *, importance: float = 0.0, pinned: bool = False
) -> float:
    """R in [0, 1]: exp(-elapsed / strength), the strength raised by importance (0 to 1).

    A time before the last use (a clock set back) counts as no time. A pinned memory never falls
    below PINNED_FLOOR.
    """
    strength = max(strength_days, MIN_STRENGTH_DAYS) * (1 + IMPORTANCE_GAIN * _unit(importance))
    retained = math.exp(-max(elapsed_days, 0.0) / strength)
    return max(retained, PINNED_FLOOR) if pinned else retained


def retention_of_many(
    elapsed_days: FloatArray, strength_days: FloatArray, importance: FloatArray, pinned: BoolArray
) -> FloatArray:
    """`retention` of n memories at once: (n,) each. A test holds the two together."""
    strength = np.maximum(strength_days, MIN_STRENGTH_DAYS)
    strength = strength * (1 + IMPORTANCE_GAIN * np.clip(importance, 0, 1))
    retained = np.exp(-np.maximum(elapsed_days, 0) / strength)
    kept = np.where(pinned, np.maximum(retained, PINNED_FLOOR), retained)
    return np.asarray(kept, np.float32)


def reinforce(strength_days: float, elapsed_days: float, *, importance: float = 0.0) -> float:
    """The strength after one use, `elapsed_days` after the one before. Grows, up to the maximum.

    A use is a memory given to the model and quoted, or confirmed by the person; mere recall is none.
    """
    faded = 1.0 - retention(elapsed_days, strength_days, importance=importance)
    strength = max(strength_days, MIN_STRENGTH_DAYS)
    grown = max(strength * (1 + (GROWTH - 1) * faded), strength + MIN_GAIN_DAYS)
    return max(strength_days, min(grown, MAX_STRENGTH_DAYS))


# Recall looks among the faded when the best active memory holds less of the question's words
# (by inverse document frequency) than this, and is no nearer in meaning than that.
WEAK_COVERAGE: Final = 0.75
WEAK_SIMILARITY: Final = 0.6


def is_weak(coverage: float, similarity: float | None = None) -> bool:
    """Whether the best active answer leaves enough open to search what has faded."""
    return coverage < WEAK_COVERAGE and (similarity is None or similarity < WEAK_SIMILARITY)


def _unit(value: float) -> float:
    return min(max(value, 0.0), 1.0)
