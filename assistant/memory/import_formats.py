"""What other programs export, read as conversations: JSONL, Markdown, ChatGPT, Claude, llm's log.

Formats are told apart by content, not by name. A file is read whole before any of it is used, so one
that is damaged changes nothing; of its JSON one conversation at a time is held. Knows no store; what a
conversation looks like, `import_chats` knows.
"""

import itertools
import json
import re
import sqlite3
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from assistant.errors import InputError
from assistant.memory.import_chats import (
    ROLES,
    Imported,
    ImportedMessage,
    Rows,
    digest,
    is_chat,
    moment,
    read_chat,
    sound,
    text_of,
)

REMEDY: Final = "Give a JSONL, Markdown, ChatGPT, Claude or llm logs.db export."
_JSON_NAME: Final = re.compile(r"conversations(?:[-_]\d+)?\.json")  # a large export is in parts
_HEADING: Final = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
_FRONT_MATTER: Final = re.compile(r"\A---\s*\n(.*?)\n---\s*(?:\n|\Z)", re.DOTALL)
_DATE: Final = re.compile(r"(?<!\d)(\d{4})-?(\d{2})-?(\d{2})(?!\d)")
_BETWEEN: Final = re.compile(r"[\s,]*")


def read_export(path: Path) -> list[Imported]:
    """The conversations of a file, or of a folder: an export unpacked, or notes. Raises InputError
    where it is none of them."""
    try:
        files = _files(path) if path.is_dir() else [path]
        return [found for file in files for found in _choose_reader(file)(file)]
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.", REMEDY) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} cannot be read: {error}.", REMEDY) from error


def _files(folder: Path) -> list[Path]:
    found = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return [f for f in found if f.suffix.lower() == ".md" or _JSON_NAME.fullmatch(f.name)]


def _choose_reader(path: Path) -> Callable[[Path], Iterator[Imported]]:
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(b"SQLite format 3"):
        return read_llm_log
    if head.startswith(b"PK\x03\x04"):
        return read_json_export
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if path.suffix.lower() in (".md", ".markdown", ".txt"):
        return read_markdown
    if start.startswith(b"["):
        return read_json_export
    if start.startswith(b"{"):
        first = start.split(b"\n", 1)[0].rstrip()
        whole = first.endswith(b"}") or (b"\n" not in start and len(head) == 4096)
        return read_jsonl if whole else read_json_export
    raise InputError(f"{path} is of no known format.", REMEDY)


# ---- ChatGPT and Claude: one JSON array of conversations, perhaps in a zip ----


def read_json_export(path: Path) -> Iterator[Imported]:
    for text in _json_texts(path):
        yield from _read_values(_values(text, path), path)


def _json_texts(path: Path) -> Iterator[str]:
    if not zipfile.is_zipfile(path):
        yield path.read_text("utf-8-sig")
        return
    try:
        yield from _archived(path)
    except _OF_ZIP as error:
        raise InputError(f"{path} cannot be unpacked: {error}.", REMEDY) from error


# Broken; with a password; packed in a way that is not known here.
_OF_ZIP: Final = (zipfile.BadZipFile, RuntimeError, NotImplementedError, zlib.error, EOFError)


def _archived(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        names = [n for n in sorted(archive.namelist()) if _JSON_NAME.fullmatch(Path(n).name)]
        if not names:
            raise InputError(f"{path} holds no conversations.json.", REMEDY)
        return [archive.read(name).decode("utf-8-sig") for name in names]


def _values(text: str, path: Path) -> Iterator[Any]:
    """The elements of an array of JSON, one at a time, or the one value there is."""
    decoder = json.JSONDecoder()

    def value_at(at: int) -> tuple[Any, int]:
        try:
            return decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path} is no JSON: {error}.", REMEDY) from error

    at = _after(text, 0)
    if text[at : at + 1] != "[":
        yield value_at(at)[0]
        return
    at = _after(text, at + 1)
    while text[at : at + 1] != "]":
        value, at = value_at(at)
        yield value
        at = _after(text, at)


def _after(text: str, at: int) -> int:
    """The next place that is neither white space nor a comma."""
    match = _BETWEEN.match(text, at)
    return match.end() if match else at


def _read_values(values: Iterator[Any], path: Path) -> Iterator[Imported]:
    """Conversations and messages among JSON values. Raises InputError where there are only others."""
    rows, n_known, n_other = Rows(path.stem), 0, 0
    for value in values:
        row = value if isinstance(value, dict) else {}
        n_known += 1
        if isinstance(inner := row.get("conversations"), list):
            yield from _read_values(iter(inner), path)
        elif is_chat(row):
            yield read_chat(row)
        elif isinstance(row.get("messages"), list):
            yield rows.conversation_of(row)
        elif text_of(row) or row.get("type") == "thought":
            rows.add(row)
        else:
            n_other += 1
    if n_other and n_other == n_known:
        raise InputError(f"{path} is of no known format.", REMEDY)
    yield from rows.collected()


# ---- JSONL: one message or one conversation a line ----


def read_jsonl(path: Path) -> Iterator[Imported]:
    """Lines with `text` (or `content`), or with `messages`; `role`, `created`, `id`,
    `conversation` and `speaker` where they are there."""
    return _read_values(_lines(path), path)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise InputError(f"{path}, line {number}: {error}.", REMEDY) from error
            if not isinstance(row, dict):
                raise InputError(f"{path}, line {number}: not an object.", REMEDY)
            yield row


# ---- Markdown notes: a file is a conversation, a section a message ----


def read_markdown(path: Path) -> Iterator[Imported]:
    """Dated by `date:` in the front matter, a date in the file's name, or the file's own time."""
    text = path.read_text("utf-8-sig")
    front = _FRONT_MATTER.match(text)
    body = text[front.end() :] if front else text
    created = (
        _date_in(front[1] if front else "")
        or _date_in(path.stem)
        or datetime.fromtimestamp(path.stat().st_mtime, UTC)
    )
    headings = list(_HEADING.finditer(body))
    title = headings[0][1] if headings else path.stem
    note = Imported(f"markdown:{path.name}:{digest(title)}", title, created)
    starts = [0, *(heading.start() for heading in headings), len(body)]
    for start, end in itertools.pairwise(starts):
        section = sound(body[start:end]).strip()
        if section and not _HEADING.fullmatch(section):
            key = f"markdown:{digest(path.name, section)}"
            note.messages.append(ImportedMessage(key, "user", section, created))
    yield note


def _date_in(text: str) -> datetime | None:
    for year, month, day in _DATE.findall(text):
        try:
            return datetime(int(year), int(month), int(day), 12, tzinfo=UTC)
        except ValueError:
            continue
    return None


# ---- llm's logs.db: the older table `responses` and the newer message store ----

_LLM_QUERIES: Final = {
    "responses": "SELECT r.id, r.conversation_id AS thread, c.name, r.prompt, r.response,"
    " r.datetime_utc FROM responses r LEFT JOIN conversations c ON c.id = r.conversation_id"
    " ORDER BY r.datetime_utc, r.rowid",
    "turn_search": "SELECT t.id, t.thread_id AS thread, h.name, s.prompt, s.response,"
    " t.datetime_utc FROM turns t JOIN turn_search s ON s.turn_id = t.id"
    " LEFT JOIN threads h ON h.id = t.thread_id ORDER BY t.datetime_utc, t.rowid",
}


def read_llm_log(path: Path) -> Iterator[Imported]:
    conversations: dict[str, Imported] = {}
    seen: set[str] = set()
    for row in _llm_rows(path):
        if row["id"] in seen:  # versions between the two wrote both
            continue
        seen.add(row["id"])
        key = f"llm:{row['thread'] or row['id']}"
        created = moment(dict(row), "datetime_utc")
        conversation = conversations.setdefault(key, Imported(key, sound(row["name"]), created))
        for role, said in (("user", row["prompt"]), ("assistant", row["response"])):
            if text := sound(said).strip():
                name = f"llm:{row['id']}:{role}"
                conversation.messages.append(ImportedMessage(name, ROLES[role], text, created))
    yield from conversations.values()


def _llm_rows(path: Path) -> Iterator[sqlite3.Row]:
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            rows = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            tables = {str(row["name"]) for row in rows}
            wanted = [query for table, query in _LLM_QUERIES.items() if table in tables]
            if not wanted:
                raise InputError(f"{path} is no log of llm: it has no table responses.", REMEDY)
            for query in wanted:
                yield from database.execute(query).fetchall()
    except sqlite3.Error as error:
        raise InputError(f"{path} cannot be read: {error}.", REMEDY) from error
