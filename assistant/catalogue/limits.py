"""The time limits of a download, in one place so that a test can make them short."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds, and bytes per second."""

    connect_s: float = 5.0  # one connection attempt
    open_s: float = 8.0  # name look-up, connection and first headers together
    stall_s: float = 20.0  # no byte for this long, or fewer than least_bytes_per_s over it
    retry_s: float = 1.0  # pause before the next attempt
    index_stall_s: float = 60.0  # pip looks a package up before it writes a byte
    least_bytes_per_s: float = 1024.0
