"""`assistant memory`: what is remembered, seen by its person. The commands that change it are in
`memory_changes`.

Draws what the store holds; the store does the work.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from assistant.cli import memory_changes, memory_files
from assistant.cli.input import read_text
from assistant.cli.opening import opened_memory, opened_recall
from assistant.cli.output import note, print_json, print_text
from assistant.cli.settings import Settings
from assistant.cli.think import think
from assistant.wording import one_line

if TYPE_CHECKING:
    from assistant.memory.browse import MemoryRow
    from assistant.records import Kind, RecalledMemory, State

KINDS = ("message", "passage", "thought", "summary")


@click.group()
def memory() -> None:
    """See, edit, forget and erase what is remembered."""


for command in (*memory_changes.COMMANDS, *memory_files.COMMANDS, think):
    memory.add_command(command)


@memory.command("list")
@click.option("--kind", "kinds", type=click.Choice(KINDS), multiple=True, help="Only these.")
@click.option("--forgotten", is_flag=True, help="What was forgotten, in place of what is not.")
@click.option(
    "--waiting", is_flag=True, help="Only thoughts that wait for a yes (memory.mode ask)."
)
@click.option("-n", "--limit", type=click.IntRange(1), default=50, show_default=True)
@click.pass_obj
def list_memories(
    settings: Settings, kinds: "tuple[Kind, ...]", forgotten: bool, waiting: bool, limit: int
) -> None:
    """What is remembered, the newest first."""
    states: tuple[State, ...] = ("forgotten",) if forgotten else ("active", "faded")
    kinds = kinds or ("message", "thought", "summary")
    with opened_memory(settings, datetime.now(UTC), read_only=True) as store:
        found = store.memories(
            kinds=kinds, states=states, waiting=True if waiting else None, limit=limit
        )
    print_memories(settings, found)


@memory.command()
@click.argument("text")
@click.option("-n", "--limit", type=click.IntRange(1), default=10, show_default=True)
@click.pass_obj
def search(settings: Settings, text: str, limit: int) -> None:
    """What would be recalled for TEXT, with the score of each."""
    from assistant.conversation.recall import encode

    text = read_text(text, "query", 'assistant memory search "Anna"')
    now = datetime.now(UTC)
    with opened_recall(settings, now, read_only=True) as (store, embedder):
        vector = encode(store.query_text(text), embedder, now).vector
        found = store.recall(text, vector, now, k=limit)
    print_memories(settings, [*found.memories, *found.near_misses][:limit], scores=True)


@memory.command()
@click.argument("id", type=int)
@click.pass_obj
def show(settings: Settings, id: int) -> None:
    """One memory with all that is known of it."""
    now = datetime.now(UTC)
    with opened_memory(settings, now, read_only=True) as store:
        row, links = store.details(id), store.links(id)
        origin = store.origin(id) if row.kind == "thought" else {}
    told = {**described(row), "retention": round(row.retention(now), 3), **origin}
    told["links"] = [
        {"to": _other_end(id, link.from_memory, link.to_memory), **_link(link)} for link in links
    ]
    if settings.json:
        print_json({"v": 1, "memory": told})
        return
    for name, value in told.items():
        if name != "links":
            print_text(f"{name:14} {one_line(str(value))}")
    for link in told["links"]:
        print_text(f"{link['kind']:14} {link['to']}: {one_line(link['reason'])}")


@memory.command()
@click.argument("id", type=int)
@click.pass_obj
def history(settings: Settings, id: int) -> None:
    """What happened to a thought and to the versions before it, each with the number `revert` takes."""
    with opened_memory(settings, datetime.now(UTC), read_only=True) as store:
        store.details(id)
        entries = store.history(id)
    rows = [
        {
            "id": entry.id,
            "memory": entry.memory_id,
            "text": entry.text,
            "date": entry.at.isoformat(timespec="seconds"),
            "operation": entry.operation,
            "actor": entry.actor,
            "reason": entry.reason,
        }
        for entry in entries
    ]
    if settings.json:
        print_json({"v": 1, "history": rows})
        return
    for row in rows:
        why = f" ({one_line(str(row['reason']))})" if row["reason"] else ""
        said = one_line(str(row["text"]), 60)
        print_text(
            f"{row['id']:>5}  {row['date']}  {row['operation']:<10} by {row['actor']}{why}:"
            f" {row['memory']} {said}"
        )
    if not rows:
        note("It has no history.", settings)


@memory.command()
@click.pass_obj
def portrait(settings: Settings) -> None:
    """The portrait of you, drawn from your own sentences, each with its source."""
    now = datetime.now(UTC)
    with opened_memory(settings, now) as store:
        drawn = store.portrait(now)
    rows = [
        {
            "text": line.text,
            "memory": line.memory_id,
            "date": line.said.isoformat(timespec="seconds"),
        }
        for line in drawn.lines
    ]
    if settings.json:
        print_json({"v": 1, "portrait": rows})
        return
    for row in rows:
        said = str(row["date"])[:10]
        print_text(f"{row['memory']:>6}  {said}  {one_line(str(row['text']))}")
    if not rows:
        note("There is too little for a portrait yet.", settings)


@memory.command()
@click.pass_obj
def stats(settings: Settings) -> None:
    """How much is remembered, and by what episodes begin."""
    with opened_memory(settings, datetime.now(UTC), read_only=True) as store:
        counts, boundaries, jobs = store.stats(), store.boundary_counts(), store.job_counts()
        shares = store.boundary_shares()
    if settings.json:
        told = {"counts": counts, "episodes_begun_by": boundaries, "boundary_shares": shares}
        print_json({"v": 1, **told, "jobs": jobs})
        return
    for name, count in counts.items():
        print_text(f"{count:>9}  {name}")
    for name, count in boundaries.items():
        print_text(f"{count:>9}  episodes begun by {name}")
    for name, share in shares.items():
        print_text(f"{share:>9.0%}  of the boundaries within talk are by {name}")
    for name, count in jobs.items():
        print_text(f"{count:>9}  {name} jobs")


@memory.command()
@click.argument("id", type=int)
@click.option("--depth", type=click.IntRange(1, 4), default=2, show_default=True)
@click.pass_obj
def graph(settings: Settings, id: int, depth: int) -> None:
    """The memories that ID is linked with, and those they are linked with."""
    with opened_memory(settings, datetime.now(UTC), read_only=True) as store:
        store.details(id)
        rows = _neighbours(store, id, depth)
    if settings.json:
        print_json({"v": 1, "root": id, "links": rows})
        return
    for row in rows:
        line = f"{row['kind']} {row['to']}: {one_line(row['text'], 80)} ({row['reason']})"
        print_text("  " * (row["depth"] - 1) + one_line(line))
    if not rows:
        note("It has no links.", settings)


def _neighbours(store: Any, root: int, depth: int) -> list[dict[str, Any]]:
    """Every memory once, where it is met first: a tree, a parent before its children."""
    seen, rows = {root}, []

    def visit(memory_id: int, level: int) -> None:
        for link in store.links(memory_id):
            other = _other_end(memory_id, link.from_memory, link.to_memory)
            if other in seen:
                continue
            seen.add(other)
            text = store.details(other).text
            row = {"depth": level, "from": memory_id, "to": other, "text": text}
            rows.append({**row, **_link(link)})
            if level < depth:
                visit(other, level + 1)

    visit(root, 1)
    return rows


def _other_end(here: int, start: int, end: int) -> int:
    return end if here == start else start


def _link(link: Any) -> dict[str, Any]:
    return {"kind": link.kind, "reason": link.reason, "weight": round(link.weight, 3)}


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
        who: str = "assistant" if memory.role == "assistant" else memory.kind
        who = "waiting" if getattr(memory, "waiting", False) else who
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
    for name in (
        "score",
        "signals",
        "reason",
        "state",
        "pinned",
        "strength_days",
        "use_count",
        "waiting",
    ):
        if hasattr(memory, name):
            value = getattr(memory, name)
            shape[name] = dict(value) if name == "signals" else value
    return shape
