"""Saved KV states: a conversation reopens without reading its history again.

Knows a folder of files and the shape of a model. A cache: any file may be missing, another model's
or damaged, and the history is then read again. The file's name carries the turn its history begins
with, because that cannot be seen in the state.
"""

from pathlib import Path
from typing import Final

from assistant.conversation.ports import LanguageModel

N_FILES_MAX: Final = 20  # default; the conversation least recently used leaves first
N_BYTES_MAX: Final = 1 << 30


class KeptStates:
    """The states of one data directory for one model."""

    def __init__(self, folder: Path, model_name: str) -> None:
        self.folder = folder
        self._model_name = model_name

    def _files(self, conversation_id: int) -> list[Path]:
        return sorted(self.folder.glob(f"c{conversation_id}-from*-{self._model_name}.state"))

    def keep(
        self, conversation_id: int, first_turn_id: int, model: LanguageModel, sequence: int
    ) -> None:
        """Save the state in the place of the one before. A full disk costs the cache alone."""
        for old in self._files(conversation_id):
            old.unlink(missing_ok=True)
        name = f"c{conversation_id}-from{first_turn_id}-{self._model_name}.state"
        try:
            model.save_state(self.folder / name, sequence=sequence)
        except OSError:
            (self.folder / name).unlink(missing_ok=True)
        self._prune()

    def restore(self, conversation_id: int, model: LanguageModel, sequence: int) -> int | None:
        """Load the state; returns the id of its first turn, None where there is no usable one."""
        for file in self._files(conversation_id):
            if model.load_state(file, sequence=sequence):
                return int(file.name.split("-")[1].removeprefix("from"))
        return None

    def _prune(self) -> None:
        files = [(file.stat(), file) for file in self.folder.glob("c*.state")]
        n_bytes = 0
        for rank, (facts, file) in enumerate(sorted(files, key=lambda f: -f[0].st_mtime)):
            n_bytes += facts.st_size
            if rank >= N_FILES_MAX or n_bytes > N_BYTES_MAX:
                file.unlink(missing_ok=True)
