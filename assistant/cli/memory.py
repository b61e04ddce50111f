"""`assistant memory`: what is remembered, seen and changed by its person.

Draws what the store holds; the store does the work.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from assistant.cli.opening import opened_memory
from assistant.cli.output import note, one_line, print_json, print_text
from assistant.cli.settings import Settings
from assistant.cli.think import think

if TYPE_CHECKING:
    from assistant.memory.browse import MemoryRow
    from assistant.records import Kind, RecalledMemory, State

KINDS = ("message", "passage", "thought", "summary")


@click.group()
def memory() -> None:
    """See, edit, forget and erase what is remembered."""


memory.add_command(think)


@memory.command("list")
@click.option("--kind", "kinds", type=click.Choice(KINDS), multiple=True, help="Only these.")
@click.option("--forgotten", is_flag=True, help="What was forgotten, in place of what is not.")
@click.option("-n", "--limit", type=click.IntRange(1), default=50, show_default=True)
@click.pass_obj
def list_memories(
    settings: Settings, kinds: "tuple[Kind, ...]", forgotten: bool, limit: int
) -> None:
    """What is remembered, the newest first."""
    states: tuple[State, ...] = ("forgotten",) if forgotten else ("active", "faded")
    kinds = kinds or ("message", "thought", "summary")
    with opened_memory(settings, datetime.now(UTC), read_only=True) as store:
        found = store.memories(kinds=kinds, states=states, limit=limit)
    print_memories(settings, found)


@memory.command()
@click.argument("text")
@click.option("-n", "--limit", type=click.IntRange(1), default=10, show_default=True)
@click.pass_obj
def search(settings: Settings, text: str, limit: int) -> None:
    """What would be recalled for TEXT, with the score of each."""
    from assistant.conversation.assemble import open_embedder
    from assistant.conversation.recall import encode

    now = datetime.now(UTC)
    embedder = open_embedder(settings.paths, settings.config)
    with opened_memory(settings, now, read_only=True) as store:
        if embedder is not None:
            store.use_embedder(embedder.id, embedder.dimension)
        found = store.recall(
            text, encode(store.query_text(text), embedder, now).vector, now, k=limit
        )
    print_memories(settings, [*found.memories, *found.near_misses][:limit], scores=True)


@memory.command()
@click.argument("ids", metavar="ID...", type=int, nargs=-1, required=True)
@click.pass_obj
def forget(settings: Settings, ids: tuple[int, ...]) -> None:
    """Never recall these memories again. `assistant memory undo` brings them back."""
    now = datetime.now(UTC)
    with opened_memory(settings, now) as store:
        n_hidden = store.forget(ids, now)
    _say(settings, {"forgotten": list(ids), "hidden": n_hidden}, f"Forgot {n_hidden} memories.")


@memory.command()
@click.pass_obj
def undo(settings: Settings) -> None:
    """Take back the last change of this kind."""
    now = datetime.now(UTC)
    with opened_memory(settings, now) as store:
        kind, ids = store.undo(now)
    _say(settings, {"undone": kind, "memories": ids}, f"Undone: {kind} of {len(ids)} memories.")


def print_memories(
    settings: Settings,
    found: "Sequence[MemoryRow | RecalledMemory]",
    *,
    scores: bool = False,
) -> None:
    """One memory to a line, or the JSON list."""
    if settings.json:
        print_json({"v": 1, "memories": [described(memory) for memory in found]})
        return
    for memory in found:
        score = f"{getattr(memory, 'score', 0):7.2f}  " if scores else ""
        who = "assistant" if memory.role == "assistant" else memory.kind
        text = one_line(memory.resolved_text, 100)
        print_text(f"{memory.id:>6}  {score}{memory.created:%Y-%m-%d}  {who:9}  {text}")
    if not found:
        note("No memories.", settings)


def described(memory: "MemoryRow | RecalledMemory") -> dict[str, Any]:
    """A memory as the JSON lists show it: what an answer shows, and what stands behind it."""
    shape: dict[str, Any] = {
        "id": memory.id,
        "kind": memory.kind,
        "role": memory.role,
        "date": memory.created.isoformat(timespec="seconds"),
        "chat": memory.conversation_id,
        "source_turn": memory.turn_id,
        "text": memory.text,
        "resolved_text": memory.resolved_text,
    }
    for name in ("score", "signals", "reason", "state", "pinned", "strength_days", "use_count"):
        if hasattr(memory, name):
            value = getattr(memory, name)
            shape[name] = dict(value) if name == "signals" else value
    return shape


def _say(settings: Settings, value: dict[str, Any], text: str) -> None:
    if settings.json:
        print_json({"v": 1, **value})
    elif not settings.quiet:
        print_text(text)
