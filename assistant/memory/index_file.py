"""The LSH index on disk: one file, a checked base that is never changed and a log that grows.

    header | centre | rows | codes | ids | axes | log
    4 KB     base: written once, whole            one record for each change since

Knows bytes and checks. A file that is missing, of another identity, cut short or damaged raises
IndexUnusable: it is a cache, and whoever opens it makes it again from the store.

The rows (int8 vectors) stay on disk behind a memory map; each carries its own check, which a search
compares as it reads. Everything else is read and checked when the file is opened. A log record that
does not match its check ends the log: what came after is in the store.
"""

import hashlib
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final, Literal, Self

import numpy as np
import numpy.typing as npt

from assistant.memory import huge_pages
from assistant.memory.index_rows import IdArray
from assistant.native.view import BLOCK_SLOTS, ROW_TAIL_BYTES, ByteArray
from assistant.paths import open_private
from assistant.records import FloatArray

MAGIC: Final = b"asstLSH\x02"  # the last byte is the format's version
PAGE: Final = 4096
ADD: Final = 1
REMOVE: Final = 2
# magic, dimension, code bytes, axes, seed, rows, generation, identity, the crc32 of centre, codes, ids and axes
_HEADER: Final = struct.Struct("<8s3IQ2q32s4I")
_CRC: Final = struct.Struct("<I")


class IndexUnusable(Exception):
    """The file cannot be used; the reason is for the log."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Where each part of a file lies. All in bytes."""

    dimension: int
    code_bytes: int
    n_axes: int  # 0: codes are of whole vectors
    n_rows: int

    @property
    def n_blocks(self) -> int:
        return -(-self.n_rows // BLOCK_SLOTS)

    @property
    def block_bytes(self) -> int:
        return BLOCK_SLOTS * (self.code_bytes + 4)

    @property
    def row_bytes(self) -> int:
        return self.dimension + ROW_TAIL_BYTES

    @property
    def rows_at(self) -> int:
        return PAGE + _pages(4 * self.dimension)

    @property
    def codes_at(self) -> int:
        return self.rows_at + _pages(self.n_rows * self.row_bytes)

    @property
    def ids_at(self) -> int:
        return self.codes_at + _pages(self.n_blocks * self.block_bytes)

    @property
    def axes_at(self) -> int:
        return self.ids_at + _pages(8 * self.n_rows)

    @property
    def axes_bytes(self) -> int:
        return 4 * self.n_axes * self.dimension

    @property
    def log_at(self) -> int:
        return self.axes_at + _pages(self.axes_bytes)

    @property
    def record(self) -> np.dtype[np.void]:
        """One log record; it begins as a row of the base does."""
        return np.dtype(
            [
                ("codes", "i1", (self.dimension,)),
                ("scale", "<f4"),
                ("check", "<u4"),
                ("id", "<i8"),
                ("generation", "<i8"),
                ("kind", "<u4"),
                ("factor", "<f4"),
                ("bits", "u1", (self.code_bytes,)),
                ("crc", "<u4"),
            ]
        )


@dataclass(frozen=True, slots=True)
class BaseParts:
    """What a base holds beside its rows."""

    seed: int
    generation: int
    centre: FloatArray  # (dimension,)
    axes: FloatArray | None  # (n_axes, dimension)
    blocks: ByteArray  # (n_blocks, block_bytes)
    ids: IdArray  # (n_rows,)


@dataclass(frozen=True, slots=True)
class LoadedFile:
    shape: Shape
    base: BaseParts
    rows: ByteArray  # (n_rows, row_bytes), a memory map
    log: npt.NDArray[np.void]  # valid records
    log_end: int  # bytes of the file up to the last valid record


def _pages(n_bytes: int) -> int:
    return -(-n_bytes // PAGE) * PAGE


def identity_bytes(identity: str) -> bytes:
    return hashlib.sha256(identity.encode()).digest()


class BaseWriter:
    """Writes a new base beside the old file and puts it in its place when it is whole.

    Rows first, as they come; then `finish` with what was made from them. As a context manager it
    leaves nothing behind where it was not finished. Raises OSError, as when the disk is full.
    """

    def __init__(self, path: Path, dimension: int) -> None:
        self._path = path
        self.shape = Shape(dimension, code_bytes=0, n_axes=0, n_rows=0)  # rows need no more
        self._unfinished = path.with_suffix(".unfinished")
        self._unfinished.unlink(missing_ok=True)
        self._file = open(self._unfinished, "w+b", opener=open_private)  # noqa: SIM115 - closed by __exit__; Path.open has no opener
        self._file.seek(self.shape.rows_at)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._unfinished.unlink(missing_ok=True)

    def write_rows(self, rows: ByteArray) -> None:
        """Append rows (m, row_bytes)."""
        self._file.write(np.ascontiguousarray(rows).data)
        self.shape = replace(self.shape, n_rows=self.shape.n_rows + len(rows))

    def keep_rows(self, kept: IdArray) -> None:
        """Leave only these rows, rising."""
        rows = self.rows("r+")
        for first in range(0, len(kept), 4096):  # rows move towards the front: none is lost
            part = kept[first : first + 4096]
            rows[first : first + len(part)] = rows[part]
        self.shape = replace(self.shape, n_rows=len(kept))

    def rows(self, mode: Literal["r", "r+"] = "r") -> ByteArray:
        """What was written, (n_rows, row_bytes), on disk."""
        self._file.flush()
        return _map_rows(self._file, self.shape, mode)

    def finish(self, base: BaseParts, identity: str) -> None:
        """Write the rest, sync, and replace the file at `path` in one step."""
        axes = np.zeros((0, self.shape.dimension)) if base.axes is None else base.axes
        code_bytes = base.blocks.shape[1] // BLOCK_SLOTS - 4
        shape = replace(self.shape, code_bytes=code_bytes, n_axes=len(axes))
        parts = (
            (PAGE, base.centre.astype("<f4").tobytes()),
            (shape.codes_at, base.blocks.tobytes()),
            (shape.ids_at, base.ids.astype("<i8").tobytes()),
            (shape.axes_at, axes.astype("<f4").tobytes()),
        )
        for at, data in parts:
            self._file.seek(at)
            self._file.write(data)
        header = _HEADER.pack(
            MAGIC, shape.dimension, shape.code_bytes, shape.n_axes, base.seed, shape.n_rows,
            base.generation, identity_bytes(identity), *(zlib.crc32(data) for _, data in parts),
        )  # fmt: skip
        header = header.ljust(PAGE - _CRC.size, b"\0")
        self._file.seek(0)
        self._file.write(header + _CRC.pack(zlib.crc32(header)))
        self._file.truncate(shape.log_at)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._unfinished.replace(self._path)


def load(path: Path, identity: str) -> LoadedFile:
    """Read and check everything but the rows. Raises IndexUnusable."""
    try:
        with path.open("rb") as file:
            shape, fields = _read_header(file, identity)
            seed, generation, crcs = fields
            if os.fstat(file.fileno()).st_size < shape.log_at:
                raise IndexUnusable("cut short")
            centre = _read_part(file, PAGE, 4 * shape.dimension, crcs[0])
            blocks = huge_pages.zeros(shape.n_blocks * shape.block_bytes)
            _read_into(blocks, file, shape.codes_at, crcs[1])
            ids = _read_part(file, shape.ids_at, 8 * shape.n_rows, crcs[2])
            axes = _read_part(file, shape.axes_at, shape.axes_bytes, crcs[3])
            log = _read_log(file, shape)
            rows = _map_rows(file, shape)
    except OSError as error:
        raise IndexUnusable(error.strerror or "unreadable") from error
    base = BaseParts(
        seed,
        generation,
        centre.view("<f4"),
        axes.view("<f4").reshape(shape.n_axes, shape.dimension) if shape.n_axes else None,
        blocks.reshape(shape.n_blocks, shape.block_bytes),
        ids.view("<i8"),
    )
    return LoadedFile(shape, base, rows, log, shape.log_at + len(log) * shape.record.itemsize)


def _read_header(file: BinaryIO, identity: str) -> tuple[Shape, tuple[int, int, tuple[int, ...]]]:
    header = file.read(PAGE)
    if len(header) < PAGE or _CRC.unpack(header[-_CRC.size :])[0] != zlib.crc32(
        header[: -_CRC.size]
    ):
        raise IndexUnusable("a damaged header")
    magic, dimension, code_bytes, n_axes, seed, n_rows, generation, owner, *crcs = (
        _HEADER.unpack_from(header)
    )
    if magic != MAGIC:
        raise IndexUnusable("another format")
    if owner != identity_bytes(identity):
        raise IndexUnusable("made from other rows")
    return Shape(dimension, code_bytes, n_axes, n_rows), (seed, generation, tuple(crcs))


def _read_part(file: BinaryIO, at: int, n_bytes: int, crc: int) -> ByteArray:
    """Bytes [at, at + n_bytes), writable, checked."""
    data = np.empty(n_bytes, np.uint8)
    _read_into(data, file, at, crc)
    return data


def _read_into(data: ByteArray, file: BinaryIO, at: int, crc: int) -> None:
    file.seek(at)
    if file.readinto(data.data) != data.size or zlib.crc32(data.data) != crc:  # type: ignore[attr-defined]
        raise IndexUnusable("a damaged section")


def _read_log(file: BinaryIO, shape: Shape) -> npt.NDArray[np.void]:
    file.seek(shape.log_at)
    raw = file.read()
    size = shape.record.itemsize
    n_valid = sum(1 for _ in _valid_records(raw, size))
    return np.frombuffer(bytearray(raw[: n_valid * size]), shape.record)


def _valid_records(raw: bytes, size: int) -> Iterator[int]:
    """Positions of the records from the first on that match their checks."""
    view = memoryview(raw)
    for at in range(0, len(raw) - size + 1, size):
        if (
            zlib.crc32(view[at : at + size - _CRC.size], at)
            != _CRC.unpack_from(raw, at + size - _CRC.size)[0]
        ):
            return
        yield at


def seal_records(records: npt.NDArray[np.void], first: int) -> bytearray:
    """Log records as bytes, each with its check; `first` is the first one's number in the log."""
    size = records.dtype.itemsize
    raw = bytearray(records.tobytes())
    for i in range(len(records)):
        at = i * size
        crc = zlib.crc32(memoryview(raw)[at : at + size - _CRC.size], (first + i) * size)
        _CRC.pack_into(raw, at + size - _CRC.size, crc)
    return raw


def _map_rows(file: BinaryIO, shape: Shape, mode: Literal["r", "r+"] = "r") -> ByteArray:
    if shape.n_rows == 0:
        return np.zeros((0, shape.row_bytes), np.uint8)
    return np.memmap(file, np.uint8, mode, shape.rows_at, (shape.n_rows, shape.row_bytes))
