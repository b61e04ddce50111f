"""The commands a person can type after a slash or choose in the palette: one table for both.

Each is a name, what it takes, what it does in words, and a function on the chat screen. Knows no
engine: the functions call the screen's own actions.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from textual.command import DiscoveryHit, Hit, Hits, Provider

from assistant.tui.export import export_markdown

if TYPE_CHECKING:
    from assistant.tui.screens.chat import ChatScreen

Run = Callable[["ChatScreen", str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Command:
    """`/name argument`."""

    name: str
    argument: str
    meaning: str
    run: Run


async def _new(screen: "ChatScreen", argument: str) -> None:
    await screen.open_conversation(None)


async def _temporary(screen: "ChatScreen", argument: str) -> None:
    await screen.open_conversation(None, "temporary")


async def _read_only(screen: "ChatScreen", argument: str) -> None:
    await screen.open_conversation(None, "read-only")


async def _help(screen: "ChatScreen", argument: str) -> None:
    screen.assistant_app.action_help()


async def _memory(screen: "ChatScreen", argument: str) -> None:
    screen.assistant_app.action_memory(argument)


async def _models(screen: "ChatScreen", argument: str) -> None:
    screen.assistant_app.action_models()


async def _why(screen: "ChatScreen", argument: str) -> None:
    screen.act_on_last("why")


async def _again(screen: "ChatScreen", argument: str) -> None:
    screen.act_on_last("regenerate")


async def _edit(screen: "ChatScreen", argument: str) -> None:
    screen.act_on_last("edit")


async def _copy(screen: "ChatScreen", argument: str) -> None:
    screen.act_on_last("copy")


async def _find(screen: "ChatScreen", argument: str) -> None:
    screen.action_find()


async def _search(screen: "ChatScreen", argument: str) -> None:
    screen.assistant_app.action_search(argument)


async def _forget(screen: "ChatScreen", argument: str) -> None:
    screen.assistant_app.action_memory(argument)


async def _undo(screen: "ChatScreen", argument: str) -> None:
    await screen.undo()


async def _export(screen: "ChatScreen", argument: str) -> None:
    """Write the open chat as markdown, never over a file that is there."""
    turns = list(screen.transcript.turns)
    if not argument or not turns:
        screen.tell("Say /export and a file name, in a chat that has begun.")
        return
    try:
        file = await screen.backend.on_store_thread(lambda: export_markdown(turns, argument))
    except OSError as error:
        screen.tell(f"{argument} could not be written: {error.strerror}.", error=True)
    else:
        screen.tell(f"Written to {file}.")


async def _rename(screen: "ChatScreen", argument: str) -> None:
    conversation_id = screen.conversation_id
    if conversation_id is None or not argument:
        screen.tell("Say /rename and the new title, in a chat that has begun.")
        return
    await screen.do(lambda store: store.rename(conversation_id, argument))
    screen.refresh_list()


async def _delete(screen: "ChatScreen", argument: str) -> None:
    """Hide the open chat and what was remembered of it; /undo brings both back."""
    conversation_id, now = screen.conversation_id, screen.backend.clock()
    if conversation_id is None:
        screen.tell("This chat has not begun.")
    elif await screen.open_conversation(None):
        if await screen.do(lambda store: store.delete(conversation_id, now)):
            screen.tell("The chat is gone. /undo brings it back.")
        screen.refresh_list()


async def _theme(screen: "ChatScreen", argument: str) -> None:
    screen.assistant_app.choose_theme(argument)


async def _quit(screen: "ChatScreen", argument: str) -> None:
    screen.app.exit(0)


COMMANDS: Final = {
    command.name: command
    for command in (
        Command("new", "", "start a new chat", _new),
        Command("temporary", "", "start a chat that reads and keeps nothing", _temporary),
        Command("read-only", "", "start a chat that recalls but keeps nothing", _read_only),
        Command("why", "", "what the last answer was given to read", _why),
        Command("again", "", "another answer to the last message", _again),
        Command("edit", "", "change the last message and send it again", _edit),
        Command("copy", "", "copy the last answer", _copy),
        Command("find", "", "find words in this chat", _find),
        Command("search", "WORDS", "find words in every chat", _search),
        Command("memory", "FILTER", "look at what is remembered", _memory),
        Command("forget", "FILTER", "choose memories to forget", _forget),
        Command("undo", "", "take back the last forgetting", _undo),
        Command("models", "", "choose, add or download a model", _models),
        Command("rename", "TITLE", "give this chat another title", _rename),
        Command("delete", "", "delete this chat; /undo brings it back", _delete),
        Command("export", "FILE", "write this chat to a markdown file", _export),
        Command("theme", "NAME", "change the colours", _theme),
        Command("help", "", "all keys and commands", _help),
        Command("quit", "", "leave", _quit),
    )
}


def is_command(text: str) -> bool:
    """Whether a message is a command: a slash and a word, so that "/etc/fstab" is not one."""
    word = text[1:].split(None, 1)[0] if len(text) > 1 and not text[1].isspace() else ""
    return text.startswith("/") and "/" not in word and word.replace("-", "").isalpha()


def find_command(text: str) -> tuple[Command | None, str, str]:
    """The command, its argument, and (where there is no such command) what to say about it."""
    name, _, argument = text[1:].strip().partition(" ")
    command = COMMANDS.get(name)
    if command is not None:
        return command, argument.strip(), ""
    near = get_close_matches(name, COMMANDS, n=1)
    hint = f"Did you mean /{near[0]}?" if near else "/help lists them."
    return None, "", f"There is no command /{name}. {hint}"


def matching(text: str) -> list[Command]:
    """Commands that what is typed so far may become."""
    if not text.startswith("/") or " " in text or "\n" in text:
        return []
    return [command for name, command in COMMANDS.items() if name.startswith(text[1:])]


class CommandProvider(Provider):
    """The same commands in the palette."""

    def _chat(self) -> "ChatScreen | None":
        from assistant.tui.screens.chat import ChatScreen

        return next(
            (screen for screen in self.app.screen_stack if isinstance(screen, ChatScreen)), None
        )

    async def discover(self) -> Hits:
        for command in COMMANDS.values():
            yield DiscoveryHit(_title(command), self._call(command), help=f"/{command.name}")

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for command in COMMANDS.values():
            score = matcher.match(f"{_title(command)} {command.name}")
            if score > 0:
                yield Hit(
                    score,
                    matcher.highlight(_title(command)),
                    self._call(command),
                    help=f"/{command.name}",
                )

    def _call(self, command: Command) -> Callable[[], None]:
        def call() -> None:
            if (chat := self._chat()) is not None:
                chat.run_worker(command.run(chat, ""), exit_on_error=True)

        return call


def _title(command: Command) -> str:
    return command.meaning[0].upper() + command.meaning[1:]
