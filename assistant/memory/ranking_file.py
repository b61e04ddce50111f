"""What recall ranks by, kept in one file: columns and graph, so that a large store opens at once.

A cache beside the recall index: made anew from the store where it is missing, of another store or
layout, or damaged; what was written since is read from the store. Knows arrays and a file, no ranking.
It holds ids, lengths, dates and the names of speakers, no text; `erase` removes it with the others.

    magic and version | crc32 of all that follows | the arrays, as NumPy's own archive

It is written beside its place and renamed: a kill leaves the old file, or none, and a torn copy that
the next writer sweeps up. Nothing waits for the disk: what a power cut leaves does not match its check.
"""

import io
import logging
import os
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from assistant.paths import open_private

NAME: Final = "ranking.cache"
MAGIC: Final = b"asstRNK\x02"  # the last byte is the format's version
_HEADER: Final = struct.Struct("<8sI")  # magic, crc32 of all that follows
Arrays = Mapping[str, npt.NDArray[Any]]
log: Final = logging.getLogger(__name__)


def save(folder: Path, identity: str, arrays: Arrays) -> None:
    """Put the arrays in place of the old file, at once or not at all. A full disk is no error.

    `identity` says of which store, and of which generation of it, they are.
    """
    buffer = io.BytesIO()
    np.savez(buffer, identity=np.array([identity]), **arrays)  # type: ignore[arg-type] # numpy takes `allow_pickle` for one of the arrays
    content = buffer.getbuffer()
    temporary = folder / f"{NAME}.{os.getpid()}.tmp"
    try:
        _sweep(folder)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(temporary, "wb", opener=open_private) as file:
            file.write(_HEADER.pack(MAGIC, zlib.crc32(content)))
            file.write(content)
        temporary.replace(folder / NAME)
    except OSError as error:
        log.info("recall columns: %s; not kept", error)
        temporary.unlink(missing_ok=True)


def remove(folder: Path) -> None:
    """Leave nothing of it, nor of a copy whose writer was killed."""
    (folder / NAME).unlink(missing_ok=True)
    _sweep(folder)


def _sweep(folder: Path) -> None:
    """Remove unfinished copies. One that is being written is lost to its writer, who can do without."""
    for unfinished in folder.glob(f"{NAME}.*.tmp"):
        unfinished.unlink(missing_ok=True)


def load(folder: Path, identity: str) -> dict[str, npt.NDArray[Any]] | None:
    """The arrays that were saved under this identity; None where there are none to be used.

    The whole file is checked before a byte of it is understood.
    """
    try:
        content = (folder / NAME).read_bytes()
    except OSError:
        return None
    body = memoryview(content)[_HEADER.size :]
    if content[: _HEADER.size] != _HEADER.pack(MAGIC, zlib.crc32(body)):
        log.info("recall columns: the file is damaged; read from the store")
        return None
    with np.load(io.BytesIO(body), allow_pickle=False) as file:
        if file["identity"].tolist() != [identity]:
            return None
        return {name: file[name] for name in file.files}
