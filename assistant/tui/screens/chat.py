"""The chat: transcript, phase line, input, and the list of conversations beside it.

Draws the engine's events and sends the person's intents to the backend. Decides nothing about
memory or models. The keys on a turn are in `turn_actions`, the slash commands in `slash`.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Footer, Static

from assistant.conversation.events import (
    Event,
    Notice,
    Phase,
    RecallDone,
    Recorded,
    Replied,
    TokenText,
)
from assistant.errors import AssistantError
from assistant.tui.messages import EngineFree, EventsWaiting, JobFailed, ModelLoaded
from assistant.tui.session import ChatMode, TurnText
from assistant.tui.text import plain
from assistant.tui.widgets.conversations import ConversationList
from assistant.tui.widgets.header import Status, StatusHeader
from assistant.tui.widgets.phase import PhaseLine
from assistant.tui.widgets.prompt import PromptInput
from assistant.tui.widgets.transcript import Transcript
from assistant.tui.widgets.turn import TurnView, recorded_turn
from assistant.tui.worker import DRAWS_PER_SECOND, Backend

if TYPE_CHECKING:
    from assistant.tui.app import AssistantApp

WELCOME = (
    "Nothing you write leaves this machine.\n"
    "What you say is remembered, and you can see and forget every bit of it."
)


class ChatScreen(Screen[None]):
    """The one screen that is always there."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 - Textual's own type
    VERTICAL_BREAKPOINTS = [(0, "-short"), (16, "-tall")]  # noqa: RUF012 - Textual's own type
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "escape", "Stop / back", id="chat.escape"),
        Binding("ctrl+n", "new_chat", "New", id="chat.new", priority=True),
        Binding("ctrl+o", "toggle_list", "Chats", id="chat.list", priority=True),
        Binding("ctrl+end", "to_end", "Newest", show=False, id="chat.end", priority=True),
    ]

    def __init__(self, backend: Backend, status: Status) -> None:
        super().__init__()
        self.backend = backend
        self._status = status
        self._conversation_id: int | None = None
        self._view: TurnView | None = None  # the turn being written
        self._n_waiting = 0

    @property
    def assistant_app(self) -> "AssistantApp":
        return cast("AssistantApp", self.app)

    # --- drawing -------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        yield StatusHeader()
        with Horizontal(id="body"):
            yield ConversationList(id="list")
            with Vertical(id="chat"):
                yield Static(plain(WELCOME), id="welcome")
                yield Transcript()
                yield PhaseLine()
                yield PromptInput(self.assistant_app.history)
        yield Footer(show_command_palette=False)

    async def on_mount(self) -> None:
        self.query_one(StatusHeader).status = self._status
        self.prompt.focus()
        self._show_empty()
        self.backend.report_to(self.post_message)
        self.backend.load()
        self.refresh_list()

    @property
    def prompt(self) -> PromptInput:
        return self.query_one(PromptInput)

    @property
    def transcript(self) -> Transcript:
        return self.query_one(Transcript)

    @property
    def status(self) -> Status:
        return self._status

    def set_status(self, status: Status) -> None:
        self._status = status
        self.query_one(StatusHeader).status = status

    def set_phase(self, phase: Phase | None, detail: str = "") -> None:
        line = self.query_one(PhaseLine)
        line.phase, line.detail = phase, detail
        line.esc_stops = phase is not None and phase.name != "loading model"

    def _show_empty(self) -> None:
        empty = not self.transcript.turns
        self.query_one("#welcome").display = empty
        self.transcript.display = not empty

    # --- what the threads say ------------------------------------------------------------------

    @on(EventsWaiting)
    async def draw_events(self) -> None:
        """Draw what came, and look again until nothing does (at DRAWS_PER_SECOND)."""
        events = self.backend.mailbox.take()
        for event in events:
            await self._draw(event)
        if events:
            self.set_timer(1 / DRAWS_PER_SECOND, self.draw_events)

    async def _draw(self, event: Event) -> None:
        match event:
            case Phase():
                self.set_phase(event)
            case Notice():
                self._update_view(lambda view: view.add_notice(event.text))
            case Recorded():
                self._take_turn(event)
            case RecallDone():
                self._update_view(
                    lambda view: view.update_turn(replace(view.turn, recall=event.recall))
                )
            case TokenText():
                if self._view is not None:
                    await self._view.write(event.text)
                    n_words = len(self._view.reply.split())
                    self.set_phase(Phase("writing"), f"{n_words} words")
            case Replied():
                await self._finish(event)

    def _update_view(self, change: Callable[[TurnView], None]) -> None:
        if self._view is not None:
            change(self._view)

    def _take_turn(self, event: Recorded) -> None:
        turn = event.turn
        is_new = self._conversation_id != turn.conversation_id
        self._conversation_id = turn.conversation_id
        if self._view is not None:
            known = replace(
                self._view.turn, turn_id=turn.id, number=turn.number, created=turn.created
            )
            self._view.update_turn(known)
        if is_new:
            self.refresh_list()

    async def _finish(self, event: Replied) -> None:
        view, self._view = self._view, None
        if view is None:
            return
        await view.finish(recorded_turn(view.turn, event.reply))
        self.transcript.replace_last(view.turn)
        usage = event.reply.usage
        self.set_status(replace(self._status, n_context_used=usage.n_prompt + usage.n_completion))
        self.refresh_list()

    @on(ModelLoaded)
    def model_loaded(self, event: ModelLoaded) -> None:
        self.set_status(replace(self._status, model=event.facts))
        self.set_phase(None)

    @on(JobFailed)
    async def job_failed(self, event: JobFailed) -> None:
        """Name what went wrong where the person looks: on the turn, else above the input."""
        if self._view is not None:
            view, self._view = self._view, None
            await view.finish(replace(view.turn, reply=view.reply, partial=bool(view.reply)))
            view.add_notice(str(event.error), error=True)
        else:
            self.tell(str(event.error), severity="error")

    @on(EngineFree)
    async def engine_free(self) -> None:
        await self.draw_events()
        self.backend.job_done()
        if not self.backend.busy:
            self.set_phase(None)

    def tell(self, text: str, *, severity: str = "information") -> None:
        """One sentence in a corner. Never markup: it may quote anything."""
        self.notify(
            plain(text).plain,
            severity="error" if severity == "error" else "information",
            markup=False,
            timeout=12 if severity == "error" else 4,
        )

    # --- what the person does ------------------------------------------------------------------

    @on(PromptInput.Sent)
    async def send(self, event: PromptInput.Sent) -> None:
        text = event.text
        if self._view is not None:
            self.tell("The assistant is still writing. Esc stops it.")
            return
        self.assistant_app.history.add(text, keep=self._status.chat_mode == "normal")
        self.prompt.text = ""
        now = self.backend.clock()
        await self.start_turn(TurnText(0, len(self.transcript.turns) + 1, text, now))
        self.backend.play(lambda engine: engine.ask(text, now))

    async def start_turn(self, turn: TurnText) -> None:
        """Draw the person's message at once; the events fill in the rest."""
        self.query_one("#welcome").display = False
        self.transcript.display = True
        self._view = await self.transcript.add(turn)
        if self._status.model is not None:
            self.set_phase(Phase("recalling"))

    def action_escape(self) -> None:
        """Stop the answer; else close what is open; else go between the input and the turns."""
        if self._view is not None:
            self.backend.stop()
        elif self.has_class("-list") and self.has_class("-narrow"):
            self.action_toggle_list()
        elif self.focused is not self.prompt:
            self.prompt.focus()
        elif (last := self.transcript.last) is not None:
            last.focus()

    def action_toggle_list(self) -> None:
        """Go to the conversations; from there, put them away.

        From 100 columns on they stand beside the chat, below that they lie over it.
        """
        conversations = self.query_one(ConversationList)
        shown = not conversations.has_focus
        self.set_class(shown, "-list")
        self.set_class(not shown, "-no-list")
        (conversations if shown else self.prompt).focus()

    async def action_new_chat(self) -> None:
        await self.open_conversation(None)

    def action_page(self, direction: int) -> None:
        transcript = self.transcript
        if direction < 0:
            transcript.scroll_page_up(animate=False)
        else:
            transcript.scroll_page_down(animate=False)

    async def action_to_end(self) -> None:
        await self.transcript.action_to_end()

    @on(ConversationList.Chosen)
    async def conversation_chosen(self, event: ConversationList.Chosen) -> None:
        self.remove_class("-list")
        await self.open_conversation(event.conversation_id)

    async def open_conversation(
        self, conversation_id: int | None, mode: ChatMode = "normal"
    ) -> None:
        """Draw a conversation's turns; the model continues it from its saved state."""
        if self._view is not None:
            self.tell("The assistant is still writing. Esc stops it.")
            return
        turns = []
        if conversation_id is not None:
            wanted = conversation_id
            try:
                turns = list(await self.backend.ask_store(lambda store: store.turns(wanted)))
            except AssistantError as error:
                self.tell(str(error), severity="error")
                return
        self._conversation_id = conversation_id
        self.set_status(replace(self._status, n_context_used=0, chat_mode=mode))
        self.backend.tell(lambda engine: engine.open_conversation(conversation_id, mode))
        await self.transcript.show_turns(turns)
        self._show_empty()
        self.prompt.focus()
        self.refresh_list()

    @work(exclusive=True, group="list")
    async def refresh_list(self) -> None:
        """Fetch and draw the list of conversations."""
        try:
            conversations = await self.backend.ask_store(lambda store: store.conversations())
        except AssistantError as error:
            self.tell(str(error), severity="error")
            return
        self.query_one(ConversationList).show(
            conversations, self.backend.clock(), self._conversation_id
        )

    @on(TurnView.Asked)
    async def turn_asked(self, event: TurnView.Asked) -> None:
        match event.what:
            case "up" | "down":
                self._move(event.view, -1 if event.what == "up" else 1)
            case "type":
                self.prompt.focus()
            case "recall":
                await self._fetch_recall(event.view)
            case "copy":
                self.app.copy_to_clipboard(event.view.reply)
                self.tell("Copied the answer.")
            case "copy_code":
                self._copy_code(event.view)

    async def _fetch_recall(self, view: TurnView) -> None:
        turn_id = view.turn.turn_id
        recall = await self.backend.ask_store(lambda store: store.recall_of(turn_id))
        view.update_turn(replace(view.turn, recall=recall))
        self.transcript.replace_turn(view.turn)

    def _copy_code(self, view: TurnView) -> None:
        blocks = view.code_blocks()
        if blocks:
            self.app.copy_to_clipboard(blocks[-1])
        self.tell("Copied the last code block." if blocks else "There is no code in this answer.")

    def _move(self, view: TurnView, step: int) -> None:
        views = self.transcript.views
        index = views.index(view) + step
        if index >= len(views):
            self.prompt.focus()
        elif index >= 0:
            views[index].focus()
