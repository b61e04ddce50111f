"""Partial files and progress, without any network."""

import errno
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.catalogue.transfer import (
    Meter,
    PartFile,
    Transfer,
    TransferStopped,
    check_free_disk,
    disk_error,
)
from assistant.errors import AssistantError, DiskFull, HashMismatch, SourceUnreachable
from catalogue_fakes import sha256


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=1, max_size=300), st.lists(st.integers(0, 300), max_size=6))
def test_however_a_transfer_is_cut_the_file_is_the_same(
    tmp_path: Path, data: bytes, cuts: list[int]
) -> None:
    """Each cut ends one process; the next opens the part again and goes on from its size."""
    target = tmp_path / "file"
    target.unlink(missing_ok=True)
    for end in [*sorted(cuts), len(data)]:
        with PartFile(target, len(data), sha256(data)) as part:
            part.write(data[part.size : end])
            if part.size == len(data):
                part.finish()
                break
    assert target.read_bytes() == data
    assert not part.path.exists()


def test_a_part_longer_than_the_file_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(bytes(10))
    with PartFile(tmp_path / "file", 3, sha256(b"abc")) as part:
        assert part.size == 0
        part.write(b"abc")
        part.finish()


def test_too_much_too_little_or_the_wrong_bytes_are_refused(tmp_path: Path) -> None:
    with PartFile(tmp_path / "file", 3, sha256(b"abc")) as part:
        part.write(b"ab")
        with pytest.raises(SourceUnreachable, match="after 2 of 3"):
            part.finish()
        with pytest.raises(SourceUnreachable, match="more than the 3 bytes"):
            part.write(b"cd")
        part.write(b"x")
        with pytest.raises(HashMismatch):
            part.finish()
        assert part.size == 0
    assert not (tmp_path / "file").exists()


def test_rate_and_time_left_follow_from_the_last_seconds() -> None:
    times = iter([0.0, 0.5, 1.0, 20.0, 21.0])
    seen: list[Transfer] = []
    meter = Meter(1000, seen.append, clock=lambda: next(times))
    meter.start("downloading", "hub", 100)
    assert (seen[-1].bytes_per_s, seen[-1].seconds_left) == (0.0, None)
    meter.set(150)
    meter.set(200)
    assert seen[-1].bytes_per_s == 100.0
    assert seen[-1].seconds_left == 8.0
    meter.set(200)  # a long silence: what came before it no longer counts
    meter.set(210)
    assert seen[-1].bytes_per_s == 10.0


def test_nothing_is_foretold_from_the_first_moments() -> None:
    """They gave 9697 minutes for a download of four seconds."""
    times = iter([0.0, 0.2, 0.6])
    seen: list[Transfer] = []
    meter = Meter(10**8, seen.append, clock=lambda: next(times))
    meter.start("downloading", "index", 0)
    meter.set(100)
    assert (seen[-1].bytes_per_s, seen[-1].seconds_left) == (0.0, None)
    meter.set(6 * 10**6)
    assert seen[-1].bytes_per_s == 10**7


def test_progress_is_told_ten_times_a_second_at_most_and_at_the_end() -> None:
    times = iter(i / 1000 for i in range(10_000))
    seen: list[Transfer] = []
    meter = Meter(500, seen.append, clock=lambda: next(times))
    for done in range(501):
        meter.set(done)
    assert 5 <= len(seen) <= 7
    assert seen[-1].done == 500


def test_a_stop_is_noticed_at_the_next_byte_and_in_a_pause() -> None:
    stop = threading.Event()
    meter = Meter(10, stop=stop)
    meter.set(1)
    stop.set()
    with pytest.raises(TransferStopped):
        meter.advance(1)
    with pytest.raises(TransferStopped):
        meter.wait(30)


def test_room_is_left_for_the_store(tmp_path: Path) -> None:
    check_free_disk(tmp_path, 10, free=lambda folder: 100_000_000)
    with pytest.raises(DiskFull, match=r"needs 80 MB and .* has 100 MB free"):
        check_free_disk(tmp_path, 80_000_000, free=lambda folder: 100_000_000)


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.ENOSPC, DiskFull), (errno.EDQUOT, DiskFull), (errno.EROFS, AssistantError)],
)
def test_the_disks_errors_are_named(number: int, kind: type[AssistantError]) -> None:
    assert type(disk_error(OSError(number, "as the system says"), Path("/x/y"))) is kind
