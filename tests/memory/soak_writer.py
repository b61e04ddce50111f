"""A process that talks to a store until it is killed or its time is up: what the soak tests run.

    python soak_writer.py DATABASE NAME SECONDS

Every message that is on the disk is acknowledged by a line "NAME:NUMBER"; an error is a line
"error: ...". Post-think runs between the turns.
"""

import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from assistant.conversation.worker import PostThinkWorker
from assistant.errors import AssistantError
from assistant.memory.memory import Memory
from assistant.records import EncodedText, Recall

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def main(database: str, name: str, seconds: float) -> None:
    ends = time.monotonic() + seconds
    with Memory.open(Path(database), now=NOW) as memory:
        worker = PostThinkWorker(memory, None, owner=name)
        number, conversation = 0, None
        while time.monotonic() < ends:
            now = NOW + timedelta(minutes=number)
            said = f"My sister {name} moved to street {number} and likes soup number {number}."
            turn = memory.begin_turn(
                EncodedText(said, said, None), now, conversation_id=conversation
            )
            conversation = turn.conversation_id
            acknowledge(f"{name}:{number}")
            recalled = memory.recall(f"street {number - 1}", None, now, exclude_turns=[turn.id])
            reply = f"Reply {name} {number}."
            memory.finish_turn(turn, EncodedText(reply, reply, None), recalled or Recall(said), now)
            acknowledge(f"reply {name} {number}")
            worker.run_all(now, limit=2)
            number += 1
        worker.close()


def acknowledge(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
    except AssistantError as error:
        acknowledge(f"error: {error}")
        sys.exit(error.exit_code)
