"""`assistant doctor`: is everything in its place? One line for each thing, with what to do about it.

Looks and changes nothing. Each check is a function that returns lines; a check that breaks is a
finding of its own, never the end of the others.
"""

import os
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import click

from assistant.cli.opening import opened_memory
from assistant.cli.output import print_json, print_text
from assistant.cli.settings import Settings
from assistant.errors import AssistantError, ModelMissing
from assistant.wording import count_of, one_line

Verdict = Literal["ok", "warning", "problem"]
MARKS: Final[dict[Verdict, str]] = {"ok": "ok     ", "warning": "warning", "problem": "PROBLEM"}
N_ATTEMPTS_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    check: str
    verdict: Verdict
    what: str
    remedy: str = ""
    exit_code: int = 0


Check = Callable[[Settings], Iterator[Finding]]


@click.command()
@click.option("--find", "text", metavar="TEXT", help="Where TEXT is still stored, byte by byte.")
@click.pass_obj
def doctor(settings: Settings, text: str | None) -> None:
    """Check the installation and the data."""
    if text is not None:
        _find(settings, text)
        return
    findings = [
        finding for name, check in CHECKS.items() for finding in _run(name, check, settings)
    ]
    code = next((finding.exit_code or 1 for finding in findings if finding.verdict == "problem"), 0)
    if settings.json:
        rows = [asdict(finding) for finding in findings]
        print_json({"v": 1, "status": "ok" if not code else "problem", "findings": rows})
    else:
        for finding in findings:
            line = f"{finding.check}: {finding.what} {finding.remedy}"
            print_text(f"{MARKS[finding.verdict]}  {one_line(line)}")
    if code:
        raise click.exceptions.Exit(code)


def _run(name: str, check: Check, settings: Settings) -> list[Finding]:
    try:
        return list(check(settings))
    except ModelMissing as error:
        return [Finding(name, "problem", error.what, error.remedy, error.exit_code)]
    except AssistantError as error:
        return [Finding(name, "problem", error.what, error.remedy, error.exit_code)]
    except OSError as error:
        return [Finding(name, "problem", f"{error.filename}: {error.strerror}.")]


def _program(settings: Settings) -> Iterator[Finding]:
    from importlib.metadata import version

    from assistant import __version__

    python = ".".join(map(str, sys.version_info[:3]))
    llama = version("llama-cpp-python")
    yield Finding(
        "program", "ok", f"assistant {__version__}, Python {python}, llama-cpp-python {llama}."
    )


def _config(settings: Settings) -> Iterator[Finding]:
    changed = [name for name, origin in settings.config.origins.items() if origin != "built-in"]
    yield Finding("settings", "ok", f"{len(changed)} changed from what is built in.")


def _data_dir(settings: Settings) -> Iterator[Finding]:
    folder = settings.paths.data_dir
    if not folder.exists():
        yield Finding(
            "data directory", "ok", f"{folder} does not exist yet; the first use makes it."
        )
        return
    if not os.access(folder, os.W_OK):
        remedy = "Make it writable, or name another with --data-dir."
        yield Finding("data directory", "problem", f"{folder} cannot be written.", remedy)
        return
    free = os.statvfs(folder)
    free_mb = free.f_bavail * free.f_frsize // 1_000_000
    verdict: Verdict = "ok" if free_mb > 500 else "warning"
    yield Finding("data directory", verdict, f"{folder}, {free_mb} MB free.")


def _permissions(settings: Settings) -> Iterator[Finding]:
    paths = settings.paths
    private = (
        paths.data_dir,
        paths.database,
        paths.config_file,
        paths.states_dir,
        paths.backups_dir,
    )
    open_to_others = [
        path for path in private if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077
    ]
    for path in open_to_others:
        remedy = f"Run `chmod go-rwx {path}`."
        yield Finding("permissions", "warning", f"Others can read {path}.", remedy)
    if not open_to_others:
        yield Finding("permissions", "ok", "Only you can read your data.")


def _store(settings: Settings) -> Iterator[Finding]:
    if not settings.paths.database.exists():
        yield Finding("store", "ok", "Nothing is remembered yet.")
        return
    with opened_memory(settings, datetime.now(UTC), read_only=True) as memory:
        broken = memory.check_integrity()
        counts = memory.stats()
    for line in broken:
        remedy = "Run `assistant memory restore` with the newest backup."
        yield Finding("store", "problem", line, remedy, 6)
    if not broken:
        told = ", ".join(count_of(count, name) for name, count in counts.items() if count)
        yield Finding("store", "ok", f"whole; {told or 'empty'}.")


def _index(settings: Settings) -> Iterator[Finding]:
    with opened_memory(settings, datetime.now(UTC), read_only=True) as memory:
        files = memory.check_index(settings.paths.index_dir)
    for file, wrong in files.items():
        if wrong:
            what, remedy = f"{file} is of no use: {wrong}.", "Delete it: it is made anew."
            yield Finding("recall index", "warning", what, remedy)
    if not any(files.values()):
        what = (
            f"whole; {count_of(len(files), 'files')}."
            if files
            else "none needed: all vectors are compared."
        )
        yield Finding("recall index", "ok", what)


def _model(settings: Settings) -> Iterator[Finding]:
    from assistant.conversation.assemble import identify_model

    identity = identify_model(settings.paths, settings.config)
    size = identity.path.stat().st_size / 1e6
    yield Finding("model", "ok", f"{identity.name}, {size:.0f} MB, sha256 {identity.sha256[:12]}.")


def _embedder(settings: Settings) -> Iterator[Finding]:
    from assistant.conversation.assemble import open_embedder

    embedder = open_embedder(settings.paths, settings.config)
    name = settings.config.text("embedder")
    if embedder is None:
        remedy = f"Run `assistant models pull {name}`."
        yield Finding("embedder", "warning", "Not installed: recall goes by words alone.", remedy)
        return
    length = float((embedder.embed(["doctor"]) ** 2).sum())
    whole = abs(length - 1) < 1e-3
    if settings.paths.database.exists():
        yield from _vectors(settings, embedder.id)
    what = f"{name}, {embedder.dimension} dimensions, sha256 {embedder.id[:12]}."
    yield Finding("embedder", "ok" if whole else "problem", what)


def _vectors(settings: Settings, embedder_id: str) -> Iterator[Finding]:
    remedy = "Run `assistant memory reindex`."
    with opened_memory(settings, datetime.now(UTC), read_only=True) as memory:
        is_another = memory.embedder_id not in (None, embedder_id)
        n_without = 0 if is_another else memory.count_without_vectors(embedder_id)
    if is_another:
        what = "They are another embedder's, which serves until they are made anew."
        yield Finding("vectors", "warning", what, remedy)
    elif n_without:
        what = f"{n_without} memories have none: they are found by words alone."
        yield Finding("vectors", "warning", what, remedy)


def _native(settings: Settings) -> Iterator[Finding]:
    from assistant.native import library_problem, simd_level

    problem = library_problem()
    if problem:
        remedy = "Install it again; NumPy answers meanwhile, more slowly."
        yield Finding("native library", "warning", problem, remedy)
    else:
        yield Finding("native library", "ok", f"loaded, {simd_level()}.")


def _network(settings: Settings) -> Iterator[Finding]:
    from assistant.catalogue.network import attempts, guard_is_installed

    if not guard_is_installed():
        yield Finding("network", "problem", "The network guard is not installed.")
        return
    logged = attempts(settings.paths.network_log)
    refused = [attempt for attempt in logged if not attempt.allowed]
    n_allowed = len(logged) - len(refused)
    yield Finding(
        "network", "ok", f"Guarded; {n_allowed} connections for downloads, {len(refused)} refused."
    )
    for attempt in refused[-N_ATTEMPTS_SHOWN:]:
        what = f"Refused {attempt.event} to {attempt.target} at {attempt.time}."
        yield Finding("network", "warning", what)


CHECKS: Final[dict[str, Check]] = {
    "program": _program,
    "settings": _config,
    "data directory": _data_dir,
    "permissions": _permissions,
    "store": _store,
    "recall index": _index,
    "model": _model,
    "embedder": _embedder,
    "native library": _native,
    "network": _network,
}


def _find(settings: Settings, text: str) -> None:
    """Where `text` still is: rows, words of the index, raw bytes of every file."""
    found: list[dict[str, object]] = []
    with opened_memory(settings, datetime.now(UTC), read_only=True) as memory:
        found += [{"where": where, "count": count} for where, count in memory.find_traces(text)]
    found += [
        {"where": str(file), "count": count}
        for file in _files(settings.paths.data_dir)
        if (count := count_bytes(file, text.encode()))
    ]
    if settings.json:
        print_json({"v": 1, "text": text, "found": found})
        return
    for row in found:
        print_text(f"{row['count']:>6}  {row['where']}")
    print_text(f"{one_line(text, 40)!r} is in {len(found)} places." if found else "Nowhere.")


def _files(folder: Path) -> Iterator[Path]:
    """Every file that may hold the person's words: all but the models."""
    for path in sorted(folder.rglob("*")) if folder.exists() else ():
        if path.is_file() and path.relative_to(folder).parts[0] != "models":
            yield path


def count_bytes(file: Path, needle: bytes, block_bytes: int = 1 << 22) -> int:
    """How often `needle` stands in a file, across the borders of the blocks it is read in."""
    count, tail = 0, b""
    with file.open("rb") as stream:
        while block := stream.read(block_bytes):
            whole = tail + block
            count += whole.count(needle)
            tail = whole[-(len(needle) - 1) :] if len(needle) > 1 else b""
    return count
