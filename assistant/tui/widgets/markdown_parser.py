"""The markdown an answer may use, read so that nothing in it acts; the colours of its code.

A model's text may hold links, raw HTML, markup and a table cell called `[/foo]`. So: links become
their text with the address beside it (no click action), HTML is shown as it is written, code is coloured
only by the language it names. Knows no widget.
"""

from collections.abc import Iterator
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from pygments.lexers import get_lexer_by_name
from pygments.token import Token as PART
from pygments.util import ClassNotFound
from textual.content import Content, Span

from assistant.tui.text import FAINT
from assistant.wording import clean


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


def split_finished(text: str) -> tuple[str, str]:
    """Markdown that is still being written -> its finished blocks, and the one that may yet grow."""
    starts = [token.map[0] for token in make_parser().parse(text) if token.level == 0 and token.map]
    lines = text.splitlines(keepends=True)
    cut = starts[-1] if starts else 0
    return "".join(lines[:cut]), "".join(lines[cut:])
