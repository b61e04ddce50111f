"""The commands of `assistant memory` that read or write whole files.

Draws what the store did; the store does the work.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from assistant.cli.opening import opened_recall
from assistant.cli.output import print_json, print_text
from assistant.cli.progress import StatusLine
from assistant.cli.settings import Settings

if TYPE_CHECKING:
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

        report = store.import_file(file, encoded, now, show)
    told = {
        "conversations": report.n_conversations,
        "messages": report.n_messages,
        "known": report.n_known,
    }
    if settings.json:
        print_json({"v": 1, **told})
    elif not settings.quiet:
        print_text(
            f"{report.n_messages} messages of {report.n_conversations} conversations imported, "
            f"{report.n_known} were there already."
        )


COMMANDS: Final = (import_file,)
