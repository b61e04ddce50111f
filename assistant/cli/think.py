"""`assistant memory think`: derive thoughts from finished turns now, for a timer or an idle hour.

Knows the worker and its queue; nothing of how a thought is chosen.
"""

from contextlib import closing
from datetime import UTC, datetime
from time import perf_counter

import click

from assistant.cli.input import confirm
from assistant.cli.opening import opened_memory
from assistant.cli.output import note, print_json, print_text
from assistant.cli.settings import Settings
from assistant.errors import UsageError


@click.command()
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="Begin no further turn after this long; the rest waits.",
)
@click.option(
    "--rebuild", is_flag=True, help="Draw anew all that was derived; your own changes stay."
)
@click.pass_obj
def think(settings: Settings, timeout: float | None, rebuild: bool) -> None:
    """Work off the queue of finished turns, and stop.

    It does nothing where nothing waits, where thoughts are switched off, or where another
    assistant is at work on the queue. An open chat does the same by itself.
    """
    if rebuild and not _queue_all(settings):
        return
    n_done = _work_off(settings, timeout) if _is_waiting(settings) else 0
    if settings.json:
        print_json({"v": 1, "turns": n_done})
    elif not settings.quiet:
        print_text(f"Thought over {n_done} turns." if n_done else "There was nothing to do.")


def _queue_all(settings: Settings) -> bool:
    """Hide what was derived and queue every turn. False where the person thinks better of it."""
    if settings.config.text("memory.mode") == "off":
        raise UsageError("In memory.mode off nothing is thought over.", "Set it to auto or ask.")
    if not settings.paths.database.exists():
        return True
    if not confirm("Draw all derived thoughts anew?", settings):
        return False
    now = datetime.now(UTC)
    with opened_memory(settings, now) as store:
        n_hidden = store.rebuild_thoughts(now)
    note(f"{n_hidden} thoughts are drawn anew.", settings)
    return True


def _is_waiting(settings: Settings) -> bool:
    """Asked first, because a timer asks often: no embedder and no model is opened for it."""
    if settings.config.text("memory.mode") == "off" or not settings.paths.database.exists():
        return False
    with opened_memory(settings, datetime.now(UTC), read_only=True) as store:
        counts = store.job_counts()
    return counts.get("queued", 0) + counts.get("running", 0) > 0


def _work_off(settings: Settings, timeout: float | None) -> int:
    """How many jobs were done."""
    from assistant.conversation.assemble import open_assistant, open_worker

    begun, n_done = perf_counter(), 0
    engine = open_assistant(settings.paths, settings.config, now=datetime.now(UTC))
    with engine.memory, closing(engine):
        worker = open_worker(engine, settings.config)
        if worker is None:
            return 0
        with closing(worker):
            while timeout is None or perf_counter() - begun < timeout:
                if not worker.run_next(datetime.now(UTC)):
                    break
                n_done += 1
    return n_done
