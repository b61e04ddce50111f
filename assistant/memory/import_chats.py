"""One exported conversation read as messages: ChatGPT's tree, Claude's list, plain rows of JSON.

Every field may be missing or of another kind than published; what is no text that was said is left
out: system prompts, tool calls, attachments. Each message keeps the id and the date of its source, so
that reading it twice is seen. Knows parsed JSON, no file and no store.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from assistant.records import Role

ROLES: Final[dict[str, Role]] = {"user": "user", "human": "user", "assistant": "assistant"}
_SPOKEN: Final = "audio_transcription"  # a part of a ChatGPT message that was said, not typed
_DATES: Final = ("created", "created_at", "timestamp", "date", "time", "datetime", "datetime_utc")
_MILLISECONDS_FROM: Final = 1e11  # as seconds it would be the year 5138


@dataclass(frozen=True, slots=True)
class ImportedMessage:
    """One message. `key` is its own id, unique in the source; `created` None if undated."""

    key: str
    role: Role
    text: str
    created: datetime | None = None
    speaker: str | None = None
    # Of our own export:
    turn: int | None = None  # branches share it
    is_chosen: bool = True
    is_forgotten: bool = False


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


def is_chat(row: dict[str, Any]) -> bool:
    """Whether a row is a whole conversation of ChatGPT or Claude."""
    return "mapping" in row or "chat_messages" in row


def read_chat(row: dict[str, Any]) -> Imported:
    return _read_chatgpt(row) if "mapping" in row else _read_claude(row)


# ---- ChatGPT ----


def _read_chatgpt(row: dict[str, Any]) -> Imported:
    """A tree of messages, of which the branch that was last shown is taken: from `current_node`
    up along `parent`."""
    mapping = _object(row["mapping"])
    key = str(row.get("conversation_id") or row.get("id") or _digest_of(row))
    started = moment(row, "create_time")
    conversation = Imported(f"chatgpt:{key}", sound(row.get("title")), started)
    at, seen = str(row.get("current_node") or ""), set()
    at = at if at in mapping else _last_leaf(mapping)
    while at in mapping and at not in seen:
        seen.add(at)
        node = _object(mapping[at])
        message = _object(node.get("message"))
        role = ROLES.get(str(_object(message.get("author")).get("role")))
        hidden = _object(message.get("metadata")).get("is_visually_hidden_from_conversation")
        text = _chatgpt_text(_object(message.get("content")))
        if role and text and not hidden:
            said = moment(message, "create_time") or started
            conversation.messages.append(ImportedMessage(f"chatgpt:{at}", role, text, said))
        at = str(node.get("parent"))
    conversation.messages.reverse()
    return conversation


def _last_leaf(mapping: dict[str, Any]) -> str:
    leaves = [key for key, node in mapping.items() if not _object(node).get("children")]
    return leaves[-1] if leaves else ""


def _chatgpt_text(content: dict[str, Any]) -> str:
    if content.get("content_type", "text") not in ("text", "multimodal_text"):
        return ""
    texts = []
    for part in _list(content.get("parts")):
        if isinstance(part, dict) and part.get("content_type") == _SPOKEN:
            part = part.get("text")
        texts += [sound(part)] if isinstance(part, str) else []
    return "\n".join(texts).strip()


# ---- Claude ----


def _read_claude(row: dict[str, Any]) -> Imported:
    key = str(row.get("uuid") or _digest_of(row))
    started = moment(row, "created_at")
    conversation = Imported(f"claude:{key}", sound(row.get("name")), started)
    for at, message in enumerate(map(_object, _list(row["chat_messages"]))):
        role = ROLES.get(str(message.get("sender", "")).lower())
        text = text_of(message)
        if role and text:
            name = f"claude:{message.get('uuid') or f'{key}:{at}'}"
            said = moment(message, "created_at") or started
            conversation.messages.append(ImportedMessage(name, role, text, said))
    return conversation


# ---- rows: one message or one conversation each ----


class Rows:
    """Collects rows of JSON into conversations; those that name none are one, named `stem`."""

    def __init__(self, stem: str) -> None:
        self._stem = stem
        self._loose: dict[str, Imported] = {}
        self._said: Counter[tuple[str, str]] = Counter()
        self._home: dict[str, Imported] = {}  # of each message of our own export

    def add(self, row: dict[str, Any]) -> None:
        """One message, or one thought of our own export, beside its message, which comes first."""
        if row.get("type") == "thought" and row.get("store"):
            key = f"jsonl:{row['store']}:{row.get('message')}"
            if key in self._home and (thought := _thought(row)):
                self._home[key].thoughts.append((key, thought))
            return
        name = str(row.get("conversation") or row.get("conversation_id") or self._stem)
        if row.get("store"):
            name = f"{row['store']}:{name}"
        title = sound(row.get("title") or name)
        conversation = self._loose.setdefault(name, Imported(f"jsonl:{name}", title, None))
        conversation.is_own = conversation.is_own or bool(row.get("store"))
        self._append(conversation, row)

    def conversation_of(self, row: dict[str, Any]) -> Imported:
        """A row that holds its messages."""
        key = f"jsonl:{row.get('id') or ''}"
        conversation = Imported(key, sound(row.get("title")), _dated(row))
        own = Rows(self._stem)  # the same words twice are counted in one conversation
        for message in map(_object, row["messages"]):
            own._append(conversation, message)
        return _named(conversation)

    def collected(self) -> Iterator[Imported]:
        for conversation in self._loose.values():
            yield _named(conversation)

    def _append(self, conversation: Imported, row: dict[str, Any]) -> None:
        role = ROLES.get(str(row.get("role") or "user").lower())
        text = text_of(row)
        if role is None or not text:
            return
        if row.get("store") and isinstance(row.get("text"), str):
            text = sound(row["text"])  # exactly as it was said, or it would not be known again
        created = _dated(row) or conversation.created
        said = self._said[conversation.key, text]  # the same words twice are two
        self._said[conversation.key, text] += 1
        name = digest(conversation.key, role, text, str(created), str(row.get("id") or said))
        if row.get("store"):
            name = f"{row['store']}:{row.get('id')}"
        speaker = row.get("speaker") or row.get("name")
        key, who = f"jsonl:{name}", sound(speaker) or None
        message = ImportedMessage(key, role, text, created, who)
        if row.get("store"):
            number = row.get("turn")
            message = replace(
                message,
                turn=number if isinstance(number, int) else None,
                is_chosen=bool(row.get("chosen", 1)),
                is_forgotten=row.get("state") == "forgotten",
            )
        conversation.messages.append(message)
        conversation.created = conversation.created or created
        self._home[key] = conversation


def _thought(row: dict[str, Any]) -> dict[str, Any]:
    """A thought of our own export, without fields that a hand has spoiled; empty where it says
    nothing or has no date."""
    if not text_of(row) or moment(row, "created") is None:
        return {}
    if row.get("state") not in ("active", "faded", "superseded", "forgotten"):
        row = {**row, "state": "active"}
    dated = {name: moment(row, name) for name in ("created", "event_time")}
    sound_row = {name: value for name, value in row.items() if isinstance(value, str | int | float)}
    for name in ("importance", "strength_days"):
        if not isinstance(sound_row.get(name), int | float):
            sound_row.pop(name, None)
    return {**sound_row, **{name: at.isoformat() for name, at in dated.items() if at}}


def _named(conversation: Imported) -> Imported:
    """With the first message in its key: two files may both call a conversation 1, and one that
    has grown since still begins as it did."""
    if conversation.messages and not conversation.is_own:
        conversation.key += f":{digest(conversation.messages[0].key)}"
    return conversation


def text_of(row: dict[str, Any]) -> str:
    """What a row says: its blocks of text where it has some, else the text itself."""
    blocks = _list(row.get("content"))
    texts = [
        sound(block.get("text"))
        for block in blocks
        if isinstance(block, dict) and block.get("type", "text") == "text"
    ]
    if text := "\n\n".join(filter(None, texts)).strip():
        return text
    said = (row.get(name) for name in ("text", "content", "message"))
    return next((sound(text).strip() for text in said if text and isinstance(text, str)), "")


# ---- fields ----


def _dated(row: dict[str, Any]) -> datetime | None:
    return next((found for name in _DATES if (found := moment(row, name))), None)


def moment(row: dict[str, Any], name: str) -> datetime | None:
    """A field as an aware time: seconds since 1970, or ISO 8601, UTC where no zone is given."""
    value = row.get(name)
    try:
        if isinstance(value, bool) or value is None:
            return None
        if isinstance(value, int | float):
            seconds = value / (1000 if value > _MILLISECONDS_FROM else 1)
            return datetime.fromtimestamp(seconds, UTC)
        found = datetime.fromisoformat(str(value).strip())
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def sound(value: object) -> str:
    """A text that a database and a terminal can take: JSON may hold half a character, and NUL."""
    text = str(value) if isinstance(value, str | int | float) else ""
    if any("\ud800" <= character <= "\udfff" for character in text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.replace("\0", "")


def digest(*parts: str) -> str:
    return sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:24]


def _digest_of(row: dict[str, Any]) -> str:
    return digest(json.dumps(row, default=str))


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
