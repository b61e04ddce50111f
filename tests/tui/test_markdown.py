"""An answer looks the same while it streams and when it stands still; both keep to their width."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.containers import VerticalScroll

import assistant.tui.app as app_module
from assistant.tui.app import AssistantApp
from assistant.tui.themes import DARK
from assistant.tui.widgets.answer import Answer
from assistant.tui.widgets.markdown_text import draw_markdown
from assistant.tui.widgets.still_answer import StillAnswer
from tui_fakes import drawn

SAMPLES = {
    "prose": "A paragraph with **bold**, *italic*, ~~gone~~ and `code` that is long enough to wrap "
    "around the end of a line, twice if the line is short, and says nothing.\n\nAnother.",
    "headings": "# One\n\ntext\n\n## Two\n\n### Three\n\ntext",
    "lists": "- one with a rather long text that has to wrap and hang under its own text, and on\n"
    "- two\n  - nested\n  - more\n- three\n\n1. first\n2. second with a text that wraps around the "
    "end of the line and goes on\n\nafter",
    "code": "Before\n\n```python\ndef walk(dog):\n\treturn f'{dog}'  # twice\n\nx = 1\n```\n\nafter",
    "quote": "> said someone\n> over two lines\n\nafter\n\n---\n\nend",
    "table": "| who | where |\n|---|---:|\n| Anna | Lisbon |\n| Bo | `c` |\n\nafter",
    "wide": "日本語のテキストはセルを二つ使います。" * 4 + "\n\n- 😀 emoji\n- שלום",
}


class Both(App[None]):
    """One answer as it streams, or as it stands."""

    CSS_PATH = [Path(app_module.__file__).parent / file for file in AssistantApp.CSS_PATH]  # noqa: RUF012

    def __init__(self, text: str, still: bool) -> None:
        super().__init__()
        self._text, self._still = text, still
        self.register_theme(DARK)
        self.theme = DARK.name

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield (StillAnswer if self._still else Answer)(self._text, classes="answer")


async def lines_of(text: str, still: bool) -> list[str]:
    app = Both(text, still)
    async with app.run_test(size=(64, 40)) as pilot:
        await pilot.pause(0.05)
        return [line.rstrip() for line in drawn(app).rstrip().splitlines()]  # type: ignore[arg-type]


@pytest.mark.parametrize("name", SAMPLES)
async def test_an_answer_looks_the_same_streaming_and_standing(name: str) -> None:
    text = SAMPLES[name]
    assert await lines_of(text, still=True) == await lines_of(text, still=False)


@given(st.text(max_size=300), st.integers(1, 90))
def test_no_text_is_drawn_wider_than_it_may_be(text: str, width: int) -> None:
    lines = draw_markdown(text, width)
    assert all(line.cell_length <= max(width, 8) for line in lines if "\t" not in line.plain)


@pytest.mark.parametrize("piece", [">", "- ", "*", "[", "|", "`", "1. ", "#", "<"])
def test_deep_nesting_ends(piece: str) -> None:
    draw_markdown(piece * 2000, 40)
