"""The network guard: an audit hook that refuses every socket to the outside unless a download that
the person asked for is under way in this thread's context.

It sees Python's own sockets and name look-ups, in every library. It does not see what native code
or a child process does: none is given a reason to, and the test suite runs in an empty network
namespace to prove it. Knows nothing of what is downloaded. Imports little: it is installed first.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from assistant.errors import NetworkRefused

MAX_LOG_BYTES: Final = 1 << 18  # the log is halved when it grows past this
_CONNECTING: Final = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind"})
_RESOLVING: Final = frozenset(
    {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"}
)
_reason: ContextVar[str | None] = ContextVar("network_reason", default=None)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One socket or look-up: refused, or allowed for a stated reason."""

    time: str  # ISO 8601, UTC
    event: str
    target: str
    allowed: bool
    reason: str


class _Guard:
    """The one hook of this process; an audit hook cannot be removed, so neither can it."""

    def __init__(self) -> None:
        self.installed = False
        self.log_file: Callable[[], Path] | None = None
        self.attempts: list[Attempt] = []
        self.open_reasons: list[str] = []
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.lock = threading.Lock()

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        """What CPython calls at every audited event: leave early, this runs on every import."""
        if not event.startswith("socket."):
            return
        target = _target(event, arguments)
        if target is None:
            return
        reason = _reason.get()
        self.record(event, target, reason)
        if reason is None:
            raise NetworkRefused(
                f"A connection to {target} was refused: nobody asked for a download.",
                "Only `assistant models pull` and the Models screen may use the network.",
            )

    def record(self, event: str, target: str, reason: str | None) -> None:
        attempt = Attempt(
            time=self.clock().isoformat(timespec="seconds"),
            event=event,
            target=target,
            allowed=reason is not None,
            reason=reason or "no download was asked for",
        )
        with self.lock:
            self.attempts.append(attempt)
            del self.attempts[:-1000]
        if self.log_file is not None:
            with contextlib.suppress(OSError):  # a full disk must not turn a refusal into a crash
                _append(self.log_file(), attempt)


_guard = _Guard()


def install_network_guard(clock: Callable[[], datetime] | None = None) -> None:
    """Refuse the outside from now on, for the rest of this process. Calling it again does nothing."""
    if clock is not None:
        _guard.clock = clock
    if not _guard.installed:
        _guard.installed = True
        sys.addaudithook(_guard.hook)


def log_network_to(file: Callable[[], Path]) -> None:
    """Keep the attempts in a file (JSON lines, 0600) as well, for `doctor` in a later process.

    `file` is asked for the path at each attempt: the data directory may be named after the start.
    """
    _guard.log_file = file


@contextlib.contextmanager
def network_allowed(reason: str) -> Iterator[None]:
    """Allow connections in this context (thread or task), under a reason that the log shows.

    A thread started inside does not inherit it unless it is run in a copy of the context.
    """
    token = _reason.set(reason)
    with _guard.lock:
        _guard.open_reasons.append(reason)
    try:
        yield
    finally:
        _reason.reset(token)
        with _guard.lock:
            _guard.open_reasons.remove(reason)


def guard_is_installed() -> bool:
    return _guard.installed


def open_reasons() -> tuple[str, ...]:
    """Why the network is open right now, in any thread; empty while the badge may say offline."""
    with _guard.lock:
        return tuple(_guard.open_reasons)


def attempts(file: Path | None = None) -> list[Attempt]:
    """Attempts of this process, or those a log file holds; oldest first. Torn lines are skipped."""
    if file is None:
        with _guard.lock:
            return list(_guard.attempts)
    import json

    found: list[Attempt] = []
    with contextlib.suppress(OSError), file.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            with contextlib.suppress(ValueError, TypeError):
                found.append(Attempt(**json.loads(line)))
    return found


def _target(event: str, arguments: tuple[Any, ...]) -> str | None:
    """Where an event leads to; None when it stays on this machine or is not of interest."""
    if event in _CONNECTING:
        connection, address = arguments[0], arguments[-1]
        return _outside(connection.family, address, listening=event == "socket.bind")
    if event in _RESOLVING:
        host = arguments[0]
        if isinstance(host, tuple):  # getnameinfo takes an address
            host = host[0]
        return None if _is_local(host) else str(host)
    return None


def _outside(family: int, address: object, *, listening: bool) -> str | None:
    import socket  # loaded already: it raised the event

    if family == getattr(socket, "AF_UNIX", None) or address is None:
        return None  # no address: sendmsg on a socket that was connected, and checked, before
    if family in (socket.AF_INET, socket.AF_INET6) and isinstance(address, tuple):
        host, port = address[0], address[1]
        everywhere = listening and host in ("", b"")  # bound to no address, it listens on all
        return None if _is_local(host) and not everywhere else f"{host}:{port}"
    return repr(address)


def _is_local(host: object) -> bool:
    """Loopback, by number or as the name "localhost". Without a host nothing is looked up."""
    import ipaddress

    if host is None or host in ("", b"", "localhost", b"localhost"):
        return True
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _append(file: Path, attempt: Attempt) -> None:
    import json

    line = json.dumps(asdict(attempt)).encode() + b"\n"
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line)  # one write, so that lines of two processes do not mix
        size = os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)
    if size > MAX_LOG_BYTES:
        kept = file.read_bytes()[-MAX_LOG_BYTES // 2 :].partition(b"\n")[2]
        temporary = file.with_suffix(".tmp")
        temporary.touch(mode=0o600)
        temporary.write_bytes(kept)
        temporary.replace(file)
