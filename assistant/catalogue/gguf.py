"""What a GGUF file says of itself, read without loading it and without llama.cpp.

A small parser of the format's own specification (version 2 and 3, little-endian): header, typed
key-value pairs, tensor table. Every length and offset comes from an untrusted file, so each is
checked against the file's size before it is used. Knows nothing of tensors' contents.
"""

import mmap
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from assistant.catalogue.gguf_types import FILE_TYPES, TENSOR_TYPES
from assistant.errors import ModelMissing, ModelUnreadable

MAGIC: Final = b"GGUF"
MAX_PAIRS: Final = 1 << 16
MAX_TENSORS: Final = 1 << 20
MAX_DIMENSIONS: Final = 4
MAX_STRING_BYTES: Final = 1 << 26  # the longest one met is a chat template of 20 KB
MAX_DEPTH: Final = 4  # arrays of arrays
KEPT_ARRAY: Final = 64  # a longer array (the vocabulary) is passed over, only its length is kept
DEFAULT_ALIGNMENT: Final = 32

_SCALARS: Final = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
_STRING: Final = 8
_ARRAY: Final = 9
_SPLIT_NAME: Final = re.compile(r"^(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf$")


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor: `shape` fastest dimension first, `offset` from the start of the file."""

    name: str
    type: str
    shape: tuple[int, ...]
    offset: int
    n_bytes: int  # 0 where the type is unknown to this table

    @property
    def n_parameters(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True, slots=True)
class LongArray:
    """Stands for an array too long to be kept."""

    length: int


@dataclass(frozen=True, slots=True)
class GgufFacts:
    """One GGUF file. None: the file does not say. `metadata` holds every short value by its key."""

    path: Path
    file_bytes: int
    version: int
    architecture: str
    name: str
    quantisation: str
    n_parameters: int
    n_layers: int | None
    n_ctx_train: int | None
    n_vocabulary: int | None
    n_experts: int | None
    n_experts_used: int | None
    chat_template: str | None
    split_count: int
    metadata: Mapping[str, Any]
    tensors: tuple[TensorInfo, ...]


class _Reader:
    """A bounds-checked cursor over the mapped file."""

    def __init__(self, data: "mmap.mmap | bytes", size: int, path: Path) -> None:
        self.data, self.size, self.path = data, size, path
        self.at = 0

    def fail(self, reason: str) -> ModelUnreadable:
        return unreadable(self.path, reason)

    def take(self, n_bytes: int) -> int:
        """Step over `n_bytes`; returns where they begin."""
        start = self.at
        if n_bytes < 0 or n_bytes > self.size - start:
            raise self.fail(f"it ends inside its header, after {self.size} bytes")
        self.at = start + n_bytes
        return start

    def scalar(self, layout: str) -> Any:
        return struct.unpack_from(layout, self.data, self.take(struct.calcsize(layout)))[0]

    def string(self) -> str:
        n_bytes = self.scalar("<Q")
        if n_bytes > MAX_STRING_BYTES:
            raise self.fail(f"it holds a text of {n_bytes} bytes")
        start = self.take(n_bytes)
        return self.data[start : start + n_bytes].decode("utf-8", "replace")

    def skip_strings(self, count: int) -> None:
        """Pass over `count` texts; a vocabulary has 150 000, so this loop is kept bare."""
        data, at, size = self.data, self.at, self.size
        unpack = struct.Struct("<Q").unpack_from
        for _ in range(count):
            if size - at < 8:
                raise self.fail(f"it ends inside its header, after {size} bytes")
            at += 8 + unpack(data, at)[0]
        if at > size:
            raise self.fail(f"it ends inside its header, after {size} bytes")
        self.at = at

    def value(self, kind: int, depth: int = 0) -> Any:
        if kind in _SCALARS:
            return self.scalar(_SCALARS[kind])
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY and depth < MAX_DEPTH:
            return self.array(depth)
        raise self.fail(f"it holds a value of the unknown type {kind}")

    def array(self, depth: int) -> "tuple[Any, ...] | LongArray":
        kind, length = self.scalar("<I"), self.scalar("<Q")
        if length > self.size:  # every element takes at least one byte
            raise self.fail(f"it holds a list of {length} values")
        if length <= KEPT_ARRAY:
            return tuple(self.value(kind, depth + 1) for _ in range(length))
        if kind in _SCALARS:
            self.take(length * struct.calcsize(_SCALARS[kind]))
        elif kind == _STRING:
            self.skip_strings(length)
        else:
            for _ in range(length):
                self.value(kind, depth + 1)
        return LongArray(length)


def read_metadata(path: Path) -> GgufFacts:
    """The facts of one file (of a split model: of that part).

    Raises ModelMissing, or ModelUnreadable when it is no GGUF file, is torn, or contradicts itself.
    """
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            if size < 24:
                raise unreadable(path, "it is no GGUF file" if size else "it is empty")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _parse(_Reader(data, min(size, len(data)), path))
    except FileNotFoundError:
        raise ModelMissing(
            f"There is no file {path}.", "Check the path, or run `assistant models list`."
        ) from None
    except IsADirectoryError:
        raise unreadable(path, "it is a folder") from None
    except (OSError, ValueError) as error:
        raise unreadable(path, getattr(error, "strerror", None) or str(error)) from error


def unreadable(path: Path, reason: str) -> ModelUnreadable:
    return ModelUnreadable(
        f"{path} cannot be used as a model: {reason}.",
        "Give a GGUF file, or run `assistant models pull`.",
    )


def split_parts(path: Path) -> tuple[Path, ...]:
    """Every part of a split model, in order, found by their names; a whole file alone.

    Raises ModelUnreadable naming a part that is missing.
    """
    found = _SPLIT_NAME.match(path.name)
    if found is None:
        return (path,)
    count = int(found["count"])
    parts = tuple(
        path.with_name(f"{found['stem']}-{number:05d}-of-{count:05d}.gguf")
        for number in range(1, count + 1)
    )
    for part in parts:
        if not part.is_file():
            raise unreadable(path, f"its part {part.name} is missing")
    return parts or (path,)


def _parse(reader: _Reader) -> GgufFacts:
    """1 header, 2 pairs, 3 tensor table, 4 check it against the file."""
    if reader.data[:4] != MAGIC:
        raise reader.fail("it is no GGUF file")
    reader.at = 4
    version = reader.scalar("<I")
    if version not in (2, 3):
        raise reader.fail(f"its GGUF version {version & 0xFFFFFFFF} is not supported")
    n_tensors, n_pairs = reader.scalar("<Q"), reader.scalar("<Q")
    if n_tensors > MAX_TENSORS or n_pairs > MAX_PAIRS:
        raise reader.fail(f"it announces {n_tensors} tensors and {n_pairs} values")
    metadata = dict(_pairs(reader, n_pairs))
    entries = [_tensor_entry(reader) for _ in range(n_tensors)]
    tensors = tuple(_placed(reader, entries, metadata))
    return _facts(reader, version, metadata, tensors)


def _pairs(reader: _Reader, count: int) -> Iterator[tuple[str, Any]]:
    for _ in range(count):
        key = reader.string()
        yield key, reader.value(reader.scalar("<I"))


def _tensor_entry(reader: _Reader) -> tuple[str, tuple[int, ...], int, int]:
    name = reader.string()
    n_dimensions = reader.scalar("<I")
    if not 0 < n_dimensions <= MAX_DIMENSIONS:
        raise reader.fail(f"tensor {name[:80]!r} has {n_dimensions} dimensions")
    shape = tuple(reader.scalar("<Q") for _ in range(n_dimensions))
    return name, shape, reader.scalar("<I"), reader.scalar("<Q")


def _placed(
    reader: _Reader, entries: list[tuple[str, tuple[int, ...], int, int]], metadata: dict[str, Any]
) -> Iterator[TensorInfo]:
    """The tensors with their place in the file; a tensor past its end means a torn file."""
    alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
    if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
        raise reader.fail(f"its alignment {alignment!r} is no power of two")
    start = -(-reader.at // alignment) * alignment
    for name, shape, kind, offset in entries:
        label, block_weights, block_bytes = TENSOR_TYPES.get(kind, (f"type {kind}", 1, 0))
        if shape[0] % block_weights or offset % alignment:
            raise reader.fail(f"tensor {name[:80]!r} is not laid out in whole blocks")
        n_bytes = prod(shape) // block_weights * block_bytes
        if start + offset + n_bytes > reader.size:
            needed = start + offset + n_bytes
            raise reader.fail(f"it is cut off: it has {reader.size} of at least {needed} bytes")
        yield TensorInfo(name, label, shape, start + offset, n_bytes)


def _facts(
    reader: _Reader, version: int, metadata: dict[str, Any], tensors: tuple[TensorInfo, ...]
) -> GgufFacts:
    architecture = _text(metadata.get("general.architecture"))
    split_count = _count(metadata.get("split.count")) or 1
    if not architecture and split_count == 1:
        raise reader.fail("it names no architecture")
    tokens = metadata.get("tokenizer.ggml.tokens")
    n_vocabulary = tokens.length if isinstance(tokens, LongArray) else None
    return GgufFacts(
        path=reader.path,
        file_bytes=reader.size,
        version=version,
        architecture=architecture,
        name=_text(metadata.get("general.name")) or reader.path.stem,
        quantisation=_quantisation(metadata, tensors),
        n_parameters=sum(tensor.n_parameters for tensor in tensors),
        n_layers=_count(metadata.get(f"{architecture}.block_count")),
        n_ctx_train=_count(metadata.get(f"{architecture}.context_length")),
        n_vocabulary=n_vocabulary or _count(metadata.get(f"{architecture}.vocab_size")),
        n_experts=_count(metadata.get(f"{architecture}.expert_count")),
        n_experts_used=_count(metadata.get(f"{architecture}.expert_used_count")),
        chat_template=_text(metadata.get("tokenizer.chat_template")) or None,
        split_count=split_count,
        metadata=MappingProxyType(metadata),
        tensors=tensors,
    )


def _quantisation(metadata: dict[str, Any], tensors: tuple[TensorInfo, ...]) -> str:
    """The publisher's word for it, else the type that most of the bytes have."""
    named = FILE_TYPES.get(_count(metadata.get("general.file_type")) or -1)
    if named is not None:
        return named
    by_type: dict[str, int] = {}
    for tensor in tensors:
        by_type[tensor.type] = by_type.get(tensor.type, 0) + tensor.n_bytes
    return max(by_type, key=lambda kind: by_type[kind]) if by_type else "unknown"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(value: Any) -> int | None:
    """A count that a header names; some files store a list, with one value per layer."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if value > 0 else None
