"""Downloads in a thread, and the search for models that other programs left."""

import os
import time
from pathlib import Path

import pytest

from assistant.catalogue import scan
from assistant.catalogue.background import BackgroundDownload
from assistant.catalogue.catalogue import Catalogue
from assistant.catalogue.scan import common_folders, find_local_models
from assistant.errors import DownloadError
from catalogue_fakes import DATA, Server, entry_of, gguf_bytes, hub_file, put_on_hub


@pytest.mark.download
def test_a_download_can_be_paused_and_resumed(server: Server, tmp_path: Path) -> None:
    served = put_on_hub(server, hub_file(), DATA, "truncates")
    states: list[str] = []
    download = BackgroundDownload(Catalogue([entry_of(hub_file())], tmp_path), "thing")

    def listen(changed: BackgroundDownload) -> None:
        if not states or states[-1] != changed.state:
            states.append(changed.state)
        if changed.state == "running" and changed.progress and changed.progress.done >= 100_000:
            changed.pause()

    download._listener = listen
    download.start()
    download.join(20)
    assert download.state == "paused"
    assert download.progress is not None
    assert 0 < download.progress.done < len(DATA)
    served.behaviour = "normal"
    download._listener = lambda changed: None
    download.resume()
    download.join(20)
    assert (download.state, states) == ("done", ["running", "pausing", "paused"])
    assert served.ranges[-1].startswith("bytes=")
    assert (tmp_path / "thing" / "model.gguf").read_bytes() == DATA


@pytest.mark.download
def test_a_failed_download_keeps_its_reason_and_can_be_tried_again(
    server: Server, tmp_path: Path
) -> None:
    download = BackgroundDownload(Catalogue([entry_of(hub_file())], tmp_path), "thing")
    download.start()
    download.join(20)
    assert download.state == "failed"
    assert isinstance(download.error, DownloadError)
    put_on_hub(server, hub_file(), DATA)
    download.start()
    download.join(20)
    assert (download.state, download.error) == ("done", None)


@pytest.mark.download
def test_a_cancelled_download_ends(server: Server, tmp_path: Path) -> None:
    put_on_hub(server, hub_file(), DATA, "waits half way")
    download = BackgroundDownload(Catalogue([entry_of(hub_file())], tmp_path), "thing")
    download.start()
    download.cancel()
    server.released.set()
    download.join(20)
    assert download.state == "cancelled"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(scan, "LEAST_BYTES", 100)
    (tmp_path / "models" / "deep").mkdir(parents=True)
    (tmp_path / "models" / "deep" / "a.gguf").write_bytes(gguf_bytes())
    return tmp_path


def names(home: Path) -> list[str]:
    return [facts.path.name for facts in find_local_models(common_folders(home))]


def test_models_of_other_programs_are_found_once(home: Path) -> None:
    blobs = home / ".ollama" / "models" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / "sha256-1").write_bytes(gguf_bytes(n_weights=96))
    (blobs / "sha256-2").write_text("a licence, much longer than a hundred bytes " * 4)
    os.link(home / "models" / "deep" / "a.gguf", home / "models" / "same.gguf")
    (home / "models" / "link.gguf").symlink_to(home / "models" / "deep" / "a.gguf")
    (home / "models" / "embedder.gguf").write_bytes(gguf_bytes("bert"))
    (home / "models" / "torn.gguf").write_bytes(gguf_bytes()[:-1])
    found = names(home)
    assert len(found) == 2
    assert found[-1] == "sha256-1"


def test_the_search_is_bounded_in_depth_and_time(home: Path) -> None:
    deep = home / "models" / "/".join("abcdefgh")
    deep.mkdir(parents=True)
    (deep / "b.gguf").write_bytes(gguf_bytes(n_weights=96))
    assert names(home) == ["a.gguf"]
    begun = time.perf_counter()
    find_local_models([Path("/")], deadline_s=0.2)
    assert time.perf_counter() - begun < 2
