"""Exports of other programs: read whole, dated, and never twice. The files are in their published form."""

import json
import sqlite3
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from assistant.errors import InputError
from assistant.memory.dates import resolve_dates
from assistant.memory.import_formats import read_export
from assistant.memory.memory import Memory
from assistant.records import EncodedText, Progress

NOW = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory.open(tmp_path / "store" / "memory.db", now=NOW) as opened:
        yield opened


def encode(text: str, said: datetime, before: str) -> EncodedText:
    return EncodedText(text, resolve_dates(text, said), None)


def chatgpt_node(
    key: str, parent: str | None, role: str, text: str, time: float | None, children: list[str]
) -> dict[str, Any]:
    message = {
        "id": key,
        "author": {"role": role, "name": None, "metadata": {}},
        "create_time": time,
        "content": {"content_type": "text", "parts": [text]},
        "status": "finished_successfully",
        "metadata": {},
        "recipient": "all",
    }
    return {"id": key, "message": message, "parent": parent, "children": children}


CHATGPT = [
    {
        "title": "Bees on a roof",
        "create_time": 1700000000.5,
        "update_time": 1700000500.0,
        "mapping": {
            "root": {"id": "root", "message": None, "parent": None, "children": ["s"]},
            "s": chatgpt_node("s", "root", "system", "", None, ["u1"]),
            "u1": chatgpt_node("u1", "s", "user", "I keep bees.", 1700000001.0, ["a1", "a2"]),
            "a1": chatgpt_node("a1", "u1", "assistant", "An answer not kept.", 1700000002.0, []),
            "a2": chatgpt_node("a2", "u1", "assistant", "How many hives?", 1700000003.0, ["u2"]),
            "u2": chatgpt_node("u2", "a2", "user", "Four since last week.", 1700000004.0, ["t"]),
            "t": chatgpt_node("t", "u2", "tool", "tool output", 1700000005.0, []),
        },
        "current_node": "t",
        "conversation_id": "c-1",
    }
]
CLAUDE = [
    {
        "uuid": "k-1",
        "name": "Olives",
        "created_at": "2024-03-01T10:00:00.123456Z",
        "updated_at": "2024-03-01T10:05:00Z",
        "account": {"uuid": "x"},
        "chat_messages": [
            {
                "uuid": "m-1",
                "text": "I can't stand olives.",
                "content": [{"type": "text", "text": "I can't stand olives."}],
                "sender": "human",
                "created_at": "2024-03-01T10:00:01Z",
                "attachments": [],
                "files": [],
            },
            {
                "uuid": "m-2",
                "text": "",
                "content": [
                    {"type": "tool_use", "name": "x", "input": {}},
                    {"type": "text", "text": "Noted: no olives."},
                ],
                "sender": "assistant",
                "created_at": "2024-03-01T10:00:05Z",
            },
        ],
    }
]


def write_chatgpt(folder: Path) -> Path:
    path = folder / "conversations.json"
    path.write_text(json.dumps(CHATGPT), "utf-8")
    return path


def write_claude(folder: Path) -> Path:
    path = folder / "claude.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("users.json", "[]")
        archive.writestr("conversations.json", json.dumps(CLAUDE))
    return path


def write_jsonl(folder: Path) -> Path:
    path = folder / "notes.jsonl"
    rows = [
        {"text": "I keep bees.", "created": "2024-02-03T08:00:00+01:00", "speaker": "Ines"},
        {"role": "assistant", "content": "Lovely."},
        {"id": "z", "title": "Whole", "messages": [{"role": "user", "content": "I have a kayak."}]},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def write_markdown(folder: Path) -> Path:
    notes = folder / "vault"
    notes.mkdir()
    (notes / "bees.md").write_text(
        "---\ndate: 2023-05-29\ntags: [x]\n---\n# Bees\n\nFour hives.\n\n## Honey\n\n12 kilos.\n",
        "utf-8",
    )
    (notes / "2022-12-24 stove.md").write_text("The stove is mended.\n", "utf-8")
    return notes


def write_llm(folder: Path) -> Path:
    path = folder / "logs.db"
    database = sqlite3.connect(path)
    database.executescript(
        """
        CREATE TABLE conversations (id TEXT PRIMARY KEY, name TEXT, model TEXT);
        CREATE TABLE responses (id TEXT PRIMARY KEY, model TEXT, prompt TEXT, system TEXT,
          prompt_json TEXT, options_json TEXT, response TEXT, response_json TEXT,
          conversation_id TEXT REFERENCES conversations(id), duration_ms INTEGER,
          datetime_utc TEXT);
        CREATE TABLE threads (id TEXT PRIMARY KEY, name TEXT, datetime_utc TEXT);
        CREATE TABLE turns (id TEXT PRIMARY KEY, thread_id TEXT, datetime_utc TEXT);
        CREATE TABLE turn_search (id INTEGER PRIMARY KEY, turn_id TEXT, prompt TEXT, response TEXT);
        INSERT INTO conversations VALUES ('c1', 'Bees', 'm');
        INSERT INTO responses VALUES ('r1', 'm', 'I keep bees.', 'be brief', NULL, '{}', 'Good.',
          NULL, 'c1', 5, '2024-01-02T03:04:05.678901');
        INSERT INTO threads VALUES ('c1', 'Bees', '2024-01-02T03:04:05');
        INSERT INTO turns VALUES ('r1', 'c1', '2024-01-02T03:04:05.678901+00:00');
        INSERT INTO turns VALUES ('r2', 'c1', '2024-01-03T03:04:05.678901+00:00');
        INSERT INTO turn_search VALUES (1, 'r1', 'I keep bees.', 'Good.');
        INSERT INTO turn_search VALUES (2, 'r2', 'Four hives now.', 'Well done.');
        """
    )
    database.close()
    return path


WRITERS = [write_chatgpt, write_claude, write_jsonl, write_markdown, write_llm]


def said(memory: Memory) -> list[tuple[str, str, str]]:
    return [
        (message.role, message.text, message.created.isoformat()[:10])
        for conversation in sorted(memory.conversations(), key=lambda c: c.id)
        for message in memory.messages(conversation.id)
    ]


def test_chatgpt_gives_the_branch_that_was_shown(memory: Memory, tmp_path: Path) -> None:
    memory.import_file(write_chatgpt(tmp_path), encode, NOW)
    assert said(memory) == [
        ("user", "I keep bees.", "2023-11-14"),
        ("assistant", "How many hives?", "2023-11-14"),
        ("user", "Four since last week.", "2023-11-14"),
    ]
    (conversation,) = memory.conversations()
    assert conversation.title == "Bees on a roof"
    last = memory.messages(conversation.id)[-1]
    assert last.resolved_text == "Four since the week of 6 November 2023."


def test_claude_gives_text_blocks_from_the_zip(memory: Memory, tmp_path: Path) -> None:
    memory.import_file(write_claude(tmp_path), encode, NOW)
    assert said(memory) == [
        ("user", "I can't stand olives.", "2024-03-01"),
        ("assistant", "Noted: no olives.", "2024-03-01"),
    ]


def test_jsonl_takes_messages_and_conversations(memory: Memory, tmp_path: Path) -> None:
    memory.import_file(write_jsonl(tmp_path), encode, NOW)
    assert sorted(said(memory)) == [
        ("assistant", "Lovely.", "2024-02-03"),
        ("user", "I have a kayak.", "2025-01-01"),
        ("user", "I keep bees.", "2024-02-03"),
    ]


def test_markdown_sections_are_dated_by_front_matter_or_name(
    memory: Memory, tmp_path: Path
) -> None:
    memory.import_file(write_markdown(tmp_path), encode, NOW)
    assert sorted(said(memory)) == [
        ("user", "# Bees\n\nFour hives.", "2023-05-29"),
        ("user", "## Honey\n\n12 kilos.", "2023-05-29"),
        ("user", "The stove is mended.", "2022-12-24"),
    ]


def test_llm_gives_both_generations_of_its_log_once(memory: Memory, tmp_path: Path) -> None:
    memory.import_file(write_llm(tmp_path), encode, NOW)
    assert said(memory) == [
        ("user", "I keep bees.", "2024-01-02"),
        ("assistant", "Good.", "2024-01-02"),
        ("user", "Four hives now.", "2024-01-03"),
        ("assistant", "Well done.", "2024-01-03"),
    ]


@pytest.mark.parametrize("write", WRITERS)
def test_importing_twice_adds_nothing(memory: Memory, tmp_path: Path, write: Any) -> None:
    path = write(tmp_path)
    first = memory.import_file(path, encode, NOW)
    before = said(memory)
    again = memory.import_file(path, encode, NOW)
    assert (again.n_conversations, again.n_messages) == (0, 0)
    assert again.n_known == first.n_messages == len(before)
    assert said(memory) == before


def test_a_conversation_that_has_grown_gets_what_is_new(memory: Memory, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path)
    memory.import_file(path, encode, NOW)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"text": "And goats."}) + "\n")
    report = memory.import_file(path, encode, NOW)
    assert (report.n_conversations, report.n_messages, report.n_known) == (0, 1, 3)


def test_two_files_may_use_the_same_numbers(memory: Memory, tmp_path: Path) -> None:
    for name, text in (("a", "I keep bees."), ("b", "I keep goats.")):
        rows = [{"id": 1, "conversation": 1, "text": text}, {"id": 1, "messages": [{"text": text}]}]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        report = memory.import_file(tmp_path / f"{name}.jsonl", encode, NOW)
        assert (report.n_conversations, report.n_messages) == (2, 2)


def test_progress_goes_to_the_end(memory: Memory, tmp_path: Path) -> None:
    seen: list[Progress] = []
    memory.import_file(write_llm(tmp_path), encode, NOW, seen.append)
    assert [progress.done for progress in seen] == [1, 2, 3, 4, 4]
    assert {progress.total for progress in seen} == {4}
    assert {progress.total for progress in seen} == {4}


def test_imported_turns_are_thought_about_later(memory: Memory, tmp_path: Path) -> None:
    from assistant.conversation.worker import PostThinkWorker

    memory.import_file(write_claude(tmp_path), encode, NOW)
    assert memory.job_counts() == {"queued": 1}
    PostThinkWorker(memory, None, "test").run_all(NOW)
    assert [thought.text for thought in memory.thoughts()] == ["I can't stand olives."]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.json", b"[1, 2]"),
        ("x.json", b"[{"),
        ("x.json", b'[{"other": 1}]'),
        ("x.jsonl", b'{"text": "a"}\nnot json\n'),
        ("x.bin", b"\x00\x01\x02"),
        ("x.zip", b"PK\x03\x04broken"),
        ("x.md", b"\xff\xfe broken"),
        ("x.db", b"SQLite format 3\x00 broken"),
        ("empty", b""),
    ],
)
def test_what_is_no_export_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_export(path)
    assert name in str(caught.value)
    assert caught.value.remedy


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        read_export(tmp_path / "nowhere.json")
