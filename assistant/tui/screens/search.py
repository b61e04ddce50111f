"""Find everywhere: words in every chat; Enter opens the chat at that turn."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from assistant.errors import AssistantError
from assistant.tui.session import SearchHit
from assistant.tui.text import FAINT, day, plain
from assistant.tui.widgets.dialogs import Modal
from assistant.tui.worker import Backend
from assistant.wording import one_line


class SearchScreen(Modal[SearchHit | None]):
    """Dismissed with the hit to open."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Back"),
        Binding("down", "to_hits", "Hits", show=False),
    ]

    def __init__(self, backend: Backend, words: str = "") -> None:
        super().__init__()
        self._backend = backend
        self._words = words
        self._hits: Sequence[SearchHit] = ()

    def compose(self) -> ComposeResult:
        with Vertical(id="search"):
            line = Input(self._words, placeholder="words in any chat", compact=True)
            line.cursor_blink = False
            yield line
            yield OptionList(id="hits")
            yield Static("", id="search-note")

    def on_mount(self) -> None:
        self.look(self._words)

    @on(Input.Changed)
    def changed(self, event: Input.Changed) -> None:
        self.look(event.value)

    @on(Input.Submitted)
    def action_to_hits(self) -> None:
        hits = self.query_one(OptionList)
        if hits.option_count:
            hits.focus()
            hits.highlighted = hits.highlighted or 0

    @work(exclusive=True, group="search")
    async def look(self, words: str) -> None:
        """Search while the person types; only the newest search is drawn."""
        note = self.query_one("#search-note", Static)
        try:
            self._hits = (
                await self._backend.ask_store(lambda store: store.search(words))
                if words.strip()
                else ()
            )
        except AssistantError as error:
            self._hits = ()
            note.update(plain(str(error)))
            return
        hits = self.query_one(OptionList)
        hits.clear_options()
        hits.add_options(Option(_hit_text(hit)) for hit in self._hits)
        note.update(plain("" if self._hits or not words.strip() else "Nothing found."))

    @on(OptionList.OptionSelected)
    def chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._hits[event.option_index])


def _hit_text(hit: SearchHit) -> Content:
    return Content.assemble(
        Content(one_line(hit.text, 200)),
        "\n",
        Content.styled(f"{day(hit.created)} · {one_line(hit.title, 60)}", FAINT),
    )
