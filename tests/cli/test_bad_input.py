"""Everything that can be wrong before a question is asked: its exit code, one line, a remedy."""

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import model_file
from fakes import FakeModel

ONE_LINE = 1


def said_in_one_line(ended, code: int, *words: str) -> None:
    assert ended.code == code, ended.err
    assert ended.err.count("\n") == ONE_LINE, ended.err
    assert ended.err.startswith("assistant: ")
    assert "Traceback" not in ended.err
    for word in words:
        assert word in ended.err


def messages(database: Path) -> list[str]:
    connection = sqlite3.connect(database)
    try:
        return [text for (text,) in connection.execute("SELECT text FROM messages ORDER BY id")]
    finally:
        connection.close()


def test_a_truncated_gguf_is_refused(run, data_dir: Path, tmp_path: Path) -> None:
    whole = model_file("smollm2-135m-instruct-q4_1")
    file = tmp_path / "cut.gguf"
    with whole.open("rb") as stream:
        file.write_bytes(stream.read(3_000_000))
    said_in_one_line(run("ask", "Hello", "-m", str(file), "--no-input"), 3, "cut.gguf")


test_a_truncated_gguf_is_refused = pytest.mark.model(test_a_truncated_gguf_is_refused)


def test_an_installed_model_of_the_wrong_size_is_damaged(run, data_dir: Path) -> None:
    name = "qwen2.5-coder-0.5b-instruct-q4_k_m"
    file = data_dir / "models" / name / f"{name}.gguf"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"GGUF" + bytes(1000))
    ended = run("ask", "Hello", "-m", name, "--no-input")
    said_in_one_line(ended, 3, "damaged", f"assistant models pull {name}")


def test_a_database_that_is_locked_by_another_process(
    run, fake_model: FakeModel, data_dir: Path
) -> None:
    assert run("ask", "Before the lock").code == 0
    database = data_dir / "memory.db"
    holder = sqlite3.connect(database, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        said_in_one_line(run("ask", "During the lock"), 6, "memory.db")
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    assert messages(database)[0] == "Before the lock"
    assert run("ask", "After the lock").code == 0


def test_a_database_with_a_damaged_page_is_not_touched(
    run, fake_model: FakeModel, data_dir: Path
) -> None:
    run("ask", "Before the damage")
    database = data_dir / "memory.db"
    for file in data_dir.glob("memory.db-*"):
        file.unlink()
    data = bytearray(database.read_bytes())
    data[0:100] = os.urandom(100)
    database.write_bytes(bytes(data))
    before = database.read_bytes()
    said_in_one_line(run("ask", "After the damage"), 6, "memory.db")
    assert database.read_bytes() == before


def test_a_database_of_a_newer_schema_is_refused_and_not_touched(
    run, fake_model: FakeModel, data_dir: Path
) -> None:
    run("ask", "Written by this version")
    database = data_dir / "memory.db"
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA user_version = 9999")
    connection.commit()
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master")]
    if "migrations" in tables:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(migrations)")]
        values = ["9999_of_the_future" if "INT" not in column else 9999 for column in columns]
        marks = ",".join("?" * len(columns))
        connection.execute(f"INSERT INTO migrations VALUES ({marks})", values)
        connection.commit()
    connection.close()
    said_in_one_line(run("ask", "From the past"), 6, "newer")
    assert messages(database)[0] == "Written by this version"


def test_a_data_directory_that_is_a_file(run, data_dir: Path) -> None:
    data_dir.write_text("in the way")
    ended = run("config", "set", "sampling.top_k", "5")
    said_in_one_line(ended, 1, str(data_dir))


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare for a small tmpfs")
def test_a_full_disk_is_said_and_what_was_recorded_stays(tmp_path: Path) -> None:
    script = f"""
set -e
mount -t tmpfs -o size=900k tmpfs {tmp_path}
export ASSISTANT_DATA_DIR={tmp_path}/d
cd {Path(__file__).parents[2]}
code=0; for i in $(seq 40); do
  {sys.executable} {Path(__file__).with_name("record_one.py")} "message $i $(head -c 30000 /dev/zero | tr '\\0' x)" || {{ code=$?; break; }}
done
echo "code $code"
{sys.executable} - <<'PYTHON'
import sqlite3
rows = sqlite3.connect("{tmp_path}/d/memory.db").execute("SELECT count(*) FROM messages").fetchone()
print("kept", rows[0])
PYTHON
"""
    done = subprocess.run(
        ["unshare", "-rm", "bash", "-c", script], capture_output=True, text=True, timeout=200
    )
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip("this machine does not permit a mount in a namespace")
    assert "code 0" not in done.stdout, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "assistant: " in done.stderr
    kept = int(done.stdout.split("kept")[1])
    assert kept >= 1
