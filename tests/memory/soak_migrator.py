"""A process that opens a store of an older schema with two more steps, until it is killed.

    python soak_migrator.py DATABASE

The steps rewrite every message, so that a kill can meet one half way. Prints "ready" before it
begins, "done" when the store is open.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

from assistant.errors import AssistantError
from assistant.memory import schema

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
STEPS = (
    (
        "998_copies",
        "ALTER TABLE messages ADD COLUMN copy TEXT; UPDATE messages SET copy = text;"
        " CREATE INDEX messages_copy ON messages (copy);",
    ),
    (
        "999_lengths",
        "CREATE TABLE lengths (message_id INTEGER PRIMARY KEY, n INTEGER NOT NULL);"
        " INSERT INTO lengths SELECT id, length(copy) FROM messages;"
        " UPDATE messages SET copy = upper(copy);",
    ),
)


def add_steps() -> None:
    schema.MIGRATIONS = (*schema.MIGRATIONS, *STEPS)  # type: ignore[misc]  # a later program's
    schema.SCHEMA_VERSION = len(schema.MIGRATIONS)  # type: ignore[misc]


def main(database: str) -> None:
    add_steps()
    print("ready", flush=True)
    schema.Store.open(Path(database), now=NOW).close()
    print("done", flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except AssistantError as error:
        print(f"error: {error}", flush=True)
        sys.exit(error.exit_code)
