"""The store: modes, transactions, migrations, locks, damage, threads."""

import sqlite3
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assistant.errors import StoreCorrupt, StoreError, StoreLocked, StoreNewer
from assistant.memory import schema
from assistant.memory.schema import SCHEMA_VERSION, Store, from_text, to_text

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NEXT = ("999_next", "ALTER TABLE conversations ADD COLUMN extra TEXT; CREATE TABLE more (a);")


def insert(store: Store, title: str) -> None:
    with store.write() as connection:
        connection.execute(
            "INSERT INTO conversations (title, created, last_used) VALUES (?, ?, ?)",
            (title, to_text(NOW), to_text(NOW)),
        )


def titles(store: Store) -> list[str]:
    return [row[0] for row in store.read("SELECT title FROM conversations ORDER BY id")]


def test_a_new_store_is_private_and_in_wal_mode(tmp_path: Path) -> None:
    file = tmp_path / "new" / "memory.db"
    with Store.open(file, now=NOW) as store:
        insert(store, "one")
        assert store.value("PRAGMA journal_mode") == "wal"
        for made in file.parent.iterdir():
            assert made.stat().st_mode & 0o077 == 0
        assert store.value("PRAGMA user_version") == SCHEMA_VERSION
        assert store.value("SELECT count(*) FROM _sqlite_migrations") == SCHEMA_VERSION
    assert not list(tmp_path.rglob("before-schema-*")), "there was nothing to back up"


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    with Store.open(tmp_path / "memory.db", now=NOW) as store:
        with pytest.raises(StoreError), store.write() as connection:
            _insert_twice(store, connection)
        assert titles(store) == []
        insert(store, "kept")
        assert titles(store) == ["kept"]


def test_a_durable_write_waits_for_the_disk_and_a_derived_one_does_not(tmp_path: Path) -> None:
    with Store.open(tmp_path / "memory.db", now=NOW) as store:
        with store.write(durable=True):
            assert store.value("PRAGMA synchronous") == 2
        with store.write():
            assert store.value("PRAGMA synchronous") == 1


def _insert_twice(store: Store, connection: sqlite3.Connection) -> None:
    insert(store, "lost")
    connection.execute("INSERT INTO meta VALUES ('store', 'again')")


def with_next_step(monkeypatch: pytest.MonkeyPatch, step: tuple[str, str]) -> None:
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, step))
    monkeypatch.setattr(schema, "SCHEMA_VERSION", SCHEMA_VERSION + 1)


def test_an_older_store_is_migrated_with_its_rows_after_a_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "memory.db"
    with Store.open(file, now=NOW) as store:
        insert(store, "old")
    with monkeypatch.context() as patched:
        with_next_step(patched, NEXT)
        with Store.open(file, now=NOW, backups_dir=tmp_path / "kept") as store:
            assert titles(store) == ["old"]
            assert store.read("SELECT extra FROM conversations")[0][0] is None
    (backup,) = (tmp_path / "kept").iterdir()
    with Store.open(backup, now=NOW) as store:
        assert titles(store) == ["old"]


def test_a_migration_that_stops_half_way_leaves_the_old_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "memory.db"
    with Store.open(file, now=NOW) as store:
        insert(store, "old")
    with monkeypatch.context() as patched:
        with_next_step(patched, ("999_bad", "CREATE TABLE more (a); SELECT * FROM missing;"))
        with pytest.raises(StoreError):
            Store.open(file, now=NOW)
    with Store.open(file, now=NOW) as store:
        assert titles(store) == ["old"]
        assert store.value("SELECT count(*) FROM sqlite_master WHERE name = 'more'") == 0


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION + 1))
def test_every_schema_that_shipped_is_opened_with_its_data(tmp_path: Path, version: int) -> None:
    file = tmp_path / "memory.db"
    make_store_of(file, version)
    with Store.open(file, now=NOW, backups_dir=tmp_path / "kept") as store:
        assert store.value("PRAGMA user_version") == SCHEMA_VERSION
        assert store.read("PRAGMA foreign_key_check") == []
        assert titles(store) == ["Bees"]
        (message,) = store.read("SELECT text, created FROM messages")
        assert tuple(message) == ("I keep bees.", to_text(NOW))
        assert store.value("SELECT count(*) FROM memories_fts WHERE memories_fts MATCH 'bees'") == 2
        (thought,) = store.read("SELECT m.text FROM thoughts t JOIN memories m ON m.id = memory_id")
        assert thought[0] == "I keep bees."


def make_store_of(file: Path, version: int) -> None:
    """A store as the program of that schema left it: its steps, and rows that schema 1 knew.

    Rows in plain SQL of the first schema; a step that changes one of these tables keeps them."""
    now = to_text(NOW)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
        patched.setattr(schema, "SCHEMA_VERSION", 1)
        with Store.open(file, now=NOW) as store, store.write() as connection:
            for statement, values in (
                ("conversations (title, created, last_used)", ("Bees", now, now)),
                ("turns (conversation_id, number, created)", (1, 1, now)),
                (
                    "messages (conversation_id, turn_id, role, text, created)",
                    (1, 1, "user", "I keep bees.", now),
                ),
                *(
                    (
                        "memories (kind, text, role, conversation_id, turn_id, message_id, created,"
                        " strength_days)",
                        (kind, "I keep bees.", "user", 1, 1, 1, now, 30.0),
                    )
                    for kind in ("message", "thought")
                ),
                (
                    "thoughts (memory_id, source_message_id, label, writer, writer_version, created)",
                    (2, 1, "fact", "rules", "1", now),
                ),
            ):
                marks = ",".join("?" * len(values))
                connection.execute(f"INSERT INTO {statement} VALUES ({marks})", values)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:version])
        patched.setattr(schema, "SCHEMA_VERSION", version)
        Store.open(file, now=NOW, backups_dir=file.parent / "older").close()


def test_a_newer_store_is_refused_and_untouched(tmp_path: Path) -> None:
    file = tmp_path / "memory.db"
    Store.open(file, now=NOW).close()
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    before = file.read_bytes()
    with pytest.raises(StoreNewer, match="999"):
        Store.open(file, now=NOW)
    assert file.read_bytes() == before


def test_a_store_locked_by_another_process_says_so(tmp_path: Path) -> None:
    file = tmp_path / "memory.db"
    with Store.open(file, now=NOW, busy_timeout_ms=50) as store:
        other = sqlite3.connect(file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreLocked, match="locked"):
            insert(store, "no")
        assert titles(store) == []
        other.execute("COMMIT")
        other.close()
        insert(store, "yes")


def test_a_writer_waits_its_turn_and_is_as_patient_the_next_time(tmp_path: Path) -> None:
    file = tmp_path / "memory.db"
    with Store.open(file, now=NOW, busy_timeout_ms=20_000) as store:
        other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        for title in ("first", "second"):
            other.execute("BEGIN IMMEDIATE")
            free = threading.Timer(0.05, other.execute, ["COMMIT"])
            free.start()
            insert(store, title)
            free.join()
        other.close()
        assert titles(store) == ["first", "second"]
        assert store.value("PRAGMA busy_timeout") == 20_000


def test_what_is_no_database_and_a_damaged_page_are_told_apart_from_bugs(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_bytes(b"this is a letter, not a database" * 200)
    with pytest.raises(StoreCorrupt, match="restore"):
        Store.open(tmp_path / "text.db", now=NOW)
    file = tmp_path / "memory.db"
    with Store.open(file, now=NOW) as store:
        for number in range(200):
            insert(store, f"title {number} " * 20)
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    file.write_bytes(content)
    with pytest.raises(StoreCorrupt), Store.open(file, now=NOW) as store:
        titles(store)


def test_a_read_only_store_writes_nothing_at_all(tmp_path: Path) -> None:
    with Store.open(tmp_path / "none.db", now=NOW, read_only=True) as store:
        assert titles(store) == []
    assert list(tmp_path.iterdir()) == []
    file = tmp_path / "memory.db"
    with Store.open(file, now=NOW) as store:
        insert(store, "one")
    with Store.open(file, now=NOW, read_only=True) as store:
        with pytest.raises(StoreError):
            insert(store, "two")
        assert titles(store) == ["one"]


def test_many_threads_may_write_through_one_store(tmp_path: Path) -> None:
    with Store.open(tmp_path / "memory.db", now=NOW) as store:
        threads = [
            threading.Thread(target=lambda: [insert(store, "x") for _ in range(20)])
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(titles(store)) == 160


def test_the_state_tells_every_change_by_this_connection_or_another(tmp_path: Path) -> None:
    file = tmp_path / "m.db"
    with Store.open(file, now=NOW) as store, Store.open(file, now=NOW) as other:
        seen = [store.state()]
        assert titles(store) == []
        assert store.state() == seen[-1]  # a read changes nothing
        for writer in (store, other, store):
            insert(writer, "one")
            seen.append(store.state())
        assert len(set(seen)) == 4
        with other.write() as connection:
            connection.execute("DELETE FROM conversations")
            assert store.state() == seen[-1]  # not yet
            assert other.state() is None  # it may be taken back
        assert store.state() not in seen


def test_times_round_trip() -> None:
    assert from_text(to_text(NOW)) == NOW
