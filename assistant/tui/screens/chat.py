"""The chat: transcript, phase line, input, and the list of conversations beside it.

Draws the engine's events and sends the person's intents to the backend. Decides nothing about
memory or models. What the keys on a turn do is in `turn_actions`, the slash commands in `commands`.
"""

from asyncio import Lock
from dataclasses import replace
from time import perf_counter
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widgets import Static

from assistant.conversation.events import (
    Event,
    Notice,
    Phase,
    RecallAsked,
    RecallDone,
    Recorded,
    Replied,
    TokenText,
)
from assistant.errors import ModelError
from assistant.tui import commands, tidy
from assistant.tui.messages import (
    BackgroundDone,
    BackgroundFailed,
    EngineFree,
    EventsWaiting,
    JobFailed,
    ModelLoaded,
)
from assistant.tui.screens.consent_flow import ConsentFlow
from assistant.tui.screens.finder import Finder
from assistant.tui.screens.store_screen import StoreScreen
from assistant.tui.screens.turn_actions import TurnActions
from assistant.tui.session import ChatMode, TurnText
from assistant.tui.text import plain
from assistant.tui.widgets.consent import ConsentChip
from assistant.tui.widgets.conversations import ConversationList
from assistant.tui.widgets.find import FindBar
from assistant.tui.widgets.header import Status, StatusHeader
from assistant.tui.widgets.key_bar import KeyBar
from assistant.tui.widgets.phase import PhaseLine
from assistant.tui.widgets.prompt import PAUSE_SECONDS, PromptInput
from assistant.tui.widgets.transcript import Transcript
from assistant.tui.widgets.turn import TurnView, recorded_turn
from assistant.tui.worker import DRAWS_PER_SECOND, DRAWS_WHILE_TYPING, Backend, Listener
from assistant.wording import count

WELCOME: dict[ChatMode, str] = {
    "normal": "Nothing you write leaves this machine.\n"
    "What you say is remembered, and you can see and forget every bit of it.",
    "temporary": "A temporary chat.\nNo memory is read, and nothing of it is kept.",
    "read-only": "A read-only chat.\nMemories are read, and nothing of it is kept.",
}
TYPING_SECONDS = 0.5  # after a key, how long the person is taken to be typing
KEY_GAP_SECONDS = 0.05  # how soon it is looked again whether an answer may be drawn
LONGEST_WAIT_SECONDS = 0.5  # most an answer is behind while someone types
DRAWING_SHARE = 0.25  # most of the time that an answer that grows may take; the rest is for keys
QUIET_SECONDS = 3.0  # after an answer, how long until what lies about is swept up
STILL_WRITING = "The assistant is still writing. Esc stops it."


class ChatScreen(StoreScreen[None]):
    """The one screen that is always there."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 - Textual's own type
    VERTICAL_BREAKPOINTS = [(0, "-short"), (16, "-tall")]  # noqa: RUF012 - Textual's own type
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "escape", "Stop / back", id="chat.escape"),
        Binding("ctrl+n", "new_chat", "New", id="chat.new", priority=True),
        Binding("ctrl+o", "toggle_list", "Chats", id="chat.list", priority=True),
        Binding("ctrl+f", "find", "Find", show=False, id="chat.find", priority=True),
        Binding("ctrl+r", "act('regenerate')", "Again", show=False, id="chat.again", priority=True),
        Binding("ctrl+e", "act('edit')", "Edit", show=False, id="chat.edit", priority=True),
        Binding("ctrl+w", "act('why')", "Why", show=False, id="chat.why", priority=True),
        Binding("ctrl+y", "consent", "Answer", show=False, id="chat.consent", priority=True),
        Binding("ctrl+end", "to_end", "Newest", show=False, id="chat.end", priority=True),
    ]

    def __init__(self, backend: Backend, status: Status) -> None:
        super().__init__(backend)
        self.conversation_id: int | None = None
        self.replaces: int | None = None  # the turn that the next message is another branch of
        self.writing: TurnView | None = None
        self.changing = Lock()  # held by whoever changes which turns are shown: keys act at once
        self._status = status
        self._actions = TurnActions(self)
        self._finder = Finder(self)
        self._consent = ConsentFlow(self)
        self._told_background = False
        self._typed_at = 0.0
        self._drawn_at = 0.0
        self._draw_timer: Timer | None = None
        self._ahead = ""  # the text whose prompt was read last while nothing was sent
        self._listener = Listener(self.post_message)

    # --- drawing -------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        yield StatusHeader()
        with Horizontal(id="body"):
            yield ConversationList(id="list")
            with Vertical(id="chat"):
                yield FindBar()
                yield Static(id="welcome")
                yield Transcript()
                yield ConsentChip()
                yield PhaseLine()
                yield PromptInput(self.frame.history)
        yield KeyBar()

    def on_mount(self) -> None:
        self.set_status(self._status)
        self.prompt.focus()
        self._show_empty()
        self.backend.report_to(self._listener)
        self.load_model()
        self.refresh_list()

    def on_screen_resume(self) -> None:
        self.set_status(replace(self._status, network=self.frame.facts.network()))

    def load_model(self) -> None:
        """Load the chosen model, the first time and whenever another was chosen."""
        self.backend.load()

    @property
    def prompt(self) -> PromptInput:
        return self.query_one(PromptInput)

    @property
    def transcript(self) -> Transcript:
        return self.query_one(Transcript)

    @property
    def find_bar(self) -> FindBar:
        return self.query_one(FindBar)

    @property
    def consent_chip(self) -> ConsentChip:
        return self.query_one(ConsentChip)

    @property
    def status(self) -> Status:
        return self._status

    def set_status(self, status: Status) -> None:
        self._status = status
        self.query_one(StatusHeader).status = status
        for mode in ("temporary", "read-only"):
            self.set_class(status.chat_mode == mode, f"-{mode}")

    def set_phase(self, phase: Phase | None, detail: str = "") -> None:
        line = self.query_one(PhaseLine)
        line.phase, line.detail = phase, detail
        line.esc_stops = phase is not None and phase.name != "loading model"

    def set_hint(self, hint: str) -> None:
        """What the phase line says while nothing runs."""
        self.query_one(PhaseLine).idle_text = hint

    def _show_empty(self) -> None:
        empty = not self.transcript.turns
        welcome = self.query_one("#welcome", Static)
        welcome.update(plain(WELCOME[self._status.chat_mode]))
        welcome.display = empty
        self.transcript.display = not empty

    # --- what the threads say ------------------------------------------------------------------

    @on(EventsWaiting)
    async def draw_when_due(self) -> None:
        """The key that was pressed comes before the answer that grows.

        So while someone types, an answer is drawn right after a key was (`typed`), when the next one
        is farthest away, and else only where no key came for a while.
        """
        now = perf_counter()
        is_typing = now - self._typed_at < TYPING_SECONDS
        if is_typing and now - self._drawn_at < LONGEST_WAIT_SECONDS:
            self._draw_later(KEY_GAP_SECONDS)
        else:
            await self.draw_events()

    async def draw_events(self) -> None:
        """Draw what came, and look again until nothing does: at DRAWS_PER_SECOND, or less often where
        a draw takes long, as of a listing of hundreds of lines that still grows."""
        if self.writing is not None and not self.writing.is_attached:
            self.writing = None  # the app ends: nothing can be mounted any more
        started = perf_counter()
        events = self._listener.mailbox.take()
        for event in events:
            await self._draw(event)
        if events:
            self._drawn_at = perf_counter()
            rest = (self._drawn_at - started) * (1 / DRAWING_SHARE - 1)
            self._draw_later(max(1 / DRAWS_PER_SECOND, rest))

    def _draw_later(self, seconds: float) -> None:
        if self._draw_timer is not None:
            self._draw_timer.stop()
        self._draw_timer = self.set_timer(seconds, self.draw_when_due)

    async def _draw(self, event: Event) -> None:
        if isinstance(event, Phase):
            self.set_phase(event)
        view = self.writing
        if view is None:
            if isinstance(event, Notice):  # of the model, while it is loaded
                self.tell(event.text)
            return
        match event:
            case Notice():
                view.add_notice(event.text)
            case Recorded():
                self._take_turn(view, event)
            case RecallAsked():
                self.consent_chip.ask_recall(event.question)
            case RecallDone():
                view.update_turn(replace(view.turn, recall=event.recall))
            case TokenText():
                await view.write(event.text)
                self.set_phase(Phase("writing"), count(view.n_words, "word"))
            case Replied():
                await self._finish(view, event)

    def _take_turn(self, view: TurnView, event: Recorded) -> None:
        turn = event.turn
        is_new = self.conversation_id != turn.conversation_id
        self.conversation_id = turn.conversation_id
        view.update_turn(replace(view.turn, turn_id=turn.id, number=turn.number))
        self.transcript.replace_last(view.turn)
        if is_new:
            self.refresh_list()

    async def _finish(self, view: TurnView, event: Replied) -> None:
        self.writing = None
        await view.finish(recorded_turn(view.turn, event.reply))
        self.transcript.replace_last(view.turn)
        usage = event.reply.usage
        self.set_status(replace(self._status, n_context_used=usage.n_prompt + usage.n_completion))
        self.refresh_list()
        self._actions.show_branches(view)

    @on(ModelLoaded)
    def model_loaded(self, event: ModelLoaded) -> None:
        self.set_status(replace(self._status, model=event.facts))
        self.set_phase(None)

    @on(JobFailed)
    async def job_failed(self, event: JobFailed) -> None:
        """Name what went wrong where the person looks: on the turn, else in the corner."""
        await self.draw_events()
        if self.writing is not None:
            view, self.writing = self.writing, None
            await view.finish(replace(view.turn, reply=view.reply, partial=bool(view.reply)))
            view.add_notice(str(event.error), error=True)
        elif isinstance(event.error, ModelError):
            self.set_hint(f"{event.error.what} /models or F4 chooses one.")
        else:
            self.tell(str(event.error), error=True)

    @on(BackgroundDone)
    async def background_done(self) -> None:
        """Also what was typed while an answer came is read, now that there is time."""
        await self._consent.ask_next()
        if perf_counter() - self._typed_at > PAUSE_SECONDS:
            self._read_ahead(self.prompt.text)

    @on(BackgroundFailed)
    def background_failed(self, event: BackgroundFailed) -> None:
        if not self._told_background:
            self._told_background = True
            self.tell(str(event.error), error=True)

    @on(EngineFree)
    async def engine_free(self) -> None:
        """Draw what is left; then let the engine do what could wait."""
        await self.draw_events()
        self.backend.job_done()
        if not self.backend.busy:
            self.set_phase(None)
            if self._status.model is not None:
                now = self.backend.clock()
                self.backend.when_idle(lambda engine: engine.idle(now))
            self.set_timer(QUIET_SECONDS, self._sweep)

    def _sweep(self) -> None:
        """Only while nothing is written or typed; else the next answer's end will do."""
        if not self.backend.busy and perf_counter() - self._typed_at > TYPING_SECONDS:
            tidy.sweep()

    # --- what the person does ------------------------------------------------------------------

    @on(PromptInput.Sent)
    async def send(self, event: PromptInput.Sent) -> None:
        text = event.text
        if commands.is_command(text.strip()):
            await self._run_command(text)
            return
        async with self.changing:
            if self.writing is not None:
                self.tell(STILL_WRITING)
                return
            if not self.prompt.take(text):
                return  # Enter came twice while something slow was waited for
            self.frame.history.add(text, keep=self._status.chat_mode == "normal")
            self._ahead, now, replaces = "", self.backend.clock(), self.replaces
            self.stop_editing()
            if replaces is not None:
                await self.transcript.drop_last()
            await self.start_turn(TurnText(0, self.transcript.next_number, text, now))
            self.backend.play(lambda engine: engine.ask(text, now, replaces=replaces))

    async def _run_command(self, text: str) -> None:
        command, argument, problem = commands.find_command(text.strip())
        if command is None:
            self.tell(problem)
        elif self.prompt.take(text):
            self.frame.history.add(text.strip(), keep=self._status.chat_mode == "normal")
            await command.run(self, argument)

    async def start_turn(self, turn: TurnText) -> None:
        """Draw the person's message at once; the events fill in the rest."""
        self.query_one("#welcome").display = False
        self.transcript.display = True
        self.writing = await self.transcript.add(turn)
        if self._status.model is not None:
            self.set_phase(Phase("recalling"))

    def stop_editing(self) -> None:
        if self.replaces is not None:
            self.replaces = None
            self.prompt.put_back()
        self.set_hint("")

    @on(PromptInput.Typed)
    def typed(self, event: PromptInput.Typed) -> None:
        """Name the commands that fit while one is typed."""
        self._typed_at = perf_counter()
        if self.writing is not None and self._typed_at - self._drawn_at > 1 / DRAWS_WHILE_TYPING:
            self.call_after_refresh(self.draw_events)
        fitting = commands.matching(event.text)
        if fitting:
            self.set_hint(
                f"/{fitting[0].name} {fitting[0].argument}".rstrip() + f": {fitting[0].meaning}"
                if len(fitting) == 1
                else " · ".join(f"/{command.name}" for command in fitting)
            )
        elif self.replaces is None:
            self.set_hint("")

    @on(PromptInput.Completed)
    def complete(self, event: PromptInput.Completed) -> None:
        """Tab completes a command as far as it is plain which."""
        fitting = commands.matching(event.text)
        if fitting:
            self.prompt.fill(f"/{fitting[0].name} ")

    @on(PromptInput.Paused)
    def paused(self, event: PromptInput.Paused) -> None:
        self._read_ahead(event.text)

    def _read_ahead(self, text: str) -> None:
        """Read the prompt while the person thinks; once for each text."""
        if self.backend.busy or self._status.model is None or text == self._ahead:
            return
        if not text.strip() or text.startswith("/") or self.replaces is not None:
            return
        if self.frame.facts.may_prefill():
            self._ahead, now = text, self.backend.clock()
            self.backend.when_idle(lambda engine: engine.prefill(text, now))

    def action_escape(self) -> None:
        """Stop the answer; else close what is open; else go between the input and the turns."""
        if self.writing is not None:
            self.backend.stop()
        elif self.replaces is not None:
            self.stop_editing()
        elif self.has_class("-list") and self.has_class("-narrow"):
            self.remove_class("-list")
            self.prompt.focus()
        elif self.focused is not self.prompt:
            self.prompt.focus()
        elif (last := self.transcript.last) is not None:
            last.focus(scroll_visible=False)

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
        self.transcript.page(direction)

    async def action_to_end(self) -> None:
        await self.transcript.action_to_end()

    def action_act(self, what: str) -> None:
        self.act_on_last(what)

    def act_on_last(self, what: str) -> None:
        """Do to the newest turn, or the focused one, what a key on it does."""
        view = self.focused if isinstance(self.focused, TurnView) else self.transcript.last
        if view is None:
            self.tell("There is no answer yet.")
        else:
            view.action_ask(what)

    @on(TurnView.Asked)
    async def turn_asked(self, event: TurnView.Asked) -> None:
        await self._actions.run(event.view, event.what)

    # --- conversations -------------------------------------------------------------------------

    @on(ConversationList.Chosen)
    async def conversation_chosen(self, event: ConversationList.Chosen) -> None:
        self.remove_class("-list")
        await self.open_conversation(event.conversation_id)

    async def open_conversation(
        self, conversation_id: int | None, mode: ChatMode = "normal"
    ) -> bool:
        """Draw a conversation's turns; the model continues it from its saved state."""
        async with self.changing:
            return await self._open(conversation_id, mode)

    async def _open(self, conversation_id: int | None, mode: ChatMode) -> bool:
        if self.writing is not None:
            self.tell(STILL_WRITING)
            return False
        turns = await self.ask(
            lambda store: [] if conversation_id is None else store.turns(conversation_id)
        )
        if turns is None:
            return False
        self.stop_editing()
        self.conversation_id = conversation_id
        self.set_status(replace(self._status, n_context_used=0, chat_mode=mode))
        self.backend.tell(lambda engine: engine.open_conversation(conversation_id, mode))
        await self.transcript.show_turns(turns)
        self._finder.forget()
        self._show_empty()
        self.prompt.focus()
        self.refresh_list()
        if (last := self.transcript.last) is not None:
            self._actions.show_branches(last)
        return True

    @work(exclusive=True, group="list")
    async def refresh_list(self) -> None:
        """Fetch and draw the list of conversations."""
        conversations = await self.ask(lambda store: store.conversations())
        if conversations is None:
            return
        for shown in self.query(ConversationList):  # none is left while the app ends
            shown.show(conversations, self.backend.clock(), self.conversation_id)

    def action_consent(self) -> None:
        self._consent.focus()

    @on(ConsentChip.Answered)
    async def consent_answered(self, event: ConsentChip.Answered) -> None:
        await self._consent.answered(event.candidate, event.answer)

    @on(ConsentChip.Agreed)
    def recall_agreed(self, event: ConsentChip.Agreed) -> None:
        self._consent.agreed(event.question, event.agreed)

    # --- finding -------------------------------------------------------------------------------

    def action_find(self) -> None:
        self.find_bar.open()

    @on(FindBar.Wanted)
    async def find(self, event: FindBar.Wanted) -> None:
        await self._finder.go(event.text, event.step)

    @on(FindBar.Closed)
    def found(self) -> None:
        (self._finder.view or self.prompt).focus()
