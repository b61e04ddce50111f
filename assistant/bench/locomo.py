"""The LoCoMo files (arXiv 2402.17753) as conversations to record and questions to ask.

Knows the files' format and how the benchmark counts; knows no ranking. One memory per message; the
speaker and the session's date are features, not text. Evaluation only: nothing here ships data.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from assistant.errors import InputError

_EVIDENCE: Final = re.compile(r"D(\d+):(\d+)")
_SESSION: Final = re.compile(r"session_(\d+)")
ADVERSARIAL: Final = 5


@dataclass(frozen=True, slots=True)
class Said:
    """One message. `key` is its dia_id."""

    key: str
    speaker: str
    text: str


@dataclass(frozen=True, slots=True)
class Session:
    number: int
    date: datetime
    messages: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """`evidence` holds the keys that resolve, each once."""

    text: str
    answer: str
    category: int
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One file. `questions` are those with evidence."""

    name: str
    speakers: tuple[str, str]
    sessions: tuple[Session, ...]
    questions: tuple[Question, ...]

    @property
    def n_messages(self) -> int:
        return sum(len(session.messages) for session in self.sessions)


def load_dialogues(files: Sequence[Path]) -> list[Dialogue]:
    """Raises InputError where a file is not of this format."""
    return [_load(file) for file in files]


def _load(file: Path) -> Dialogue:
    try:
        raw = json.loads(file.read_text("utf-8"))
        sessions = tuple(_sessions(raw))
        known = {said.key for session in sessions for said in session.messages}
        return Dialogue(
            file.stem,
            (raw["speaker_a"], raw["speaker_b"]),
            sessions,
            tuple(_questions(raw["qa"], known)),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file} is no LoCoMo conversation: {error}.") from error


def _sessions(raw: dict[str, Any]) -> Iterator[Session]:
    numbers = sorted(int(m[1]) for key in raw if (m := _SESSION.fullmatch(key)))
    for number in numbers:
        date = _date(raw[f"session_{number}_date_time"])
        messages = tuple(
            Said(entry["dia_id"], entry["speaker"], _text(entry))
            for entry in raw[f"session_{number}"]
        )
        yield Session(number, date, messages)


def _date(text: str) -> datetime:
    return datetime.strptime(text, "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC)


def _text(entry: dict[str, str]) -> str:
    caption = entry.get("blip_caption")
    return f"{entry['text']} [photo: {caption}]" if caption else entry["text"]


def _questions(entries: Sequence[dict[str, Any]], known: set[str]) -> Iterator[Question]:
    for entry in entries:
        found = dict.fromkeys(
            f"D{int(session)}:{int(message)}"
            for reference in entry.get("evidence") or ()
            for session, message in _EVIDENCE.findall(str(reference))
        )
        evidence = tuple(key for key in found if key in known)
        if evidence:
            answer = str(entry.get("answer", entry.get("adversarial_answer", "")))
            yield Question(entry["question"], answer, int(entry["category"]), evidence)
