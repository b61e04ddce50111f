"""What other programs export, read as conversations: JSONL, Markdown, ChatGPT, Claude, llm's log.

Each reader yields `Imported` conversations with the ids and dates of their source, so that importing a
file twice adds nothing. Formats are told apart by content, not by name. Only text that was said is
taken: no system prompts, tool calls or attachments. Knows no store.
"""

import itertools
import json
import re
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from assistant.errors import InputError
from assistant.records import Role

REMEDY: Final = "Give a JSONL, Markdown, ChatGPT, Claude or llm logs.db export."
_ROLES: Final[dict[str, Role]] = {"user": "user", "human": "user", "assistant": "assistant"}
_JSON_NAME: Final = "conversations.json"
_HEADING: Final = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
_FRONT_MATTER: Final = re.compile(r"\A---\s*\n(.*?)\n---\s*(?:\n|\Z)", re.DOTALL)
_DATE: Final = re.compile(r"(?<!\d)(\d{4})-?(\d{2})-?(\d{2})(?!\d)")


@dataclass(frozen=True, slots=True)
class ImportedMessage:
    """One message. `key` is its own id, unique in the source; `created` None if undated."""

    key: str
    role: Role
    text: str
    created: datetime | None = None
    speaker: str | None = None


@dataclass(slots=True)
class Imported:
    """One conversation with its messages in order; of our own export also the thoughts drawn from
    it, each with the fields `transfer.export` gives, by the key of its message."""

    key: str
    title: str
    created: datetime | None = None
    messages: list[ImportedMessage] = field(default_factory=list)
    thoughts: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    is_own: bool = False  # exported by this program: its thoughts come with it


def read_export(path: Path) -> list[Imported]:
    """The conversations of a file or a folder of notes. Raises InputError where it is none of them."""
    try:
        files = sorted(path.rglob("*.md")) if path.is_dir() else [path]
        return [found for file in files for found in _choose_reader(file)(file)]
    except (OSError, UnicodeDecodeError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} cannot be read: {error}.", REMEDY) from error


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
        first = start.split(b"\n", 1)[0]
        return read_jsonl if first.rstrip().endswith(b"}") else read_json_export
    raise InputError(f"{path} is of no known format.", REMEDY)


# ---- ChatGPT and Claude: one JSON array of conversations, perhaps in a zip ----


def read_json_export(path: Path) -> Iterator[Imported]:
    rows = _load_json(path)
    if isinstance(rows, dict):
        rows = rows.get("conversations", [rows])
    if not isinstance(rows, list):
        raise InputError(f"{path} is of no known format.", REMEDY)
    for row in rows:
        if isinstance(row, dict) and "mapping" in row:
            yield _read_chatgpt(row)
        elif isinstance(row, dict) and "chat_messages" in row:
            yield _read_claude(row)
        elif isinstance(row, dict) and ("messages" in row or _text_of(row)):
            yield from _read_rows([row], path)
        else:
            raise InputError(f"{path} is of no known format.", REMEDY)


def _load_json(path: Path) -> Any:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if Path(name).name == _JSON_NAME]
            if not names:
                raise InputError(f"{path} holds no {_JSON_NAME}.", REMEDY)
            raw = archive.read(names[0])
    else:
        raw = path.read_bytes()
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no JSON: {error}.", REMEDY) from error


def _read_chatgpt(row: dict[str, Any]) -> Imported:
    """A tree of messages, of which the branch that was last shown is taken: from `current_node`
    up along `parent`."""
    mapping = row["mapping"]
    key = str(row.get("conversation_id") or row.get("id") or _digest(json.dumps(row, default=str)))
    conversation = Imported(
        f"chatgpt:{key}", str(row.get("title") or ""), _moment(row, "create_time")
    )
    at, seen = row.get("current_node") or _last_leaf(mapping), set()
    while at in mapping and at not in seen:
        seen.add(at)
        node = mapping[at]
        message = node.get("message") or {}
        role = _ROLES.get((message.get("author") or {}).get("role", ""))
        hidden = (message.get("metadata") or {}).get("is_visually_hidden_from_conversation")
        text = _chatgpt_text(message.get("content") or {})
        if role and text and not hidden:
            created = _moment(message, "create_time") or conversation.created
            conversation.messages.append(ImportedMessage(f"chatgpt:{at}", role, text, created))
        at = node.get("parent")
    conversation.messages.reverse()
    return conversation


def _last_leaf(mapping: dict[str, Any]) -> str | None:
    leaves = [key for key, node in mapping.items() if not node.get("children")]
    return leaves[-1] if leaves else None


def _chatgpt_text(content: dict[str, Any]) -> str:
    if content.get("content_type", "text") not in ("text", "multimodal_text"):
        return ""
    return "\n".join(part for part in content.get("parts") or [] if isinstance(part, str)).strip()


def _read_claude(row: dict[str, Any]) -> Imported:
    key = str(row.get("uuid") or _digest(json.dumps(row, default=str)))
    created = _moment(row, "created_at")
    conversation = Imported(f"claude:{key}", str(row.get("name") or ""), created)
    for at, message in enumerate(row["chat_messages"]):
        role = _ROLES.get(str(message.get("sender", "")).lower())
        text = _claude_text(message)
        if role and text:
            name = f"claude:{message.get('uuid') or f'{key}:{at}'}"
            said = _moment(message, "created_at") or created
            conversation.messages.append(ImportedMessage(name, role, text, said))
    return conversation


def _claude_text(message: dict[str, Any]) -> str:
    blocks = message.get("content")
    if isinstance(blocks, list):
        texts = [b.get("text") or "" for b in blocks if b.get("type", "text") == "text"]
        if text := "\n\n".join(filter(None, texts)).strip():
            return text
    return str(message.get("text") or "").strip()


# ---- JSONL: one message or one conversation a line ----


def read_jsonl(path: Path) -> Iterator[Imported]:
    """Lines with `text` (or `content`), or with `messages`; `role`, `created`, `id`,
    `conversation` and `speaker` where they are there."""
    rows = []
    for number, line in enumerate(path.read_text("utf-8-sig").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(f"{path}, line {number}: {error}.", REMEDY) from error
        if not isinstance(row, dict):
            raise InputError(f"{path}, line {number}: not an object.", REMEDY)
        rows.append(row)
    return _read_rows(rows, path)


def _read_rows(rows: list[dict[str, Any]], path: Path) -> Iterator[Imported]:
    loose: dict[str, Imported] = {}
    for row in rows:
        if isinstance(row.get("messages"), list):
            yield _rows_as_conversation(row)
            continue
        if row.get("type") == "thought" and row.get("store"):
            _append_thought(loose, row)
            continue
        name = str(row.get("conversation") or row.get("conversation_id") or path.stem)
        if row.get("store"):
            name = f"{row['store']}:{name}"
        conversation = loose.setdefault(
            name, Imported(f"jsonl:{name}", str(row.get("title") or name), None)
        )
        conversation.is_own = conversation.is_own or bool(row.get("store"))
        _append_row(conversation, row)
    for conversation in loose.values():
        yield _named(conversation)


def _rows_as_conversation(row: dict[str, Any]) -> Imported:
    conversation = Imported(
        f"jsonl:{row.get('id') or ''}", str(row.get("title") or ""), _dated(row)
    )
    for message in row["messages"]:
        if isinstance(message, dict):
            _append_row(conversation, message)
    return _named(conversation)


def _named(conversation: Imported) -> Imported:
    """With the first message in its key: two files may both call a conversation 1, and one that
    has grown since still begins as it did."""
    if conversation.messages and not conversation.is_own:
        conversation.key += f":{_digest(conversation.messages[0].key)}"
    return conversation


def _append_thought(loose: dict[str, Imported], row: dict[str, Any]) -> None:
    """Beside its message, which an export names before it."""
    key = f"jsonl:{row['store']}:{row.get('message')}"
    for conversation in loose.values():
        if any(message.key == key for message in conversation.messages):
            conversation.thoughts.append((key, row))
            return


def _append_row(conversation: Imported, row: dict[str, Any]) -> None:
    role = _ROLES.get(str(row.get("role") or "user").lower())
    text = _text_of(row)
    if role is None or not text:
        return
    created = _dated(row) or conversation.created
    said = sum(m.text == text for m in conversation.messages)  # the same words twice are two
    again = row.get("id") or said
    name = _digest(conversation.key, role, text, str(created), str(again))
    if row.get("store"):
        name = f"{row['store']}:{row.get('id')}"
    speaker = row.get("speaker") or row.get("name")
    conversation.messages.append(
        ImportedMessage(f"jsonl:{name}", role, text, created, str(speaker) if speaker else None)
    )
    conversation.created = conversation.created or created


def _text_of(row: dict[str, Any]) -> str:
    text = row.get("text") or row.get("content") or row.get("message")
    return text.strip() if isinstance(text, str) else ""


def _dated(row: dict[str, Any]) -> datetime | None:
    names = ("created", "created_at", "timestamp", "date", "time", "datetime", "datetime_utc")
    return next((moment for name in names if (moment := _moment(row, name))), None)


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
    note = Imported(f"markdown:{path.name}:{_digest(title)}", title, created)
    starts = [0, *(heading.start() for heading in headings), len(body)]
    for start, end in itertools.pairwise(starts):
        section = body[start:end].strip()
        if section and not _HEADING.fullmatch(section):
            key = f"markdown:{_digest(path.name, section)}"
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
        created = _moment(dict(row), "datetime_utc")
        conversation = conversations.setdefault(key, Imported(key, row["name"] or "", created))
        for role, text in (("user", row["prompt"]), ("assistant", row["response"])):
            if text and text.strip():
                name = f"llm:{row['id']}:{role}"
                conversation.messages.append(
                    ImportedMessage(name, _ROLES[role], text.strip(), created)
                )
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


# ---- shared ----


def _moment(row: dict[str, Any], name: str) -> datetime | None:
    """A field as an aware time: seconds since 1970, or ISO 8601, UTC where no zone is given."""
    value = row.get(name)
    try:
        if isinstance(value, bool) or value is None:
            return None
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value / (1000 if value > 1e11 else 1), UTC)
        moment = datetime.fromisoformat(str(value).strip())
    except (ValueError, OverflowError, OSError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _digest(*parts: str) -> str:
    return sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:24]
