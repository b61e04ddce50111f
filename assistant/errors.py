"""The one error tree: what went wrong, why, and what to do next, with the exit code it ends in.

Knows nothing of any library: foreign errors are translated where they are caught, at the wrapper.

    AssistantError                  1  a run-time failure
    ├── UsageError                  2
    │   ├── SettingError
    │   └── InputError
    ├── ModelError                  3
    │   ├── ModelMissing
    │   ├── ModelUnreadable
    │   └── HashMismatch
    ├── NotFound                    4
    ├── BatchIncomplete             5
    ├── StoreError                  6
    │   ├── StoreLocked
    │   ├── StoreCorrupt
    │   └── StoreNewer
    ├── OutOfMemory                 7
    ├── TimedOut                    8
    ├── ConfirmationNeeded          9
    ├── DownloadError               1
    │   ├── SourceUnreachable
    │   └── DiskFull
    ├── GenerationError             1
    │   └── WeightReadError
    ├── EmbeddingError              1
    └── NetworkRefused              1

SIGINT ends in 130, a closed pipe quietly in 141 and SIGTERM in 143; none is an error of the
program, so none has a class.
"""

from typing import ClassVar, Final

EXIT_OK: Final = 0
EXIT_SIGINT: Final = 130
EXIT_SIGPIPE: Final = 141
EXIT_SIGTERM: Final = 143


class AssistantError(Exception):
    """One line for the person: `what`, and in `remedy` what to do next.

    `what` names the thing and the reason ("No model at /x.gguf: the file does not exist").
    `remedy` is an imperative ("Run `assistant models pull`"), or empty when there is none.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what} {self.remedy}".rstrip()


class UsageError(AssistantError):
    """The command was called wrongly."""

    exit_code = 2


class SettingError(UsageError):
    """A setting is unknown or its value is out of range."""


class InputError(UsageError):
    """The text given cannot be used: empty, not UTF-8, not JSON."""


class ModelError(AssistantError):
    """There is no usable model."""

    exit_code = 3


class ModelMissing(ModelError):
    """No model is installed under this name."""


class ModelUnreadable(ModelError):
    """The file is no GGUF (or ONNX) file, is truncated, or llama.cpp refuses it."""


class HashMismatch(ModelError):
    """The bytes are not the ones the catalogue names."""


class NotFound(AssistantError):
    """No such memory, conversation, turn or catalogue entry."""

    exit_code = 4


class BatchIncomplete(AssistantError):
    """The batch reached its end with failed rows."""

    exit_code = 5


class StoreError(AssistantError):
    """The SQLite file cannot be used."""

    exit_code = 6


class StoreLocked(StoreError):
    """Another process held the write lock past the busy timeout."""


class StoreCorrupt(StoreError):
    """SQLite found a damaged page, or the file is no database."""


class StoreNewer(StoreError):
    """A newer version of this program wrote the schema; it is not touched."""


class OutOfMemory(AssistantError):
    """The model, its KV cache or a batch does not fit into RAM."""

    exit_code = 7


class TimedOut(AssistantError):
    """The time limit the person set ran out."""

    exit_code = 8


class ConfirmationNeeded(AssistantError):
    """A yes is needed and there is no terminal to ask on."""

    exit_code = 9


class DownloadError(AssistantError):
    """Every source of a catalogue entry failed."""


class SourceUnreachable(DownloadError):
    """One source did not answer, stalled or ended early; the next one is tried."""


class DiskFull(DownloadError):
    """Too little free space for the file."""


class GenerationError(AssistantError):
    """llama.cpp failed while evaluating; the turn fails, the model stays usable."""


class WeightReadError(GenerationError):
    """The weight window could not read the model file from disk."""


class EmbeddingError(AssistantError):
    """onnxruntime failed on a text."""


class NetworkRefused(AssistantError):
    """A socket to the outside was opened although nobody asked for a download."""
