"""How fast models are on this machine: what was measured while they answered, what is to be expected.

One small JSON file beside the data; a cache: safe to delete. Knows no widget. Speeds are tokens per
second while writing, rates bytes per second.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from assistant.records import Usage

if TYPE_CHECKING:
    from assistant.catalogue.entries import Entry

N_TOKENS_LEAST: Final = 16  # a shorter answer says little about speed
NEW_SHARE: Final = 0.3  # default; of the newest answer in the running mean, 0 to 1


@dataclass
class Speeds:
    """What is known: `measured` by model id, and what disk and processor do (0: not known)."""

    measured: dict[str, float] = field(default_factory=dict)
    disk_bytes_per_s: float = 0.0
    compute_bytes_per_s: float = 0.0

    def expected(self, entry: "Entry", ram_bytes: int) -> float:
        """Tokens per second of a model that was never run here; 0 where nothing is known.

        Each token multiplies the active weights once, and reads those that do not fit.
        """
        from assistant.catalogue.recommend import streamed_tokens_per_s

        if not self.compute_bytes_per_s:
            return 0.0
        seconds = _active_bytes(entry) / self.compute_bytes_per_s
        streamed = streamed_tokens_per_s(entry, ram_bytes, self.disk_bytes_per_s)
        return 1 / (seconds + 1 / streamed) if streamed else 0.0

    def borne_out(self, entries: "Iterable[Entry]") -> "Speeds":
        """The processor is at least as fast as answers have shown it to be: its rate is measured once,
        and that may have been in a busy moment."""
        shown = (self.measured.get(e.id, 0.0) * _active_bytes(e) for e in entries)
        return replace(self, compute_bytes_per_s=max(self.compute_bytes_per_s, *shown, 0.0))


def _active_bytes(entry: "Entry") -> float:
    """Bytes of the weights that one token multiplies."""
    active = entry.active_b / entry.params_b if entry.active_b and entry.params_b else 1.0
    return active * entry.bytes


def read_speeds(file: Path) -> Speeds:
    """What the file says; nothing where it is missing or damaged."""
    try:
        told = json.loads(file.read_text("utf-8"))
        measured = {str(name): float(speed) for name, speed in told["measured"].items()}
        return Speeds(measured, float(told["disk_bytes_per_s"]), float(told["compute_bytes_per_s"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Speeds()


def write_speeds(file: Path, speeds: Speeds) -> None:
    """Replace the file. A full or read-only disk costs the cache alone."""
    unfinished = file.with_name(file.name + ".unfinished")
    try:
        unfinished.touch(mode=0o600)
        unfinished.write_text(json.dumps(asdict(speeds)), "utf-8")
        unfinished.replace(file)
    except OSError:
        unfinished.unlink(missing_ok=True)


def note_answer(file: Path, model_id: str, usage: Usage) -> None:
    """Take the speed of one answer into the model's running mean."""
    seconds = (usage.total_ms - usage.first_token_ms) / 1000
    if usage.n_completion < N_TOKENS_LEAST or seconds <= 0:
        return
    speeds = read_speeds(file)
    speed = (usage.n_completion - 1) / seconds
    before = speeds.measured.get(model_id, speed)
    speeds.measured[model_id] = round(before + NEW_SHARE * (speed - before), 2)
    write_speeds(file, speeds)


def with_rates(file: Path, installed: Mapping[str, Path]) -> Speeds:
    """What is known, with the machine's rates measured on an installed model if they never were."""
    speeds = read_speeds(file)
    if speeds.compute_bytes_per_s or not installed:
        return speeds
    from assistant.errors import AssistantError
    from assistant.runtime.weight_window import measure_rates
    from assistant.runtime.window_library import WindowHandle

    try:
        handle = WindowHandle(max(installed.values(), key=lambda path: path.stat().st_size))
    except (AssistantError, OSError):  # no native library: then nothing is foretold
        return speeds
    try:
        rates = measure_rates(handle)
    finally:
        handle.close()
    speeds.disk_bytes_per_s, speeds.compute_bytes_per_s = rates.disk, rates.compute
    write_speeds(file, speeds)
    return speeds
