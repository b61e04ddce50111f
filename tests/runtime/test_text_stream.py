"""Half characters are held back, stop strings are never given out."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from assistant.runtime.text_stream import TextStream


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(edges)]


def read(stream: TextStream, pieces: list[bytes]) -> str:
    said = []
    for piece in pieces:
        said.append(stream.feed(piece))
        if stream.stopped:
            break
    return "".join(said) + stream.finish()


def test_a_character_is_held_back_until_all_its_bytes_came():
    stream = TextStream()
    assert [stream.feed(bytes([byte])) for byte in "é😀".encode()] == ["", "é", "", "", "", "😀"]


def test_a_character_cut_off_at_the_end_is_dropped():
    stream = TextStream()
    assert stream.feed("a😀".encode()[:-1]) == "a"
    assert stream.finish() == ""


def test_bytes_that_are_no_utf8_become_the_replacement_character():
    assert TextStream().feed(b"a\xffb") == "a\ufffdb"


def test_a_stop_string_across_pieces_ends_the_text_before_it():
    stream = TextStream(["\nUser:"])
    assert [stream.feed(piece) for piece in (b"Hi\n", b"Us", b"er", b": x")] == ["Hi", "", "", ""]
    assert stream.stopped
    assert stream.finish() == ""


def test_the_beginning_of_a_stop_string_that_does_not_come_is_given_out():
    stream = TextStream(["\nUser:"])
    assert stream.feed(b"Hi\nUs") == "Hi"
    assert stream.feed(b"ed") == "\nUsed"
    assert stream.feed(b"\n") == ""
    assert stream.finish() == "\n"


def test_the_earliest_of_several_stop_strings_counts():
    stream = TextStream(["END", "stop"])
    assert stream.feed(b"a stop b END") == "a "


def test_an_empty_stop_string_stops_nothing():
    assert TextStream([""]).feed(b"abc") == "abc"


@given(st.text(), st.lists(st.integers(min_value=0)))
def test_any_text_arrives_whole_however_its_bytes_are_cut(text: str, cuts: list[int]):
    assert read(TextStream(), pieces_of(text.encode(), cuts)) == text


@given(st.text(alphabet="ab<|é"), st.lists(st.integers(min_value=0)), st.text("ab<|é", min_size=1))
def test_nothing_of_a_stop_string_is_said_however_it_is_cut(text: str, cuts: list[int], stop: str):
    assert read(TextStream([stop]), pieces_of(text.encode(), cuts)) == text.split(stop)[0]
