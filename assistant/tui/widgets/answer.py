"""An answer as one widget, also while it grows. Knows how to hold lines for a width.

What draws them is `markdown_text`. A block of markdown as a widget of its own (Textual's `Markdown`) costs
2 to 4 ms to mount, and all of them are laid out again, twice, whenever a line is added.
"""

from typing import Any

from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from assistant.tui.widgets.markdown_text import draw_markdown
from assistant.wording import clean


class Answer(Widget):
    """Markdown in which nothing acts."""

    DEFAULT_CSS = """
    Answer { height: auto; width: 1fr; }
    """

    def __init__(self, text: str = "", **options: Any) -> None:
        super().__init__(**options)
        self._text = clean(text)
        self._drawn: tuple[int, Content] = (0, Content(""))  # for a width in cells

    @property
    def source(self) -> str:
        return self._text

    @property
    def n_lines(self) -> int:
        """As it was drawn last."""
        return self._drawn[1].plain.count("\n") + 1 if self._text.strip() else 0

    def append(self, text: str) -> None:
        """Draw `text` after what is there. Only another height makes the screen be laid out."""
        self.show(self._text + clean(text))

    def show(self, text: str) -> None:
        """Draw `text`, which is clean, in place of what is there."""
        (width, _), n_before = self._drawn, self.n_lines
        self._text = text
        self._drawn = (0, Content(""))
        if width:
            self._draw(width)
        self.refresh(layout=not width or self.n_lines != n_before)

    def _draw(self, width: int) -> Content:
        if self._drawn[0] != width:
            self._drawn = (width, Content("\n").join(draw_markdown(self._text, width)))
        return self._drawn[1]

    def get_content_width(self, container: Size, viewport: Size) -> int:
        return container.width

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        self._draw(width)
        return self.n_lines

    def render(self) -> Content:
        return self._draw(self.content_size.width)
