"""The token lists stay in step with the cells, whatever the cells refuse."""

import pytest

from assistant.runtime.kv_cache import DONOR_GAIN, KvCache, count_common


class FakeCells:
    """Cells as lists of positions; `is_recurrent` cells cannot be cut, only emptied."""

    def __init__(self, n_sequences: int, *, is_recurrent: bool = False) -> None:
        self.lengths = [0] * n_sequences
        self.is_recurrent = is_recurrent

    def remove(self, sequence: int, start: int) -> bool:
        if self.is_recurrent and 0 < start < self.lengths[sequence]:
            return False
        self.lengths[sequence] = min(self.lengths[sequence], start)
        return True

    def copy(self, source: int, target: int, end: int) -> bool:
        if self.is_recurrent and end != self.lengths[source]:
            return False
        self.lengths[target] = end
        return True

    def length(self, sequence: int) -> int:
        return self.lengths[sequence]


def filled(
    tokens: list[int], *, n_sequences: int = 3, is_recurrent: bool = False
) -> tuple[KvCache, FakeCells]:
    cells = FakeCells(n_sequences, is_recurrent=is_recurrent)
    cache = KvCache(cells, n_sequences)
    cells.lengths[0] = len(tokens)
    cache.append(0, tokens)
    return cache, cells


def test_the_common_prefix_is_kept_and_the_rest_is_cut():
    cache, cells = filled([1, 2, 3, 4])
    assert cache.reuse(0, [1, 2, 9, 9]) == 2
    assert cache.tokens(0) == [1, 2]
    assert cells.lengths[0] == 2


def test_one_token_is_always_left_to_evaluate():
    cache, _ = filled([1, 2, 3])
    assert cache.reuse(0, [1, 2, 3]) == 2
    assert cache.reuse(0, [1]) == 0


def test_keep_bounds_what_is_reused():
    cache, _ = filled([1, 2, 3, 4])
    assert cache.reuse(0, [1, 2, 3, 4, 5], keep=1) == 1


def test_cells_that_cannot_be_cut_are_emptied():
    cache, cells = filled([1, 2, 3, 4], is_recurrent=True)
    assert cache.reuse(0, [1, 2, 9]) == 0
    assert cells.lengths[0] == 0
    assert cache.tokens(0) == []


def test_cells_that_cannot_be_cut_still_serve_a_prompt_that_only_grew():
    cache, _ = filled([1, 2, 3], is_recurrent=True)
    assert cache.reuse(0, [1, 2, 3, 4]) == 3


def test_another_sequence_that_shares_much_more_lends_its_cells():
    typed = list(range(40))
    cache, cells = filled(typed)
    assert cache.reuse(1, [*typed, 99]) == 40
    assert cache.tokens(1) == typed
    assert cells.lengths == [40, 40, 0]


def test_a_sequence_that_cannot_lend_a_part_costs_the_other_nothing():
    cache, cells = filled(list(range(40)), is_recurrent=True)
    cells.lengths[1] = 10
    cache.append(1, list(range(10)))
    assert cache.reuse(1, [*range(30), 99]) == 10
    assert cache.tokens(1) == list(range(10))


def test_a_small_gain_is_not_worth_the_own_cells():
    tokens = list(range(DONOR_GAIN))
    cache, _ = filled(tokens)
    assert cache.reuse(1, [*tokens, 99]) == 0


def test_after_an_abort_the_cells_are_believed():
    cache, cells = filled([1, 2, 3, 4])
    cells.lengths[0] = 3
    cache.resync(0)
    assert cache.tokens(0) == [1, 2, 3]


def test_cells_of_unknown_tokens_are_cut_off_after_an_abort():
    cache, cells = filled([1, 2, 3])
    cells.lengths[0] = 5
    cache.resync(0)
    assert cells.lengths[0] == 3
    assert cache.tokens(0) == [1, 2, 3]


def test_unknown_cells_that_cannot_be_cut_off_empty_the_sequence():
    cache, cells = filled([1, 2, 3], is_recurrent=True)
    cells.lengths[0] = 5
    cache.resync(0)
    assert cells.lengths[0] == 0
    assert cache.tokens(0) == []


def test_room_is_made_from_the_oldest_side_sequence_and_never_from_the_conversation():
    cache, cells = filled([1, 2, 3], n_sequences=4)
    for sequence in (1, 2, 3):
        cache.adopt(sequence, [sequence])
        cells.lengths[sequence] = 1
    cache.reuse(1, [1, 5])
    assert cache.least_used(keep=0) == 2
    assert cache.least_used(keep=2) == 3
    for sequence in (1, 2, 3):
        cache.drop(sequence)
    assert cache.least_used(keep=1) is None


@pytest.mark.parametrize(
    ("first", "second", "n"), [([], [1], 0), ([1, 2], [1, 2, 3], 2), ([1, 2, 3], [1, 9, 3], 1)]
)
def test_count_common(first: list[int], second: list[int], n: int):
    assert count_common(first, second) == n
