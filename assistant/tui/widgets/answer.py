"""An answer as markdown that can be streamed, and in which nothing acts.

A model's text may hold links, raw HTML, markup and a table cell called `[/foo]`. So: links become
their text with the address beside it (no click action), HTML is shown as it is written, tables have no
tooltips (Textual parses those as markup), code is coloured only by the language it names. Knows no turn.
"""

import asyncio
from collections.abc import Iterator
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from pygments.lexers import get_lexer_by_name
from pygments.token import Token as PART
from pygments.util import ClassNotFound
from textual.app import ComposeResult
from textual.content import Content, Span
from textual.widgets import Markdown
from textual.widgets._markdown import (
    MarkdownBlock,
    MarkdownFence,
    MarkdownStream,
    MarkdownTable,
    MarkdownTableCellContents,
    MarkdownTableContent,
)

from assistant.tui.text import FAINT, clean


def make_parser() -> MarkdownIt:
    """CommonMark with tables and strike-through; no HTML, no links that can be followed."""
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    parser.core.ruler.push("still_links", _still_links)
    return parser


def _still_links(state: StateCore) -> None:
    for token in state.tokens:
        if token.children:
            token.children = list(_without_links(token.children))


def _without_links(children: list[Token]) -> Iterator[Token]:
    """Inline tokens with each link and image replaced by its words and its address."""
    words: list[str] = []
    target: str | None = None
    for child in children:
        if child.type == "link_open":
            target, words = str(child.attrs.get("href", "")), []
        elif child.type == "link_close":
            if target and target != "".join(words):
                yield Token("text", "", 0, content=f" ⟨{clean(target)}⟩")
            target = None
        elif child.type == "image":
            source = clean(str(child.attrs.get("src", "")))
            yield Token("text", "", 0, content=f"{child.content} ⟨{source}⟩".lstrip())
        else:
            words.append(child.content)
            yield child


# Few colours, all of the theme's, so that code stays calm and readable in every theme.
_COLOURS: Final = {
    PART.Comment: f"{FAINT} italic",
    PART.Keyword: "$accent",
    PART.Literal.String: "$success",
    PART.Literal.String.Doc: f"{FAINT} italic",
    PART.Literal.Number: "$warning",
    PART.Name.Function: "$primary",
    PART.Name.Class: "$primary",
    PART.Name.Builtin: "$primary",
    PART.Operator.Word: "$accent",
    PART.Generic.Deleted: "$error",
    PART.Generic.Inserted: "$success",
}


def colour_code(code: str, language: str) -> Content:
    """`code` in the colours of the language it names; plain where it names none that is known."""
    code = "\n".join(code.splitlines()).expandtabs(4)
    try:
        lexer = get_lexer_by_name(language.split()[0], stripnl=False, ensurenl=False)
    except (ClassNotFound, IndexError):
        return Content(code)
    spans: list[Span] = []
    start = 0
    for kind, text in lexer.get_tokens(code):
        while kind not in _COLOURS and kind.parent is not None:
            kind = kind.parent
        end = start + len(text)
        if kind in _COLOURS:
            spans.append(Span(start, end, _COLOURS[kind]))
        start = end
    return Content(code, spans)


class CodeBlock(MarkdownFence):
    """A code block. Without a language it stays plain: guessing loads every lexer there is."""

    @classmethod
    def highlight(cls, code: str, language: str, ansi: bool = False, dark: bool = False) -> Content:
        return colour_code(code, language)


class _Cells(MarkdownTableContent):
    """Textual's own gives each cell its text as a tooltip, which it would parse as markup."""

    def compose(self) -> ComposeResult:
        for header in self.headers:
            yield MarkdownTableCellContents(header, classes="header")
        for number, row in enumerate(self.rows, 1):
            for content in row:
                yield MarkdownTableCellContents(content, classes=f"row{number} cell")
            self.last_row = number


class Table(MarkdownTable):
    """A table, rebuilt whole while it streams: rows may come back with other widths."""

    def compose(self) -> ComposeResult:
        self._headers, self._rows = self._get_headers_and_rows()
        yield _Cells(self._headers, self._rows)

    async def _update_from_block(self, block: MarkdownBlock) -> None:
        await MarkdownBlock._update_from_block(self, block)


async def stop_stream(stream: MarkdownStream) -> None:
    """End a stream, also one that has not begun.

    Textual 8.2 cancels the stream's task and waits for it; a task that never ran ends cancelled, and
    the CancelledError would end the message loop of the screen that waits: a dead, empty screen.
    """
    try:
        await stream.stop()
    except asyncio.CancelledError:
        current = asyncio.current_task()
        if current is not None and current.cancelling():
            raise  # it is this task that is to end


def split_finished(text: str) -> tuple[str, str]:
    """Markdown that is still being written -> its finished blocks, and the one that may yet grow."""
    starts = [token.map[0] for token in make_parser().parse(text) if token.level == 0 and token.map]
    lines = text.splitlines(keepends=True)
    cut = starts[-1] if starts else 0
    return "".join(lines[:cut]), "".join(lines[cut:])


class Answer(Markdown):
    """One answer. `Markdown.get_stream(answer)` feeds it; `source` is what it shows."""

    BLOCKS = {**Markdown.BLOCKS, "fence": CodeBlock, "code_block": CodeBlock, "table_open": Table}  # noqa: RUF012
    BULLETS = ["• ", "◦ ", "▪ "]  # noqa: RUF012

    def __init__(self, text: str = "", **options: Any) -> None:
        super().__init__(clean(text), parser_factory=make_parser, open_links=False, **options)
