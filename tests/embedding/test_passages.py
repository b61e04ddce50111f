"""Passages: they cover the text, never exceed the limit, and end where a sentence ends."""

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from assistant.embedding.passages import split_passages


def word_offsets(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]


def test_a_text_that_fits_has_no_passages() -> None:
    text = "one two three."
    assert split_passages(text, word_offsets(text), 4) == []
    assert split_passages("", [], 4) == []


def test_a_passage_ends_at_the_end_of_a_sentence() -> None:
    text = "The dog is called Bolo. " * 40
    spans = split_passages(text, word_offsets(text), 64)
    assert all(text[:end].rstrip().endswith(".") for _, end in spans)


def test_a_sentence_on_the_seam_is_whole_in_one_passage() -> None:
    text = " ".join(f"Fact number {n} is here." for n in range(100))
    spans = split_passages(text, word_offsets(text), 60)
    for n in range(100):
        assert any(f"Fact number {n} is here." in text[start:end] for start, end in spans)


@given(st.text(alphabet="ab. \n!\u05d0\U0001f600", max_size=600), st.integers(4, 80))
def test_passages_cover_the_text_and_keep_the_limit(text: str, n_pieces: int) -> None:
    offsets = word_offsets(text)
    spans = split_passages(text, offsets, n_pieces)
    if not spans:
        assert len(offsets) <= n_pieces
        return
    assert spans[0][0] == 0
    assert spans[-1][1] == len(text)
    for (start, end), (following, _) in pairwise(spans):
        assert start < following <= end
    for start, end in spans:
        assert sum(start <= first < end for first, _ in offsets) <= n_pieces
