"""Fetch the files of a catalogue entry: each from the first source that delivers the right bytes.

Order of safety: one process per file (lock), room on the disk, bytes to `<name>.part`, hash,
mode 0600, rename. What has arrived is kept when a source fails, a process is killed or the person
pauses, and any source goes on from it: the bytes are the same everywhere.
"""

import contextlib
import fcntl
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from assistant.catalogue.entries import Entry, ModelFile
from assistant.catalogue.hub import HubUnreachable, fetch_from_hub
from assistant.catalogue.index import disk_bytes, fetch_from_index
from assistant.catalogue.limits import Limits
from assistant.catalogue.network import network_allowed
from assistant.catalogue.transfer import (
    Meter,
    PartFile,
    Transfer,
    check_free_disk,
    disk_error,
)
from assistant.errors import DownloadError, HashMismatch, SourceUnreachable

Fetch = Callable[[ModelFile, PartFile, Meter, Limits], None]
_SOURCES: dict[str, Fetch] = {"hub": fetch_from_hub, "index": fetch_from_index}


class Downloader:
    """Fetches entries into `<models_dir>/<id>/`. Remembers a hub that did not answer."""

    def __init__(
        self,
        models_dir: Path,
        *,
        limits: Limits | None = None,
        free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    ) -> None:
        self.models_dir = models_dir
        self._limits = limits or Limits()
        self._free_bytes = free_bytes
        self._unreachable: dict[str, str] = {}  # source -> why, for the life of this object

    def fetch(
        self,
        entry: Entry,
        on_progress: Callable[[Transfer], None] | None = None,
        stop: threading.Event | None = None,
    ) -> Path:
        """The folder with every file of `entry`. Files that are there are not fetched again.

        Raises DiskFull, HashMismatch, DownloadError (all sources failed, each with its reason) and
        TransferStopped once `stop` is set.
        """
        folder = self.models_dir / entry.id
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise disk_error(error, folder) from error
        missing = [file for file in entry.files if not is_installed(folder, file)]
        self._check_room(folder, missing)
        with network_allowed(f"download of {entry.id}"):
            for file in missing:
                meter = Meter(file.bytes, on_progress, stop)
                with _only_process(folder, file):
                    if not is_installed(folder, file):
                        self._fetch_file(folder, file, meter)
        return folder

    def _check_room(self, folder: Path, files: list[ModelFile]) -> None:
        """Raises DiskFull. Only index-only files are sure to need room for wheels."""
        there = arrived_bytes(folder, files)
        extra = max((disk_bytes(file) for file in files if not file.hub), default=0)
        needed = sum(file.bytes for file in files) - there + extra
        if files:
            check_free_disk(folder, needed, self._free_bytes)

    def _fetch_file(self, folder: Path, file: ModelFile, meter: Meter) -> None:
        """1 each source in turn, 2 verify and move, 3 else say why each failed."""
        failures: list[tuple[str, DownloadError | HashMismatch]] = []
        with PartFile(folder / file.name, file.bytes, file.sha256) as part:
            for source in file.sources:
                try:
                    self._try(source, file, part, meter)
                except (SourceUnreachable, HashMismatch) as error:
                    failures.append((source, error))
                else:
                    return
        raise _all_failed(file, failures)

    def _try(self, source: str, file: ModelFile, part: PartFile, meter: Meter) -> None:
        if source in self._unreachable:
            raise SourceUnreachable(self._unreachable[source])
        resumed = part.size > 0
        meter.total = file.bytes
        try:
            _SOURCES[source](file, part, meter, self._limits)
            part.finish()
        except HubUnreachable as error:
            self._unreachable[source] = error.what
            raise
        except HashMismatch:
            if not resumed:
                raise
            # The bytes it went on from may have been the wrong ones: once more from the start.
            part.restart()
            self._try(source, file, part, meter)


def is_installed(folder: Path, file: ModelFile) -> bool:
    """Whether the whole file is in place. Its hash was checked before it got there."""
    return _size(folder / file.name) == file.bytes


def arrived_bytes(folder: Path, files: Iterable[ModelFile]) -> int:
    """Bytes of unfinished downloads in a model's folder."""
    return sum(_size(folder / f"{file.name}.part") for file in files)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


@contextlib.contextmanager
def _only_process(folder: Path, file: ModelFile) -> Iterator[None]:
    """Hold the file's lock. Raises DownloadError when another process holds it."""
    lock = folder / f".{file.name}.lock"
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DownloadError(
                f"{file.name} is being downloaded by another process.", "Wait until it is there."
            ) from None
        yield
        lock.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _all_failed(
    file: ModelFile, failures: list[tuple[str, DownloadError | HashMismatch]]
) -> DownloadError | HashMismatch:
    reasons = "; ".join(f"{source}: {error.what.rstrip('.')}" for source, error in failures)
    wrong = [error for _, error in failures if isinstance(error, HashMismatch)]
    if wrong:
        return HashMismatch(
            f"{file.name} was not installed, its bytes are not the catalogue's. {reasons}.",
            "Try again, or fetch it yourself and run `assistant models add PATH`.",
        )
    return DownloadError(
        f"{file.name} could not be fetched. {reasons or 'it has no source'}.",
        "Check the connection and try again; what has arrived is kept.",
    )
