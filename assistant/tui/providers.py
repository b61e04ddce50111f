"""What the command palette finds besides the commands: chats, memories, models and settings.

Foreign titles and texts travel as `Text`: the palette reads a `str`, and its highlighter every
candidate, as markup.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final, cast

from textual.await_complete import AwaitComplete
from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider

from assistant.tui.commands import MEMORY_MODES
from assistant.tui.frame import Frame
from assistant.tui.memory_filter import parse_filter
from assistant.tui.text import cell, day
from assistant.tui.themes import CHOICES
from assistant.wording import one_line

N_HITS: Final = 12  # memories shown at most: the palette is no table


class Palette(CommandPalette):
    """Textual's, which runs its command twice and takes away the screen below where Enter comes twice."""

    def dismiss(self, result: None = None) -> AwaitComplete:
        if self.is_current:
            return super().dismiss(result)
        self._selected_command = DiscoveryHit("", lambda: None)  # what it runs next
        return AwaitComplete()


class _AppProvider(Provider):
    @property
    def frame(self) -> Frame:
        return cast(Frame, self.app)


class ChatProvider(_AppProvider):
    """Open a chat by its title."""

    async def search(self, query: str) -> Hits:
        app, matcher = self.frame, self.matcher(query)
        found = await app.backend.ask_store(lambda store: store.conversations())
        for conversation in found:
            title = one_line(conversation.title, 80)
            score = matcher.match(title)
            if score > 0:
                yield Hit(
                    score,
                    cell(f"Open chat: {title}"),
                    partial(app.open_chat, conversation.id),
                    text=title,
                    help=day(conversation.last_used),
                )


class MemoryProvider(_AppProvider):
    """Show memories that hold the words."""

    async def search(self, query: str) -> Hits:
        app = self.frame
        wanted, _ = parse_filter(query)
        now = app.backend.clock()
        rows = await app.backend.ask_store(lambda store: store.memories(wanted, now))
        for row in rows[:N_HITS]:
            text = one_line(row.text, 80)
            yield Hit(
                0.3,
                cell(f"Memory: {text}"),
                partial(app.action_memory, query),
                text=text,
                help=day(row.created),
            )


class ModelProvider(_AppProvider):
    """Answer with another model that is here."""

    async def search(self, query: str) -> Hits:
        app, matcher = self.frame, self.matcher(query)
        if app.shelf is None:
            return
        for row in await asyncio.to_thread(app.shelf.rows):
            score = matcher.match(f"Use model {row.id}") if row.installed else 0
            if score > 0:
                title = f"Use model: {one_line(row.id)}"
                yield Hit(score, cell(title), partial(app.use_model, row.id), text=title)


class SettingProvider(_AppProvider):
    """What memory does, and the colours: light, dark, or the terminal's own."""

    def _settings(self) -> list[tuple[str, Callable[[], None]]]:
        app = self.frame
        modes = [(f"Memory: {mode}", partial(app.set_memory_mode, mode)) for mode in MEMORY_MODES]
        colours = [(f"Colours: {name}", partial(app.choose_theme, name)) for name in CHOICES]
        return [*modes, *colours]

    async def discover(self) -> Hits:
        for title, change in self._settings():
            yield DiscoveryHit(title, change)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for title, change in self._settings():
            score = matcher.match(f"{title} setting theme")
            if score > 0:
                yield Hit(score, title, change)
