"""The models a person can have and has: the list, what is installed, added and chosen.

Knows files and hashes. Loads no model, knows no front end and no config: the configured model's
name is handed in.
"""

import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from assistant.catalogue.download import Downloader, arrived_bytes, is_installed
from assistant.catalogue.entries import Entry, EntryKind, ModelFile, read_catalogue
from assistant.catalogue.gguf import GgufFacts, read_metadata, split_parts, unreadable
from assistant.catalogue.recommend import recommend
from assistant.catalogue.registry import Registry
from assistant.catalogue.transfer import Meter, Transfer, sha256_of
from assistant.errors import HashMismatch, ModelMissing, ModelUnreadable, NotFound, UsageError
from assistant.paths import from_home


class Catalogue:
    """catalogue.toml and one models folder: `<models_dir>/<id>/<file>` for what was downloaded.

    The person's own GGUF stays where it is; `added.json` remembers its path.
    """

    def __init__(self, entries: Sequence[Entry], models_dir: Path) -> None:
        self.models_dir = models_dir
        self._published = tuple(entries)
        self._registry = Registry(models_dir)
        self._downloader = Downloader(models_dir)

    @classmethod
    def load(cls, file: Path, models_dir: Path) -> "Catalogue":
        """Raises SettingError when the list cannot be read."""
        return cls(read_catalogue(file), models_dir)

    @property
    def entries(self) -> list[Entry]:
        """Published models in the list's order, then the person's own."""
        added = self._registry.added()
        known = {entry.id for entry in self._published}
        merged = [
            replace(entry, path=own.path, files=own.files)
            if (own := added.get(entry.id))
            else entry
            for entry in self._published
        ]
        return merged + [entry for entry in added.values() if entry.id not in known]

    # -- finding -------------------------------------------------------------------------------

    def find(self, id_or_path: str) -> Entry:
        """The entry of an id (or of the only id that begins so), or of a GGUF file's path.

        Raises NotFound with the nearest id, ModelMissing for a path where nothing is.
        """
        entries = {entry.id: entry for entry in self.entries}
        if id_or_path in entries:
            return entries[id_or_path]
        path = from_home(Path(id_or_path))
        if path.is_file() or path.suffix.lower() == ".gguf" or path.name != id_or_path:
            return self._entry_of_file(path)
        begun = [id for id in entries if id.startswith(id_or_path.lower())] if id_or_path else []
        if len(begun) == 1:
            return entries[begun[0]]
        near = begun[:3] or get_close_matches(id_or_path.lower(), entries, n=1, cutoff=0.4)
        hint = f"Did you mean {' or '.join(near)}?" if near else "See `assistant models list`."
        raise NotFound(f"There is no model {id_or_path!r} in the catalogue.", hint)

    def default(self, kind: EntryKind = "chat") -> Entry:
        """The model for a machine that reaches no hub. Raises ModelMissing in an empty list."""
        for entry in self._published:
            if entry.default and entry.kind == kind:
                return entry
        raise ModelMissing(f"The catalogue names no default {kind} model.", "Reinstall it.")

    def recommended(
        self, ram_bytes: int | None = None, disk_bytes_per_s: float | None = None
    ) -> Entry:
        """What a first run that can reach a hub should download, by RAM and disk speed."""
        return recommend(self._published, ram_bytes, disk_bytes_per_s) or self.default()

    def is_installed(self, entry: Entry) -> bool:
        if entry.path is not None:
            return all(is_installed(entry.path.parent, file) for file in entry.files)
        return all(is_installed(self.models_dir / entry.id, file) for file in entry.files)

    def installed(self, kind: EntryKind | None = None) -> list[Entry]:
        return [e for e in self.entries if kind in (None, e.kind) and self.is_installed(e)]

    def arrived_bytes(self, entry: Entry) -> int:
        """What a download that was broken off has left, for the next one to go on from."""
        return arrived_bytes(self.models_dir / entry.id, entry.files)

    def path_of(self, entry: Entry | str) -> Path:
        """The GGUF to load (part 1 of a split one), or the folder of an embedder.

        Raises ModelMissing when it is not installed, ModelUnreadable when a file changed its size.
        """
        if isinstance(entry, str):
            entry = self.find(entry)
        folder = entry.path.parent if entry.path else self.models_dir / entry.id
        for file in entry.files:
            self._check(entry, folder, file)
        return folder / entry.files[0].name if entry.kind == "chat" else folder

    def _check(self, entry: Entry, folder: Path, file: ModelFile) -> None:
        if is_installed(folder, file):
            return
        if (folder / file.name).exists():
            size = (folder / file.name).stat().st_size
            raise ModelUnreadable(
                f"{folder / file.name} is damaged: it has {size} of {file.bytes} bytes.",
                self._remedy(entry),
            )
        what = f"{folder / file.name} is gone." if entry.path else f"{entry.id} is not installed."
        raise ModelMissing(what, self._remedy(entry))

    @staticmethod
    def _remedy(entry: Entry) -> str:
        if entry.path:
            return (
                f"Run `assistant models add PATH` again, or `assistant models remove {entry.id}`."
            )
        return f"Run `assistant models pull {entry.id}`."

    def sha256(self, entry: Entry) -> str:
        """The identity of the model's first file. A person's own is hashed once, then remembered."""
        if entry.sha256:
            return entry.sha256
        return self._registry.sha256(self.path_of(entry))

    def verify(self, entry: Entry, on_progress: Callable[[Transfer], None] | None = None) -> None:
        """Read every file of an installed model again. Raises HashMismatch naming a wrong one."""
        self.path_of(entry)
        folder = entry.path.parent if entry.path else self.models_dir / entry.id
        meter = Meter(entry.bytes, on_progress)
        meter.start("verifying", "path", 0)
        for file in entry.files:
            if file.sha256 and sha256_of(folder / file.name, meter.advance) != file.sha256:
                raise HashMismatch(
                    f"{folder / file.name} is not the file the catalogue names.",
                    f"Run `assistant models remove {entry.id}`, then get it again.",
                )

    # -- the chosen one ------------------------------------------------------------------------

    def chosen(self, configured: str = "") -> Entry:
        """The model to talk to: the configured one, else the one in use, else an installed one.

        Raises ModelMissing when there is none, NotFound for an unknown configured name.
        """
        if configured:
            return self.find(configured)
        if used := self._registry.chosen:
            return self.find(used)
        installed = self.installed("chat")
        default = self.default()
        if any(entry.id == default.id for entry in installed):
            return default
        if installed:
            return installed[0]
        raise ModelMissing(
            "No model is installed.",
            f"Run `assistant models pull {default.id}`, or `assistant models add PATH`.",
        )

    def use(self, id_or_path: str) -> Entry:
        """Make an installed chat model the one to talk to from now on."""
        entry = self.find(id_or_path)
        if entry.kind != "chat":
            raise UsageError(
                f"{entry.id} is no chat model.",
                f"To change the embedder: assistant config set embedder {entry.id}",
            )
        path = self.path_of(entry)
        if entry.path and all(entry.id != known.id for known in self.entries):
            entry = self.add(path)
        self._registry.choose(entry.id)
        return entry

    # -- changing what is there ----------------------------------------------------------------

    def pull(
        self,
        id: str,
        on_progress: Callable[[Transfer], None] | None = None,
        *,
        stop: threading.Event | None = None,
    ) -> Path:
        """Download an entry; what `path_of` says of it afterwards. See `Downloader.fetch`."""
        entry = self.find(id)
        if entry.path is None:
            self._downloader.fetch(entry, on_progress, stop)
        return self.path_of(entry)

    def add(
        self, path: Path, on_progress: Callable[[Transfer], None] | None = None, *, id: str = ""
    ) -> Entry:
        """Remember the person's own GGUF (every part of a split one); nothing is copied.

        A file with the bytes of a published one is listed under that name. Raises ModelMissing or
        ModelUnreadable.
        """
        path = from_home(path).absolute()
        facts = read_metadata(path)
        parts = split_parts(path)
        for part in parts[1:]:
            read_metadata(part)
        meter = Meter(sum(part.stat().st_size for part in parts), on_progress)
        meter.start("reading", "path", 0)
        files = tuple(
            ModelFile(part.name, part.stat().st_size, sha256_of(part, meter.advance))
            for part in parts
        )
        entry = self._described(parts[0], facts, files, id)
        for published in self._published:  # a copy of what is here: it may go away again
            if published.id == entry.id and self.is_installed(published):
                return published
        self._registry.write_added({**self._registry.added(), entry.id: entry})
        return entry

    def remove(self, id: str) -> Entry:
        """Delete a downloaded model's files; forget the path of an added one, leaving its file."""
        entry = self.find(id)
        if entry.path is not None:
            added = self._registry.added()
            if added.pop(entry.id, None) is None:
                raise NotFound(f"{id} was never added.", "See `assistant models list`.")
            self._registry.write_added(added)
        elif (self.models_dir / entry.id).is_dir():
            shutil.rmtree(self.models_dir / entry.id)
        else:
            raise ModelMissing(f"{entry.id} is not installed.", "See `assistant models list`.")
        if self._registry.chosen == entry.id:
            self._registry.choose("")
        return entry

    # -- the person's own files ----------------------------------------------------------------

    def _entry_of_file(self, path: Path) -> Entry:
        """A path given in place of an id: an entry for this run alone, not hashed."""
        facts = read_metadata(path)
        path = path.absolute()
        for entry in self._registry.added().values():
            if entry.path == path:
                return entry
        parts = split_parts(path)
        files = tuple(ModelFile(part.name, part.stat().st_size, "") for part in parts)
        return self._described(parts[0], facts, files, path.stem)

    def _described(
        self, path: Path, facts: GgufFacts, files: tuple[ModelFile, ...], id: str
    ) -> Entry:
        if facts.architecture == "clip" or "bert" in facts.architecture:
            raise unreadable(path, f"it is a {facts.architecture} model, which cannot chat")
        hashes = [file.sha256 for file in files]
        for entry in self._published:
            if not id and [file.sha256 for file in entry.files] == hashes:
                return replace(entry, path=path, files=files)
        return Entry(
            id=id or self._new_id(path),
            kind="chat",
            files=files,
            note=facts.name,
            context=facts.n_ctx_train,
            params_b=round(facts.n_parameters / 1e9, 3),
            path=path,
        )

    def _new_id(self, path: Path) -> str:
        """The file's name in lower case, numbered where another model has it already."""
        letters = (c if c.isalnum() or c in "._-" else "-" for c in path.stem.lower())
        stem = "".join(letters).strip(".-") or "model"
        taken = {entry.id: entry.path for entry in self.entries}
        name, number = stem, 2
        while name in taken and taken[name] != path:
            name, number = f"{stem}-{number}", number + 1
        return name
