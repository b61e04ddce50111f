"""The queue of work done after a turn: durable, first in first out, one owner at a time.

A job is a row, queued in the transaction that finishes its turn. Whoever holds the lease `post_think`
takes the oldest; a job whose owner died is taken again when the lease has run out, and given up after
MAX_ATTEMPTS. Knows no work.
"""

import json
import sqlite3
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from assistant.memory.schema import Store, to_text
from assistant.records import Job

LEASE: Final = "post_think"
LEASE_SECONDS: Final = 60.0
MAX_ATTEMPTS: Final = 3


def take_lease(connection: sqlite3.Connection, owner: str, now: datetime) -> bool:
    """Hold or prolong the lease; False while another owner's has not run out."""
    until = to_text(now + timedelta(seconds=LEASE_SECONDS))
    connection.execute(
        "INSERT INTO leases (name, owner, until) VALUES (?1, ?2, ?3) ON CONFLICT (name) DO UPDATE"
        " SET owner = excluded.owner, until = excluded.until WHERE owner = ?2 OR until <= ?4",
        (LEASE, owner, until, to_text(now)),
    )
    row = connection.execute("SELECT owner FROM leases WHERE name = ?", (LEASE,)).fetchone()
    return bool(row[0] == owner)


def release_lease(connection: sqlite3.Connection, owner: str) -> None:
    connection.execute("DELETE FROM leases WHERE name = ? AND owner = ?", (LEASE, owner))


def next_job(connection: sqlite3.Connection, owner: str, now: datetime) -> Job | None:
    """The oldest job, marked running; None where there is none or another owner is at work.

    A job found running under our own lease was left behind by a crash or pre-empted.
    """
    if not take_lease(connection, owner, now):
        return None
    connection.execute(
        "UPDATE jobs SET state = 'failed', finished = ?, error = 'given up' WHERE attempts >= ?"
        " AND state IN ('queued', 'running')",
        (to_text(now), MAX_ATTEMPTS),
    )
    row = connection.execute(
        "SELECT * FROM jobs WHERE state IN ('queued', 'running') ORDER BY id LIMIT 1"
    ).fetchone()
    if row is None:
        return None
    connection.execute(
        "UPDATE jobs SET state = 'running', attempts = attempts + 1 WHERE id = ?", (row["id"],)
    )
    return Job(row["id"], row["kind"], row["turn_id"], row["attempts"] + 1)


def owns(connection: sqlite3.Connection, job: Job, owner: str) -> bool:
    """Whether `owner` may still write the job's results: the lease and the job are its own."""
    row = connection.execute(
        "SELECT 1 FROM jobs JOIN leases ON leases.name = ? WHERE jobs.id = ? AND state = 'running'"
        " AND attempts = ? AND owner = ?",
        (LEASE, job.id, job.attempts, owner),
    ).fetchone()
    return row is not None


def complete_job(
    connection: sqlite3.Connection, job: Job, now: datetime, error: str | None = None
) -> None:
    """Mark a job done; with `error`, queued again until it has failed MAX_ATTEMPTS times."""
    state = "done" if error is None else "failed" if job.attempts >= MAX_ATTEMPTS else "queued"
    connection.execute(
        "UPDATE jobs SET state = ?, finished = ?, error = ? WHERE id = ?",
        (state, to_text(now) if state != "queued" else None, error, job.id),
    )


def put_back(connection: sqlite3.Connection, job: Job) -> None:
    """Queue a pre-empted job again; being interrupted is no failed attempt."""
    connection.execute(
        "UPDATE jobs SET state = 'queued', attempts = attempts - 1 WHERE id = ? AND state = 'running'",
        (job.id,),
    )


def queue_again(connection: sqlite3.Connection) -> None:
    """Queue every finished job once more."""
    connection.execute(
        "UPDATE jobs SET state = 'queued', attempts = 0, finished = NULL, error = NULL"
        " WHERE state IN ('done', 'failed')"
    )


def queue_turns(connection: sqlite3.Connection, memory_ids: Collection[int], since: str) -> None:
    """Queue the turns of memories that come back, where they were thought over since: nothing was
    kept of what was hidden then. `since` is a stored time."""
    connection.execute(
        "UPDATE jobs SET state = 'queued', attempts = 0, finished = NULL, error = NULL"
        " WHERE state IN ('done', 'failed') AND finished >= ? AND turn_id IN"
        " (SELECT m.turn_id FROM memories m WHERE m.id IN (SELECT value FROM json_each(?)))",
        (since, json.dumps(list(memory_ids))),
    )


def queue_unthought(connection: sqlite3.Connection, turn_id: int) -> None:
    """Queue a turn of which no thought was kept: it may have been hidden when it was thought over."""
    connection.execute(
        "UPDATE jobs SET state = 'queued', attempts = 0, finished = NULL, error = NULL"
        " WHERE state IN ('done', 'failed') AND turn_id = ?1 AND NOT EXISTS (SELECT 1 FROM thoughts t"
        " JOIN messages m ON m.id = t.source_message_id WHERE m.turn_id = ?1)",
        (turn_id,),
    )


def count_jobs(store: Store) -> dict[str, int]:
    """How many jobs are in each state."""
    rows = store.read("SELECT state, count(*) FROM jobs GROUP BY state")
    return {str(row[0]): int(row[1]) for row in rows}
