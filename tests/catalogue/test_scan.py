"""The search for models that other programs left on this machine."""

import os
import time
from pathlib import Path

import pytest

from assistant.catalogue import scan
from assistant.catalogue.scan import common_folders, find_local_models
from catalogue_fakes import gguf_bytes


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
