"""`assistant models`: list, download, add and choose models.

Draws what the catalogue says; the catalogue does the work. `plan` is in a module of its own.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from assistant.cli.input import confirm
from assistant.cli.output import note, print_json, print_text
from assistant.cli.plan import describe_weights, plan
from assistant.errors import AssistantError
from assistant.wording import clean, one_line

if TYPE_CHECKING:
    from assistant.catalogue.catalogue import Catalogue
    from assistant.catalogue.entries import Entry
    from assistant.catalogue.transfer import Transfer
    from assistant.cli.settings import Settings


@click.group()
def models() -> None:
    """List, download, add and choose models."""


models.add_command(plan)


def open_catalogue(settings: "Settings") -> "Catalogue":
    from assistant.catalogue.catalogue import Catalogue
    from assistant.paths import resource

    return Catalogue.load(resource("models/catalogue.toml"), settings.paths.models_dir)


def _ids(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """For the shell's completion: ids and what they are. What cannot be read offers nothing."""
    from assistant.cli.settings import Settings

    try:
        entries = open_catalogue(Settings()).entries
    except AssistantError:
        return []
    return [
        CompletionItem(e.id, help=one_line(e.note)) for e in entries if e.id.startswith(incomplete)
    ]


@models.command("list")
@click.option("--installed", is_flag=True, help="Only what is on this machine.")
@click.option("--kind", type=click.Choice(["chat", "embedding", "cross-encoder"]), help="One kind.")
@click.pass_obj
def list_models(settings: "Settings", installed: bool, kind: str | None) -> None:
    """The models that can be had, and which are installed and in use."""
    catalogue = open_catalogue(settings)
    rows = [
        row
        for row in _describe_all(catalogue, catalogue.entries, settings)
        if (kind is None or row["kind"] == kind) and (row["installed"] or not installed)
    ]
    if settings.json:
        print_json({"v": 1, "models": rows})
        return
    for row in rows:
        mark = "*" if row["in_use"] else "+" if row["installed"] else " "
        print_text(
            f"{mark} {one_line(row['id'], 40):40} {_size(row['bytes']):>8}"
            f"  {row['kind']:13} {one_line(row['licence'], 28):28}  {one_line(row['note'])}"
        )
    note("* in use   + installed   To download: assistant models pull ID", settings)


@models.command()
@click.argument("model", shell_complete=_ids)
@click.option("--verify", is_flag=True, help="Read its files again and compare their hashes.")
@click.pass_obj
def show(settings: "Settings", model: str, verify: bool) -> None:
    """Everything known of MODEL: an id, or the path of a GGUF file."""
    catalogue = open_catalogue(settings)
    entry = catalogue.find(model)
    if verify:
        with progress_bar(entry.id, settings) as draw:
            catalogue.verify(entry, draw)
    facts = _describe_all(catalogue, [entry], settings)[0]
    facts["files"] = [
        {"name": f.name, "bytes": f.bytes, "sha256": f.sha256, "sources": list(f.sources)}
        for f in entry.files
    ]
    if entry.kind == "chat" and facts["installed"]:
        facts["gguf"] = _gguf(catalogue.path_of(entry))
        facts["weights"] = describe_weights(settings, catalogue.path_of(entry))
    if settings.json:
        print_json({"v": 1, "model": facts})
        return
    for name, value in _flat(facts):
        print_text(f"{name:24} {one_line(value)}")


@models.command()
@click.argument("ids", nargs=-1, metavar="[ID]...", shell_complete=_ids)
@click.pass_obj
def pull(settings: "Settings", ids: tuple[str, ...]) -> None:
    """Download models; without an ID the default model and the embedder.

    What has arrived is kept: repeat the command to go on after an interruption.
    """
    catalogue = open_catalogue(settings)
    names = ids or (catalogue.default("chat").id, settings.config.text("embedder"))
    entries = [catalogue.find(name) for name in names]
    missing = [entry for entry in entries if not catalogue.is_installed(entry)]
    for entry in missing:
        question = f"Download {entry.id} ({_size(entry.bytes)}, licence: {entry.licence})?"
        if not confirm(question, settings, remedy="Repeat it with --yes to download."):
            raise AssistantError("Nothing was downloaded.")
    settings.paths.create()
    for entry in missing:
        with progress_bar(entry.id, settings) as draw:
            catalogue.pull(entry.id, draw)
    if settings.json:
        print_json({"v": 1, "models": _describe_all(catalogue, entries, settings)})
    else:
        for entry in entries:
            print_text(f"{entry.id}: installed in {catalogue.path_of(entry)}")


@models.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--id", "name", default="", help="What to call it; the file's name otherwise.")
@click.pass_obj
def add(settings: "Settings", path: Path, name: str) -> None:
    """Make a GGUF file of your own known. It stays where it is."""
    catalogue = open_catalogue(settings)
    settings.paths.create()
    with progress_bar(path.name, settings) as draw:
        entry = catalogue.add(path, draw, id=name)
    _done(
        settings,
        catalogue,
        entry,
        f"{entry.id}: added. To talk to it: assistant models use {entry.id}",
    )


@models.command()
@click.argument("model", shell_complete=_ids)
@click.pass_obj
def use(settings: "Settings", model: str) -> None:
    """Talk to MODEL from now on: an installed id, or the path of a GGUF file."""
    catalogue = open_catalogue(settings)
    entry = catalogue.use(model)
    configured = settings.config.text("model")
    _done(settings, catalogue, entry, f"{entry.id}: in use.")
    if configured and configured != entry.id:
        note(f"But the setting `model` says {configured}, and it decides.", settings)


@models.command()
@click.argument("model", shell_complete=_ids)
@click.pass_obj
def remove(settings: "Settings", model: str) -> None:
    """Delete a downloaded MODEL; of one that was added, forget the path and leave the file."""
    catalogue = open_catalogue(settings)
    entry = catalogue.find(model)
    if entry.path is None and catalogue.is_installed(entry):
        question = f"Delete {entry.id} ({_size(entry.bytes)})?"
        if not confirm(question, settings, lasting=True):
            raise AssistantError("Nothing was deleted.")
    entry = catalogue.remove(model)
    _done(settings, catalogue, entry, f"{entry.id}: {'forgotten' if entry.path else 'deleted'}.")


@contextmanager
def progress_bar(title: str, settings: "Settings") -> "Iterator[Callable[[Transfer], None]]":
    """A line on stderr with bytes, rate and time left; ten-percent steps where it is no terminal."""
    live = settings.stderr_is_terminal and not settings.terminal_is_dumb
    last_step = -1
    width = 0

    def draw(progress: "Transfer") -> None:
        nonlocal last_step, width
        if settings.quiet:
            return
        line = f"{clean(title)}: {describe_progress(progress)}"
        if live:
            line = line[: _columns() - 1]
            click.echo("\r" + line.ljust(width), err=True, nl=False)
            width = len(line)
        elif (step := progress.done * 10 // max(1, progress.total)) != last_step:
            last_step = step
            click.echo(line, err=True)

    try:
        yield draw
    finally:
        if width:
            click.echo(err=True)


def describe_progress(progress: "Transfer") -> str:
    """`hub  120.0 of 491.4 MB  24 %  11.2 MB/s  33 s left`, what is not known left out."""
    parts = [
        f"{progress.phase} ({progress.source})",
        f"{progress.done / 1e6:.1f} of {progress.total / 1e6:.1f} MB",
        f"{100 * progress.done // max(1, progress.total)} %",
    ]
    if progress.bytes_per_s:
        parts.append(f"{progress.bytes_per_s / 1e6:.1f} MB/s")
    if progress.seconds_left is not None and progress.done < progress.total:
        minutes, seconds = divmod(round(progress.seconds_left), 60)
        parts.append(f"{minutes} min {seconds:02d} s left" if minutes else f"{seconds} s left")
    return "  ".join(parts)


def _columns() -> int:
    import shutil

    return shutil.get_terminal_size().columns


def _done(settings: "Settings", catalogue: "Catalogue", entry: "Entry", line: str) -> None:
    if settings.json:
        print_json({"v": 1, "model": _describe_all(catalogue, [entry], settings)[0]})
    else:
        print_text(line)


def _describe_all(
    catalogue: "Catalogue", entries: "Iterable[Entry]", settings: "Settings"
) -> list[dict[str, Any]]:
    """The JSON shape of a model, in `list`, `show` and the answers of the other commands."""
    from assistant.catalogue.recommend import machine_ram_bytes

    in_use, ram_bytes = _in_use(catalogue, settings), machine_ram_bytes()
    return [_describe(catalogue, entry, in_use, ram_bytes) for entry in entries]


def _describe(
    catalogue: "Catalogue", entry: "Entry", in_use: tuple[str, ...], ram_bytes: int
) -> dict[str, Any]:
    from assistant.catalogue.recommend import fits

    return {
        "id": entry.id,
        "kind": entry.kind,
        "bytes": entry.bytes,
        "ram_bytes": entry.ram_bytes,
        "fits": fits(entry, ram_bytes),
        "context": entry.context,
        "params_b": entry.params_b,
        "active_b": entry.active_b,
        "licence": entry.licence,
        "note": entry.note,
        "sources": list(entry.sources),
        "sha256": entry.sha256,
        "default": entry.default,
        "installed": catalogue.is_installed(entry),
        "in_use": entry.id in in_use,
        "path": str(entry.path) if entry.path else None,
    }


def _in_use(catalogue: "Catalogue", settings: "Settings") -> tuple[str, ...]:
    """The chat model and the embedder that the next conversation would take."""
    embedder = settings.config.text("embedder")
    try:
        return catalogue.chosen(settings.config.text("model")).id, embedder
    except AssistantError:
        return (embedder,)


def _gguf(path: Path) -> dict[str, Any]:
    from assistant.catalogue.gguf import read_metadata

    facts = read_metadata(path)
    return {
        "name": facts.name,
        "architecture": facts.architecture,
        "quantisation": facts.quantisation,
        "parameters": facts.n_parameters,
        "layers": facts.n_layers,
        "context": facts.n_ctx_train,
        "vocabulary": facts.n_vocabulary,
        "experts": facts.n_experts,
        "chat_template": facts.chat_template is not None,
        "tensors": len(facts.tensors),
    }


def _flat(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested facts as lines; what is not known is left out."""
    for name, below in value.items():
        if isinstance(below, dict):
            yield from _flat(below, f"{prefix}{name}.")
        elif name == "files":
            for file in below:
                yield from _flat(file, f"{file['name']}.")
        elif isinstance(below, list):
            yield prefix + name, ", ".join(below)
        elif below not in (None, ""):
            yield prefix + name, {"True": "yes", "False": "no"}.get(str(below), str(below))


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.2f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.0f} MB"
