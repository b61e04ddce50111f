"""Cutting a long text into passages an embedder reads whole. Knows offsets, not models.

A passage ends at the end of a sentence where one lies in its second half, else between words, and
begins a little before the last one's end, so that a fact on the seam is whole in one of the two.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final

N_OVERLAP: Final = 32  # word pieces two neighbours share at most
_SENTENCE_END: Final = re.compile(r"[.!?\u2026\u3002\uff01\uff1f]+[\"'\u201d\u2019)\]]*\s+|\n+")


def split_passages(
    text: str, offsets: Sequence[tuple[int, int]], n_pieces: int
) -> list[tuple[int, int]]:
    """Character spans [start, end) that cover `text`, each of at most `n_pieces` word pieces.

    `offsets` are the pieces' character spans, in order. [] when the whole text fits one passage.
    """
    n = len(offsets)
    if n <= n_pieces:
        return []
    starts = [start for start, _ in offsets]
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    spans: list[tuple[int, int]] = []
    first = 0
    while True:
        last = min(first + n_pieces, n)
        if last < n:
            last = _cut(text, starts, ends, first + n_pieces // 2, last)
        spans.append((starts[first] if spans else 0, starts[last] if last < n else len(text)))
        if last == n:
            return spans
        first = _resume(text, starts, ends, max(first + 1, last - N_OVERLAP), last)


def _cut(text: str, starts: list[int], ends: list[int], low: int, high: int) -> int:
    """The piece to cut before, in (low, high]: after a sentence, else between words, else high."""
    sentence = bisect_right(ends, starts[high]) - 1
    if sentence >= 0:
        piece = bisect_left(starts, ends[sentence])
        if low < piece <= high:
            return piece
    return next((p for p in range(high, low, -1) if _begins_word(text, starts[p])), high)


def _resume(text: str, starts: list[int], ends: list[int], low: int, high: int) -> int:
    """Where the next passage begins, in [low, high]: at a sentence, else at a word."""
    sentence = bisect_left(ends, starts[low])
    if sentence < len(ends) and ends[sentence] < starts[high]:
        return bisect_left(starts, ends[sentence])
    return next((p for p in range(low, high) if _begins_word(text, starts[p])), high)


def _begins_word(text: str, start: int) -> bool:
    return start == 0 or text[start - 1].isspace()
