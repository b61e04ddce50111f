"""Where files live. Knows directories and file modes, never what is inside a file.

Everything the person owns is in one data directory, created 0700; every file in it is 0600.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

APP_NAME = "assistant"
DATA_DIR_VARIABLE = "ASSISTANT_DATA_DIR"


@dataclass(frozen=True, slots=True)
class Paths:
    """The layout of one data directory. Creating a `Paths` touches nothing on disk."""

    data_dir: Path

    @property
    def database(self) -> Path:
        return self.data_dir / "memory.db"

    @property
    def config_file(self) -> Path:
        return self.data_dir / "config.toml"

    @property
    def models_dir(self) -> Path:
        """`<models_dir>/<catalogue id>/<file>` for each installed file."""
        return self.data_dir / "models"

    @property
    def states_dir(self) -> Path:
        """Saved KV states, one file per conversation and model. A cache: safe to delete."""
        return self.data_dir / "states"

    @property
    def index_dir(self) -> Path:
        """Recall index cache. Safe to delete: it is rebuilt from the database."""
        return self.data_dir / "index"

    @property
    def backups_dir(self) -> Path:
        return self.data_dir / "backups"

    @property
    def log_file(self) -> Path:
        return self.data_dir / "assistant.log"

    @property
    def network_log(self) -> Path:
        """JSON lines: every connection that the network guard refused or let through."""
        return self.data_dir / "network.log"

    @property
    def speeds_file(self) -> Path:
        """How fast models were on this machine. A cache: safe to delete."""
        return self.data_dir / "speeds.json"

    @property
    def prompt_history(self) -> Path:
        return self.data_dir / "prompt_history"

    def create(self) -> None:
        """Make the data directory and its folders, 0700.

        Raises OSError where the disk refuses; the command line turns that into one line.
        """
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.models_dir, self.states_dir, self.index_dir, self.backups_dir):
            folder.mkdir(mode=0o700, exist_ok=True)


def find_paths(data_dir: Path | None = None) -> Paths:
    """The data directory: the argument, else ASSISTANT_DATA_DIR, else the platform's own place."""
    if data_dir is None and (named := os.environ.get(DATA_DIR_VARIABLE)):
        data_dir = Path(named)
    if data_dir is None:
        from platformdirs import user_data_path

        data_dir = user_data_path(APP_NAME, appauthor=False)
    return Paths(from_home(data_dir).absolute())


def from_home(path: Path) -> Path:
    """`~` as the person's own folder; a name that stands for nobody's folder is a name."""
    try:
        return path.expanduser()
    except RuntimeError:  # "~nobody/x"
        return path


def resource(name: str) -> Path:
    """A file that ships with the package, as "models/catalogue.toml".

    A wheel carries `models/` inside the package; a checkout has it beside the package.
    """
    package = Path(__file__).parent
    inside = package / name
    return inside if inside.exists() else package.parent / name


def is_stream(file: Path) -> bool:
    """Whether the file is there and is a device, a pipe or a socket, or leads to an open stream.

    Such a file is written to as it is: put in its place, a new file would take /dev/null or
    /dev/stdout away from everybody where the person is root.
    """
    try:
        mode = file.stat().st_mode
    except OSError:
        return False
    opened = ("/dev/std", "/dev/fd/", "/proc/")
    regular = stat.S_ISREG(mode) and not str(file.absolute()).startswith(opened)
    return not (regular or stat.S_ISDIR(mode))


@contextmanager
def whole_file(file: Path) -> Iterator[TextIO]:
    """A text file, 0600, that is there with all that was written, or as it was before.

    A link stays and its file is written; a stream (see `is_stream`) is written to as it is.
    """
    if is_stream(file):
        with file.open("w", encoding="utf-8") as out:
            yield out
        return
    target = file.resolve()
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")  # as `unfinished_copies` looks
    try:
        with open(unfinished, "w", encoding="utf-8", opener=open_private) as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        unfinished.replace(target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def unfinished_copies(file: Path) -> Iterator[Path]:
    """What writers of `whole_file` left when they were killed, and what one may be writing now."""
    target = file.resolve()
    yield from target.parent.glob(f".{target.name}.*")


def open_private(path: str | Path, flags: int) -> int:
    """`os.open` with mode 0600, for `open(..., opener=open_private)`."""
    return os.open(path, flags, 0o600)
