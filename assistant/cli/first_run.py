"""What must be there before a first question: the model, and better also the embedder.

Asks, or takes --yes for the named download; knows how neither is downloaded.
"""

from typing import TYPE_CHECKING

from assistant.cli.input import confirm
from assistant.cli.output import note
from assistant.cli.settings import Settings
from assistant.errors import DownloadError, ModelMissing

if TYPE_CHECKING:
    from assistant.catalogue.catalogue import Catalogue
    from assistant.catalogue.entries import Entry


def ensure_models(settings: Settings) -> None:
    """Offer the missing downloads. Raises ModelMissing where the model stays missing."""
    from assistant.conversation.assemble import open_catalogue

    catalogue = open_catalogue(settings.paths)
    missing = [entry for entry in _wanted(catalogue, settings) if not _is_there(catalogue, entry)]
    if not missing or not (settings.yes or settings.may_ask):
        return  # opening the assistant says what is missing, with its remedy
    names = " and ".join(
        f"{entry.id} ({entry.bytes / 1e6:.0f} MB, {entry.licence})" for entry in missing
    )
    if not confirm(f"Download {names}?", settings):
        return
    from assistant.cli.models import progress_bar

    settings.paths.create()
    for entry in missing:
        try:
            with progress_bar(entry.id, settings) as draw:
                catalogue.pull(entry.id, draw)
        except DownloadError as error:
            if entry.kind == "chat":
                raise
            note(f"assistant: {error}", settings)  # without an embedder recall goes by words


def _wanted(catalogue: "Catalogue", settings: Settings) -> list["Entry"]:
    config = settings.config
    try:
        model = catalogue.chosen(config.text("model"))
    except ModelMissing:
        model = catalogue.default()
    return [model, catalogue.find(config.text("embedder"))]


def _is_there(catalogue: "Catalogue", entry: "Entry") -> bool:
    return entry.path is not None or catalogue.is_installed(entry)
