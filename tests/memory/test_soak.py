"""Kills at random moments, and many processes at one store: nothing acknowledged is ever lost, and
nothing erased is ever found. Run with -s, each says how much it did."""

import json
import random
import runpy
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from pathlib import Path

import pytest

from assistant.conversation.worker import PostThinkWorker
from assistant.memory.memory import Memory
from assistant.memory.schema import SCHEMA_VERSION
from assistant.paths import Paths
from assistant.records import EncodedText
from conftest import SOAK_SHARE

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WRITER = Path(__file__).with_name("soak_writer.py")
MIGRATOR = Path(__file__).with_name("soak_migrator.py")
REINDEXER = Path(__file__).with_name("soak_reindexer.py")
OLD, NEW, vectors_of = itemgetter("OLD", "NEW", "vectors_of")(runpy.run_path(str(REINDEXER)))
N_MESSAGES = 20_000  # in the store that is migrated

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]


def start(database: Path, name: str, seconds: float) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, str(WRITER), str(database), name, str(seconds)],
        stdout=subprocess.PIPE,
        text=True,
    )


def check(database: Path, acknowledged: set[str]) -> None:
    """Every acknowledged text is there, once, and the file is whole."""
    with Memory.open(database, now=NOW) as memory:
        assert memory.check_integrity() == []
        rows = memory.store.read("SELECT text, count(*) FROM messages GROUP BY text")
        texts = {row[0]: row[1] for row in rows}
        assert set(texts.values()) <= {1}
        for line in acknowledged:
            assert wording(line) in texts, line


def wording(line: str) -> str:
    if line.startswith("reply "):
        return f"R{line[1:]}."
    name, number = line.split(":")
    return f"My sister {name} moved to street {number} and likes soup number {number}."


def test_no_kill_loses_an_acknowledged_message(tmp_path: Path) -> None:
    database = tmp_path / "memory.db"
    chance = random.Random(11)
    acknowledged: set[str] = set()
    for kill in range(max(3, int(300 * SOAK_SHARE))):
        process = start(database, f"Anna{kill}", 60)
        assert process.stdout is not None
        acknowledged.add(process.stdout.readline().strip())  # it is at work
        time.sleep(chance.uniform(0, 0.5))
        process.kill()
        left, _ = process.communicate()
        acknowledged.update(
            left.splitlines(keepends=False)[:-1] if left[-1:] != "\n" else left.split("\n")[:-1]
        )
    assert not [line for line in acknowledged if line.startswith("error")]
    check(database, acknowledged - {""})
    print(f"{kill + 1} kills, {len(acknowledged)} acknowledged messages, 0 lost")


def test_eight_processes_share_a_store(tmp_path: Path) -> None:
    database = tmp_path / "memory.db"
    seconds = max(4.0, 60 * SOAK_SHARE)
    processes = [start(database, f"Berta{number}", seconds) for number in range(8)]
    acknowledged: set[str] = set()
    for process in processes:
        out, _ = process.communicate()
        acknowledged.update(out.splitlines())
        assert process.returncode == 0, out.splitlines()[-1:]
    assert not [line for line in acknowledged if line.startswith("error")]
    check(database, acknowledged)
    print(f"8 processes, {seconds:g} s, {len(acknowledged)} acknowledged messages, 0 lost")


@pytest.fixture
def old_store(tmp_path: Path) -> Path:
    """A store of this schema with N_MESSAGES messages, to be migrated by a later program."""
    file = tmp_path / "old.db"
    with Memory.open(file, now=NOW) as memory, memory.store.write() as connection:
        conversation = memory.new_conversation("kept", NOW)
        connection.execute(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            " INSERT INTO turns (conversation_id, number, created) SELECT ?, i, '2026' FROM n",
            (N_MESSAGES, conversation),
        )
        connection.execute(
            "INSERT INTO messages (conversation_id, turn_id, role, text, created)"
            " SELECT conversation_id, id, 'user', 'message number ' || number, '2026' FROM turns"
        )
    with sqlite3.connect(file) as plain:
        plain.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    plain.close()
    return file


def state_of(file: Path) -> int:
    """How many of the two later steps a store holds. Fails unless it is whole, with every message."""
    plain = sqlite3.connect(file)
    version = plain.execute("PRAGMA user_version").fetchone()[0]
    (n_steps,) = plain.execute("SELECT count(*) FROM _sqlite_migrations").fetchone()
    assert version == n_steps
    assert plain.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert plain.execute("PRAGMA foreign_key_check").fetchall() == []
    (n_kept,) = plain.execute(
        "SELECT count(*) FROM messages m JOIN turns t ON t.id = m.turn_id"
        " WHERE m.text = 'message number ' || t.number"
    ).fetchone()
    assert n_kept == N_MESSAGES
    columns = {row[1] for row in plain.execute("PRAGMA table_info(messages)")}
    tables = {row[0] for row in plain.execute("SELECT name FROM sqlite_master")}
    n_later = version - SCHEMA_VERSION
    assert ("copy" in columns, "lengths" in tables) == (n_later >= 1, n_later >= 2)
    if n_later == 2:
        (n,) = plain.execute("SELECT count(*) FROM lengths WHERE n >= 16").fetchone()
        assert n == N_MESSAGES
    plain.close()
    return int(n_later)


def test_a_migration_killed_at_any_moment_leaves_a_whole_store(
    tmp_path: Path, old_store: Path
) -> None:
    chance, met = random.Random(5), [0, 0, 0]
    file = tmp_path / "memory.db"
    n_kills, seconds = max(4, int(100 * SOAK_SHARE)), 60.0
    for kill in range(n_kills + 1):  # the first is left to end, and timed
        for left in tmp_path.glob("memory.db*"):
            left.unlink()
        shutil.copy(old_store, file)
        process = migrate(file)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        began = time.monotonic()
        with suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0, seconds) if kill else seconds)
        process.kill()
        process.wait()
        seconds = seconds if kill else time.monotonic() - began
        process.stdout.close()
        met[state_of(file)] += kill > 0
        for backup in (tmp_path / "backups").glob("*.db"):
            assert state_of(backup) <= 1  # complete or absent
    process = migrate(file)
    assert process.communicate()[0] == "ready\ndone\n"
    assert state_of(file) == 2
    print(f"{n_kills} kills; found at step 0, 1, 2: {met}")


def test_eight_processes_that_open_an_old_store_migrate_it_once(
    tmp_path: Path, old_store: Path
) -> None:
    processes = [migrate(old_store) for _ in range(8)]
    assert {process.communicate()[0] for process in processes} == {"ready\ndone\n"}
    assert state_of(old_store) == 2
    for backup in (tmp_path / "backups").glob("*.db"):
        assert state_of(backup) <= 1
    assert not list((tmp_path / "backups").glob("*unfinished*"))


def migrate(file: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, str(MIGRATOR), str(file)], stdout=subprocess.PIPE, text=True
    )


def test_erased_memories_are_not_found_by_doctor(tmp_path: Path) -> None:
    chance, n_erased = random.Random(3), max(5, int(100 * SOAK_SHARE))
    paths = Paths(tmp_path)
    paths.create()
    erased: list[str] = []
    with Memory.open(paths.database, now=NOW, backups_dir=paths.backups_dir) as memory:
        talk(memory, 3 * n_erased, chance)
        memory.store.backup(paths.backups_dir / "before.db")
        for _ in range(n_erased):
            rows = memory.store.read("SELECT id, text FROM memories WHERE kind <> 'summary'")
            memory_id, text = chance.choice([tuple(row) for row in rows])
            memory.erase([memory_id], NOW)
            erased.append(text)
        assert memory.check_integrity() == []
    for text in erased:
        assert find(text, tmp_path) == []
    kept = Memory.open(paths.database, now=NOW)
    assert find(str(kept.store.value("SELECT text FROM messages LIMIT 1")), tmp_path)
    kept.close()
    print(f"{n_erased} random memories erased, 0 found")


def talk(memory: Memory, n_turns: int, chance: random.Random) -> None:
    """A person tells things of their own; what is recalled stands in the prompt that is kept."""
    now = NOW
    for number in range(n_turns):
        now += timedelta(hours=1)
        name = "".join(chance.sample("abdeiklmnorstu", 9)).capitalize()
        said = f"Hi! My cousin {name} moved to house {number} last week and hates gate {number}z."
        turn = memory.begin_turn(EncodedText(said, said, None), now)
        recalled = memory.recall("Where does my cousin live?", None, now, exclude_turns=[turn.id])
        reply = f"House number {number} has a reply of its own, {name[::-1]}."
        prompt = json.dumps([said, *(memory.text for memory in recalled.memories)])
        memory.finish_turn(turn, EncodedText(reply, reply, None), recalled, now, prompt=prompt)
    worker = PostThinkWorker(memory, None, owner="soak")
    worker.run_all(now)
    worker.close()


def find(text: str, data_dir: Path) -> list[object]:
    """What `assistant doctor --find` finds, in a process of its own."""
    command = [sys.executable, "-m", "assistant", "doctor", "--find", text, "--json"]
    ended = subprocess.run(
        [*command, "--data-dir", str(data_dir)], capture_output=True, text=True, check=False
    )
    found = json.loads(ended.stdout)["found"]
    assert isinstance(found, list)
    return found


def test_a_reindex_killed_at_any_moment_goes_on_and_the_old_vectors_serve(tmp_path: Path) -> None:
    database, chance = tmp_path / "memory.db", random.Random(17)
    n_kills = max(4, int(50 * SOAK_SHARE))
    n_messages = 64 * 8 * n_kills  # each kill meets some batches, and none the last
    with Memory.open(database, now=NOW) as memory:
        memory.use_embedder(*OLD)
        for number in range(n_messages):
            begin(memory, f"message number {number}")
    n_made, n_late = 0, 0
    for kill in range(n_kills):
        process = reindex(database)
        assert process.stdout is not None
        assert int(process.stdout.readline()) >= n_made
        with Memory.open(database, now=NOW) as memory:  # another process meanwhile
            assert memory.use_embedder(*OLD)
            begin(memory, f"a late message {kill}")
            n_late += 1
            serves(memory, OLD, f"message number {chance.randrange(n_messages)}")
        time.sleep(chance.uniform(0, 0.35))  # also within the writing of a batch
        process.kill()
        process.communicate()
        with Memory.open(database, now=NOW) as memory:
            assert memory.check_integrity() == []
            assert memory.embedder_id == "old"
            assert memory.use_embedder(*OLD)
            serves(memory, OLD, f"message number {chance.randrange(n_messages)}")
            serves(memory, OLD, f"a late message {kill}")
            made = count(memory, "new")
        assert made > n_made
        n_made = made
    lines = reindex(database).communicate()[0].splitlines()
    assert int(lines[0]) > n_made
    assert lines[-1] == "done"
    with Memory.open(database, now=NOW) as memory:
        assert memory.use_embedder(*NEW)
        assert memory.check_integrity() == []
        assert (count(memory, "old"), count(memory, "new")) == (0, n_messages + n_late)
        for text in ("a late message 0", *(f"message number {n}" for n in (0, n_messages - 1))):
            serves(memory, NEW, text)
    print(
        f"{n_kills} kills of a reindex of {n_messages + n_late} memories, none made twice or lost"
    )


def begin(memory: Memory, text: str) -> None:
    memory.begin_turn(EncodedText(text, text, vectors_of([text], OLD)[0]), NOW)


def serves(memory: Memory, embedder: tuple[str, int], text: str) -> None:
    """Meaning alone finds the text."""
    found = memory.recall("", vectors_of([text], embedder)[0], NOW, k=1).memories
    assert [row.text for row in found] == [text]


def count(memory: Memory, embedder: str) -> int:
    rows = memory.store.read(
        "SELECT count(*) FROM vectors v JOIN embedders e ON e.id = v.embedder_id"
        " WHERE e.sha256 = ? AND v.view = 0",
        (embedder,),
    )
    return int(rows[0][0])


def reindex(database: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, str(REINDEXER), str(database)], stdout=subprocess.PIPE, text=True
    )
