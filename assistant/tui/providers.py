"""What the command palette finds besides the commands: chats, memories and colours.

Foreign titles and texts travel as `Text`: the palette reads a `str`, and its highlighter every
candidate, as markup.
"""

from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from assistant.tui.memory_filter import parse_filter
from assistant.tui.text import cell, day, one_line
from assistant.tui.themes import CHOICES

if TYPE_CHECKING:
    from assistant.tui.app import AssistantApp

N_HITS = 12


class _AppProvider(Provider):
    @property
    def assistant_app(self) -> "AssistantApp":
        return cast("AssistantApp", self.app)


class ChatProvider(_AppProvider):
    """Open a chat by its title."""

    async def search(self, query: str) -> Hits:
        app, matcher = self.assistant_app, self.matcher(query)
        found = await app.backend.ask_store(lambda store: store.conversations())
        for conversation in found:
            title = one_line(conversation.title, 80)
            score = matcher.match(title)
            if score > 0:
                yield Hit(
                    score,
                    cell(f"Open chat: {title}"),
                    lambda id_=conversation.id: app.open_chat(id_),
                    text=title,
                    help=day(conversation.last_used),
                )


class MemoryProvider(_AppProvider):
    """Show memories that hold the words."""

    async def search(self, query: str) -> Hits:
        app = self.assistant_app
        wanted, _ = parse_filter(query)
        now = app.backend.clock()
        rows = await app.backend.ask_store(lambda store: store.memories(wanted, now))
        for row in rows[:N_HITS]:
            text = one_line(row.text, 80)
            yield Hit(
                0.3,
                cell(f"Memory: {text}"),
                lambda words=query: app.action_memory(words),
                text=text,
                help=day(row.created),
            )


class ThemeProvider(_AppProvider):
    """Light, dark, or the terminal's own colours."""

    async def discover(self) -> Hits:
        for name in CHOICES:
            yield DiscoveryHit(
                f"Colours: {name}", lambda name=name: self.assistant_app.choose_theme(name)
            )

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for name in CHOICES:
            score = matcher.match(f"Colours theme {name}")
            if score > 0:
                yield Hit(
                    score,
                    f"Colours: {name}",
                    lambda name=name: self.assistant_app.choose_theme(name),
                )
