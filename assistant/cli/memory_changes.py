"""The commands of `assistant memory` that change what is remembered.

Draws what the store did; the store does the work.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import click

from assistant.cli.input import confirm, read_text
from assistant.cli.opening import opened_memory, opened_recall
from assistant.cli.output import note, print_json, print_text
from assistant.cli.settings import Settings
from assistant.wording import count, one_line

if TYPE_CHECKING:
    from assistant.records import Thought


@click.command()
@click.argument("text")
@click.pass_obj
def add(settings: Settings, text: str) -> None:
    """Remember TEXT ("-" for stdin) as a thought of your own."""
    from assistant.conversation.recall import encode
    from assistant.conversation.selection import describe

    text = read_text(text, example='assistant memory add "I keep bees."')
    now = datetime.now(UTC)
    read = describe(text, now)
    with opened_recall(settings, now) as (store, embedder):
        outcome = store.add_thought(encode(text, embedder, now), now, read.label, read.slot)
    _say(
        settings,
        {"operation": outcome.operation, "memory": outcome.memory_id},
        f"{outcome.operation}: memory {outcome.memory_id}.",
    )


@click.command()
@click.argument("id", type=int)
@click.argument("text")
@click.pass_obj
def edit(settings: Settings, id: int, text: str) -> None:
    """Say a thought in other words; the version before stays in its history."""
    from assistant.conversation.recall import encode
    from assistant.conversation.selection import describe

    text = read_text(text, example=f'assistant memory edit {id} "I keep bees."')
    now = datetime.now(UTC)
    slot = describe(text, now).slot
    with opened_recall(settings, now) as (store, embedder):
        outcome = store.edit_thought(id, encode(text, embedder, now), now, slot)
    memory_id = getattr(outcome, "memory_id", id)
    _say(settings, {"operation": "edit", "memory": memory_id}, f"Edited: memory {memory_id}.")


@click.command()
@click.argument("ids", metavar="ID ID...", type=int, nargs=-1, required=True)
@click.option("--text", default="", help="What the one thought says; else the words of the first.")
@click.pass_obj
def merge(settings: Settings, ids: tuple[int, ...], text: str) -> None:
    """Let one thought stand for several; `assistant memory undo` takes them apart again."""
    from assistant.conversation.recall import encode
    from assistant.conversation.selection import describe

    if len(set(ids)) < 2:
        raise click.UsageError("Give the ids of two thoughts or more")
    now = datetime.now(UTC)
    with opened_recall(settings, now) as (store, embedder):
        said = read_text(text) if text else store.thought(ids[0]).text
        slot = describe(said, now).slot
        outcome = store.merge_thoughts(ids, encode(said, embedder, now), now, slot)
    _say(
        settings,
        {"operation": "merge", "memory": outcome.memory_id},
        f"Merged: memory {outcome.memory_id}.",
    )


@click.command()
@click.argument("id", type=int)
@click.option("--off", is_flag=True, help="Unpin it.")
@click.pass_obj
def pin(settings: Settings, id: int, off: bool) -> None:
    """Keep a memory from ever fading."""
    now = datetime.now(UTC)
    with opened_memory(settings, now) as store:
        store.pin([id], now, pinned=not off)
    _say(settings, {"memory": id, "pinned": not off}, "Unpinned." if off else "Pinned.")


@click.command()
@click.argument("ids", metavar="ID...", type=int, nargs=-1, required=True)
@click.pass_obj
def keep(settings: Settings, ids: tuple[int, ...]) -> None:
    """Say yes to thoughts that wait (memory.mode ask); `forget` says no."""
    now = datetime.now(UTC)
    with opened_memory(settings, now) as store:
        for id in ids:
            store.confirm_thought(id, now)
    _say(settings, {"kept": list(ids)}, f"Kept: {', '.join(map(str, ids))}.")


@click.command()
@click.argument("ids", metavar="ID...", type=int, nargs=-1, required=True)
@click.pass_obj
def forget(settings: Settings, ids: tuple[int, ...]) -> None:
    """Never recall these memories again. `assistant memory undo` brings them back."""
    now = datetime.now(UTC)
    with opened_memory(settings, now) as store:
        n_hidden = store.forget(ids, now)
    _say(
        settings,
        {"forgotten": list(ids), "hidden": n_hidden},
        f"Forgot {count(n_hidden, 'memory')}.",
    )


@click.command()
@click.pass_obj
def undo(settings: Settings) -> None:
    """Take back the last change: add, forget, pin, edit, merge, a decision, a deleted chat."""
    now = datetime.now(UTC)
    with opened_memory(settings, now) as store:
        kind, ids = store.undo(now)
    _say(
        settings,
        {"undone": kind, "memories": ids},
        f"Undone: {kind} of {count(len(ids), 'memory')}.",
    )


@click.command()
@click.argument("ids", metavar="ID...", type=int, nargs=-1)
@click.option("--chat", type=int, metavar="ID", help="Erase a whole conversation.")
@click.pass_obj
def erase(settings: Settings, ids: tuple[int, ...], chat: int | None) -> None:
    """Remove memories for good, with every copy of their text that this program made."""
    if (chat is None) == (not ids):
        raise click.UsageError("Give the ids of memories, or --chat ID")
    now = datetime.now(UTC)
    with opened_memory(settings, now) as store:
        if chat is not None:
            what = f"the chat {one_line(store.conversation(chat).title, 40)!r}"
        else:
            texts = [store.details(id).text for id in ids]
            what = ", ".join(repr(one_line(text, 40)) for text in texts[:3])
            what += f" and {len(texts) - 3} more" if len(texts) > 3 else ""
        if not confirm(f"Erase {what}? This cannot be undone.", settings, lasting=True):
            note("Nothing was erased.", settings)
            return
        receipt = store.erase(ids, now) if chat is None else store.erase_conversation(chat, now)
    told = {
        "erased": dict(receipt.counts),
        "repeats": list(receipt.repeats),
        "problems": list(receipt.problems),
    }
    _say(settings, told, "\n".join(receipt.lines()))


@click.command()
@click.argument("id", type=int, required=False)
@click.argument("decision", metavar="[keep a|b|both]", nargs=-1)
@click.pass_obj
def conflicts(settings: Settings, id: int | None, decision: tuple[str, ...]) -> None:
    """Thoughts that may not both be true; with ID and "keep a", "keep b" or "keep both", your decision."""
    now = datetime.now(UTC)
    keep = None if id is None else _read_decision(decision)
    with opened_memory(settings, now, read_only=id is None) as store:
        if id is not None and keep is not None:
            store.resolve_conflict(id, keep, now)
            _say(settings, {"conflict": id, "kept": keep}, f"Kept: {keep}.")
            return
        found = store.conflicts()
    if settings.json:
        rows = [
            {"id": c.id, "reason": c.reason, "a": _thought(c.a), "b": _thought(c.b)} for c in found
        ]
        print_json({"v": 1, "conflicts": rows})
        return
    if not found:
        note("No conflicts.", settings)
    for conflict in found:
        print_text(f"{conflict.id:>5}  {one_line(conflict.reason)}")
        for name, thought in (("a", conflict.a), ("b", conflict.b)):
            print_text(f"       {name}  {thought.created:%Y-%m-%d}  {one_line(thought.text, 100)}")


def _read_decision(said: tuple[str, ...]) -> Literal["a", "b", "both"]:
    """What the person keeps, from "keep A" or just "a"."""
    words = [word.lower() for word in said]
    kept = {"a": "a", "b": "b", "both": "both"}.get(" ".join(words[words[:1] == ["keep"] :]))
    if kept is None:
        raise click.UsageError("Say which one to keep: a, b or both")
    return cast("Literal['a', 'b', 'both']", kept)


@click.command()
@click.argument("id", type=int)
@click.pass_obj
def revert(settings: Settings, id: int) -> None:
    """Take back one entry of a thought's history (`assistant memory history`)."""
    now = datetime.now(UTC)
    with opened_memory(settings, now) as store:
        memory_id = store.revert(id, now)
    _say(settings, {"reverted": id, "memory": memory_id}, f"Reverted: memory {memory_id}.")


def _thought(thought: "Thought") -> dict[str, Any]:
    return {
        "memory": thought.memory_id,
        "text": thought.text,
        "date": thought.created.isoformat(timespec="seconds"),
    }


def _say(settings: Settings, value: dict[str, Any], text: str) -> None:
    if settings.json:
        print_json({"v": 1, **value})
    elif not settings.quiet:
        print_text(text)


COMMANDS: Final = (add, edit, merge, pin, keep, forget, undo, erase, conflicts, revert)
