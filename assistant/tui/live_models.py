"""The real catalogue behind `session.ModelShelf`. Imported where it is used; knows no widget."""

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from assistant.tui.session import Download, ModelRow
from assistant.tui.speeds import Speeds, with_rates

if TYPE_CHECKING:
    from assistant.catalogue.catalogue import Catalogue
    from assistant.catalogue.entries import Entry
    from assistant.catalogue.transfer import Transfer
    from assistant.config import Config
    from assistant.paths import Paths

_QUANTISATION: Final = re.compile(r"I?Q\d(?:_\w+)?|B?F16|F32|MXFP\d\w*")


class LiveShelf:
    """Each call reads the disk anew: another process may have added a model."""

    def __init__(self, paths: "Paths", read_config: "Callable[[], Config]") -> None:
        self._paths = paths
        self._read_config = read_config
        self._stop = threading.Event()

    @property
    def _catalogue(self) -> "Catalogue":
        from assistant.conversation.assemble import open_catalogue

        return open_catalogue(self._paths)

    def rows(self) -> Sequence[ModelRow]:
        """Chat models: the installed first, then the smaller first."""
        from assistant.errors import AssistantError

        catalogue = self._catalogue
        try:
            chosen = catalogue.chosen(self._read_config().text("model")).id
        except AssistantError:
            chosen = ""
        recommended = catalogue.recommended().id
        chat = [entry for entry in catalogue.entries if entry.kind == "chat"]
        here = {e.id: catalogue.path_of(e) for e in chat if catalogue.is_installed(e)}
        speeds = with_rates(self._paths.speeds_file, here).borne_out(chat)
        rows = [
            replace(
                _row(entry, entry.id in here, chosen, speeds),
                recommended=entry.id == recommended,
                arrived_bytes=catalogue.arrived_bytes(entry),
            )
            for entry in chat
        ]
        return sorted(rows, key=lambda row: (not row.installed, row.size_bytes))

    def choose(self, model_id: str) -> str:
        return self._catalogue.use(model_id).id

    def add(self, path: str) -> str:
        return self._catalogue.add(Path(path)).id

    def pull(self, model_id: str, on_progress: Callable[[Download], None]) -> bool:
        from assistant.catalogue.transfer import TransferStopped

        def pull(id: str) -> None:
            def report(step: "Transfer") -> None:
                on_progress(
                    Download(
                        id, step.done, step.total, step.phase, step.bytes_per_s, step.seconds_left
                    )
                )

            catalogue.pull(id, report, stop=self._stop)

        catalogue = self._catalogue
        embedder = catalogue.find(self._read_config().text("embedder"))
        self._stop.clear()
        try:
            pull(model_id)
            if not catalogue.is_installed(embedder):  # without it, recall goes by words alone
                pull(embedder.id)
        except TransferStopped:
            return False
        return True

    def pause(self) -> None:
        self._stop.set()

    def found_files(self) -> Sequence[str]:
        from assistant.catalogue.scan import find_local_models

        return [str(facts.path) for facts in find_local_models()]


def _row(entry: "Entry", installed: bool, chosen: str, speeds: Speeds) -> ModelRow:
    from assistant.catalogue.recommend import fits, machine_ram_bytes

    return ModelRow(
        id=entry.id,
        kind=entry.kind,
        size_bytes=entry.bytes,
        quantisation=_quantisation(entry),
        installed=installed,
        chosen=entry.id == chosen,
        fit="fits" if fits(entry) else "through the window",
        predicted_tps=speeds.expected(entry, machine_ram_bytes()),
        measured_tps=speeds.measured.get(entry.id, 0.0),
        licence=entry.licence,
        note=entry.note,
    )


def _quantisation(entry: "Entry") -> str:
    """From the file's name, as publishers write it: "Q4_K_M"."""
    parts = re.split(r"[-.]", entry.files[0].name.upper())
    return next((part for part in parts if _QUANTISATION.fullmatch(part)), "")
