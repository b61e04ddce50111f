"""Why: what was given to the model for one answer, and what nearly was.

It says "given to the model", never "caused": what a model makes of its prompt is not known. Draws a
turn's recall; the store does what the keys ask.
"""

from collections.abc import Callable, Collection
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from assistant.records import Recall
from assistant.tui.screens.compare import CompareScreen
from assistant.tui.screens.store_screen import StoreScreen
from assistant.tui.session import Store, TurnText
from assistant.tui.text import plain
from assistant.tui.widgets.dialogs import EditText
from assistant.tui.widgets.key_bar import KeyBar
from assistant.tui.widgets.memory_card import MemoryCard
from assistant.tui.worker import Backend
from assistant.wording import count, one_line

KEPT_OUT = "never in this chat"


class WhyScreen(StoreScreen[None]):
    """One answer's memories, near-misses and prompt."""

    AUTO_FOCUS = ""  # it would scroll past what stands over the first card
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "Back", id="why.back"),
        Binding("up,k", "step(-1)", "Up", show=False, id="why.up"),
        Binding("down,j", "step(1)", "Down", show=False, id="why.down"),
        Binding(
            "a",
            "without",
            "Without it",
            tooltip="Answer again without this memory",
            id="why.without",
        ),
        Binding("f", "forget", "Forget", id="why.forget"),
        Binding("u", "undo", "Undo", id="why.undo"),
        Binding("e", "edit", "Edit", id="why.edit"),
        Binding("p", "pin", "Pin", id="why.pin"),
        Binding("x", "exclude", "Not here", tooltip="Never in this chat", id="why.exclude"),
        Binding("t", "toggle_prompt", "Prompt", id="why.prompt"),
    ]

    def __init__(self, backend: Backend, turn: TurnText, conversation_id: int | None) -> None:
        super().__init__(backend)
        self._turn = turn
        self._conversation_id = conversation_id
        self._recall = turn.recall or Recall("")
        # What an undo takes back, and the mark before.
        self._marked: list[tuple[MemoryCard, str]] = []

    def compose(self) -> ComposeResult:
        yield Static(plain(f"Why: {one_line(self._turn.prompt, 200)}"), id="why-title")
        with VerticalScroll(id="why", can_focus=False):
            given = self._recall.memories
            yield Static(
                plain(f"Given to the model: {count(len(given), 'memory')}"), classes="section"
            )
            for memory in given:
                yield MemoryCard(memory)
            missed = self._recall.near_misses
            if missed:
                yield Static(
                    plain(f"Not given: {count(len(missed), 'near-miss')}"), classes="section"
                )
            for memory in missed:
                yield MemoryCard(memory)
            yield Static(plain("Exact prompt"), classes="section prompt-part")
            yield Static("", id="why-prompt", classes="prompt-part")
        yield KeyBar()

    async def on_mount(self) -> None:
        self.query(".prompt-part").set(display=False)
        cards = list(self.query(MemoryCard))
        if cards:
            cards[0].focus(scroll_visible=False)  # what stands over it is to be read first
        turn_id = self._turn.turn_id
        quoted = await self.ask(lambda store: store.quoted(turn_id)) if turn_id else None
        if quoted is not None:
            for card in cards[: len(self._recall.memories)]:
                card.quoted = card.memory.id in quoted
                card.redraw()

    @property
    def card(self) -> MemoryCard | None:
        return self.focused if isinstance(self.focused, MemoryCard) else None

    def action_step(self, step: int) -> None:
        cards = list(self.query(MemoryCard))
        if not cards:
            return
        at = cards.index(self.card) + step if self.card else 0
        if at < 0:
            self.query_one("#why").scroll_home(animate=False)
        cards[max(0, min(at, len(cards) - 1))].focus(scroll_visible=at >= 0)

    def action_toggle_prompt(self) -> None:
        """Show the prompt, word for word, control tokens as the text they are."""
        parts = self.query(".prompt-part")
        shown = not parts.first().display
        parts.set(display=shown)
        if shown:
            waits = "As soon as the model is free." if self.backend.busy else ""
            self._show_prompt(waits)
            self.begin(self._fetch_prompt())

    async def _fetch_prompt(self) -> None:
        turn_id = self._turn.turn_id
        prompt = await self.ask_engine(lambda engine: engine.prompt_of(turn_id)) if turn_id else ""
        if prompt is not None:
            self._show_prompt(prompt or "The prompt of this answer was not kept.")

    def _show_prompt(self, text: str) -> None:
        self.query_one("#why-prompt", Static).update(plain(text))
        self.call_after_refresh(self.query_one("#why").scroll_end, animate=False)

    # --- what can be done to a memory ----------------------------------------------------------

    async def _change(self, mark: str, change: Callable[[Store, int], object]) -> None:
        """Apply `change` to the focused memory and mark its card."""
        card = self.card
        if card is None:
            self.tell("Choose a memory first, with Up and Down.")
            return
        memory_id = card.memory.id
        if await self.do(lambda store: change(store, memory_id)):
            self._mark(card, mark)

    def _mark(self, card: MemoryCard, mark: str) -> None:
        if KEPT_OUT not in (mark, card.mark):  # of this chat alone: no change to the memory
            self._marked.append((card, card.mark))
        card.mark = mark
        card.redraw()

    async def action_forget(self) -> None:
        now = self.backend.clock()
        await self._change("forgotten", lambda store, id_: store.forget([id_], now))

    async def action_undo(self) -> None:
        if await self.undo() and self._marked:
            card, before = self._marked.pop()
            card.mark = KEPT_OUT if card.mark == KEPT_OUT else before
            card.redraw()

    async def action_pin(self) -> None:
        now = self.backend.clock()
        await self._change("pinned", lambda store, id_: store.pin([id_], True, now))

    async def action_exclude(self) -> None:
        """Never in this chat; pressed again, it may come back."""
        conversation_id = self._conversation_id
        if conversation_id is None:
            self.tell("This chat is not kept.")
            return
        now = self.backend.clock()
        if self.card is not None and self.card.mark == KEPT_OUT:
            await self._change("", lambda store, id_: store.include(id_, conversation_id))
        else:
            await self._change(
                KEPT_OUT, lambda store, id_: store.exclude(id_, conversation_id, now)
            )

    def action_edit(self) -> None:
        card = self.card
        if card is None:
            self.tell("Choose a memory first, with Up and Down.")
            return
        memory = card.memory
        if memory.kind != "thought":
            self.tell("What was said stays as it was said; thoughts can be edited.")
            return

        async def save(text: str | None) -> None:
            if text and text != memory.text:
                now = self.backend.clock()
                if await self.do_engine(lambda engine: engine.edit(memory.id, text, now)):
                    self._mark(card, "edited")

        edit = EditText("What should be remembered?", memory.text)
        self.app.push_screen(edit, self.aside(save))

    def action_without(self) -> None:
        """The same question without this memory, beside the answer that was given."""
        card = self.card
        if card is None or card.memory.reason or not self._turn.turn_id:
            self.tell("Choose a memory that was given to the model.")
            return
        ids: Collection[int] = [card.memory.id]
        self.app.push_screen(CompareScreen(self.backend, self._turn, ids, card.memory.text))
