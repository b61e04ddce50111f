"""Foreign text made safe to show."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.wording import clean, count_of, one_line


@pytest.mark.parametrize(
    ("dirty", "cleaned"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]52;c;ZXZpbA==\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("a\x9b31mb", "a31mb"),
        ("bell\x07 back\x08 del\x7f", "bell back del"),
        ("tab\tand\nline", "tab\tand\nline"),
        ("carriage\rreturn\r\nand\u2028more", "carriage\nreturn\nand\nmore"),
        ("re\u202eversed", "reversed"),
        ("\x1b", ""),
        ("\x1b]2;title that nothing ends", "2;title that nothing ends"),
        ("name\udcff.gguf", "name.gguf"),
        ("שלום\u200f!\u202eevil", "שלום\u200f!evil"),
        ("[@click=app.quit]x[/]", "[@click=app.quit]x[/]"),
    ],
)
def test_nothing_that_acts_on_a_terminal_is_printed(dirty: str, cleaned: str) -> None:
    assert clean(dirty) == cleaned


def test_one_line_is_one_line_of_its_width() -> None:
    assert one_line("a\n b\tc") == "a b c"
    assert one_line("abcdef", 4) == "abc…"


@given(st.text(max_size=200))
def test_cleaned_text_holds_nothing_a_terminal_acts_on(text: str) -> None:
    kept = clean(text)
    assert not any(ord(char) < 32 and char not in "\n\t" for char in kept)
    assert not any(0x7F <= ord(char) <= 0x9F for char in kept)
    assert clean(kept) == kept
    assert "\n" not in one_line(text)


def test_one_of_a_noun_that_is_known_by_its_plural() -> None:
    named = ("memories", "messages", "lines of prompt history", "bytes")
    assert [count_of(1, plural) for plural in named] == [
        "1 memory", "1 message", "1 line of prompt history", "1 byte",
    ]  # fmt: skip
    assert count_of(2, "memories") == "2 memories"
