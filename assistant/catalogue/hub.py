"""The `hub` source: one file of a model hub's repository over HTTP, resumable.

huggingface_hub names the address and holds the HTTP session; its own downloader is not used,
because it keeps no partial file and spends half a minute of retries on a hub that is not there.
No account, no telemetry, no host: the hub is the library's own, or HF_ENDPOINT.
"""

import contextvars
import os
import re
import threading
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, TypeVar

from assistant.catalogue.entries import HubFile, ModelFile
from assistant.catalogue.limits import Limits
from assistant.catalogue.transfer import Meter, PartFile
from assistant.errors import SourceUnreachable

if TYPE_CHECKING:
    import httpx2
    from huggingface_hub import HfFileMetadata

Result = TypeVar("Result")
_ENVIRONMENT: Final = {
    "HF_HUB_DISABLE_XET": "1",  # its chunk protocol opens sockets from native code, past the guard
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
}
_N_RETRIES: Final = 2  # in a row without a single new byte
_PARTIAL_CONTENT: Final = 206


class HubUnreachable(SourceUnreachable):
    """No answer at all: no other file need be asked for there either."""


class _Silence(SourceUnreachable):
    """It took the connection and then said nothing for too long."""


def fetch_from_hub(file: ModelFile, part: PartFile, meter: Meter, limits: Limits) -> None:
    """Fill `part` from the hub, going on from what it holds. Raises SourceUnreachable.

    The caller verifies the hash. Stalls and cuts are retried as long as each attempt brings bytes.
    """
    assert file.hub is not None
    os.environ.update(_ENVIRONMENT)  # read when the library is first imported
    meter.start(f"downloading {file.name}", "hub", part.size)
    url = _address(file.hub)
    _check_size(file, url, limits)
    n_failures, begun = 0, False
    while part.size < file.bytes:
        before = part.size
        try:
            _stream(url, part, meter, limits)
        except SourceUnreachable as error:
            begun = begun or part.size > before
            n_failures = 0 if part.size > before else n_failures + 1
            blocked = isinstance(error, HubUnreachable) and not begun  # the host of its files is
            if blocked or n_failures > _N_RETRIES:
                raise
            meter.check_stop()
            meter.wait(limits.retry_s)


def _address(hub: HubFile) -> str:
    from huggingface_hub import hf_hub_url

    return hf_hub_url(
        hub.repository, hub.file, revision=hub.revision, endpoint=os.environ.get("HF_ENDPOINT")
    )


def _check_size(file: ModelFile, url: str, limits: Limits) -> None:
    """Ask for the headers, within a deadline that a hanging name look-up cannot exceed."""
    from huggingface_hub import get_hf_file_metadata

    def ask() -> "HfFileMetadata":
        return get_hf_file_metadata(
            url, token=False, timeout=limits.connect_s, library_name="assistant"
        )

    try:
        metadata = _within(limits.open_s, lambda: _translated(ask))
    except _Silence as error:
        raise HubUnreachable(error.what) from error
    if metadata.size is not None and metadata.size != file.bytes:
        raise SourceUnreachable(
            f"The hub's file has {metadata.size} bytes, the catalogue's {file.bytes}."
        )


def _stream(url: str, part: PartFile, meter: Meter, limits: Limits) -> None:
    """One request for the rest of the file. Raises SourceUnreachable when it ends too early."""
    import httpx2
    from huggingface_hub import get_session
    from huggingface_hub.utils._headers import build_hf_headers
    from huggingface_hub.utils._http import hf_raise_for_status

    headers = build_hf_headers(token=False, library_name="assistant")
    headers["Accept-Encoding"] = "identity"
    if part.size:
        headers["Range"] = f"bytes={part.size}-"

    timeout = httpx2.Timeout(limits.stall_s, connect=limits.connect_s)

    def run() -> None:
        with get_session().stream("GET", url, headers=headers, timeout=timeout) as response:
            hf_raise_for_status(response)
            _match_position(response, part)
            meter.set(part.size)
            _receive(response, part, meter, limits)

    _translated(run)
    if part.size < part.total:
        raise SourceUnreachable(f"The hub ended after {part.size} of {part.total} bytes.")


def _match_position(response: "httpx2.Response", part: PartFile) -> None:
    """A server that ignores the range, or misunderstands it, sends from elsewhere: start over."""
    start = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    if part.size and (response.status_code != _PARTIAL_CONTENT or start != str(part.size)):
        part.restart()
        if response.status_code == _PARTIAL_CONTENT:
            raise SourceUnreachable("The hub answered with another range than the one asked for.")


def _receive(response: "httpx2.Response", part: PartFile, meter: Meter, limits: Limits) -> None:
    """Bytes to disk, never more than the file has. Silence is the HTTP time-out's to notice, a
    trickle is noticed here. Chunks are taken as they come: a larger one is lost with a broken answer.
    """
    since, size = perf_counter(), part.size
    for chunk in response.iter_bytes():
        part.write(chunk[: part.total - part.size])
        meter.set(part.size)
        if part.size == part.total:
            return
        if perf_counter() - since > limits.stall_s:
            if part.size - size < limits.stall_s * limits.least_bytes_per_s:
                raise SourceUnreachable("The hub sends too slowly.")
            since, size = perf_counter(), part.size


def _translated(call: Callable[[], Result]) -> Result:
    """`call()`, with the library's errors as ours."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        return call()
    except HfHubHTTPError as error:
        raise SourceUnreachable(
            f"The hub answered {error.response.status_code} {error.response.reason_phrase}."
        ) from error
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as error:
        reason = re.sub(r"^\[Errno -?\d+\] ", "", str(error)) or "no answer"
        raise HubUnreachable(f"The hub cannot be reached: {reason}.") from error
    except OfflineModeIsEnabled as error:
        raise HubUnreachable("The hub is switched off by HF_HUB_OFFLINE.") from error
    except httpx2.TimeoutException as error:
        raise _Silence("The hub stopped answering.") from error
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise SourceUnreachable(f"The hub's answer broke off: {error}.") from error


def _within(seconds: float, call: Callable[[], Result]) -> Result:
    """`call()` in a thread of its own, given up after `seconds`: a name look-up has no time-out.

    The thread is left behind; it ends with the resolver and touches nothing of ours.
    """
    outcome: list[Any] = []
    context = contextvars.copy_context()  # the network is open to this context alone

    def run() -> None:
        try:
            outcome.append((context.run(call), None))
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
            outcome.append((None, error))

    thread = threading.Thread(target=run, daemon=True, name="hub-open")
    thread.start()
    thread.join(seconds)
    if not outcome:
        raise HubUnreachable(f"The hub did not answer within {seconds:g} s.")
    result, error = outcome[0]
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return]  # the list is untyped so that it may be empty
