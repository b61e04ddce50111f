"""The Models screen: what is installed, what can be had, what fits; downloads that can be paused.

Draws the shelf's rows. Downloads run on their own thread, beside the conversation.
"""

import asyncio
from collections.abc import Callable
from typing import ClassVar, Final, Literal, TypeVar, cast

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import Screen
from textual.widgets import DataTable, Static

from assistant.errors import AssistantError
from assistant.tui.frame import Frame
from assistant.tui.session import Download, ModelRow, ModelShelf
from assistant.tui.text import cell, plain
from assistant.tui.widgets.dialogs import AskLine, Confirm
from assistant.tui.widgets.key_bar import KeyBar
from assistant.wording import one_line

T = TypeVar("T")

LABELS: Final = {
    "mark": "",
    "id": "model",
    "size": "size",
    "quant": "quant.",
    "fit": "fits",
    "speed": "tokens/s",
}
# From that many columns on: what the table holds, and the most cells of a name. The line below it says
# the rest of the row that is looked at.
SHAPES: Final[tuple[tuple[int, tuple[str, ...], int], ...]] = (
    (100, ("mark", "id", "size", "quant", "fit", "speed"), 60),
    (60, ("mark", "id", "size", "fit", "speed"), 36),
    (0, ("mark", "id", "speed"), 24),
)
NO_MODEL: Final = "There is no model in the list yet."


class Downloading(Message):
    """A download got further."""

    def __init__(self, download: Download) -> None:
        super().__init__()
        self.download = download


class ModelsScreen(Screen[None]):
    """One for the whole run of the app: a download goes on while the person talks."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "back", "Back", id="models.back"),
        Binding("enter", "use", "Use", id="models.use", priority=True),
        Binding("d", "pull", "Download", id="models.pull"),
        Binding("p", "pause", "Pause / go on", id="models.pause"),
        Binding("a", "add", "Add a file", id="models.add"),
    ]

    def __init__(self, shelf: ModelShelf) -> None:
        super().__init__()
        self._shelf = shelf
        self._wanted = ""  # asked for by whoever opened the screen
        self._rows: list[ModelRow] = []
        self._pulling = ""
        self._paused = ""
        self._use = ""  # what is to answer as soon as it is here
        self._changed = False
        self._opening = False

    def open(self, pull: str = "") -> None:
        """Before it is shown: look anew at what there is, and offer this model where it is not here."""
        self._wanted, self._opening = pull, True

    def compose(self) -> ComposeResult:
        yield Static(plain("Models"), id="models-title")
        yield DataTable[object](id="models-table", cursor_type="row")
        yield Static("", id="models-note")
        yield Static("", id="models-progress")
        yield KeyBar()

    def on_screen_resume(self) -> None:
        if self._opening:
            self._opening = False
            self.table.focus()
            self.load_rows()

    def on_screen_suspend(self) -> None:
        """However it is left: the model that was chosen last is the one to load."""
        if self._changed:
            self._changed = False
            cast(Frame, self.app).load_model()

    def on_resize(self) -> None:
        if self._rows:
            self._draw_table()

    @property
    def table(self) -> DataTable[object]:
        return self.query_one("#models-table", DataTable)

    @property
    def current(self) -> ModelRow | None:
        at = self.table.cursor_row
        return self._rows[at] if 0 <= at < len(self._rows) else None

    @work(exclusive=True, group="models")
    async def load_rows(self) -> None:
        if not self._rows:  # the first look measures the machine, which takes its time
            self._note("Looking at what is here and what fits…")
        rows = await self._try(self._shelf.rows)
        if rows is None:
            return
        self._rows = list(rows)
        is_first = not self.table.row_count
        self._draw_table()
        ids = [row.id for row in self._rows]
        wanted, self._wanted = self._wanted, ""
        if wanted in ids:
            self.table.move_cursor(row=ids.index(wanted))
            self._offer(use=True)
        elif is_first:
            self.table.move_cursor(row=next((n for n, row in enumerate(rows) if row.chosen), 0))

    @property
    def _shape(self) -> tuple[tuple[str, ...], int]:
        """The columns that there is room for, and the most cells of a name."""
        return next(shape[1:] for shape in SHAPES if self.size.width >= shape[0])

    def _draw_table(self) -> None:
        table, at = self.table, self.table.cursor_row
        columns, id_cells = self._shape
        table.clear(columns=True)
        drawn = [_cells(row, id_cells) for row in self._rows]
        for key in columns:  # with its width: one that is found out later is first drawn too narrow
            width = max(len(LABELS[key]), *(cells[key].cell_len for cells in drawn), 1)
            table.add_column(LABELS[key], key=key, width=width)
        for row, cells in zip(self._rows, drawn, strict=True):
            table.add_row(*(cells[key] for key in columns), key=row.id)
        table.move_cursor(row=min(at, len(self._rows) - 1))

    async def _try(self, job: Callable[[], T]) -> T | None:
        """`job` on a thread; an error is named and gives None."""
        try:
            return await asyncio.to_thread(job)
        except AssistantError as error:
            self.notify(plain(str(error)).plain, severity="error", markup=False)
            return None

    @on(DataTable.RowHighlighted)
    def highlighted(self) -> None:
        row = self.current
        if row is not None:
            best = "★ recommended for this machine" if row.recommended else ""
            columns, id_cells = self._shape
            cells = _cells(row, 0)
            hidden = [cells[key].plain for key in ("size", "quant", "fit") if key not in columns]
            name = row.id if len(row.id) > id_cells else ""
            arrived = (
                f"{size_text(row.arrived_bytes)} are here, d goes on" if row.arrived_bytes else ""
            )
            parts = (name, arrived, *hidden, best, row.licence, row.note)
            self._note(" · ".join(part for part in parts if part))

    def _note(self, text: str) -> None:
        self.query_one("#models-note", Static).update(plain(one_line(text)))

    def _progress(self, text: str) -> None:
        self.query_one("#models-progress", Static).update(plain(one_line(text)))

    def action_use(self) -> None:
        self.table.action_select_cursor()

    @on(DataTable.RowSelected)
    async def choose(self) -> None:
        """Enter: use this model from now on; what is not here is offered as a download."""
        row = self.current
        if row is None:
            self._say(NO_MODEL)
            return
        if row.chosen:
            self._say(f"{row.id} answers already.")
            return
        if not row.installed:
            self._offer(use=True)
            return
        if await self._try(lambda: self._shelf.choose(row.id)):
            self._changed = True
            self.notify(f"{row.id} answers from now on.", markup=False)
            self.load_rows()

    def action_add(self) -> None:
        async def add(path: str | None) -> None:
            if path and path.strip():
                self._progress(f"Reading {path.strip()}…")  # all of it, once
                added = await self._try(lambda: self._shelf.add(path.strip()))
                self._progress("")
                if added is not None:
                    self.notify(f"Added as {one_line(added)}.", markup=False)
                    self.load_rows()

        self.app.push_screen(AskLine("The path of a GGUF file on this machine"), add)

    # --- downloads -----------------------------------------------------------------------------

    def action_pull(self) -> None:
        self._offer()

    def _offer(self, *, use: bool = False) -> None:
        """Ask whether to download what is under the cursor; `use`: it answers as soon as it is here."""
        row = self.current
        if row is None or row.installed:
            self._say(NO_MODEL if row is None else f"{row.id} is here already.")
            return
        if self._pulling:
            self._say(f"{self._pulling} is on its way: one at a time. p pauses it.")
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._use = row.id if use or not any(known.chosen for known in self._rows) else ""
                self._start(row.id)

        question = f"Download {row.id}, {size_text(row.size_bytes)}?"
        licence = f"Licence: {row.licence}. " if row.licence else ""
        detail = f"{licence}The small model that finds memories comes with it where it is missing."
        self.app.push_screen(Confirm(question, detail), answered)

    def action_pause(self) -> None:
        if self._pulling:
            self._paused = self._pulling
            self._shelf.pause()
        elif self._paused:
            self._start(self._paused)
        else:
            self._say("No download is on its way, and none was paused.")

    @work(group="download")
    async def _start(self, model_id: str) -> None:
        self._pulling, self._paused = model_id, ""
        self._progress(f"{model_id}: looking for it…")
        try:
            done = await asyncio.to_thread(self._shelf.pull, model_id, self._report)
        except AssistantError as error:
            self._progress(str(error))
            self._say(str(error), error=True)
        else:
            self._progress(f"{model_id} is here." if done else f"{model_id}: paused. p goes on.")
            if done:
                await self._arrived(model_id)
        finally:
            self._pulling = ""
        self.load_rows()

    async def _arrived(self, model_id: str) -> None:
        wanted = self._use == model_id
        if wanted and await self._try(lambda: self._shelf.choose(model_id)) is not None:
            cast(Frame, self.app).use_model(model_id)
            self._say(f"{model_id} is here, and answers from now on.")
        elif not self.is_current:
            self._say(f"{model_id} is here. F4 or /models chooses it.")

    def _say(self, text: str, *, error: bool = False) -> None:
        severity: Literal["error", "information"] = "error" if error else "information"
        self.app.notify(plain(text).plain, severity=severity, markup=False)

    def _report(self, step: Download) -> None:
        """From the download's thread."""
        self.post_message(Downloading(step))

    @on(Downloading)
    def downloading(self, event: Downloading) -> None:
        if self._pulling and not self._paused:
            self._progress(progress_text(event.download))

    def action_back(self) -> None:
        if self._pulling and not self._paused:
            self._say(f"{self._pulling} goes on arriving. F4 or /models shows how far it is.")
        self.dismiss()


def progress_text(step: Download) -> str:
    """ "smollm2-135m: downloading 12 MB of 98 MB · 8 MB/s · 11 s left"."""
    doing = step.phase.partition(" ")[0]  # the name of the file after it says less than the model's
    parts = [f"{step.id}: {doing} {size_text(step.done_bytes)}"]
    if step.total_bytes:
        parts[0] += f" of {size_text(step.total_bytes)}"
    if step.bytes_per_s > 0:
        parts.append(f"{size_text(int(step.bytes_per_s))}/s")
    if (left := step.seconds_left) is not None:
        parts.append(f"{left:.0f} s left" if left < 90 else f"{left / 60:.0f} min left")
    return " · ".join(parts)


def size_text(n_bytes: int) -> str:
    """Decimal, as disks and networks count: "491 MB", "1.1 GB"."""
    if n_bytes >= 10**9:
        return f"{n_bytes / 1e9:.1f} GB"
    return f"{n_bytes / 1e6:.0f} MB" if n_bytes >= 10**6 else f"{n_bytes / 1e3:.0f} kB"


def _cells(row: ModelRow, id_cells: int) -> dict[str, Text]:
    """What each column says of a model; its name cut to `id_cells`."""
    mark = "●" if row.chosen else "✓" if row.installed else "★" if row.recommended else ""
    return {
        "mark": cell(mark, "bold"),
        "id": cell(one_line(row.id, id_cells), "bold" if row.installed else ""),
        "size": cell(size_text(row.size_bytes)),
        "quant": cell(row.quantisation),
        "fit": cell(row.fit),
        "speed": cell(_speed(row)),
    }


def _speed(row: ModelRow) -> str:
    speed = row.measured_tps or row.predicted_tps
    digits = f"{speed:.0f}" if speed >= 10 else f"{speed:.1f}"
    return f"{'' if row.measured_tps else '~'}{digits}" if speed else ""
