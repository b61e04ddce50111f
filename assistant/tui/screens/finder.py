"""Finding words in the open chat: which turns hold them, and which one is shown. Knows the chat screen."""

from assistant.tui.frame import Chat
from assistant.tui.widgets.turn import TurnView


class Finder:
    """One search at a time; it begins at the newest turn that holds the words."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._hits: list[int] = []  # indices of turns
        self._at = 0

    async def go(self, text: str, step: int) -> None:
        """`step` 0 begins at the newest hit; 1 and -1 go on, round the ends.

        Looked for anew each time: the turns may be others by now.
        """
        wanted, begins = text.casefold().strip(), step == 0 or not self._hits
        self._hits = self._search(wanted) if wanted else []
        if self._hits:
            self._at = len(self._hits) - 1 if begins else (self._at + step) % len(self._hits)
        bar = self._chat.find_bar
        if self._hits:
            bar.show_count(f"{self._at + 1}/{len(self._hits)}")
            await self._chat.transcript.reveal(self._hits[self._at])
        else:
            bar.show_count("nothing found" if wanted else "")

    def forget(self) -> None:
        """Another chat is open: what was found in the one before says nothing of it."""
        self._hits = []
        self._chat.find_bar.show_count("")

    @property
    def view(self) -> TurnView | None:
        """The turn that was found last, where it is still mounted."""
        return self._chat.transcript.view_at(self._hits[self._at]) if self._hits else None

    def _search(self, wanted: str) -> list[int]:
        return [
            index
            for index, turn in enumerate(self._chat.transcript.turns)
            if wanted in turn.prompt.casefold() or wanted in turn.reply.casefold()
        ]
