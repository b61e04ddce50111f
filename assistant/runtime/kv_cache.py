"""Which tokens each sequence of the KV cache holds, and how much of a new prompt is there already.

Knows token lists and three operations on the cells; no model, no vocabulary.
"""

from collections.abc import Sequence
from typing import Final, Protocol

DONOR_GAIN: Final = 16  # tokens a foreign sequence must save to be worth losing the own cells


class Cells(Protocol):
    """The KV cells of a context, by sequence and position."""

    def remove(self, sequence: int, start: int) -> bool:
        """Empty positions [start, end). False where a model cannot forget a part of its state."""

    def copy(self, source: int, target: int, end: int) -> bool:
        """Let `target` hold positions [0, end) of `source`, and nothing else.

        False, and nothing has changed, where only all of a sequence can be shared.
        """

    def length(self, sequence: int) -> int:
        """Positions that the sequence holds."""


class KvCache:
    """The token list of every sequence, in step with its cells."""

    def __init__(self, cells: Cells, n_sequences: int) -> None:
        self._cells = cells
        self._tokens: list[list[int]] = [[] for _ in range(n_sequences)]
        self._used = [0] * n_sequences  # a clock, for the least recently used
        self._clock = 0

    @property
    def n_sequences(self) -> int:
        return len(self._tokens)

    def tokens(self, sequence: int) -> list[int]:
        """The tokens of a sequence, one per position. Read only."""
        return self._tokens[sequence]

    def reuse(self, sequence: int, tokens: Sequence[int], *, keep: int | None = None) -> int:
        """Cut the sequence back to what it shares with `tokens`; returns how many that are.

        Where another sequence shares more (a message read while it was typed, a common system
        prompt), its cells are shared first. At least one token is left to evaluate, because its
        logits are wanted; `keep` bounds the number kept further. A recurrent state or a sliding
        window cannot be cut back: there the sequence is emptied and 0 is returned.
        """
        limit = max(0, len(tokens) - 1 if keep is None else min(keep, len(tokens) - 1))
        shared = [min(count_common(held, tokens), limit) for held in self._tokens]
        donor = max(range(self.n_sequences), key=lambda s: (shared[s], s == sequence))
        self._touch(sequence)
        if shared[donor] > shared[sequence] + DONOR_GAIN and self._share(
            donor, sequence, shared[donor]
        ):
            return shared[donor]
        return self.truncate(sequence, shared[sequence])

    def truncate(self, sequence: int, n: int) -> int:
        """Keep the first `n` positions; returns how many are kept: `n` or, where it fails, 0."""
        if n == len(self._tokens[sequence]):
            return n
        if n > 0 and not self._cells.remove(sequence, n):
            n = 0
        if n == 0:
            self._cells.remove(sequence, 0)
        del self._tokens[sequence][n:]
        return n

    def append(self, sequence: int, tokens: Sequence[int]) -> None:
        """The tokens were evaluated at the end of the sequence."""
        self._tokens[sequence].extend(tokens)

    def adopt(self, sequence: int, tokens: Sequence[int]) -> None:
        """The cells of the sequence were replaced (a saved state): these are its tokens."""
        self._tokens[sequence] = list(tokens)
        self._touch(sequence)

    def resync(self, sequence: int) -> None:
        """After a failed or aborted evaluation: believe the cells, not the list."""
        n = self._cells.length(sequence)
        if n > len(self._tokens[sequence]):
            # Part of the failed batch stayed; nobody knows its tokens.
            self.truncate_cells(sequence)
        else:
            del self._tokens[sequence][n:]

    def truncate_cells(self, sequence: int) -> None:
        """Cut the cells back to the known tokens, or empty both."""
        n = len(self._tokens[sequence])
        if not n or not self._cells.remove(sequence, n):
            self.drop(sequence)

    def copy(self, source: int, target: int, n: int | None = None) -> int:
        """Make `target` share the first `n` positions of `source`; returns how many it holds."""
        held = len(self._tokens[source])
        n = held if n is None else min(n, held)
        if n == 0 or not self._share(source, target, n):
            self.drop(target)
            return 0
        self._touch(target)
        return n

    def _share(self, source: int, target: int, n: int) -> bool:
        """False, and `target` keeps what it holds, where the cells cannot be shared in part."""
        if not self._cells.copy(source, target, n):
            return False
        self._tokens[target] = self._tokens[source][:n]
        return True

    def drop(self, sequence: int) -> None:
        self._cells.remove(sequence, 0)
        self._tokens[sequence] = []

    def least_used(self, keep: int) -> int | None:
        """A side sequence that may be dropped for room: neither `keep` nor 0, the oldest first."""
        others = [s for s in range(1, self.n_sequences) if s != keep and self._tokens[s]]
        return min(others, key=self._used.__getitem__) if others else None

    def _touch(self, sequence: int) -> None:
        self._clock += 1
        self._used[sequence] = self._clock


def count_common(first: Sequence[int], second: Sequence[int]) -> int:
    """Length of the longest prefix of both."""
    n = 0
    for a, b in zip(first, second, strict=False):
        if a != b:
            break
        n += 1
    return n
