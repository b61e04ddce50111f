"""Files that are written whole, and devices and pipes that are written to and never replaced."""

import json
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assistant.batch.output import Output
from assistant.config import save_setting
from assistant.errors import UsageError
from assistant.memory.memory import Memory
from assistant.paths import is_stream, whole_file
from assistant.records import EncodedText

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    file = tmp_path / "pipe"
    os.mkfifo(file)
    return file


@pytest.fixture
def device(tmp_path: Path) -> Path:
    """A copy of the null device, never the machine's own."""
    file = tmp_path / "null"
    try:
        os.mknod(file, stat.S_IFCHR | 0o600, os.makedev(1, 3))
        file.write_bytes(b"")
    except PermissionError:
        pytest.skip("needs the right to make a device here")
    return file


@contextmanager
def reading(pipe: Path) -> Iterator[list[bytes]]:
    """Collects what is written into a pipe until the block ends."""
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    yield got
    reader.join(10)


@contextmanager
def a_memory(folder: Path) -> Iterator[Memory]:
    with Memory.open(folder / "memory.db", now=NOW) as memory:
        memory.begin_turn(EncodedText("I live in Rome.", "I live in Rome.", None), NOW)
        yield memory


def write_batch(file: Path, memory: Memory) -> None:
    with Output.start(file, {"model": "m"}) as output:
        output.note_session("s", 1)
        output.write({"id": "a", "status": "ok"})


def write_setting(file: Path, memory: Memory) -> None:
    with whole_file(file) as out:
        out.write("whole")


WRITERS: tuple[Callable[[Path, Memory], object], ...] = (
    lambda file, memory: memory.export_file(file),
    lambda file, memory: memory.backup(file),
    write_batch,
    write_setting,
)


@pytest.mark.parametrize("write", WRITERS)
def test_a_pipe_is_written_to_and_stays(
    write: Callable[[Path, Memory], object], pipe: Path, tmp_path: Path
) -> None:
    with a_memory(tmp_path) as memory:
        before = {*tmp_path.iterdir()}
        with reading(pipe) as got:
            write(pipe, memory)
        assert {*tmp_path.iterdir()} == before  # no note and no unfinished file beside it
    assert stat.S_ISFIFO(pipe.lstat().st_mode)
    assert got[0]


@pytest.mark.parametrize("write", WRITERS)
def test_a_device_is_written_to_and_stays(
    write: Callable[[Path, Memory], object], device: Path, tmp_path: Path
) -> None:
    with a_memory(tmp_path) as memory:
        write(device, memory)
    assert stat.S_ISCHR(device.lstat().st_mode)


def test_a_backup_into_a_pipe_is_a_whole_database(pipe: Path, tmp_path: Path) -> None:
    with a_memory(tmp_path) as memory, reading(pipe) as got:
        memory.backup(pipe)
    copy = tmp_path / "copy.db"
    copy.write_bytes(got[0])
    with Memory.open(copy, now=NOW, read_only=True) as memory:
        assert [row.text for row in memory.memories()] == ["I live in Rome."]


def test_a_batch_into_a_pipe_cannot_be_resumed(pipe: Path) -> None:
    with pytest.raises(UsageError):
        Output.resume(pipe, {"model": "m"})
    assert stat.S_ISFIFO(pipe.lstat().st_mode)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    kept, link = tmp_path / "kept.toml", tmp_path / "config.toml"
    kept.touch()
    link.symlink_to(kept)
    save_setting(link, "memory.mode", "ask")
    assert link.is_symlink()
    assert "ask" in kept.read_text("utf-8")


def test_a_file_that_was_not_finished_is_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"id": 1}), "utf-8")

    def fail() -> None:
        with whole_file(file) as out:
            out.write("half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert json.loads(file.read_text("utf-8")) == {"id": 1}
    assert [*tmp_path.iterdir()] == [file]


def test_what_is_a_stream(pipe: Path, tmp_path: Path) -> None:
    assert is_stream(pipe)
    assert is_stream(Path("/dev/null"))  # looked at only
    assert not is_stream(tmp_path)
    assert not is_stream(tmp_path / "absent")
