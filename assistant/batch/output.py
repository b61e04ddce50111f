"""The file of answers: whole lines only, one for each id, and a note beside it of how they came.

Knows files and JSON lines; nothing of models. A line is on the disk when `write` returns, so a
SIGKILL costs the rows in flight and a resumed run goes on from what is there.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self, TextIO

from assistant.errors import UsageError
from assistant.paths import is_stream, open_private, whole_file

Json = dict[str, Any]
NOTE_SUFFIX: Final = ".run"  # <OUT>.run: model, parameters and input, and the sessions so far


class Output:
    """An output file that is being written."""

    def __init__(self, file: Path, stream: TextIO, note: Json, done: dict[str, Json]) -> None:
        self.file = file
        self.done = done  # the rows that need no answer any more, by id
        self._stream = stream
        self._note = note
        self._lasts = not is_stream(file)  # a pipe or a device has no note and no disk

    @classmethod
    def start(cls, file: Path, run: Mapping[str, Any], *, overwrite: bool = False) -> Self:
        """A new file. Raises UsageError where there is one with rows already."""
        if is_stream(file):
            return cls(file, file.open("w", encoding="utf-8"), {}, {})
        if file.exists() and file.stat().st_size and not overwrite:
            remedy = "Go on with --resume, or begin again with --force."
            raise UsageError(f"{file} already has answers.", remedy)
        note = {"v": 1, **run, "sessions": {}}
        _replace(_note_file(file), json.dumps(note))
        return cls(file, open(file, "w", encoding="utf-8", opener=open_private), note, {})

    @classmethod
    def resume(cls, file: Path, run: Mapping[str, Any], *, force: bool = False) -> Self:
        """Go on with a file: a torn last line and failed rows leave it, the rest stays.

        Raises UsageError where model, parameters or input are not those it was begun with.
        """
        if is_stream(file):
            raise UsageError(
                f"{file} keeps nothing to go on with.", "Name a file, or leave --resume."
            )
        if not file.exists():
            return cls.start(file, run)
        note = _read_note(file)
        changed = [name for name in run if note.get(name) != run[name]]
        if changed and not force:
            raise UsageError(
                f"{file} was begun with another {' and another '.join(changed)}.",
                "Use the same, or go on all the same with --force.",
            )
        done = _whole_rows(file)
        _replace(file, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in done.values()))
        note = {"v": 1, **run, "sessions": note.get("sessions", {})}
        _replace(_note_file(file), json.dumps(note))
        return cls(file, open(file, "a", encoding="utf-8", opener=open_private), note, done)

    @property
    def sessions(self) -> dict[str, int]:
        """The conversation that each session is recorded in, where the batch learns."""
        sessions: dict[str, int] = self._note.setdefault("sessions", {})
        return sessions

    def note_session(self, session: str, conversation_id: int) -> None:
        if self.sessions.get(session) != conversation_id:
            self.sessions[session] = conversation_id
            if self._lasts:
                _replace(_note_file(self.file), json.dumps(self._note))

    def write(self, row: Json) -> None:
        """One line, on the disk when this returns, where there is a disk behind it."""
        self._stream.write(json.dumps(row, ensure_ascii=False) + "\n")
        self._stream.flush()
        if self._lasts:
            os.fsync(self._stream.fileno())

    def close(self) -> None:
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _note_file(file: Path) -> Path:
    return file.with_name(file.name + NOTE_SUFFIX)


def _read_note(file: Path) -> Json:
    try:
        note = json.loads(_note_file(file).read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def _whole_rows(file: Path) -> dict[str, Json]:
    """The answered rows by id. What is no whole line of ours, torn by a crash or foreign, is dropped."""
    rows: dict[str, Json] = {}
    text = file.read_text("utf-8", errors="replace")
    for line in text.split("\n"):  # an answer may hold other ends of lines
        try:
            row = json.loads(line)
        except ValueError:
            continue
        ours = isinstance(row, dict) and {"id", "answer"} <= row.keys()
        if ours and row.get("status") == "ok":
            rows[str(row["id"])] = row
    return rows


def _replace(file: Path, text: str) -> None:
    """Write a whole file or nothing of it."""
    with whole_file(file) as stream:
        stream.write(text)
