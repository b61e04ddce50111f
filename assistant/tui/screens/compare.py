"""Two answers side by side: the one that was given, and one without a memory. Nothing is recorded."""

from collections.abc import Collection
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from assistant.conversation.events import Phase, Replied, TokenText
from assistant.tui.messages import EngineFree, EventsWaiting, JobFailed
from assistant.tui.session import TurnText
from assistant.tui.text import plain
from assistant.tui.widgets.answer import Answer
from assistant.tui.widgets.key_bar import KeyBar
from assistant.tui.widgets.phase import PhaseLine
from assistant.tui.worker import DRAWS_PER_SECOND, Backend, Listener
from assistant.wording import one_line


class CompareScreen(Screen[None]):
    """Beside each other from 100 columns on, below each other under that."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 - Textual's own type
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "back", "Stop / back")]

    def __init__(
        self, backend: Backend, turn: TurnText, memory_ids: Collection[int], memory_text: str
    ) -> None:
        super().__init__()
        self._backend = backend
        self._turn = turn
        self._memory_ids = memory_ids
        self._memory_text = memory_text
        self._listener = Listener(self.post_message)
        self._answering = False

    def compose(self) -> ComposeResult:
        yield Static(plain(f"Without: {one_line(self._memory_text, 200)}"), id="compare-title")
        with Horizontal(id="compare"):
            with VerticalScroll(classes="side"):
                yield Static(plain("as it was answered"), classes="section")
                yield Answer(self._turn.reply)
            with VerticalScroll(classes="side"):
                yield Static(plain("without this memory"), classes="section")
                yield Answer(id="other")
        yield PhaseLine()
        yield KeyBar()

    def on_mount(self) -> None:
        if self._backend.busy:
            self.notify("The model is busy. Try again when it is not.", markup=False)
            self.dismiss()
            return
        self._answering = True
        turn_id, ids, now = self._turn.turn_id, self._memory_ids, self._backend.clock()
        self._backend.play(lambda engine: engine.answer_without(turn_id, ids, now), self._listener)

    @on(EventsWaiting)
    def draw_events(self) -> None:
        events = self._listener.mailbox.take()
        line = self.query_one(PhaseLine)
        for event in events:
            if isinstance(event, TokenText):
                self.query_one("#other", Answer).append(event.text)
            elif isinstance(event, Phase):
                line.phase = event
            elif isinstance(event, Replied):
                line.phase = None
        if events:
            self.set_timer(1 / DRAWS_PER_SECOND, self.draw_events)

    @on(JobFailed)
    def failed(self, event: JobFailed) -> None:
        self.notify(plain(str(event.error)).plain, severity="error", markup=False)

    @on(EngineFree)
    def free(self) -> None:
        self.draw_events()
        self._backend.job_done()
        self._answering = False
        self.query_one(PhaseLine).phase = None

    def on_unmount(self) -> None:
        """Where it is taken away while it runs, as by a chat opened from the palette, nobody hears
        that the engine is free: it would be busy for ever."""
        if self._answering:
            self._backend.stop()
            self._backend.job_done()

    def action_back(self) -> None:
        """Esc stops the answer first, and leaves when it is still."""
        if self._answering:
            self._backend.stop()
        else:
            self.dismiss()
