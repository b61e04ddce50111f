"""Python's garbage collector, kept from stopping the app while someone types.

Measured while an answer streamed: a full collection walks everything that the imports made, about
once a second, and each time nothing is drawn for 70 to 150 ms. So what is there at the start is set
aside, the young generations are swept as ever, and full sweeps wait for a quiet moment.
"""

import gc
from typing import Final

YOUNG_OBJECTS: Final = 2000  # new objects between two sweeps of the youngest generation
YOUNG_SWEEPS: Final = 10  # sweeps of the youngest between two of the middle one (about 10 ms)
MIDDLE_SWEEPS: Final = 1000  # sweeps of the middle one before Python sweeps all by itself


def begin() -> None:
    """Set aside what the start made. Call it once the first frame is drawn."""
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, YOUNG_SWEEPS, MIDDLE_SWEEPS)


def sweep() -> None:
    """A full collection, now that nobody waits: removed widgets hold each other in cycles."""
    gc.collect()
