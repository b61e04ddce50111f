"""The commands a person can type after a slash or choose in the palette: one table for both.

Each is a name, what it takes, what it does in words, and a function on the chat chat. Knows no
engine: the functions call the screen's own actions.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from assistant.tui.export import export_markdown
from assistant.tui.frame import Chat, Frame

MEMORY_MODES: Final = ("auto", "ask", "off")
Run = Callable[[Chat, str], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Command:
    """`/name argument`."""

    name: str
    argument: str
    meaning: str
    run: Run


async def _new(chat: Chat, argument: str) -> None:
    await chat.open_conversation(None)


async def _temporary(chat: Chat, argument: str) -> None:
    await chat.open_conversation(None, "temporary")


async def _read_only(chat: Chat, argument: str) -> None:
    await chat.open_conversation(None, "read-only")


async def _help(chat: Chat, argument: str) -> None:
    chat.frame.action_help()


async def _memory(chat: Chat, argument: str) -> None:
    chat.frame.action_memory(argument)


async def _models(chat: Chat, argument: str) -> None:
    chat.frame.action_models()


async def _why(chat: Chat, argument: str) -> None:
    chat.act_on_last("why")


async def _again(chat: Chat, argument: str) -> None:
    chat.act_on_last("regenerate")


async def _edit(chat: Chat, argument: str) -> None:
    chat.act_on_last("edit")


async def _copy(chat: Chat, argument: str) -> None:
    chat.act_on_last("copy")


async def _find(chat: Chat, argument: str) -> None:
    chat.action_find()


async def _search(chat: Chat, argument: str) -> None:
    chat.frame.action_search(argument)


async def _forget(chat: Chat, argument: str) -> None:
    chat.frame.action_memory(argument)


async def _undo(chat: Chat, argument: str) -> None:
    await chat.undo()


async def _export(chat: Chat, argument: str) -> None:
    """Write the open chat as markdown, never over a file that is there."""
    turns = list(chat.transcript.turns)
    if not argument or not turns:
        chat.tell("Say /export and a file name, in a chat that has begun.")
        return
    try:
        file = await chat.backend.on_store_thread(lambda: export_markdown(turns, argument))
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        reason = getattr(error, "strerror", None) or str(error)
        chat.tell(f"{argument} could not be written: {reason}.", error=True)
    else:
        chat.tell(f"Written to {file}.")


async def _rename(chat: Chat, argument: str) -> None:
    conversation_id = chat.conversation_id
    if conversation_id is None or not argument:
        chat.tell("Say /rename and the new title, in a chat that has begun.")
        return
    await chat.do(lambda store: store.rename(conversation_id, argument))
    chat.refresh_list()


async def _delete(chat: Chat, argument: str) -> None:
    """Hide the open chat and what was remembered of it; /undo brings both back."""
    conversation_id, now = chat.conversation_id, chat.backend.clock()
    if conversation_id is None:
        chat.tell("This chat has not begun.")
    elif await chat.open_conversation(None):
        if await chat.do(lambda store: store.delete(conversation_id, now)):
            chat.tell("The chat is gone. /undo brings it back.")
        chat.refresh_list()


async def _mode(chat: Chat, argument: str) -> None:
    if argument not in MEMORY_MODES:
        chat.tell(f"Say /mode and one of {', '.join(MEMORY_MODES)}.")
        return
    chat.frame.set_memory_mode(argument)


async def _theme(chat: Chat, argument: str) -> None:
    chat.frame.choose_theme(argument)


async def _quit(chat: Chat, argument: str) -> None:
    chat.app.exit(0)


COMMANDS: Final = {
    command.name: command
    for command in (
        Command("new", "", "start a new chat", _new),
        Command("temporary", "", "start a chat that reads and keeps nothing", _temporary),
        Command(
            "read-only", "", "start an incognito chat, which recalls but keeps nothing", _read_only
        ),
        Command("why", "", "what the last answer was given to read", _why),
        Command("again", "", "another answer to the last message", _again),
        Command("edit", "", "change the last message and send it again", _edit),
        Command("copy", "", "copy the last answer", _copy),
        Command("find", "", "find words in this chat", _find),
        Command("search", "WORDS", "find words in every chat", _search),
        Command("memory", "FILTER", "look at what is remembered", _memory),
        Command("mode", "MODE", "how memory works: auto, ask or off", _mode),
        Command("forget", "FILTER", "choose memories to forget", _forget),
        Command("undo", "", "take back the last change to memories", _undo),
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
    near += [other for other, known in COMMANDS.items() if name in known.meaning.split()]
    hint = f"Did you mean /{near[0]}?" if near else "/help lists them."
    return None, "", f"There is no command /{name}. {hint}"


def matching(text: str) -> list[Command]:
    """Commands that what is typed so far may become."""
    if not text.startswith("/") or " " in text or "\n" in text:
        return []
    return [command for name, command in COMMANDS.items() if name.startswith(text[1:])]


class CommandProvider(Provider):
    """The same commands in the palette."""

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

    def _call(self, command: Command) -> Callable[[], object]:
        chat = cast(Frame, self.app).chat
        return lambda: chat.begin(command.run(chat, ""))


def _title(command: Command) -> str:
    return command.meaning[0].upper() + command.meaning[1:]
