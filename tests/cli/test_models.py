"""`assistant models` as a person and as a script meet it: answers, JSON, exit codes."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import catalogue_fakes
from assistant.__main__ import main
from catalogue_fakes import DATA, Server, gguf_bytes, hub_file, put_on_hub

hub = catalogue_fakes.server
small_gguf = catalogue_fakes.small_gguf

LIST = """
[[model]]
id = "thing-1b"
kind = "chat"
default = true
licence = "Apache-2.0"
note = "a thing\\u001b[2J of tests"

[[model.files]]
name = "model.gguf"
bytes = {bytes}
sha256 = "{sha256}"
hub = {{ repository = "someone/thing", file = "model.gguf", revision = "main" }}

[[model]]
id = "all-minilm-l6-v2-int8"
kind = "embedding"
licence = "Apache-2.0"

[[model.files]]
name = "model.onnx"
bytes = 3
sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
hub = {{ repository = "someone/embedder", file = "model.onnx", revision = "main" }}
"""


@pytest.fixture(autouse=True)
def small_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of two small models in place of the published one, and a data dir of this test."""
    file = tmp_path / "catalogue.toml"
    thing = hub_file()
    file.write_text(LIST.format(bytes=thing.bytes, sha256=thing.sha256))
    monkeypatch.setattr("assistant.paths.resource", lambda name: file)
    monkeypatch.setattr("assistant.conversation.assemble.resource", lambda name: file)
    monkeypatch.setenv("ASSISTANT_DATA_DIR", str(tmp_path / "data"))


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["models", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def install(tmp_path: Path, data: bytes = DATA) -> Path:
    folder = tmp_path / "data" / "models" / "thing-1b"
    folder.mkdir(parents=True)
    (folder / "model.gguf").write_bytes(data)
    return folder / "model.gguf"


def models_of(out: str) -> dict[str, dict[str, Any]]:
    return {model["id"]: model for model in json.loads(out)["models"]}


def test_the_list_shows_what_is_there_and_in_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "list")
    assert code == 0
    assert out.startswith("  thing-1b")
    install(tmp_path)
    _, out, err = run(capsys, "list")
    assert out.startswith("* thing-1b")
    assert "Apache-2.0" in out
    assert "models pull" in err


def test_text_of_the_list_cannot_act_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert "\x1b" not in run(capsys, "list")[1]
    assert "\x1b" not in run(capsys, "list", "--json")[1]


def test_the_list_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(tmp_path)
    code, out, _ = run(capsys, "list", "--json", "--installed")
    found = models_of(out)
    assert (code, list(found)) == (0, ["thing-1b"])
    assert set(found["thing-1b"]) == {
        "id",
        "kind",
        "bytes",
        "ram_bytes",
        "fits",
        "context",
        "params_b",
        "active_b",
        "licence",
        "note",
        "sources",
        "sha256",
        "default",
        "installed",
        "in_use",
        "path",
    }
    assert found["thing-1b"]["in_use"] is True


def test_the_list_can_be_narrowed_to_a_kind(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "list", "--json", "--kind", "embedding")
    assert list(models_of(out)) == ["all-minilm-l6-v2-int8"]


def test_show_tells_what_a_file_says_of_itself(
    small_gguf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "show", str(small_gguf), "--json")
    model = json.loads(out)["model"]
    assert code == 0
    assert model["gguf"]["architecture"] == "llama"
    assert model["gguf"]["tensors"] == 2
    repacked = model["weights"].pop("repacked")  # as this machine has it
    assert isinstance(repacked, bool)
    assert model["weights"] == {"mode": "mapped", "resident_share": 1.0, "bytes_per_token": 0}
    code, out, _ = run(capsys, "show", str(small_gguf))
    assert "gguf.quantisation" in out


def test_a_file_with_other_bytes_is_found_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = install(tmp_path)
    file.write_bytes(DATA[:-1] + b"?")
    code, out, err = run(capsys, "show", "thing-1b", "--verify", "--quiet")
    assert (code, out) == (3, "")
    assert "models remove thing-1b" in err


@pytest.mark.parametrize(
    ("arguments", "expected", "words"),
    [
        (["show", "thingy"], 4, "Did you mean thing-1b?"),
        (["use", "thing-1b"], 3, "Run `assistant models pull thing-1b`."),
        (["use", "all-minilm"], 2, "config set embedder"),
        (["remove", "thing-1b"], 3, "not installed"),
        (["add", "/nowhere/at-all.gguf"], 3, "There is no file"),
        (["show", "/nowhere/at-all.gguf"], 3, "There is no file"),
        (["pull", "nothing-like-it"], 4, "no model"),
        (["pull"], 9, "Repeat it with --yes to download."),
        (["pull", "thing-1b", "--no-input"], 9, "licence: Apache-2.0"),
    ],
)
def test_what_cannot_be_done_ends_in_one_line_and_its_code(
    capsys: pytest.CaptureFixture[str], arguments: list[str], expected: int, words: str
) -> None:
    code, out, err = run(capsys, *arguments)
    assert code == expected
    assert words in err
    assert len(err.splitlines()) == 1
    assert out == ""


def test_a_file_that_is_no_model_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for content in (b"a shopping list, too long to be a header", gguf_bytes()[:-9]):
        file = tmp_path / "odd.gguf"
        file.write_bytes(content)
        code, _, err = run(capsys, "add", str(file))
        assert code == 3
        assert "odd.gguf cannot be used as a model" in err


def test_an_own_file_is_added_used_and_forgotten(
    small_gguf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "add", str(small_gguf), "--quiet")[:2] == (
        0,
        "small: added. To talk to it: assistant models use small\n",
    )
    assert run(capsys, "use", "small")[:2] == (0, "small: in use.\n")
    assert models_of(run(capsys, "list", "--json")[1])["small"]["in_use"] is True
    assert run(capsys, "remove", "small")[:2] == (0, "small: forgotten.\n")
    assert small_gguf.exists()


def test_a_downloaded_model_is_deleted_only_with_a_yes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = install(tmp_path)
    assert run(capsys, "remove", "thing-1b")[0] == 9
    assert file.exists()
    assert run(capsys, "remove", "thing-1b", "--yes")[0] == 0
    assert not file.exists()


def test_a_model_in_the_config_outranks_the_one_in_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path)
    monkeypatch.setenv("ASSISTANT_MODEL", "elsewhere")
    assert "elsewhere, and it decides" in run(capsys, "use", "thing-1b")[2]


@pytest.mark.download
def test_pull_fetches_the_default_model_and_the_embedder(
    hub: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_on_hub(hub, hub_file(), DATA)
    path = "/someone/embedder/resolve/main/model.onnx"
    hub.files[path] = catalogue_fakes.Served(b"abc")
    code, out, err = run(capsys, "pull", "--yes")
    assert code == 0
    assert out.count("installed in") == 2
    assert "0.3 of 0.3 MB  100 %" in err
    assert "\r" not in err  # not a terminal
    hub.requests.clear()
    assert run(capsys, "pull")[0] == 0  # nothing to fetch, so nothing to ask
    assert hub.requests == []


@pytest.mark.download
def test_wrong_bytes_end_in_3_and_no_source_in_1(
    hub: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, "pull", "thing-1b", "--yes", "--quiet")
    assert (code, len(err.splitlines())) == (1, 1)
    put_on_hub(hub, hub_file(), bytes(len(DATA)))
    code, _, err = run(capsys, "pull", "thing-1b", "--yes", "--quiet")
    assert (code, len(err.splitlines())) == (3, 1)


@pytest.mark.download
@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_pull_keeps_what_has_arrived(
    hub: Server, tmp_path: Path, number: signal.Signals, expected: int
) -> None:
    put_on_hub(hub, hub_file(), DATA, "waits half way")
    code = (
        "import sys, assistant.paths; from pathlib import Path\n"
        f"assistant.paths.resource = lambda name: Path({str(tmp_path / 'catalogue.toml')!r})\n"
        "from assistant.__main__ import main\n"
        "sys.exit(main(['models', 'pull', 'thing-1b', '--yes']))"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE)
    part = tmp_path / "data" / "models" / "thing-1b" / "model.gguf.part"
    end = time.perf_counter() + 10
    while not (part.exists() and part.stat().st_size >= len(DATA) // 2):
        assert time.perf_counter() < end
        time.sleep(0.02)
    child.send_signal(number)
    _, err = child.communicate(timeout=10)
    assert child.returncode == expected
    assert b"Traceback" not in err
    assert part.stat().st_size == len(DATA) // 2


def test_on_a_terminal_size_and_licence_are_asked_about(tmp_path: Path) -> None:
    """The published list, a real terminal, and a no."""
    command = [sys.executable, "-m", "assistant", "models", "pull", "smollm2-135m-instruct-q4_1"]
    parent, child = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "ASSISTANT_DATA_DIR": str(tmp_path / "terminal")}
    process = subprocess.Popen(command, stdin=child, stdout=child, stderr=child, env=environment)
    os.close(child)
    os.write(parent, b"n\n")
    seen = b""
    try:
        while chunk := os.read(parent, 4096):
            seen += chunk
    except OSError:
        pass  # Linux's way of saying that the other side is closed
    os.close(parent)
    assert process.wait() == 1
    assert b"Download smollm2-135m-instruct-q4_1 (98 MB, licence: Apache-2.0)?" in seen
    assert b"Nothing was downloaded." in seen
