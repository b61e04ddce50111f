"""Asking before a thought is kept or a memory is given (memory.mode = ask): which one waits, and
what becomes of it.

Knows the chat screen it asks on.
"""

from assistant.conversation.events import Consent
from assistant.errors import AssistantError
from assistant.tui.frame import Chat
from assistant.tui.session import Candidate
from assistant.tui.widgets.dialogs import AskLine, EditText
from assistant.wording import one_line


class ConsentFlow:
    """One question at a time, the oldest thought first."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    async def ask_next(self) -> None:
        """Show the next question, or none."""
        if self._chat.status.memory_mode != "ask":
            return
        if self._chat.writing is not None and self._chat.consent_chip.question is not None:
            return  # an answer waits for what was recalled
        waiting = await self._chat.ask(lambda store: list(store.candidates()))
        if waiting is None:
            return
        chip = self._chat.consent_chip
        chip.ask(waiting[0] if waiting else None, max(0, len(waiting) - 1))
        if not waiting and chip.has_focus:
            self._chat.prompt.focus()

    def focus(self) -> None:
        chip = self._chat.consent_chip
        if chip.candidate is not None or chip.question is not None:
            chip.focus()

    def agreed(self, question: Consent, agreed: bool) -> None:
        """The answer goes on, and so does the typing."""
        if agreed:
            question.agree()
        else:
            question.answer(())
        self._chat.prompt.focus()

    async def answered(self, candidate: Candidate, answer: str) -> None:
        """`answer` is "yes", "edit", "no" or "never"."""
        chat, app = self._chat, self._chat.app

        async def keep(text: str | None) -> None:
            if text:
                await self._decide(candidate, True, text)

        async def never(topic: str | None) -> None:
            if not topic or not topic.strip():
                return
            try:
                chat.frame.facts.never_store(topic.strip())
            except AssistantError as error:
                chat.tell(str(error), error=True)
                return
            chat.tell(f"Nothing with “{one_line(topic)}” is kept from now on.")
            await self._decide(candidate, False)

        match answer:
            case "edit":
                app.push_screen(
                    EditText("What should be remembered?", candidate.text), chat.aside(keep)
                )
            case "never":
                question = f"A word or two. What holds them is never kept, as “{candidate.text}”"
                app.push_screen(AskLine(question, candidate.topic), chat.aside(never))
            case _:
                await self._decide(candidate, answer == "yes")
                said = "Remembered." if answer == "yes" else "Not kept. /undo takes that back."
                self._chat.tell(said)

    async def _decide(self, candidate: Candidate, keep: bool, text: str = "") -> None:
        chat, now = self._chat, self._chat.backend.clock()
        await chat.do(lambda store: store.decide(candidate.id, keep, now))
        if text and text != candidate.text:
            await chat.ask_engine(lambda engine: engine.edit(candidate.id, text, now))
        await self.ask_next()
