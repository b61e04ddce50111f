"""The small files of the models folder: which GGUFs the person added, which model is in use, and
the hashes of files that no catalogue names. Each is written atomically, 0600.

A damaged file counts as empty: no model is lost by it, it only has to be added or chosen again.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from assistant.catalogue.entries import Entry, ModelFile
from assistant.catalogue.transfer import sha256_of
from assistant.paths import open_private

ADDED_FILE: Final = "added.json"
CHOSEN_FILE: Final = "chosen"
HASHES_FILE: Final = "hashes.json"


class Registry:
    """Reads at every call, so two processes see each other's changes."""

    def __init__(self, models_dir: Path) -> None:
        self.models_dir = models_dir

    def added(self) -> dict[str, Entry]:
        """The person's own models by id."""
        rows = self._read(ADDED_FILE).get("models", ())
        try:
            entries = [_entry(row) for row in rows]
        except (KeyError, TypeError):
            return {}
        return {entry.id: entry for entry in entries}

    def write_added(self, added: Mapping[str, Entry]) -> None:
        rows = [_row(entry) for entry in added.values()]
        self._write(ADDED_FILE, json.dumps({"v": 1, "models": rows}, indent=1) + "\n")

    @property
    def chosen(self) -> str:
        """The id set by `models use`; empty when none is."""
        try:
            return (self.models_dir / CHOSEN_FILE).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return ""

    def choose(self, id: str) -> None:
        if id:
            self._write(CHOSEN_FILE, id + "\n")
        else:
            (self.models_dir / CHOSEN_FILE).unlink(missing_ok=True)

    def sha256(self, path: Path) -> str:
        """The file's hash, computed once for each size and time of change."""
        status = path.stat()
        key = f"{path.absolute()}|{status.st_size}|{status.st_mtime_ns}"
        hashes = self._read(HASHES_FILE)
        if key not in hashes:
            hashes[key] = sha256_of(path)
            self._write(HASHES_FILE, json.dumps(hashes, indent=1) + "\n")
        return str(hashes[key])

    def _read(self, name: str) -> dict[str, Any]:
        try:
            value = json.loads((self.models_dir / name).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return value if isinstance(value, dict) else {}

    def _write(self, name: str, text: str) -> None:
        self.models_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self.models_dir / f".{name}.{os.getpid()}"
        with open(temporary, "w", encoding="utf-8", opener=open_private) as file:
            file.write(text)
        temporary.replace(self.models_dir / name)


def _entry(row: Mapping[str, Any]) -> Entry:
    return Entry(
        id=row["id"],
        kind="chat",
        files=tuple(ModelFile(f["name"], f["bytes"], f["sha256"]) for f in row["files"]),
        licence=row["licence"],
        note=row["note"],
        context=row["context"],
        params_b=row["params_b"],
        path=Path(row["path"]),
    )


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "path": str(entry.path),
        "licence": entry.licence,
        "note": entry.note,
        "context": entry.context,
        "params_b": entry.params_b,
        "files": [{"name": f.name, "bytes": f.bytes, "sha256": f.sha256} for f in entry.files],
    }
