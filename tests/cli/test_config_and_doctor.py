"""`assistant config` and `assistant doctor`."""

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from assistant.cli.doctor import count_bytes
from assistant.config import SETTINGS
from assistant.memory import index
from assistant.wording import count_of
from fakes import FakeModel


def test_a_setting_is_written_and_read_back(run, data_dir: Path) -> None:
    assert run("config", "get", "sampling.temperature").out == "0.7\n"
    assert run("config", "set", "sampling.temperature", "0.2").code == 0
    assert run("config", "get", "sampling.temperature").out == "0.2\n"
    assert stat.S_IMODE((data_dir / "config.toml").stat().st_mode) == 0o600
    assert run("config", "get", "sampling.temperature", "--json").json() == {
        "v": 1,
        "settings": {"sampling.temperature": 0.2},
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [("sampling.temperature", "hot"), ("sampling.temperature", "-1"), ("no.such", "1")],
)
def test_a_wrong_setting_is_refused_and_nothing_written(
    run, data_dir: Path, name: str, value: str
) -> None:
    ended = run("config", "set", "--", name, value)
    assert ended.code == 2
    assert not (data_dir / "config.toml").exists()


def test_every_setting_is_shown_with_its_origin(
    run, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("config", "set", "sampling.top_k", "5")
    monkeypatch.setenv("ASSISTANT_SAMPLING_TOP_P", "0.5")
    settings = run("config", "show", "--json").json()["settings"]
    assert set(settings) == set(SETTINGS)
    assert settings["sampling.top_k"]["origin"] == "file"
    assert settings["sampling.top_p"]["origin"] == "environment"
    assert settings["sampling.min_p"]["origin"] == "built-in"
    assert "sampling.top_k = 5  (file)" in run("config", "show", "--origin").out


def test_a_broken_file_of_settings_is_named(run, data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "config.toml").write_text("model = [broken")
    ended = run("config", "show")
    assert ended.code == 2
    assert "config.toml" in ended.err


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("SELECT 1", ""),
        ("DELETE FROM vectors", "2 memories have none"),
        ("UPDATE meta SET value = 'x' WHERE key = 'embedder'", "another embedder's"),
    ],
)
def test_doctor_tells_of_memories_that_words_alone_find(
    run, fake_model: FakeModel, data_dir: Path, change: str, told: str
) -> None:
    run("memory", "add", "I keep bees.")
    with sqlite3.connect(data_dir / "memory.db") as plain:
        plain.execute(change)
    plain.close()
    findings = run("doctor", "--json").json()["findings"]
    found = [row["what"] for row in findings if row["check"] == "vectors"]
    assert len(found) == bool(told)
    assert all(told in what for what in found)


def test_doctor_on_a_healthy_install_ends_in_0(run, fake_model: FakeModel) -> None:
    run("ask", "Hello there")
    ended = run("doctor", "--json")
    findings = {finding["check"]: finding for finding in ended.json()["findings"]}
    assert findings["store"]["verdict"] == "ok"
    assert findings["network"]["verdict"] == "ok"
    assert findings["model"]["verdict"] == "ok"
    assert ended.code == 0


def test_doctor_without_a_model_ends_in_its_code_and_goes_on(run, data_dir: Path) -> None:
    ended = run("doctor", "--json")
    assert ended.code == 3
    findings = {finding["check"]: finding for finding in ended.json()["findings"]}
    assert findings["model"]["verdict"] == "problem"
    assert "assistant models pull" in findings["model"]["remedy"]
    assert findings["network"]["verdict"] == "ok"
    assert not data_dir.exists()


def test_doctor_sees_a_damaged_database(run, fake_model: FakeModel, data_dir: Path) -> None:
    run("ask", "Hello there")
    database = data_dir / "memory.db"
    data = bytearray(database.read_bytes())
    data[4096 * 3 : 4096 * 30] = os.urandom(4096 * 27)
    database.write_bytes(bytes(data))
    for file in data_dir.glob("memory.db-*"):
        file.unlink()
    ended = run("doctor")
    assert ended.code == 6
    assert "PROBLEM" in ended.out


def test_doctor_reads_the_recall_index(
    run, fake_model: FakeModel, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told() -> list[str]:
        findings = run("doctor", "--json").json()["findings"]
        found = [row for row in findings if row["check"] == "recall index"]
        return [f"{row['verdict']} {row['what']} {row['remedy']}".strip() for row in found]

    run("memory", "add", "I keep bees.")
    assert told() == ["ok none needed: all vectors are compared."]
    monkeypatch.setattr(index, "EXACT_BELOW", 1)
    run("ask", "What do I keep?")
    [file] = (data_dir / "index").glob("text.lsh")
    n_files = len([*(data_dir / "index").glob("*.lsh")])
    assert told() == [f"ok whole; {count_of(n_files, 'files')}."]
    damaged = bytearray(file.read_bytes())
    damaged[8200] ^= 4  # of the vector
    file.write_bytes(damaged)
    assert told() == [f"warning {file} is of no use: a damaged vector. Delete it: it is made anew."]
    file.unlink()
    run("ask", "What do I keep?")
    assert told() == [f"ok whole; {count_of(n_files, 'files')}."]


def test_doctor_sees_files_that_others_can_read(run, fake_model: FakeModel, data_dir: Path) -> None:
    run("ask", "Hello there")
    (data_dir / "memory.db").chmod(0o644)
    assert "chmod go-rwx" in run("doctor").out


def test_doctor_finds_where_a_text_is(run, fake_model: FakeModel) -> None:
    run("ask", "The shed code is tulip")
    found = run("doctor", "--find", "tulip", "--json").json()["found"]
    assert found
    assert run("doctor", "--find", "zzzqqq").out == "Nowhere.\n"


def test_bytes_are_counted_across_the_borders_of_blocks(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"xxneedlexx" * 50)
    for block_bytes in (1, 3, 7, 10, 1000):
        assert count_bytes(file, b"needle", block_bytes) == 50
    assert count_bytes(file, b"x", 3) == 200
