"""The scroller of turns: follows the answer while it is written, stays where the person scrolled.

Holds every turn's text but mounts only a window of them (a conversation may have 5 000);
coming near an end of the window moves it. Knows no engine.
"""

from collections.abc import Sequence
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalGroup, VerticalScroll

from assistant.tui.session import TurnText
from assistant.tui.widgets.turn import TurnView

# A turn is four widgets, each of which costs 2 to 4 ms to mount.
N_MOUNTED: Final = 8  # turns drawn when a conversation opens: they fill most terminals
N_MORE: Final = 3  # turns added when the person comes within a page of an end
N_MOST: Final = 48  # turns kept mounted; those at the far end leave


class Transcript(VerticalScroll, can_focus=True):
    """The turns of one conversation, the newest right above the input.

    The turns lie in a group at least as tall as the scroller: an anchored scroller that is taller
    than what it holds scrolls to a negative position (Textual 8.2).
    """

    DEFAULT_CSS = """
    Transcript > #turns { min-height: 100%; align-vertical: bottom; padding: 1 1 0 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("end,G", "to_end", "Newest", id="transcript.end"),
        Binding("home,g", "to_start", "Oldest", show=False, id="transcript.home"),
    ]

    def __init__(self) -> None:
        super().__init__(id="transcript")
        self._turns: list[TurnText] = []
        self._first = 0  # index in _turns of the first mounted one
        self._moving = False
        self._group = VerticalGroup(id="turns")

    @property
    def turns(self) -> Sequence[TurnText]:
        return self._turns

    @property
    def views(self) -> list[TurnView]:
        return [child for child in self._group.children if isinstance(child, TurnView)]

    @property
    def last(self) -> TurnView | None:
        views = self.views
        return views[-1] if views else None

    def compose(self) -> ComposeResult:
        yield self._group

    def on_mount(self) -> None:
        self.anchor()

    async def show_turns(self, turns: Sequence[TurnText]) -> None:
        """Draw another conversation, from its end."""
        self._turns = list(turns)
        await self._mount_window(max(0, len(self._turns) - N_MOUNTED), len(self._turns))
        self.anchor()

    async def add(self, turn: TurnText) -> TurnView:
        """Append a turn and follow it."""
        if self._last_mounted < len(self._turns):
            await self._mount_window(max(0, len(self._turns) - N_MOUNTED), len(self._turns))
        self._turns.append(turn)
        view = TurnView(turn)
        await self._group.mount(view)
        self.anchor()
        return view

    def replace_turn(self, turn: TurnText) -> None:
        """Keep new facts about a turn, also for when it is mounted again."""
        for index in range(len(self._turns) - 1, -1, -1):
            if self._turns[index].turn_id == turn.turn_id:
                self._turns[index] = turn
                return

    def replace_last(self, turn: TurnText) -> None:
        """The newest turn got its number, its reply or its recall."""
        self._turns[-1] = turn

    @property
    def next_number(self) -> int:
        """The number of the next turn."""
        return self._turns[-1].number + 1 if self._turns else 1

    async def drop_last(self) -> None:
        """Take the newest turn away: another branch takes its place."""
        if (last := self.last) is not None:
            self._turns.pop()
            await last.remove()

    def view_at(self, index: int) -> TurnView | None:
        views = self.views
        return views[index - self._first] if 0 <= index - self._first < len(views) else None

    def view_of(self, turn_id: int) -> TurnView | None:
        return next((view for view in self.views if view.turn.turn_id == turn_id), None)

    async def reveal(self, index: int) -> TurnView:
        """Mount the turn at `index` where it is not, and scroll to it."""
        if not self._first <= index < self._last_mounted:
            first = max(0, index - N_MOUNTED // 2)
            await self._mount_window(first, min(len(self._turns), first + N_MOUNTED))
        view = self.views[index - self._first]
        self.release_anchor()
        self.call_after_refresh(self.scroll_to_widget, view, animate=False, top=True)
        return view

    async def show_turn(self, turn_id: int) -> None:
        """Scroll to a turn, where it is one of these."""
        for index, turn in enumerate(self._turns):
            if turn.turn_id == turn_id:
                await self.reveal(index)
                return

    def index_of(self, view: TurnView) -> int:
        return self._first + self.views.index(view)

    async def action_to_end(self) -> None:
        """Show the newest turn and follow it again."""
        if self._last_mounted < len(self._turns):
            await self._mount_window(max(0, len(self._turns) - N_MOUNTED), len(self._turns))
        self.anchor()

    async def action_to_start(self) -> None:
        if self._first > 0:
            await self._mount_window(0, min(len(self._turns), N_MOUNTED))
        self.release_anchor()
        self.scroll_home(animate=False)

    @property
    def _last_mounted(self) -> int:
        return self._first + len(self.views)

    async def _mount_window(self, first: int, last: int) -> None:
        self._first = first
        with self.app.batch_update():
            await self.query(TurnView).remove()
            await self._group.mount_all(TurnView(turn) for turn in self._turns[first:last])

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if new_value != old_value:
            self._look_at_ends(new_value < old_value)

    def page(self, direction: int) -> None:
        """Scroll by a page; at an end of what is mounted, go on."""
        if direction < 0:
            self.scroll_page_up(animate=False)
        else:
            self.scroll_page_down(animate=False)
        self._look_at_ends(direction < 0)

    def _look_at_ends(self, upwards: bool) -> None:
        """Mount more turns where the person has come to the end of those that are."""
        if self._moving or not self._turns:
            return
        if upwards and self.scroll_y < self.size.height and self._first > 0:
            self._moving = True
            self.call_after_refresh(self._more_before)
        elif (
            not upwards
            and self.scroll_y > self.max_scroll_y - self.size.height
            and self._last_mounted < len(self._turns)
        ):
            self._moving = True
            self.call_after_refresh(self._more_after)

    async def _more_before(self) -> None:
        """Mount older turns above, without moving what the person reads."""
        first = max(0, self._first - N_MORE)
        older = [TurnView(turn) for turn in self._turns[first : self._first]]
        height_before = self.virtual_size.height
        with self.app.batch_update():
            self._first = first
            await self._group.mount_all(older, before=0)
            for view in self.views[N_MOST:]:
                await view.remove()

        def keep_place() -> None:
            self.scroll_to(
                y=self.scroll_y + self.virtual_size.height - height_before, animate=False
            )
            self._moving = False
            self._look_at_ends(upwards=True)

        self.call_after_refresh(keep_place)

    async def _more_after(self) -> None:
        """Mount newer turns below."""
        last = self._last_mounted
        await self._group.mount_all(TurnView(turn) for turn in self._turns[last : last + N_MORE])
        self._moving = False
        self.call_after_refresh(self._look_at_ends, upwards=False)
