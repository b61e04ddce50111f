"""An answer looks the same while it streams and when it stands still, and keeps to its width."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content

import assistant.tui.app as app_module
from assistant.tui.app import AssistantApp
from assistant.tui.themes import DARK
from assistant.tui.widgets.answer import Answer
from assistant.tui.widgets.markdown_parser import split_finished
from assistant.tui.widgets.markdown_text import draw_markdown
from assistant.tui.widgets.prompt import PromptInput
from assistant.tui.widgets.transcript import Transcript
from tui_fakes import FakeEngine, FakeStore, drawn, is_idle, make_app, wait_for

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


class Growing(App[None]):
    """One answer that gets its text in pieces of `size` characters."""

    CSS_PATH = [Path(app_module.__file__).parent / file for file in AssistantApp.CSS_PATH]  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.register_theme(DARK)
        self.theme = DARK.name

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Answer(classes="answer")


@pytest.mark.parametrize("name", SAMPLES)
async def test_an_answer_in_pieces_looks_as_it_does_in_one(name: str) -> None:
    text, app = SAMPLES[name], Growing()
    async with app.run_test(size=(64, 40)) as pilot:
        answer = app.query_one(Answer)

        def looks() -> list[str]:
            return [line.rstrip() for line in drawn(app).rstrip().splitlines()]  # type: ignore[arg-type]

        for start in range(0, len(text), 7):
            answer.append(text[start : start + 7])
            await pilot.pause()
        in_pieces = looks()
        answer.show("")
        await pilot.pause()
        assert looks() == []
        answer.show(text)
        await pilot.pause()
        assert looks() == in_pieces
        assert looks() == [
            line.plain.rstrip() for line in indented(text, answer.content_size.width)
        ]


def indented(text: str, width: int) -> list[Content]:
    return [Content(" ") + line if line else line for line in draw_markdown(text, width)]


@pytest.mark.parametrize("name", SAMPLES)
def test_cutting_off_the_finished_blocks_loses_nothing(name: str) -> None:
    finished, growing = split_finished(SAMPLES[name])
    assert finished + growing == SAMPLES[name]
    whole = [line.plain for line in draw_markdown(SAMPLES[name], 60)]
    parts = [line.plain for text in (finished, growing) for line in draw_markdown(text, 60)]
    assert [line for line in parts if line] == [line for line in whole if line]


async def test_a_long_answer_in_small_pieces_ends_up_whole_and_with_few_widgets() -> None:
    text = "\n\n".join(SAMPLES.values())
    engine = FakeEngine(FakeStore(), reply=text, tokens_per_second=150)
    app = make_app(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        prompt = app.screen.query_one(PromptInput)
        prompt.fill("go")
        prompt.action_send()
        transcript = app.screen.query_one(Transcript)
        await wait_for(pilot, lambda: len(transcript.query(Answer)) > 1)
        assert len(transcript.query(Answer)) < 8
        await wait_for(pilot, lambda: is_idle(app))
        view = transcript.last
        assert view is not None
        assert view.reply == text
        assert [answer.source for answer in view.query(Answer)] == [text]


@given(st.text(max_size=300), st.integers(1, 90))
@example(">00000\U00020000", 1)
@example(">>>>>>>> a text in a quote of a quote", 12)
def test_no_text_is_drawn_wider_than_it_may_be(text: str, width: int) -> None:
    lines = draw_markdown(text, width)
    assert all(line.cell_length <= max(width, 8) for line in lines if "\t" not in line.plain)


@pytest.mark.parametrize("piece", [">", "- ", "*", "[", "|", "`", "1. ", "#", "<"])
def test_deep_nesting_ends(piece: str) -> None:
    draw_markdown(piece * 2000, 40)
