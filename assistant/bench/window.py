"""`assistant bench window`: a model larger than its RAM, plain mmap against the weight window.

Each run is a process of its own under a hard memory limit that counts the page cache; the model's
pages are dropped from the cache before each. The runs alternate, medians are reported. The bar is
the machine's own: the slower of resident speed and disk rate / bytes per token, the rate read by
the engine's reader right before and after each run.
"""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final

import click

from assistant.bench.memory_limit import run_limited
from assistant.bench.report import Settings, chosen_model, print_report

SLACK_BYTES: Final = 160 * 10**6  # interpreter, KV cache and graph, besides the share of the model
_NO_LIMIT: Final = 1 << 50
Run = dict[str, Any]


def run(model_file: Path, *, limit: float = 0.5, n_tokens: int = 32, n_runs: int = 3) -> Run:
    """The report of runs under a limit. Raises AssistantError where no limit can be set."""
    limit_bytes = int(model_file.stat().st_size * limit) + SLACK_BYTES
    limits = {"resident": _NO_LIMIT, "stock": limit_bytes, "window": limit_bytes}
    return _report(_run_all(model_file, limits, n_tokens, n_runs), limit, n_runs)


def run_fitting(model_file: Path, *, n_tokens: int = 32, n_runs: int = 3) -> Run:
    """Where the model fits: our automatic settings against llama.cpp as it loads by default."""
    runs = _run_all(model_file, {"default": _NO_LIMIT, "automatic": _NO_LIMIT}, n_tokens, n_runs)
    report: Run = {"limit": None, "runs": n_runs}
    for kind, name in (("default", "stock"), ("automatic", "window")):
        speeds = {n: round(_middle(runs[kind], n), 3) for n in ("decode_tps", "prefill_tps")}
        report[name] = {**speeds, "peak_bytes": max(found["peak_bytes"] for found in runs[kind])}
    pairs = zip(runs["automatic"], runs["default"], strict=True)
    return {
        **report,
        "window_off": not any(found["disk_rate"] for found in runs["automatic"]),
        "ratio": round(
            median(ours["decode_tps"] / stock["decode_tps"] for ours, stock in pairs), 3
        ),
        "identical_tokens": _all_equal(runs["default"] + runs["automatic"], "tokens"),
    }


def _run_all(
    model_file: Path, limits: dict[str, int], n_tokens: int, n_runs: int
) -> dict[str, list[Run]]:
    """`n_runs` rounds of every kind, one after the other; a kind that was killed is not repeated."""
    runs: dict[str, list[Run]] = {kind: [] for kind in limits}
    with private_file(model_file) as file:
        for _ in range(n_runs):
            for kind, found in runs.items():
                if not (found and found[-1].get("killed")):
                    found.append(_run_child(file, kind, n_tokens, limits[kind]))
    return runs


def _run_child(file: Path, kind: str, n_tokens: int, limit_bytes: int) -> Run:
    if limit_bytes != _NO_LIMIT:
        drop_from_cache(file)
    task = json.dumps({"file": str(file), "kind": kind, "tokens": n_tokens})
    command = [sys.executable, "-m", "assistant.bench.window_run", task]
    done = run_limited(command, limit_bytes)
    if done.killed:
        return {"killed": True}
    return {**json.loads(done.output), "peak_bytes": done.peak_bytes}


def _report(runs: dict[str, list[Run]], limit: float, n_runs: int) -> Run:
    stock: Run = {"killed": True}
    complete = runs["resident"] + runs["window"]
    if not any(found.get("killed") for found in runs["stock"]):
        names = ("decode_tps", "prefill_tps", "bytes_per_token")
        stock = {name: round(_middle(runs["stock"], name), 3) for name in names}
        complete = complete + runs["stock"]
    resident = _middle(runs["resident"], "decode_tps")
    window, disk_rate, share = _describe_window(runs["window"], resident)
    return {
        "limit": limit,
        "runs": n_runs,
        "stock": stock,
        "window": window,
        "disk_gb_s": round(disk_rate / 1e9, 3),
        "resident_tps": round(resident, 3),
        "share_of_limit": round(share, 3),
        "identical_tokens": _all_equal(complete, "tokens"),
        "identical_logits": _all_equal(complete, "logits"),
    }


def _describe_window(runs: list[Run], resident_tps: float) -> tuple[Run, float, float]:
    """The window's figures, the disk's rate in bytes per second, the share of the limit.

    The disk's rate swings by a fifth between runs, so each run is held against its own.
    """
    if any(found.get("killed") for found in runs):
        return {"killed": True}, 0.0, 0.0
    names = ("decode_tps", "prefill_tps", "predicted_tps", "major_faults_per_token")
    window = {name: round(_middle(runs, name), 3) for name in names}
    window["bytes_per_token"] = round(_middle(runs, "bytes_per_token"))
    window["peak_bytes"] = max(found["peak_bytes"] for found in runs)
    shares = []
    for found in runs:
        bound = resident_tps
        if found["disk_rate"]:  # else everything fitted, and nothing is read
            bound = min(bound, found["disk_rate"] / max(1.0, found["bytes_per_token"]))
        shares.append(found["decode_tps"] / bound)
    return window, _middle(runs, "disk_rate"), median(shares)


def _middle(runs: list[Run], name: str) -> float:
    return float(median(found[name] for found in runs))


def _all_equal(runs: list[Run], name: str) -> bool:
    return all(found.get(name) == runs[0][name] for found in runs)


@contextmanager
def private_file(file: Path) -> Iterator[Path]:
    """The file itself, or a copy while another process maps it: its pages could not be dropped."""
    if not _is_mapped_elsewhere(file):
        yield file
        return
    with tempfile.TemporaryDirectory(dir=file.parent, prefix="bench-") as folder:
        copy = Path(folder) / file.name
        shutil.copyfile(file, copy)
        with copy.open("rb") as opened:
            os.fsync(opened.fileno())
        yield copy


def _is_mapped_elsewhere(file: Path) -> bool:
    wanted = str(file.resolve())
    for maps in Path("/proc").glob("[0-9]*/maps"):
        try:
            if wanted in maps.read_text():
                return True
        except OSError:
            continue
    return False


def drop_from_cache(file: Path) -> None:
    """Forget the file's pages, so that a run begins with none of them in RAM."""
    with file.open("rb") as opened:
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@click.command("window")
@click.argument("model", type=click.Path(path_type=Path), required=False)
@click.option("--limit", default=0.5, show_default=True, help="share of the model that fits in RAM")
@click.option("--fits", is_flag=True, help="no limit: automatic mode against llama.cpp's defaults")
@click.option("--tokens", default=32, show_default=True, help="tokens decoded in each run")
@click.option("--runs", default=3, show_default=True, help="runs of each kind")
@click.pass_obj
def command(
    settings: Settings, model: Path | None, limit: float, fits: bool, tokens: int, runs: int
) -> None:
    """A model under a memory limit: plain mmap against the weight window."""
    file = _find_model(settings, model)
    if fits:
        report = run_fitting(file, n_tokens=tokens, n_runs=runs)
    else:
        report = run(file, limit=limit, n_tokens=tokens, n_runs=runs)
    print_report(report, settings)


def _find_model(settings: Settings, model: Path | None) -> Path:
    """A path, a catalogue id, or the chat model that would answer."""
    if model is None or model.exists():
        return chosen_model(settings, model)
    from assistant.conversation.assemble import open_catalogue

    return open_catalogue(settings.paths).path_of(str(model))
