"""`assistant bench stop`: how soon a model is still after it is told to stop.

While it reads a long prompt, at moments spread over the reading, and while it writes. The bound of
DESIGN section 6 is 300 ms.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from threading import Timer
from time import perf_counter
from typing import Any, Final

import click

from assistant.bench.report import Settings, chosen_model, print_report
from assistant.records import SamplingParameters
from assistant.runtime.model import Model

BOUND_MS: Final = 300
_PROMPT_TOKENS: Final = 2000
_TEXT: Final = "The keeper climbed the stairs and looked out over the grey sea, as on every day. "
_WRITING: Final = SamplingParameters(temperature=0, max_tokens=1500)


def run(model_file: Path, *, n_runs: int = 10) -> dict[str, Any]:
    """Times from the stop to the end, ms, over `n_runs` stops in each phase."""
    with Model.load(model_file, weight_window="off") as model:
        n_tokens = min(_PROMPT_TOKENS, model.n_ctx - 1)
        tokens = model.tokenize(_TEXT * (n_tokens // 8))[:n_tokens]
        writing = replace(_WRITING, max_tokens=min(_WRITING.max_tokens, model.n_ctx // 2))

        def read() -> None:
            model.drop_sequence(0)
            model.prefill(tokens)

        def write() -> None:
            for _ in model.stream(tokens[:50], writing):
                pass

        reading = [_stop_ms(model, read, 0.1 + i / n_runs) for i in range(n_runs)]
        written = [_stop_ms(model, write, 0.6 + i / n_runs) for i in range(n_runs)]
    return {
        "reading": _summary(reading),
        "writing": _summary(written),
        "bound_ms": BOUND_MS,
        "runs": n_runs,
        "model": model_file.name,
    }


def _stop_ms(model: Model, work: Callable[[], None], after_s: float) -> float:
    """Milliseconds from the stop, `after_s` into the work, to its end; below 0: it ended before."""
    asked = 0.0

    def stop() -> None:
        nonlocal asked
        asked = perf_counter()
        model.stop()

    timer = Timer(after_s, stop)
    timer.start()
    work()
    ended = perf_counter()
    timer.join()
    return (ended - asked) * 1000


def _summary(times_ms: list[float]) -> dict[str, float]:
    stopped = [time for time in times_ms if time >= 0]
    if not stopped:
        return {"stopped": 0}
    return {
        "stopped": len(stopped),
        "p50_ms": round(median(stopped), 1),
        "max_ms": round(max(stopped), 1),
    }


@click.command("stop")
@click.option("-m", "--model", "path", type=click.Path(path_type=Path), help="a GGUF file")
@click.option("--runs", default=10, show_default=True, help="stops in each phase")
@click.pass_obj
def command(settings: Settings, path: Path | None, runs: int) -> None:
    """How soon a model is still after a stop."""
    print_report(run(chosen_model(settings, path), n_runs=runs), settings)
