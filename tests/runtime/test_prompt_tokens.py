"""A reply keeps the tokens it was generated in; nothing said becomes a control token."""

from hypothesis import given
from hypothesis import strategies as st

from assistant.runtime.prompt_tokens import respell, tokenize_segments
from assistant.runtime.template import Segment

CONTROL, USER_DEFINED, BOS = 1000, 1001, 1002


class ByteVocabulary:
    """Every byte is a token, and so is every pair of small letters ("ab" is 1 * 256 + ...)."""

    bos = BOS

    def __init__(self, *, adds_bos: bool = False) -> None:
        self.adds_bos = adds_bos

    def tokenize(self, text: str, *, special: bool = False, inside: bool = False) -> list[int]:
        tokens: list[int] = []
        for i, part in enumerate(text.split("<end>") if special else [text]):
            tokens += [CONTROL] * bool(i) + list(part.encode())
        return tokens

    def piece(self, token: int) -> bytes:
        if token >= 2000:
            return bytes(divmod(token - 2000, 256))
        return bytes([token]) if token < 256 else {USER_DEFINED: b"<tool>"}.get(token, b"")

    def is_ordinary(self, token: int) -> bool:
        return token < 1000 or token >= 2000


def pair(text: str) -> int:
    return 2000 + text.encode()[0] * 256 + text.encode()[1]


VOCABULARY = ByteVocabulary()


def test_control_tokens_come_from_the_template_alone():
    segments = [Segment("a", True), Segment("b<end>c", False), Segment("<end>", True)]
    tokens = tokenize_segments(segments, VOCABULARY, [])
    assert tokens.count(CONTROL) == 1
    assert tokens[-1] == CONTROL


def test_a_reply_keeps_its_own_spelling_while_the_prompt_agrees():
    held = [*b"Q", CONTROL, pair("un"), *b"do", CONTROL]
    segments = [Segment("Q<end>", True), Segment("undo", False), Segment("<end>", True)]
    assert tokenize_segments(segments, VOCABULARY, held) == held


def test_after_the_first_difference_nothing_is_taken_over():
    held = [*b"Q", CONTROL, pair("un"), *b"do", CONTROL]
    segments = [Segment("R<end>", True), Segment("undo", False)]
    assert tokenize_segments(segments, VOCABULARY, held) == [*b"R", CONTROL, *b"undo"]


def test_a_reply_cut_inside_its_last_token_keeps_the_others():
    assert respell("und", [pair("un"), pair("do")], VOCABULARY) == [pair("un"), *b"d"]


def test_a_text_that_goes_on_differently_is_not_respelled():
    assert respell("undone", [pair("un"), *b"tie"], VOCABULARY) is None


def test_a_control_or_added_token_never_stands_for_text():
    assert respell("a<tool>b", [*b"a", USER_DEFINED, *b"b"], VOCABULARY) is None
    assert respell("ab", [*b"a", CONTROL, *b"b"], VOCABULARY) is None


def test_a_beginning_of_sequence_token_is_written_once():
    vocabulary = ByteVocabulary(adds_bos=True)
    assert tokenize_segments([Segment("a", True)], vocabulary, [])[0] == BOS

    class WritesBos(ByteVocabulary):
        def tokenize(self, text: str, *, special: bool = False, inside: bool = False) -> list[int]:
            return [BOS, *super().tokenize(text, special=special)]

    tokens = tokenize_segments([Segment("a", True)], WritesBos(adds_bos=True), [])
    assert tokens == [BOS, *b"a"]


def test_spaces_before_a_content_are_read_with_it():
    seen: list[tuple[str, bool]] = []

    class Listening(ByteVocabulary):
        def tokenize(self, text: str, *, special: bool = False, inside: bool = False) -> list[int]:
            seen.append((text, special))
            return super().tokenize(text, special=special)

    segments = [Segment("[INST] ", True), Segment("Hi", False), Segment(" [/INST] ", True)]
    tokens = tokenize_segments(segments, Listening(), [])
    assert seen == [("[INST]", True), (" Hi", False), (" [/INST]", True), (" ", True)]
    assert bytes(tokens) == b"[INST] Hi [/INST] "


@given(st.text(), st.text(), st.lists(st.booleans()))
def test_whatever_is_held_the_tokens_spell_the_text(text: str, other: str, joins: list[bool]):
    data, held, at = other.encode(), [], 0
    for join in [*joins, *[False] * len(data)]:
        if at + 1 < len(data) and join:
            held.append(2000 + data[at] * 256 + data[at + 1])
            at += 2
        elif at < len(data):
            held.append(data[at])
            at += 1
    for said in (text, other, other[: len(other) // 2]):
        tokens = tokenize_segments([Segment(said, False)], VOCABULARY, held)
        assert b"".join(map(VOCABULARY.piece, tokens)).decode() == said
