"""Find GGUF files that other programs on this machine have left, for the first run.

Looks where such programs keep them, to a bounded depth and for a bounded time; reads headers only.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Final

from assistant.catalogue.gguf import MAGIC, GgufFacts, read_metadata
from assistant.errors import ModelError

MAX_DEPTH: Final = 6
MAX_FOUND: Final = 50
DEADLINE_S: Final = 2.0
LEAST_BYTES: Final = 20_000_000  # smaller ones are vocabularies and test files
_SKIPPED: Final = frozenset({"node_modules", ".git", "__pycache__", ".venv"})


def common_folders(home: Path | None = None) -> list[Path]:
    """Where model files are usually kept; the environment's own places come first."""
    home = home or Path.home()
    named = ("HF_HUB_CACHE", "HF_HOME", "OLLAMA_MODELS", "LLAMA_CACHE")
    usual = (
        ".cache/huggingface/hub",
        ".cache/llama.cpp",
        ".cache/lm-studio/models",
        ".lmstudio/models",
        ".ollama/models/blobs",
        ".local/share/nomic.ai/GPT4All",
        "jan/models",
        "Library/Caches/llama.cpp",
        "models",
        "Models",
        "Downloads",
    )
    folders = [Path(os.environ[name]) for name in named if os.environ.get(name)]
    return folders + [home / name for name in usual]


def find_local_models(
    folders: Iterable[Path] | None = None, *, deadline_s: float = DEADLINE_S
) -> list[GgufFacts]:
    """Readable chat models, each file once, of a split model its first part; the largest last."""
    end = perf_counter() + deadline_s
    seen: set[tuple[int, int]] = set()  # device and inode: caches are full of links
    found: list[GgufFacts] = []
    for folder in common_folders() if folders is None else folders:
        for path in _candidates(folder, end):
            facts = _facts_of(path, seen)
            if facts is not None:
                found.append(facts)
            if len(found) >= MAX_FOUND or perf_counter() > end:
                return sorted(found, key=lambda facts: facts.file_bytes)
    return sorted(found, key=lambda facts: facts.file_bytes)


def _candidates(folder: Path, end: float) -> Iterator[Path]:
    depth = len(folder.parts)
    for place, folders, names in os.walk(folder):
        if perf_counter() > end:
            return
        if len(Path(place).parts) - depth >= MAX_DEPTH:
            folders.clear()
        folders[:] = sorted(name for name in folders if name not in _SKIPPED)
        for name in sorted(names):
            if name.lower().endswith(".gguf") or name.startswith("sha256-"):
                yield Path(place) / name


def _facts_of(path: Path, seen: set[tuple[int, int]]) -> GgufFacts | None:
    try:
        status = path.stat()
        key = (status.st_dev, status.st_ino)
        if key in seen or status.st_size < LEAST_BYTES or not path.is_file():
            return None
        seen.add(key)
        with path.open("rb") as file:
            if file.read(4) != MAGIC:
                return None
        facts = read_metadata(path)
    except (OSError, ModelError):
        return None
    later_part = facts.split_count > 1 and facts.metadata.get("split.no", 0) != 0
    can_chat = facts.architecture != "clip" and "bert" not in facts.architecture
    return facts if can_chat and not later_part else None
