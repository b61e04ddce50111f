import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.memory.sentences import content_words, is_quoted, split_sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("I met Dr. Roy. He is kind!", ["I met Dr. Roy.", "He is kind!"]),
        ("J. R. Hale wrote it. I read it.", ["J. R. Hale wrote it.", "I read it."]),
        ("Fruit, e.g. apples, is fine. Yes.", ["Fruit, e.g. apples, is fine.", "Yes."]),
        ("It cost 3.50 euros. Cheap", ["It cost 3.50 euros.", "Cheap"]),
        ("We met at 9 p.m. We left.", ["We met at 9 p.m.", "We left."]),
        ("Really?! Yes... maybe. \u201cNo.\u201d Fine.", None),
        ("- one\n- two", ["- one", "- two"]),
        ("He and I. Then we left.", ["He and I.", "Then we left."]),
        ("See v1.2.3 at example.org today.", ["See v1.2.3 at example.org today."]),
        ("", []),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text: str, sentences: list[str] | None) -> None:
    found = [text[start:end] for start, end in split_sentences(text)]
    assert found == sentences if sentences is not None else len(found) == 4


@given(st.text(alphabet="ab .!?\n\"'DrI", max_size=60))
def test_every_character_but_white_space_is_in_one_sentence(text: str) -> None:
    spans = split_sentences(text)
    assert "".join("".join(text[a:b].split()) for a, b in spans) == "".join(text.split())
    assert all(a < b <= c for (a, b), (c, _) in itertools.pairwise(spans))


def test_content_words_leave_out_the_small_ones() -> None:
    assert content_words("Anna's dogs are in the cities") == {"anna", "dog", "city"}


def test_a_memory_is_quoted_when_the_reply_adds_a_word_of_it() -> None:
    memory = "Anna adopted a dog called Bolo"
    assert is_quoted(memory, "The dog is Bolo.", "What is Anna's dog called?")
    assert not is_quoted(memory, "I do not know Anna's dog.", "What is Anna's dog called?")
