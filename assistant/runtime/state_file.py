"""The KV cells of one sequence in a file: written whole or not at all, refused when in doubt.

Layout: what llama.cpp writes, then a JSON trailer and its length and magic. The trailer names the
model, the type of the cells and a CRC-32 of the rest, because llama.cpp aborts the process on some
damaged files. Knows files and one context; not what a conversation is.
"""

import ctypes
import hashlib
import json
import logging
import os
import struct
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from assistant.runtime.library import llama

logger: Final = logging.getLogger(__name__)
_END: Final = struct.Struct("<I8s")  # length of the trailer, magic
_MAGIC: Final = b"asst-kv1"
_BLOCK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Identity:
    """What must be equal for saved cells to mean anything."""

    model: str  # of the file's content
    cells: str  # types and layout of K and V, and the library that wrote them


def identify_model(path: Path) -> str:
    """Size and both ends of the file: enough to tell models apart, quick at any size."""
    size = path.stat().st_size
    digest = hashlib.blake2b(str(size).encode(), digest_size=16)
    with path.open("rb") as file:
        digest.update(file.read(_BLOCK))
        file.seek(max(0, size - _BLOCK))
        digest.update(file.read(_BLOCK))
    return digest.hexdigest()


def save(context: Any, sequence: int, tokens: Sequence[int], file: Path, me: Identity) -> bool:
    """Write the cells of `sequence`; False (and a log line) where the disk refuses."""
    lib = llama()
    temporary = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary.touch(mode=0o600)
        array = (lib.llama_token * len(tokens))(*tokens)
        written = lib.llama_state_seq_save_file(
            context, os.fsencode(temporary), sequence, array, len(tokens)
        )
        if not written:
            raise OSError("llama.cpp wrote nothing")
        with temporary.open("r+b") as stream:
            trailer = json.dumps(
                {
                    "model": me.model,
                    "cells": me.cells,
                    "n": len(tokens),
                    "crc": _crc(stream, written),
                }
            ).encode()
            stream.seek(written)
            stream.truncate()
            stream.write(trailer + _END.pack(len(trailer), _MAGIC))
        temporary.replace(file)
    except OSError as error:
        logger.warning("The KV state was not saved to %s: %s", file, error)
        with suppress(OSError):
            temporary.unlink()
        return False
    return True


def load(context: Any, sequence: int, file: Path, me: Identity, n_max: int) -> list[int]:
    """Read the cells into `sequence`; its tokens, or [] where the file is not ours to use."""
    if not _is_sound(file, me, n_max):
        return []
    lib = llama()
    tokens = (lib.llama_token * n_max)()
    n = ctypes.c_size_t(0)
    done = lib.llama_state_seq_load_file(
        context, os.fsencode(file), sequence, tokens, n_max, ctypes.byref(n)
    )
    return list(tokens[: n.value]) if done else []


def _is_sound(file: Path, me: Identity, n_max: int) -> bool:
    try:
        with file.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(size - _END.size)
            length, magic = _END.unpack(stream.read(_END.size))
            n_cells = size - _END.size - length
            if magic != _MAGIC or n_cells <= 0:
                return False
            stream.seek(n_cells)
            trailer = json.loads(stream.read(length))
            return bool(
                trailer["model"] == me.model
                and trailer["cells"] == me.cells
                and 0 < trailer["n"] <= n_max
                and trailer["crc"] == _crc(stream, n_cells)
            )
    except (OSError, ValueError, KeyError, TypeError, struct.error):
        return False


def _crc(stream: BinaryIO, n_bytes: int) -> int:
    stream.seek(0)
    crc = 0
    while n_bytes > 0 and (block := stream.read(min(_BLOCK, n_bytes))):
        crc = zlib.crc32(block, crc)
        n_bytes -= len(block)
    return crc
