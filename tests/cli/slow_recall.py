"""The program with a recall that takes a second: a process of its own for the tests of interrupts."""

import sys
import time
from typing import Any

from assistant.__main__ import main
from assistant.memory.memory import Memory

recall = Memory.recall


def recall_slowly(self: Memory, *arguments: Any, **options: Any) -> Any:
    time.sleep(1.0)
    return recall(self, *arguments, **options)


Memory.recall = recall_slowly  # type: ignore[method-assign]
sys.exit(main(sys.argv[1:]))
