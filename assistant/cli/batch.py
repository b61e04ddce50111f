"""`assistant batch`: the rows of a JSONL file, answered into another.

Opens what a run needs, shows how far it is and hears Ctrl-C; `assistant.batch` does the work.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from assistant.cli.input import read_file, read_stdin
from assistant.cli.output import note, print_json
from assistant.cli.progress import StatusLine
from assistant.cli.settings import Settings
from assistant.errors import BatchIncomplete, UsageError

if TYPE_CHECKING:
    from assistant.batch.output import Output
    from assistant.batch.rows import Row
    from assistant.batch.run import Run

NOTE_SECONDS = 15.0  # between two lines of progress where no line can be redrawn


@click.command()
@click.argument("input", type=click.Path(path_type=Path, allow_dash=True), metavar="IN|-")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="OUT",
    required=True,
    help="Where the answers go, a JSON line for each.",
)
@click.option("--resume", is_flag=True, help="Go on with OUT; failed rows are tried again.")
@click.option("--force", is_flag=True, help="Overwrite OUT; or resume with something changed.")
@click.option("--learn", is_flag=True, help="Record the rows; else memory is only read.")
@click.option("--no-memory", is_flag=True, help="Recall nothing.")
@click.option("-j", "--parallel", type=click.IntRange(1, 64), default=1, show_default=True)
@click.option("-m", "--model", metavar="ID|PATH", help="The model to ask.")
@click.option("--seed", type=int, metavar="N", help="The same answers again.")
@click.option("--max-tokens", type=int, metavar="N", help="Longest answer.")
@click.option("--temperature", type=float, metavar="T", help="0 is greedy.")
@click.pass_obj
def batch(settings: Settings, /, input: Path, output: Path, **chosen: Any) -> None:
    """Answer every row of IN (JSON lines with "id" and "prompt") into OUT.

    Rows with the same "session" are one conversation. Ctrl-C finishes the rows that are begun, a
    second one stops at once; --resume goes on from either.
    """
    if chosen["learn"] and chosen["no_memory"]:
        raise UsageError("--learn and --no-memory exclude each other.", "Choose one.")
    settings.override(
        {
            "model": chosen["model"],
            "sampling.seed": chosen["seed"],
            "sampling.max_tokens": chosen["max_tokens"],
            "sampling.temperature": chosen["temperature"],
        }
    )
    from assistant.batch.rows import read_rows

    rows = read_rows(read_stdin() if str(input) == "-" else read_file(input))
    with ExitStack() as stack:
        run = _open(settings, rows, output, chosen, stack)
        _answer(settings, rows, run)


def _open(
    settings: Settings, rows: "list[Row]", file: Path, chosen: dict[str, Any], stack: ExitStack
) -> "Run":
    """Everything a run needs, closed again with `stack`. The model comes last: it takes longest."""
    from assistant.batch.run import Run
    from assistant.cli.first_run import ensure_models
    from assistant.conversation.assemble import identify_model, open_batch

    ensure_models(settings)
    asks = settings.config.text("memory.mode") == "ask" and not chosen["no_memory"]
    if asks and not settings.yes:
        note("memory.mode is ask: rows are answered without memories; --yes gives them.", settings)
    identity = identify_model(settings.paths, settings.config)
    output = stack.enter_context(_open_output(settings, rows, file, chosen, identity.sha256))
    with StatusLine(settings) as status, _heard_while_loading() as check:
        status.show("loading model")
        parts = stack.enter_context(
            open_batch(
                settings.paths,
                settings.config,
                now=datetime.now(UTC),
                parallel=chosen["parallel"],
                mode="normal" if chosen["learn"] else "read-only",
                recall=not chosen["no_memory"],
                agreement="given" if settings.yes else "withheld",
                on_notice=lambda notice: note(notice.text, settings),
                on_progress=check,
            )
        )
        check(1.0)
    return Run(
        rows,
        output,
        parts.batcher,
        parts.new_engine,
        {"name": identity.name, "sha256": identity.sha256},
        lambda: datetime.now(UTC),
        parallel=chosen["parallel"],
    )


def _open_output(
    settings: Settings, rows: "list[Row]", file: Path, chosen: dict[str, Any], sha256: str
) -> "Output":
    """OUT, begun or gone on with. Raises UsageError."""
    from assistant.batch.output import Output
    from assistant.batch.rows import digest
    from assistant.conversation.assemble import system_prompt

    config = settings.config
    parameters = {
        **asdict(config.sampling()),
        "system": system_prompt(config),
        "n_ctx": config.integer("runtime.n_ctx"),
        "recall": 0 if chosen["no_memory"] else config.integer("memory.recall_count"),
        "memory_tokens": config.integer("memory.token_budget"),
        "learn": chosen["learn"],
    }
    parameters["stop"] = list(parameters["stop"])  # as JSON gives it back
    told = {"model": sha256, "parameters": parameters, "input": digest(rows)}
    if chosen["resume"]:
        return Output.resume(file, told, force=chosen["force"])
    return Output.start(file, told, overwrite=chosen["force"])


def _answer(settings: Settings, rows: "list[Row]", run: "Run") -> None:
    """Write the answers and say how it goes. Raises BatchIncomplete, or KeyboardInterrupt."""
    with StatusLine(settings) as status, _draining(run, settings):
        progress = _Progress(settings, status, len(rows), run.n_done)
        for _ in run:
            progress.show(run)
    if settings.json:
        left = len(rows) - run.n_done
        print_json({"v": 1, "rows": len(rows), "failed": run.n_failed, "left": left})
    else:
        note(f"{run.n_done} of {len(rows)} rows, {run.n_failed} failed.", settings)
    if run.draining:
        raise KeyboardInterrupt
    if run.n_failed:
        raise BatchIncomplete(
            f"{run.n_failed} of {len(rows)} rows failed.", "Try them again with --resume."
        )


@contextmanager
def _heard_while_loading() -> Iterator[Callable[[float], None]]:
    """A function that raises, once it was pressed, what Ctrl-C (or SIGTERM) raises.

    llama.cpp calls back while it loads, to log a line for instance, and what a signal's handler raises
    in such a call is lost (ctypes prints it and goes on). So the handler only notes the signal.
    """
    heard: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def raise_heard(_share: float) -> None:
        handler = before[signal.Signals(heard[0])] if heard else None
        if callable(handler):
            handler(heard[0], None)

    for number in before:
        signal.signal(number, lambda heard_now, frame: heard.append(heard_now))
    try:
        yield raise_heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _draining(run: "Run", settings: Settings) -> Iterator[None]:
    """The first Ctrl-C lets the begun rows finish, the second ends the run where it is."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        if run.draining:
            raise KeyboardInterrupt
        run.draining = True
        note("\nFinishing the rows that are begun; Ctrl-C again stops at once.", settings)

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class _Progress:
    """Rows, failures, rate and time left: redrawn on a terminal, a line now and then elsewhere."""

    def __init__(self, settings: Settings, status: StatusLine, n_rows: int, n_before: int) -> None:
        self._settings, self._status = settings, status
        self._n_rows, self._n_before = n_rows, n_before
        self._started = self._told = perf_counter()

    def show(self, run: "Run") -> None:
        now = perf_counter()
        rate = (run.n_done - self._n_before) / max(now - self._started, 1e-9)
        left = (self._n_rows - run.n_done) / rate if rate else 0.0
        text = f"{run.n_done}/{self._n_rows} rows, {run.n_failed} failed, {left:.0f} s left"
        if self._status.draws:
            self._status.show(text)
        elif now - self._told >= NOTE_SECONDS:
            self._told = now
            note(text, self._settings)
