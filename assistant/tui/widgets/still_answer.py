"""A finished answer as one widget. Knows how to hold lines for a width; `markdown_text` draws them."""

from typing import Any

from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from assistant.tui.text import clean
from assistant.tui.widgets.markdown_text import draw_markdown


class StillAnswer(Widget):
    """Markdown that does not change any more."""

    DEFAULT_CSS = """
    StillAnswer { height: auto; width: 1fr; }
    """

    def __init__(self, text: str = "", **options: Any) -> None:
        super().__init__(**options)
        self._text = clean(text)
        self._drawn: tuple[int, Content] = (0, Content(""))

    @property
    def source(self) -> str:
        return self._text

    def _draw(self, width: int) -> Content:
        if self._drawn[0] != width:
            self._drawn = (width, Content("\n").join(draw_markdown(self._text, width)))
        return self._drawn[1]

    def get_content_width(self, container: Size, viewport: Size) -> int:
        return container.width

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return self._draw(width).plain.count("\n") + 1 if self._text.strip() else 0

    def render(self) -> Content:
        return self._draw(self.content_size.width)
