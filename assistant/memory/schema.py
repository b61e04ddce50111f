"""One SQLite file: opening it, bringing its schema up to date, and every transaction on it.

Knows files, modes, locks and errors of SQLite; knows nothing of what the tables mean. All access
goes through `Store.read` and `Store.write`, which translate SQLite's errors, serialise the threads
of this process and begin every write with BEGIN IMMEDIATE (a deferred transaction that reads and
then writes can fail at once, whatever the busy timeout).
"""

import os
import random
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from assistant.errors import StoreCorrupt, StoreError, StoreLocked, StoreNewer
from assistant.memory.migrations import MIGRATIONS
from assistant.paths import is_stream, open_private

SCHEMA_VERSION: Final = len(MIGRATIONS)
BUSY_TIMEOUT_MS: Final = 5000
ASK_AGAIN_S: Final = (0.001, 0.01)  # between two tries for the write lock
CACHE_KIB: Final = 16384
Parameters = Sequence[Any] | dict[str, Any]


def to_text(moment: datetime) -> str:
    """An aware time as the text that is stored: UTC, microseconds, fixed width."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def from_text(stored: str) -> datetime:
    return datetime.fromisoformat(stored)


class Store:
    """One connection to one file, shared by the threads of this process under a lock.

    `file` None is a store in RAM, for a read-only visit to a data directory without one.
    """

    def __init__(self, connection: sqlite3.Connection, file: Path | None, read_only: bool) -> None:
        self.file = file
        self.read_only = read_only
        self._connection = connection
        self._lock = threading.RLock()
        self._synchronous = ""

    @classmethod
    def open(
        cls,
        file: Path,
        *,
        now: datetime,
        backups_dir: Path | None = None,
        read_only: bool = False,
        busy_timeout_ms: int = BUSY_TIMEOUT_MS,
    ) -> Self:
        """Open or create `file` and migrate it, with a backup first.

        `read_only` writes nothing at all: a missing file is an empty store in RAM, and one of an
        older schema is copied to RAM and migrated there.
        Raises StoreLocked, StoreCorrupt, StoreNewer (the file is untouched), StoreError.
        """
        with translated(file):
            if read_only and not file.exists():
                return cls._in_memory(None, now)
            if not read_only:
                _create_private(file)
            connection = _connect(file, busy_timeout_ms)
            try:
                version = _version(connection, file)
                if read_only and version < SCHEMA_VERSION:
                    return cls._in_memory(connection, now)
                if not read_only:
                    connection.execute("PRAGMA journal_mode = WAL")
                store = cls(connection, file, read_only)
                if version < SCHEMA_VERSION:
                    store._migrate(now, backups_dir)
                if read_only:
                    connection.execute("PRAGMA query_only = ON")
            except BaseException:
                connection.close()
                raise
            return store

    @classmethod
    def _in_memory(cls, source: sqlite3.Connection | None, now: datetime) -> Self:
        connection = _connect(None, BUSY_TIMEOUT_MS)
        if source is not None:
            source.backup(connection)
            source.close()
        store = cls(connection, None, True)
        store._migrate(now, None)
        connection.execute("PRAGMA query_only = ON")
        return store

    def _migrate(self, now: datetime, backups_dir: Path | None) -> None:
        """Run the missing steps, each with its record in one transaction, a backup before each.

        Backup and step are under one write lock, where the version is read again: of several
        processes that open the same old file, one migrates and the others find it done.
        """
        from sqlite_utils import Database, Migrations

        steps = Migrations("assistant")
        for number, (name, sql) in enumerate(MIGRATIONS, start=1):
            steps(name=name)(_step(number, sql))
        connection = self._connection
        while (version := _version(connection, self.file)) < SCHEMA_VERSION:
            # A new store is built whole: nobody sees, or backs up, an empty older one.
            is_last = version == 0 or version + 1 == SCHEMA_VERSION
            following = None if is_last else MIGRATIONS[version + 1][0]
            with self.write(durable=True):
                if _version(connection, self.file) == version:
                    if version > 0 and self.file is not None:
                        folder = backups_dir or self.file.parent / "backups"
                        stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%S")
                        # SQLite copies no store through the connection that writes to it.
                        with Store(_connect(self.file, BUSY_TIMEOUT_MS), self.file, True) as other:
                            other.backup(folder / f"before-schema-{version + 1}-{stamp}.db")
                    # sqlite-utils opens a savepoint inside our BEGIN IMMEDIATE.
                    database = Database(connection, recursive_triggers=False, execute_plugins=False)
                    steps.apply(database, stop_before=following)

    def read(self, sql: str, parameters: Parameters = ()) -> list[Any]:
        """Every row of a query, as sqlite3.Row."""
        with self._lock, translated(self.file):
            return self._connection.execute(sql, parameters).fetchall()

    def value(self, sql: str, parameters: Parameters = ()) -> Any:
        """The first column of the first row; None where there is no row."""
        rows = self.read(sql, parameters)
        return rows[0][0] if rows else None

    def state(self) -> tuple[int, int] | None:
        """Equal to an earlier one only where neither this nor another connection changed the file
        since. None inside a transaction, which may yet be taken back."""
        with self._lock, translated(self.file):
            if self._connection.in_transaction:
                return None
            (others,) = self._connection.execute("PRAGMA data_version").fetchone()
            return others, self._connection.total_changes

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Several reads that see the store at one moment."""
        with self._lock, translated(self.file):
            if self._connection.in_transaction:
                yield self._connection
                return
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            finally:
                self._connection.rollback()

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it or nothing. Inside another, part of that one.

        `durable` waits for the disk at the commit (synchronous=FULL), for what a person said.
        Derived rows (NORMAL) can be lost with the power, never half written.
        """
        with self._lock, translated(self.file):
            connection = self._connection
            if connection.in_transaction:
                yield connection
                return
            wanted = "FULL" if durable else "NORMAL"
            if self._synchronous != wanted:
                connection.execute(f"PRAGMA synchronous = {wanted}")
                self._synchronous = wanted
            self._begin()
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                connection.rollback()
                raise

    def _begin(self) -> None:
        """Take the write lock, asking for it at short, random intervals.

        SQLite's own handler asks the more rarely the longer it has waited, up to every 100 ms: beside
        writers that have just come, one that waits long is overtaken again and again.
        """
        connection = self._connection
        (patience_ms,) = connection.execute("PRAGMA busy_timeout").fetchone()
        ends = time.monotonic() + patience_ms / 1000
        connection.execute("PRAGMA busy_timeout = 0")
        try:
            while True:
                try:
                    connection.execute("BEGIN IMMEDIATE")
                    return
                except sqlite3.OperationalError as error:
                    is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                    if not is_busy or time.monotonic() > ends:
                        raise
                time.sleep(random.uniform(*ASK_AGAIN_S))
        finally:
            connection.execute(f"PRAGMA busy_timeout = {patience_ms}")

    def backup(self, target: Path) -> Path:
        """A consistent copy by SQLite's own backup, 0600, complete or absent.

        SQLite needs a file to write to: what goes to a device or a pipe is copied there from one.
        """
        if is_stream(target):
            if self.file is None:
                raise StoreError("A store in RAM is backed up to a file.", "Name one.")
            copied = self._copy_to(self.file.with_name(f"{self.file.name}.copied.{os.getpid()}"))
            try:
                with copied.open("rb") as read, target.open("wb") as out:
                    shutil.copyfileobj(read, out)
            finally:
                copied.unlink()
            return target
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._copy_to(target.resolve())

    def _copy_to(self, target: Path) -> Path:
        unfinished = target.with_name(target.name + ".unfinished")
        unfinished.unlink(missing_ok=True)
        _create_private(unfinished)
        with self._lock, translated(self.file):
            copy = sqlite3.connect(unfinished, isolation_level=None)
            try:
                self._connection.backup(copy)
            finally:
                copy.close()
        unfinished.replace(target)
        return target

    def compact(self) -> None:
        """Write the file anew without free pages and empty the WAL.

        Raises StoreLocked where another process is reading; the store is whole then as before.
        """
        with self._lock, translated(self.file):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._connection.execute("VACUUM")
            (busy, *_) = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise StoreLocked(
                f"{self.file} is read by another process.", "Close the other program and try again."
            )

    def meta(self, key: str) -> str | None:
        found = self.value("SELECT value FROM meta WHERE key = ?", (key,))
        return None if found is None else str(found)

    def set_meta(self, key: str, value: str) -> None:
        with self.write() as connection:
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def close(self) -> None:
        with self._lock, translated(self.file):
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def renew_generation(connection: sqlite3.Connection) -> None:
    """Make every cache of the store worthless, in RAM or on disk, in any process."""
    connection.execute("UPDATE meta SET value = lower(hex(randomblob(8))) WHERE key = 'generation'")


@contextmanager
def translated(file: Path | None) -> Iterator[None]:
    """Turn SQLite's errors into ours: what, why, and what to do next."""
    name = str(file or "the store in RAM")
    try:
        yield
    except sqlite3.Error as error:
        code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
        raise _translate(name, code, error) from error
    except OSError as error:
        raise StoreError(f"{name} cannot be opened: {error.strerror}.") from error


def _translate(name: str, code: int, error: sqlite3.Error) -> Exception:
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreLocked(
            f"{name} is locked by another process.", "Close the other program and try again."
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreCorrupt(
            f"{name} is damaged: {error}.",
            "Run `assistant memory restore` with one of the backups beside it.",
        )
    if code == sqlite3.SQLITE_FULL:
        return StoreError(f"The disk of {name} is full.", "Free some space and try again.")
    if code == sqlite3.SQLITE_READONLY:
        return StoreError(f"{name} cannot be written.", "Check the file's owner and mode.")
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM):
        return StoreError(f"{name} cannot be used: {error}.", "Check the disk and the file's mode.")
    if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
        return StoreError(f"{name} refused a change: {error}.", "This is a bug: please report it.")
    return StoreError(f"{name} failed: {error}.", "Run `assistant doctor`.")


def _create_private(file: Path) -> None:
    """Make an empty file 0600 before SQLite would make it with the umask's mode."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(open_private(file, os.O_RDWR | os.O_CREAT))
    if file.stat().st_mode & 0o077:
        file.chmod(0o600)


def _connect(file: Path | None, busy_timeout_ms: int) -> sqlite3.Connection:
    connection = sqlite3.connect(
        ":memory:" if file is None else file,
        timeout=busy_timeout_ms / 1000,
        isolation_level=None,  # transactions are begun by hand
        check_same_thread=False,  # `Store` holds a lock around every use
        cached_statements=256,
    )
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    return connection


def _version(connection: sqlite3.Connection, file: Path | None) -> int:
    """The schema's number. Raises StoreNewer, before anything is written."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA_VERSION:
        raise StoreNewer(
            f"{file} has schema {version}; this program knows {SCHEMA_VERSION}.",
            "Update the program; the file is untouched.",
        )
    return version


def _step(number: int, sql: str) -> Any:
    def run(database: Any) -> None:
        for statement in _statements(sql):
            database.conn.execute(statement)
        database.conn.execute(f"PRAGMA user_version = {number}")

    return run


def _statements(sql: str) -> Iterator[str]:
    """The statements of a script one by one: `executescript` would commit our transaction."""
    buffer = ""
    for part in sql.split(";"):
        buffer += part + ";"
        if sqlite3.complete_statement(buffer):
            if buffer.strip("; \n"):
                yield buffer
            buffer = ""
