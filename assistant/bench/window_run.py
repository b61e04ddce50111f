"""One run of `bench window`, in a process of its own: `python -m assistant.bench.window_run TASK`.

TASK is JSON: file, kind (resident, stock, default or window), tokens. Prints one JSON object. Knows nothing
of the memory limit it runs under but what the window's automatic mode finds out by itself.
"""

import hashlib
import json
import resource
import sys
from pathlib import Path
from statistics import harmonic_mean
from time import perf_counter
from typing import Any, Final

import numpy as np

from assistant.runtime.model import Model
from assistant.runtime.weight_window import WeightWindow, open_window
from assistant.runtime.window_library import WindowHandle

_N_CTX: Final = 512
_N_BATCH: Final = 64
_RESERVE_BYTES: Final = 80 * 10**6  # KV cache of 512 tokens, graph, logits (67 MB measured)
_DISK_BYTES: Final = 512 << 20  # read before and after a run, to know the disk's rate
_PROMPT: Final = (
    "Write a program that reads a list of numbers from a file, sorts them, removes what is there "
    "twice, and prints the largest ten. Explain every step, say which library functions you use, "
    "and what happens when the file is missing, empty, or holds something else than numbers."
)

_REPACK: Final = {"default": "on", "automatic": "auto"}  # the others compare what is not repacked


def main() -> None:
    task = json.loads(sys.argv[1])
    file = Path(task["file"])
    window = None
    rates = []
    if task["kind"] in ("window", "automatic"):
        window = open_window(file, "auto", reserve_bytes=_RESERVE_BYTES)
    if window:
        rates.append(_disk_rate(file))
    with Model.load(
        file,
        n_ctx=_N_CTX,
        n_batch=_N_BATCH,
        n_sequences=1,
        weight_window="off",
        window=window,
        repack=_REPACK.get(task["kind"], "off"),
    ) as model:
        found = measure(model, task["tokens"], window)
    if window:
        rates.append(_disk_rate(file))
    print(json.dumps({**found, "disk_rate": harmonic_mean(rates) if rates else 0}))


def _disk_rate(file: Path) -> float:
    """Bytes per second, read as the engine reads, by the engine's own reader."""
    handle = WindowHandle(file)
    rate = handle.measure_disk(_DISK_BYTES)
    handle.close()
    return rate


def measure(model: Model, n_tokens: int, window: WeightWindow | None) -> dict[str, Any]:
    """Prefill and greedy decode; speeds, bytes read, and what the model said."""
    prompt = model.tokenize(_PROMPT)
    model.prefill(prompt)  # what a first use costs is measured nowhere: neither way of loading
    model.drop_sequence(0)
    start = perf_counter()
    model.prefill(prompt)
    prefill_s = perf_counter() - start
    context = model.context
    tokens: list[int] = []
    digest = hashlib.sha256()
    decode_s = 0.0
    read_bytes, faults = _read_bytes(), _major_faults()
    for i in range(n_tokens):
        logits = context.logits()
        digest.update(logits.tobytes())
        tokens.append(int(np.argmax(logits)))
        start = perf_counter()
        context.evaluate_one(tokens[-1], len(prompt) + i, 0)
        decode_s += perf_counter() - start
    digest.update(context.logits().tobytes())
    return {
        "prefill_tps": len(prompt) / prefill_s,
        "decode_tps": n_tokens / decode_s,
        "bytes_per_token": (_read_bytes() - read_bytes) / n_tokens,
        "major_faults_per_token": (_major_faults() - faults) / n_tokens,
        "predicted_tps": window.plan.tokens_per_second if window else 0,
        "tokens": tokens,
        "logits": digest.hexdigest(),
    }


def _read_bytes() -> int:
    """Bytes this process had read from disk, page faults included."""
    for line in Path("/proc/self/io").read_text("ascii").splitlines():
        if line.startswith("read_bytes:"):
            return int(line.split()[1])
    return 0


def _major_faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_majflt


if __name__ == "__main__":
    main()
