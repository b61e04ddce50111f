"""The commands of `assistant memory` that read or write whole files.

Draws what the store did; the store does the work.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from assistant.cli.input import confirm
from assistant.cli.opening import opened_memory, opened_recall
from assistant.cli.output import note, print_json, print_text
from assistant.cli.progress import StatusLine
from assistant.cli.settings import Settings
from assistant.errors import ModelMissing
from assistant.paths import is_stream

if TYPE_CHECKING:
    from assistant.memory.memory import Memory
    from assistant.records import EncodedText, Progress


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_obj
def import_file(settings: Settings, file: Path) -> None:
    """Remember what another program exported: JSONL, Markdown, ChatGPT, Claude or llm's log."""
    from assistant.conversation.recall import encode

    now = datetime.now(UTC)
    with opened_recall(settings, now) as (store, embedder), StatusLine(settings) as status:

        def encoded(text: str, said: datetime, before: str) -> "EncodedText":
            return encode(text, embedder, said, before)

        def show(progress: "Progress") -> None:
            status.show("importing", progress.done / max(progress.total, 1))

        status.show("reading")
        report = store.import_file(file, encoded, now, show)
        _prepare_recall(store, status)
    told = {
        "conversations": report.n_conversations,
        "messages": report.n_messages,
        "known": report.n_known,
        "thoughts": report.n_thoughts,
    }
    said = f"{report.n_messages} messages of {report.n_conversations} conversations imported, "
    thoughts = f" {report.n_thoughts} thoughts came with them." if report.n_thoughts else ""
    _say(settings, told, f"{said}{report.n_known} were there already.{thoughts}")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), default="-")
@click.pass_obj
def export(settings: Settings, file: Path) -> None:
    """Every message and thought as a JSON line, to FILE or stdout."""
    with opened_memory(settings, datetime.now(UTC), read_only=True) as store:
        if str(file) in ("-", "/dev/stdout"):
            for row in store.export():
                print_json({"v": 1, **row})
            return
        n_rows = store.export_file(file)
    _say_of(file, settings, {"file": str(file), "rows": n_rows}, f"{n_rows} rows in {file}")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.pass_obj
def backup(settings: Settings, file: Path | None) -> None:
    """A consistent copy of everything remembered, also while it is in use."""
    now = datetime.now(UTC)
    target = file or settings.paths.backups_dir / f"memory-{now:%Y%m%dT%H%M%S}.db"
    with opened_memory(settings, now) as store:
        written = store.backup(target)
    _say_of(target, settings, {"file": str(written)}, f"Backed up to {written}")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_obj
def restore(settings: Settings, file: Path) -> None:
    """Put a backup in the place of what is remembered now, which is kept beside it."""
    from assistant.memory.transfer import restore as restore_store

    question = f"Replace what is remembered now by {file}?"
    if not confirm(question, settings, lasting=True):
        return
    paths = settings.paths
    paths.create()
    kept = restore_store(paths.database, file, datetime.now(UTC), paths.backups_dir)
    _say(settings, {"restored": str(file), "kept": str(kept)}, f"Restored. Kept before: {kept}")


@click.command()
@click.pass_obj
def reindex(settings: Settings) -> None:
    """Make all vectors anew with the embedder of the settings; stopped, it goes on where it was."""
    from assistant.conversation.assemble import open_embedder

    with (
        opened_memory(settings, datetime.now(UTC)) as store,
        StatusLine(settings) as status,
    ):
        embedder = open_embedder(settings.paths, settings.config)
        if embedder is None:
            name = settings.config.text("embedder")
            raise ModelMissing(f"{name} is not installed.", f"Run `assistant models pull {name}`.")
        total = 0
        for progress in store.reindex(embedder.id, embedder.dimension, embedder.embed):
            total = progress.total
            status.show("reindexing", progress.done / max(total, 1))
        _prepare_recall(store, status)
    _say(settings, {"memories": total, "embedder": embedder.id}, f"{total} memories reindexed.")


def _say_of(file: Path, settings: Settings, value: dict[str, Any], text: str) -> None:
    """Like `_say`, but on stderr where the file is a stream: it may be stdout itself."""
    if is_stream(file):
        note(text, settings)
    else:
        _say(settings, value, text)


def _prepare_recall(store: "Memory", status: StatusLine) -> None:
    """Here a person waits anyway; the first question after it should not have to."""
    store.on_progress = lambda share: status.show("recall index", share)
    store.prepare_recall()


def _say(settings: Settings, value: dict[str, Any], text: str) -> None:
    if settings.json:
        print_json({"v": 1, **value})
    elif not settings.quiet:
        print_text(text)


COMMANDS: Final = (import_file, export, backup, restore, reindex)
