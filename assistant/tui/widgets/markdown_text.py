"""Markdown drawn as one piece of text. Pure: text and a width in cells in, lines out."""

from collections.abc import Iterator, Sequence
from typing import Final

from markdown_it.tree import SyntaxTreeNode
from textual.content import Content, Span

from assistant.tui.widgets.markdown_parser import colour_code, make_parser

LEAST_WIDTH: Final = 8  # cells: below it, deep nesting would leave nothing to write on
BULLETS: Final = ("• ", "◦ ", "▪ ")
_INLINE: Final = {"em": "italic", "strong": "bold", "s": "strike"}
Lines = list[Content]


def draw_markdown(text: str, width: int) -> Lines:
    """`text` as lines of at most `width` cells. Nothing in it acts."""
    tree = SyntaxTreeNode(make_parser().parse(text))
    width = max(width, LEAST_WIDTH)
    lines = _blocks(tree.children, width, apart=True)
    # What is nested keeps LEAST_WIDTH for itself, whatever its marks take.
    return [line.truncate(width) if line.cell_length > width else line for line in lines]


def _blocks(nodes: Sequence[SyntaxTreeNode], width: int, *, apart: bool, depth: int = 0) -> Lines:
    lines: Lines = []
    for node in nodes:
        if lines and apart:
            lines.append(Content(""))
        lines += _block(node, max(width, LEAST_WIDTH), depth)
    return lines


def _block(node: SyntaxTreeNode, width: int, depth: int) -> Lines:
    match node.type:
        case "paragraph":
            return inline(node).wrap(width)
        case "heading":
            style = "$primary bold" if node.tag in ("h1", "h2") else "$primary"
            return inline(node).stylize_before(style).wrap(width)
        case "bullet_list" | "ordered_list":
            return list(_list(node, width, depth))
        case "fence" | "code_block":
            return _code(node, width)
        case "blockquote":
            bar = Content.styled("▌ ", "$border-blurred")
            return [bar + line for line in _blocks(node.children, width - 2, apart=False)]
        case "table":
            return _table(node, width)
        case "hr":
            return [Content.styled("─" * width, "$border-blurred")]
        case _:
            return Content(node.content).wrap(width)


def inline(node: SyntaxTreeNode) -> Content:
    """The text of a paragraph, heading or cell, with its emphasis as styles."""
    parts: list[str] = []
    spans: list[Span] = []

    def walk(children: Sequence[SyntaxTreeNode], at: int) -> int:
        for child in children:
            start = at
            if child.type == "softbreak":
                parts.append(" ")
                at += 1
            elif child.type == "hardbreak":
                parts.append("\n")
                at += 1
            elif child.children:
                at = walk(child.children, at)
            else:
                parts.append(child.content)
                at += len(child.content)
            if child.type == "code_inline":
                spans.append(Span(start, at, "$accent"))
            elif style := _INLINE.get(child.type):
                spans.append(Span(start, at, style))
        return at

    walk(node.children, 0)
    return Content("".join(parts), spans)


def _list(node: SyntaxTreeNode, width: int, depth: int) -> Iterator[Content]:
    """Items under each other, wrapped lines under their item's text."""
    first = int(node.attrs.get("start", 1)) if node.type == "ordered_list" else None
    last = (first or 1) + len(node.children) - 1
    for number, item in enumerate(node.children):
        if first is None:
            mark = BULLETS[depth % len(BULLETS)]
        else:
            mark = f"{first + number}. ".rjust(len(f"{last}. ") + 1)
        below = " " * len(mark)
        for row, line in enumerate(
            _blocks(item.children, width - len(mark), apart=False, depth=depth + 1)
        ):
            yield (Content.styled(mark, "$primary") if row == 0 else Content(below)) + line


def _code(node: SyntaxTreeNode, width: int) -> Lines:
    """Code on its own ground, a cell of room on each side; long lines fold."""
    code = colour_code(node.content.rstrip(), node.info or "")
    lines: Lines = []
    for line in code.split("\n", allow_blank=True):
        for part in line.fold(width - 2):
            padded = part.pad(1, max(0, width - 1 - part.cell_length))
            lines.append(padded.stylize_before("on $surface"))
    return lines


def _table(node: SyntaxTreeNode, width: int) -> Lines:
    """Columns as wide as their widest cell; where that is too wide, cells wrap."""
    rows = [
        [inline(cell.children[0]) if cell.children else Content("") for cell in row.children]
        for part in node.children
        for row in part.children
    ]
    if not rows or not rows[0]:
        return []
    n_columns = len(rows[0])
    room = max(n_columns, width - 3 * n_columns - 1)
    widths = _share([max(row[n].cell_length for row in rows) for n in range(n_columns)], room)
    rule = [
        Content.styled(_rule(ends, widths), "$border-blurred") for ends in ("┌┬┐", "├┼┤", "└┴┘")
    ]
    lines = [rule[0]]
    for number, row in enumerate(rows):
        if number > 0:
            lines.append(rule[1])
        cells = [cell.stylize_before("$primary") if number == 0 else cell for cell in row]
        lines += _table_row(cells, widths)
    return [line.truncate(width) for line in [*lines, rule[2]]]


def _table_row(cells: Sequence[Content], widths: Sequence[int]) -> Lines:
    wrapped = [cell.wrap(width) for cell, width in zip(cells, widths, strict=False)]
    edge = Content.styled("│", "$border-blurred")
    lines: Lines = []
    for at in range(max(map(len, wrapped))):
        line = edge
        for cell, width in zip(wrapped, widths, strict=True):
            part = cell[at] if at < len(cell) else Content("")
            line = line + part.pad(1, max(0, width - part.cell_length) + 1) + edge
        lines.append(line)
    return lines


def _rule(ends: str, widths: Sequence[int]) -> str:
    return ends[0] + ends[1].join("─" * (width + 2) for width in widths) + ends[2]


def _share(wanted: Sequence[int], room: int) -> list[int]:
    """`wanted` widths, the widest cut first until all fit into `room`; at least 1 each."""
    widths = [max(1, width) for width in wanted]
    while sum(widths) > room and max(widths) > 1:
        widths[widths.index(max(widths))] -= 1
    return widths
