"""`assistant chats`: the conversations, read and exported.

Draws what the store holds; the store does the work.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from assistant.cli.input import confirm
from assistant.cli.opening import opened_memory
from assistant.cli.output import note, print_json, print_text
from assistant.cli.settings import Settings
from assistant.wording import clean, one_line

if TYPE_CHECKING:
    from assistant.records import Conversation, Message


@click.group()
def chats() -> None:
    """List, search, show, rename, delete, export chats."""


@chats.command("list")
@click.option("-n", "--limit", type=click.IntRange(1), default=50, show_default=True)
@click.pass_obj
def list_chats(settings: Settings, limit: int) -> None:
    """The conversations, the latest used first."""
    with opened_memory(settings, datetime.now(UTC), read_only=True) as memory:
        found = memory.conversations(limit)
    if settings.json:
        print_json({"v": 1, "chats": [chat_shape(chat) for chat in found]})
        return
    for chat in found:
        print_text(f"{chat.id:>5}  {chat.last_used:%Y-%m-%d %H:%M}  {one_line(chat.title, 60)}")
    if not found:
        note("No conversations yet.", settings)


@chats.command()
@click.argument("text")
@click.option("-n", "--limit", type=click.IntRange(1), default=20, show_default=True)
@click.pass_obj
def search(settings: Settings, text: str, limit: int) -> None:
    """Messages that hold the words of TEXT."""
    with opened_memory(settings, datetime.now(UTC), read_only=True) as memory:
        found = memory.search_messages(text, limit)
    if settings.json:
        print_json({"v": 1, "messages": [message_shape(message) for message in found]})
        return
    for message in found:
        where = f"{message.conversation_id:>5}  {message.created:%Y-%m-%d}  {message.role:9}"
        print_text(f"{where}  {one_line(message.text, 100)}")
    if not found:
        note("Nothing found.", settings)


@chats.command()
@click.argument("chat", type=int)
@click.pass_obj
def show(settings: Settings, chat: int) -> None:
    """All of one conversation."""
    with opened_memory(settings, datetime.now(UTC), read_only=True) as memory:
        conversation, messages = memory.conversation(chat), memory.messages(chat)
    if settings.json:
        print_json(_whole(conversation, messages))
        return
    print_text(markdown(conversation, messages))


@chats.command()
@click.argument("chat", type=int)
@click.argument("title")
@click.pass_obj
def rename(settings: Settings, chat: int, title: str) -> None:
    """Give a conversation another TITLE."""
    now = datetime.now(UTC)
    with opened_memory(settings, now) as memory:
        memory.rename_conversation(chat, title)
        conversation = memory.conversation(chat)
    _say(settings, conversation, f"{chat}: {one_line(title)}")


@chats.command()
@click.argument("chat", type=int)
@click.pass_obj
def delete(settings: Settings, chat: int) -> None:
    """Delete a conversation with all that was remembered from it."""
    now = datetime.now(UTC)
    with opened_memory(settings, now) as memory:
        conversation = memory.conversation(chat)
        question = f"Delete {one_line(conversation.title, 40)!r} and what is remembered from it?"
        if not confirm(question, settings):
            return
        memory.delete_conversation(chat, now)
    _say(settings, conversation, f"{chat}: deleted.")


@chats.command()
@click.argument("chat", type=int, required=False)
@click.option("--format", "kind", type=click.Choice(["md", "jsonl"]), default="md")
@click.pass_obj
def export(settings: Settings, chat: int | None, kind: str) -> None:
    """One conversation, or all, to stdout: markdown, or a JSON line for each message."""
    with opened_memory(settings, datetime.now(UTC), read_only=True) as memory:
        wanted = memory.conversations() if chat is None else [memory.conversation(chat)]
        for conversation in wanted:
            messages = memory.messages(conversation.id)
            if kind == "jsonl":
                for message in messages:
                    print_json({"v": 1, **message_shape(message)})
            else:
                print_text(markdown(conversation, messages))


def markdown(conversation: "Conversation", messages: "Sequence[Message]") -> str:
    """A conversation as a markdown document, clean for a terminal."""
    lines = [f"# {one_line(conversation.title) or 'Conversation'}", ""]
    lines += [f"*Conversation {conversation.id}, {conversation.created:%Y-%m-%d}*", ""]
    for message in messages:
        who = "You" if message.role == "user" else "Assistant"
        mark = " (stopped)" if message.partial else ""
        lines += [f"**{who}**, {message.created:%Y-%m-%d %H:%M}{mark}", ""]
        lines += [clean(message.text), ""]
    return "\n".join(lines)


def chat_shape(chat: "Conversation") -> dict[str, Any]:
    return {
        "id": chat.id,
        "title": chat.title,
        "created": chat.created.isoformat(timespec="seconds"),
        "last_used": chat.last_used.isoformat(timespec="seconds"),
        "turns": chat.n_turns,
    }


def message_shape(message: "Message") -> dict[str, Any]:
    return {
        "id": message.id,
        "chat": message.conversation_id,
        "turn": message.turn_id,
        "role": message.role,
        "date": message.created.isoformat(timespec="seconds"),
        "text": message.text,
        "resolved_text": message.resolved_text,
        "partial": message.partial,
    }


def _whole(conversation: "Conversation", messages: "Sequence[Message]") -> dict[str, Any]:
    shown = [message_shape(message) for message in messages]
    return {"v": 1, "chat": chat_shape(conversation), "messages": shown}


def _say(settings: Settings, conversation: "Conversation", text: str) -> None:
    if settings.json:
        print_json({"v": 1, "chat": chat_shape(conversation)})
    else:
        print_text(text)
