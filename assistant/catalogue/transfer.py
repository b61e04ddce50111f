"""One file on its way: its progress, its partial bytes on disk with their running hash, and the
ways to stop it. Knows neither sources nor networks.
"""

import errno
import hashlib
import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from assistant.errors import AssistantError, DiskFull, HashMismatch, SourceUnreachable
from assistant.paths import open_private
from assistant.records import Progress

CHUNK_BYTES: Final = 1 << 20
REPORT_S: Final = 0.1  # progress is reported at most this often
RATE_WINDOW_S: Final = 10.0  # the rate is that of the last seconds
RATE_LEAST_S: Final = 0.5  # in a shorter time nothing is known of it
DISK_RESERVE_BYTES: Final = 64 << 20  # left free for the store: a full disk must not stop recording


class TransferStopped(AssistantError):
    """The person stopped or paused it; what has arrived is kept."""

    exit_code = 130


@dataclass(frozen=True, slots=True)
class Transfer(Progress):
    """Progress of a download in bytes. `seconds_left` is None until a rate is known."""

    source: str = ""
    bytes_per_s: float = 0.0
    seconds_left: float | None = None


class Meter:
    """Counts arriving bytes and tells `on_progress`, not more often than ten times a second."""

    def __init__(
        self,
        total: int,
        on_progress: Callable[[Transfer], None] | None = None,
        stop: threading.Event | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.total = total
        self.done = 0
        self.phase, self.source = "downloading", ""
        self._on_progress, self._stop, self._clock = on_progress, stop, clock
        self._reported = -REPORT_S
        self._window: deque[tuple[float, int]] = deque()

    def start(self, phase: str, source: str, done: int) -> None:
        """A new phase or source begins, with `done` bytes there already."""
        self.phase, self.source = phase, source
        self._window.clear()
        self.set(done)

    def advance(self, n_bytes: int) -> None:
        self.set(self.done + n_bytes)

    def set(self, done: int) -> None:
        """Raises TransferStopped when the person has asked for it."""
        now = self._clock()
        self.done = done
        self._window.append((now, done))
        while len(self._window) > 2 and now - self._window[0][0] > RATE_WINDOW_S:
            self._window.popleft()
        if now - self._reported >= REPORT_S or done >= self.total:
            self._reported = now
            self.report()
        self.check_stop()

    def check_stop(self) -> None:
        if self._stop is not None and self._stop.is_set():
            raise TransferStopped("The download was stopped.", "Repeat it to go on from there.")

    def wait(self, seconds: float) -> None:
        """A pause that a stop ends at once."""
        (self._stop or threading.Event()).wait(seconds)
        self.check_stop()

    def report(self) -> None:
        if self._on_progress is not None:
            rate = self.bytes_per_s
            left = (self.total - self.done) / rate if rate > 0 else None
            self._on_progress(
                Transfer(self.phase, self.done, self.total, "bytes", self.source, rate, left)
            )

    @property
    def bytes_per_s(self) -> float:
        (start, first), (end, last) = self._window[0], self._window[-1]
        return (last - first) / (end - start) if end - start >= RATE_LEAST_S else 0.0


class PartFile:
    """`<name>.part`: the bytes fetched so far and their sha256. A context manager.

    Opening it reads what an earlier process left, so that a download goes on where it ended.
    """

    def __init__(self, target: Path, n_bytes: int, sha256: str) -> None:
        self.target, self.total, self.sha256 = target, n_bytes, sha256
        self.path = target.with_name(target.name + ".part")
        self._hash = hashlib.sha256()
        self._file: IO[bytes] | None = None
        self.size = 0

    def __enter__(self) -> Self:
        mode = "r+b" if self.path.exists() else "w+b"
        # Unbuffered: a full disk must show at the write that meets it, not when the file closes.
        self._file = open(self.path, mode, buffering=0, opener=open_private)
        while chunk := self._file.read(CHUNK_BYTES):
            self._hash.update(chunk)
            self.size += len(chunk)
        if self.size > self.total:
            self.restart()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, data: bytes) -> None:
        """Append. Raises SourceUnreachable past the file's size, DiskFull when the disk is."""
        assert self._file is not None
        if self.size + len(data) > self.total:
            raise SourceUnreachable(f"It sent more than the {self.total} bytes of the file.")
        rest = memoryview(data)
        while rest:
            try:
                n_written = self._file.write(rest)
            except OSError as error:
                raise disk_error(error, self.target) from error
            self._hash.update(rest[:n_written])
            self.size += n_written
            rest = rest[n_written:]

    def restart(self) -> None:
        """Drop what is there: it is not a beginning of the file."""
        assert self._file is not None
        self._file.seek(0)
        self._file.truncate()
        self._hash = hashlib.sha256()
        self.size = 0

    def sync(self) -> None:
        assert self._file is not None
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise disk_error(error, self.target) from error

    def finish(self) -> None:
        """Verify the hash and move into place in one step; the folder is synced too.

        Raises HashMismatch, after dropping the bytes: they would spoil every later attempt.
        """
        if self.size != self.total:
            raise SourceUnreachable(f"It ended after {self.size} of {self.total} bytes.")
        if self._hash.hexdigest() != self.sha256:
            self.restart()
            raise HashMismatch(
                f"{self.target.name}: the bytes received are not the file the catalogue names.",
                "Nothing was kept. Try another source, or report it to the publisher.",
            )
        self.sync()
        self.path.chmod(0o600)
        self.path.replace(self.target)
        folder = os.open(self.target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def disk_error(error: OSError, path: Path) -> AssistantError:
    """An OSError of the disk in the person's words."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"The disk of {path.parent} is full.", "Free some space and try again.")
    return AssistantError(
        f"{path} cannot be written: {error.strerror}.", "Check the folder's permissions."
    )


def check_free_disk(
    folder: Path, n_bytes: int, free: Callable[[Path], int] = lambda p: shutil.disk_usage(p).free
) -> None:
    """Raises DiskFull, before the first byte is asked for, when `n_bytes` will not fit."""
    available = free(folder)
    if n_bytes + DISK_RESERVE_BYTES > available:
        raise DiskFull(
            f"The download needs {n_bytes / 1e6:.0f} MB and {folder} has"
            f" {available / 1e6:.0f} MB free.",
            "Free some space, or choose another place with --data-dir.",
        )


def sha256_of(path: Path, on_chunk: Callable[[int], None] | None = None) -> str:
    """The hash of a file, read in chunks. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in _chunks(file):
            digest.update(chunk)
            if on_chunk is not None:
                on_chunk(len(chunk))
    return digest.hexdigest()


def _chunks(file: IO[bytes]) -> Iterable[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk
