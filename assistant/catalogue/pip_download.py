"""One wheel on its way: a `pip download` child, its folder, its growth and its last words.

It runs with the person's own index, proxy and certificates, at an exact version with a hash.
Nothing is installed, built, imported or cached. Knows nothing of what the wheel carries.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import Final

from assistant.catalogue.entries import Wheel
from assistant.catalogue.transfer import sha256_of
from assistant.errors import AssistantError, DiskFull, HashMismatch, SourceUnreachable

_OPTIONS: Final = (
    *("--quiet", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"),
    *("--no-deps", "--only-binary", ":all:", "--require-hashes", "--ignore-requires-python"),
    *("--no-cache-dir", "--retries", "1", "--timeout", "15"),
)
# What urllib3 and the resolver say inside pip's warnings when there is no way to the index.
_NO_CONNECTION: Final = ("NewConnectionError", "NameResolutionError", "ConnectTimeoutError")
_MAX_REASON: Final = 200  # characters of pip's own words


class PipDownload:
    """A wheel fetched into a folder of its own. A wheel that an earlier process left there is used."""

    def __init__(self, wheel: Wheel, folder: Path) -> None:
        self.wheel = wheel
        self._folder, self._temporary = folder, folder / "tmp"
        self._child: subprocess.Popen[bytes] | None = None
        self._size, self._grew = 0, perf_counter()
        self.archive = self._kept()

    def start(self) -> None:
        """Does nothing where the wheel is there already."""
        if self.archive is not None:
            return
        shutil.rmtree(self._folder, ignore_errors=True)
        self._temporary.mkdir(mode=0o700, parents=True)
        requirements = self._temporary / "requirements.txt"
        wheel = self.wheel
        requirements.write_text(
            f"{wheel.package}=={wheel.version} --hash=sha256:{wheel.sha256}\n", "utf-8"
        )
        command = [sys.executable, "-m", "pip", "download", *_OPTIONS]
        command += ["--dest", str(self._folder), "--requirement", str(requirements)]
        with (self._temporary / "errors.txt").open("wb") as errors:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                # pip's own temporary files too: a small /tmp must not end a large download
                env={**os.environ, "TMPDIR": str(self._temporary)},
                start_new_session=True,  # Ctrl-C reaches us alone, and we end it in order
            )
        self._grew = perf_counter()

    def wait(self, seconds: float) -> bool:
        """Whether it is there, after waiting a little. Raises what pip failed with."""
        if self.archive is None and self._child is not None:
            try:
                self._child.wait(seconds)
            except subprocess.TimeoutExpired:
                return False
            if self._child.returncode != 0:
                raise self._failure()
            self.archive = next(iter(self._folder.glob("*.whl")), None)
            shutil.rmtree(self._temporary, ignore_errors=True)
            if self.archive is None:
                raise SourceUnreachable(f"pip delivered nothing for {self.wheel.package}.")
        return True

    def size(self) -> int:
        """Bytes on disk so far, at most the wheel's."""
        if self.archive is not None:
            return self.wheel.bytes
        size = min(_size_below(self._folder), self.wheel.bytes)
        if size > self._size:
            self._size, self._grew = size, perf_counter()
        return self._size

    def idle_s(self) -> float:
        """Seconds since a byte arrived."""
        return perf_counter() - self._grew

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait()

    def remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def _kept(self) -> Path | None:
        for archive in self._folder.glob("*.whl"):
            whole = archive.stat().st_size == self.wheel.bytes
            if whole and sha256_of(archive) == self.wheel.sha256:
                return archive
        return None

    def _failure(self) -> AssistantError:
        """pip's last error in one line."""
        wheel = self.wheel
        words = (self._temporary / "errors.txt").read_text("utf-8", "replace")
        if "No space left on device" in words:
            return DiskFull("The disk is full.", "Free some space and try again.")
        if "DO NOT MATCH THE HASHES" in words:
            return HashMismatch(f"The index has another wheel of {wheel.package} {wheel.version}.")
        if "No module named pip" in words:
            return SourceUnreachable(
                "pip is not installed beside this program.", f"Run `{sys.executable} -m ensurepip`."
            )
        if any(sign in words for sign in _NO_CONNECTION):
            return SourceUnreachable("The package index cannot be reached.")
        lines = [line.strip() for line in words.splitlines() if line.strip()]
        errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
        reason = (errors or lines or ["pip gave no reason"])[0][:_MAX_REASON]
        return SourceUnreachable(f"The package index did not deliver {wheel.package}: {reason}")


def _size_below(folder: Path) -> int:
    """Bytes of pip's files, which come and go while they are counted; our own to it and from it apart."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".txt"):
                continue
            try:
                total += os.stat(os.path.join(place, name)).st_size  # noqa: PTH116, PTH118 - ten times a second
            except OSError:
                continue
    return total
