"""The Memory screen: everything that is remembered, as a table that can be filtered and changed.

Draws rows and details the store gives. Nothing is erased without a yes, and nothing forgotten without
a way back.
"""

from collections.abc import Callable, Mapping
from typing import ClassVar, Final, Literal

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.coordinate import Coordinate
from textual.message import Message
from textual.widgets import DataTable, Input, Static

from assistant.tui.memory_filter import parse_filter
from assistant.tui.memory_text import conflict_text, details_text, portrait_text
from assistant.tui.screens.store_screen import StoreScreen
from assistant.tui.session import MOST_LISTED, Conflict, Keep, MemoryRow, Store
from assistant.tui.text import cell, day, plain
from assistant.tui.widgets.dialogs import Confirm, EditText
from assistant.tui.widgets.key_bar import KeyBar
from assistant.tui.worker import Backend
from assistant.wording import count, one_line

NOTHING_YET = (
    "Nothing is remembered yet.\n"
    "Tell the assistant something about yourself: it stands here a moment later."
)
NOTHING_FITS = "No memory fits this filter.\n/ goes to it."
NO_MEMORY = "There is no memory here."
FILTER_HINT = 'kind:thought  by:me  before:2026-01  state:forgotten  pinned:yes  "a phrase"  words'


NARROW: Final = 60  # columns of the terminal; below, day and text are all there is room for
WIDTHS: Final = {"mark": (2, 1), "date": (11, 6), "kind": (8, 0), "kept": (5, 0)}  # cells; 0: none
Beside = Literal["", "details", "conflicts", "portrait", "receipt"]


class FittedTable(DataTable[object]):
    """A table that tells when its own width is another, as when something opens beside it."""

    class Resized(Message):
        pass

    def on_resize(self) -> None:
        self.post_message(self.Resized())


class MemoryScreen(StoreScreen[None]):
    """A filter, a table, and beside it whatever was asked about the chosen row."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 - Textual's own type
    VERTICAL_BREAKPOINTS = [(0, "-short"), (16, "-tall")]  # noqa: RUF012 - Textual's own type
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="memory.back"),
        Binding("slash", "filter", "Filter", id="memory.filter"),
        Binding("space", "select", "Select", id="memory.select"),
        Binding("f", "forget", "Forget", id="memory.forget"),
        Binding("u", "undo", "Undo", id="memory.undo"),
        Binding("x", "erase", "Erase", id="memory.erase"),
        Binding("p", "pin", "Pin", id="memory.pin"),
        Binding("e", "edit", "Edit", id="memory.edit"),
        Binding("m", "merge", "Merge", id="memory.merge"),
        Binding("c", "conflicts", "Conflicts", id="memory.conflicts"),
        Binding("o", "portrait", "Portrait", id="memory.portrait"),
        Binding("n", "settle('newer')", "Keep newer", show=False, id="memory.newer"),
        Binding("l", "settle('older')", "Keep older", show=False, id="memory.older"),
        Binding("b", "settle('both')", "Keep both", show=False, id="memory.both"),
    ]

    def __init__(self, backend: Backend, filter_text: str = "") -> None:
        super().__init__(backend)
        self._filter_text = filter_text
        self._rows: dict[int, MemoryRow] = {}
        self._selected: set[int] = set()
        self._conflicts: list[Conflict] = []
        self._n_conflicts = 0  # that wait for the person's word
        self._beside: Beside = ""
        self._text_cells = 0  # of the table's last column, as it was drawn

    def compose(self) -> ComposeResult:
        yield Static("", id="memory-title")
        line = Input(self._filter_text, placeholder=FILTER_HINT, id="memory-filter", compact=True)
        line.cursor_blink = False
        yield line
        with Horizontal(id="memory-body"):
            yield Static("", id="memory-empty")
            yield FittedTable(id="memory-table", cursor_type="row", zebra_stripes=False)
            with VerticalScroll(id="memory-side"):
                yield Static("", id="memory-details")
        yield KeyBar()

    def on_mount(self) -> None:
        self.table.focus()
        self.load_rows()

    def on_fitted_table_resized(self) -> None:
        self._fit_table()

    def _fit_table(self) -> None:
        """The text takes what the other columns leave; on a narrow screen they are two."""
        table = self.table
        widths = {key: of[self.size.width < NARROW] for key, of in WIDTHS.items()}
        widths = {key: width for key, width in widths.items() if width}
        padding = 2 * table.cell_padding
        others = sum(widths.values()) + padding * (len(widths) + 1)
        text_cells = max(12, table.container_size.width - others - 1)  # 1: the scroll bar
        if not table.display or text_cells == self._text_cells:
            return
        self._text_cells = text_cells
        row = table.cursor_row
        table.clear(columns=True)
        for key, width in widths.items():
            table.add_column("" if key == "mark" else key, key=key, width=width)
        table.add_column("text", key="text", width=text_cells)
        self._draw_rows(row)

    def _draw_rows(self, cursor_row: int) -> None:
        table = self.table
        table.clear()
        for row in self._rows.values():
            cells = self._cells(row)
            table.add_row(*(cells[str(key.value)] for key in table.columns), key=str(row.id))
        if self._rows:
            table.move_cursor(row=min(cursor_row, len(self._rows) - 1))

    @property
    def table(self) -> DataTable[object]:
        return self.query_one("#memory-table", DataTable)

    # --- the table -----------------------------------------------------------------------------

    @on(Input.Changed, "#memory-filter")
    def filter_changed(self, event: Input.Changed) -> None:
        self._filter_text = event.value
        self.load_rows()

    @on(Input.Submitted, "#memory-filter")
    def filter_done(self) -> None:
        self.table.focus()

    @work(exclusive=True, group="rows")
    async def load_rows(self) -> None:
        """Fetch what the filter asks for; the cursor stays on its memory, else in its place."""
        wanted, problem = parse_filter(self._filter_text)
        now = self.backend.clock()
        found = await self.ask(lambda store: (store.memories(wanted, now), store.conflicts(now)))
        if found is None:
            return
        rows, self._n_conflicts = found[0], len(found[1])
        current, at = self.current, self.table.cursor_row
        self._rows = {row.id: row for row in rows}
        self._selected &= self._rows.keys()
        if current is not None and current.id in self._rows:
            at = list(self._rows).index(current.id)
        self._draw_rows(at)
        self._draw_empty()
        self._draw_title(problem)

    def _draw_empty(self) -> None:
        """Say why there is no table where there is none."""
        self.set_class(not self._rows, "-empty")
        said = NOTHING_FITS if self._filter_text.strip() else NOTHING_YET
        self.query_one("#memory-empty", Static).update(plain(said))
        if self._rows and self.focused is None:
            self.table.focus()

    def _draw_title(self, problem: str = "") -> None:
        title = count(len(self._rows), "memory")
        if len(self._rows) >= MOST_LISTED:
            title = f"the newest {MOST_LISTED} memories, / finds older ones"
        if self._selected:
            title += f" · {len(self._selected)} selected"
        elif self._n_conflicts:
            title += f" · {count(self._n_conflicts, 'conflict')}, c shows them"
        elif self._rows:
            title += " · enter opens one"
        self.query_one("#memory-title", Static).update(plain(f"Memory · {problem or title}"))

    def _cells(self, row: MemoryRow) -> Mapping[str, Text]:
        mark = "●" if row.id in self._selected else "◆" if row.pinned else ""
        faint = "" if row.state == "active" else "dim strike" if row.state == "forgotten" else "dim"
        text = row.text if row.role == "user" else f"({row.role}) {row.text}"
        return {
            "mark": cell(mark),
            "date": cell(day(row.created)),
            "kind": cell(row.kind),
            "kept": cell(f"{100 * row.retention:.0f} %"),
            "text": cell(text, faint),
        }

    @property
    def current(self) -> MemoryRow | None:
        table = self.table
        if not table.row_count or not table.is_valid_row_index(table.cursor_row):
            return None
        key = table.coordinate_to_cell_key(Coordinate(table.cursor_row, 0)).row_key.value
        return self._rows.get(int(key or 0))

    def _chosen(self) -> list[int]:
        """The selected memories, else the one under the cursor."""
        if self._selected:
            return sorted(self._selected)
        return [self.current.id] if self.current else []

    def look_for(self, filter_text: str) -> None:
        """Show these memories; the filter's own message loads them."""
        self.query_one("#memory-filter", Input).value = filter_text
        self._show("")

    def action_filter(self) -> None:
        self.query_one("#memory-filter").focus()

    def action_select(self) -> None:
        row = self.current
        if row is None:
            self.tell(NO_MEMORY)
            return
        self._selected ^= {row.id}
        self.table.update_cell(str(row.id), "mark", self._cells(row)["mark"])
        self.table.action_cursor_down()
        self._draw_title()

    def action_back(self) -> None:
        if self._beside:
            self._show("")
        elif self.query_one("#memory-filter", Input).has_focus and self._rows:
            self.table.focus()
        else:  # an empty table is hidden and cannot take the focus
            self.dismiss()

    # --- beside it -----------------------------------------------------------------------------

    def _show(self, beside: Beside, content: Content | None = None) -> None:
        """Put something beside the table (over it, where there is no room), or put it away."""
        self._beside = beside
        self.set_class(bool(beside), "-details")
        if content is None:
            self.table.focus()
        else:
            self.query_one("#memory-details", Static).update(content)

    async def _show_again(self) -> None:
        """What stands beside the table, after something was changed."""
        match self._beside:
            case "details":
                await self.show_details()
            case "portrait":
                await self.action_portrait()
            case "conflicts":
                await self.action_conflicts()

    @on(DataTable.RowHighlighted)
    async def follow_cursor(self) -> None:
        """Details are those of the row under the cursor, which the keys act on."""
        if self._beside == "details":
            await self.show_details()

    @on(DataTable.RowSelected)
    async def show_details(self) -> None:
        row = self.current
        if row is None:
            self._show("")
            return
        now = self.backend.clock()
        details = await self.ask(lambda store: store.details(row.id, now))
        if details is not None and self.current == row:
            self._show("details", details_text(row, details))

    async def action_portrait(self) -> None:
        now = self.backend.clock()
        lines = await self.ask(lambda store: store.portrait(now))
        if lines is not None:
            self._show("portrait", portrait_text(lines))

    async def action_conflicts(self) -> None:
        now = self.backend.clock()
        found = await self.ask(lambda store: store.conflicts(now))
        if found is not None:
            self._conflicts = list(found)
            self._show("conflicts", conflict_text(found))

    async def action_settle(self, keep: Keep) -> None:
        """Decide the first conflict of the inbox."""
        if self._beside != "conflicts" or not self._conflicts:
            return
        conflict, now = self._conflicts[0], self.backend.clock()
        if await self.do(lambda store: store.settle_conflict(conflict, keep, now)):
            await self._changed()

    # --- changes -------------------------------------------------------------------------------

    async def _changed(self) -> None:
        """Draw anew what a change may have touched."""
        await self.load_rows().wait()
        await self._show_again()

    async def _change(self, said: str, change: Callable[[Store, list[int]], object]) -> None:
        ids = self._chosen()
        if not ids:
            self.tell(NO_MEMORY)
            return
        if await self.do(lambda store: change(store, ids)):
            self._selected.clear()
            self.tell(said.format(count(len(ids), "memory")))
            await self._changed()

    async def action_forget(self) -> None:
        now = self.backend.clock()
        await self._change(
            "{} forgotten. u takes it back.", lambda store, ids: store.forget(ids, now)
        )

    async def action_undo(self) -> None:
        await self.undo()
        await self._changed()

    async def action_pin(self) -> None:
        now = self.backend.clock()
        pinned = not all(self._rows[id_].pinned for id_ in self._chosen())
        words = "{} pinned." if pinned else "{} no longer pinned."
        await self._change(words, lambda store, ids: store.pin(ids, pinned, now))

    def action_merge(self) -> None:
        """Say in one thought what several say; they stay in its history."""
        chosen = [self._rows[id_] for id_ in self._rows if id_ in self._selected]
        if len(chosen) < 2 or any(row.kind != "thought" for row in chosen):
            self.tell("Select two or more thoughts with Space first.")
            return
        newest, ids = chosen[0], [row.id for row in chosen]

        async def save(text: str | None) -> None:
            if not text:
                return
            now = self.backend.clock()
            if await self.do_engine(lambda engine: engine.merge(ids, text, now)):
                self._selected.clear()
                self.tell(f"{count(len(ids), 'thought')} are one now. u takes them apart.")
                await self._changed()

        others = "\n".join(f"· {one_line(row.text, 120)}" for row in chosen[1:])
        self.app.push_screen(
            EditText("One thought for all of them", newest.text, others), self.aside(save)
        )

    def action_edit(self) -> None:
        row = self.current
        if row is None or row.kind != "thought":
            self.tell("What was said stays as it was said; thoughts can be edited.")
            return

        async def save(text: str | None) -> None:
            if text and text != row.text:
                now = self.backend.clock()
                if await self.do_engine(lambda engine: engine.edit(row.id, text, now)):
                    await self._changed()

        self.app.push_screen(EditText("What should be remembered?", row.text), self.aside(save))

    def action_erase(self) -> None:
        """Erasing cannot be taken back, so it is asked about and answered with a receipt."""
        ids = self._chosen()
        if self.backend.busy:
            self.tell("The model is busy. Erase when it is not.")
            return
        if not ids:
            self.tell(NO_MEMORY)
            return

        async def erase(yes: bool | None) -> None:
            if not yes:
                return
            now = self.backend.clock()
            await self.ask_engine(lambda engine: engine.put_down())  # or its saved state keeps it
            receipt = await self.ask(lambda store: store.erase(ids, now))
            await self.frame.reopen_after_erasing()
            if receipt is not None:
                self._selected.clear()
                self._show("receipt", plain("Erased\n\n" + "\n".join(receipt)))
                self.load_rows()

        question = f"Erase {count(len(ids), 'memory')} for good?"
        detail = "The text goes from the store, its indexes, its backups and the prompt history."
        self.app.push_screen(Confirm(question, detail), erase)
