"""Exports that are odd but legal, or spoiled: taken as far as they go, and never a traceback."""

import copy
import json
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.errors import InputError
from assistant.memory.import_formats import read_export
from assistant.memory.importers import STRETCH
from assistant.memory.memory import Memory
from assistant.records import EncodedText

NOW = datetime(2025, 1, 1, tzinfo=UTC)
ODD = st.sampled_from([None, True, 0, -1, 1e300, "", "x", [], {}, [None], [["x"]], {"x": 1}])


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory.open(tmp_path / "store" / "memory.db", now=NOW) as opened:
        yield opened


def encode(text: str, said: datetime, before: str) -> EncodedText:
    return EncodedText(text, text, None)


def chatgpt(**changes: Any) -> dict[str, Any]:
    def node(parent: str, role: str, text: str) -> dict[str, Any]:
        content = {"content_type": "text", "parts": [text]}
        message = {"author": {"role": role}, "create_time": 1.7e9, "content": content}
        return {"parent": parent, "children": [], "message": message, "metadata": {}}

    mapping = {"u": node("", "user", "I keep bees."), "a": node("u", "assistant", "How many?")}
    mapping["u"]["children"] = ["a"]
    chat = {"id": "c", "title": "Bees", "create_time": 1.7e9, "mapping": mapping}
    return {**chat, "current_node": "a", **changes}


def claude(**changes: Any) -> dict[str, Any]:
    block = {"type": "text", "text": "I can't stand olives."}
    message = {"uuid": "m", "sender": "human", "content": [block], "created_at": "2024-03-01"}
    return {"uuid": "k", "name": "Olives", "chat_messages": [message], **changes}


def own_thought(**changes: Any) -> dict[str, Any]:
    row = {"type": "thought", "store": "s", "message": 1, "text": "I ski.", "created": "2024-01-01"}
    return {**row, "state": "active", "importance": 0.3, "strength_days": 30.0, **changes}


def write(folder: Path, *rows: Any, name: str = "x.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def texts(memory: Memory) -> list[str]:
    return [row[0] for row in memory.store.read("SELECT text FROM messages ORDER BY id")]


@st.composite
def spoiled(draw: st.DrawFn) -> dict[str, Any]:
    """A conversation with odd values in up to three places."""
    own = [{"store": "s", "id": 1, "text": "I ski."}, own_thought()]
    row = copy.deepcopy(draw(st.sampled_from([chatgpt(), claude(), {"messages": own}, *own])))
    for _ in range(draw(st.integers(1, 3))):
        at: Any = row
        while True:
            keys = [*at] if isinstance(at, dict) else [*range(len(at))]
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if not isinstance(at[key], dict | list) or draw(st.booleans()):
                at[key] = copy.deepcopy(draw(ODD))
                break
            at = at[key]
    return row


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(rows=st.lists(spoiled(), max_size=3))
def test_no_spoiled_field_is_a_fault(memory: Memory, tmp_path: Path, rows: list[Any]) -> None:
    for path in (
        write(tmp_path, *rows, {"text": "Sound."}),
        write(tmp_path, [*rows, {"text": "Sound."}], name="conversations.json"),
    ):
        memory.import_file(path, encode, NOW)
    assert "Sound." in texts(memory)


def test_a_thought_without_an_id_stands_for_no_other(memory: Memory, tmp_path: Path) -> None:
    said = {"store": "s", "id": 1, "text": "I ski."}
    memory.import_file(write(tmp_path, said, own_thought()), encode, NOW)
    [row] = memory.store.read("SELECT superseded_by FROM thoughts")
    assert row["superseded_by"] is None


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (chatgpt(current_node=None), ["I keep bees.", "How many?"]),
        (chatgpt(current_node="gone"), ["I keep bees.", "How many?"]),
        (chatgpt(mapping={}), []),
        (chatgpt(mapping=None), []),
        (chatgpt(title=None, id=None, create_time=None), ["I keep bees.", "How many?"]),
        (claude(chat_messages=[]), []),
        (claude(chat_messages=None), []),
        (claude(name="", uuid=None), ["I can't stand olives."]),
        ({"conversations": [claude()]}, ["I can't stand olives."]),
        ({"messages": []}, []),
        ({"role": "user", "content": [{"type": "text", "text": "In blocks."}]}, ["In blocks."]),
        ({"role": "user", "content": [{"type": "image_url"}], "text": "Shown."}, ["Shown."]),
        ({"text": "half \ud83d"}, ["half \ufffd"]),
        ({"text": "nul \0 here"}, ["nul  here"]),
        ({"text": "two\u2028lines\x85"}, ["two\u2028lines"]),
        ({"text": "late", "created": "9999-12-31T23:59:59-10:00"}, ["late"]),
        ({"text": "early", "created": "0001-01-01T00:00:00+10:00"}, ["early"]),
        ({"text": "never", "created": float("nan")}, ["never"]),
    ],
)
def test_an_odd_row_is_taken_as_far_as_it_goes(
    memory: Memory, tmp_path: Path, row: dict[str, Any], said: list[str]
) -> None:
    memory.import_file(write(tmp_path, row), encode, NOW)
    assert texts(memory) == said
    again = memory.import_file(write(tmp_path, row), encode, NOW)
    assert (again.n_messages, again.n_known) == (0, len(said))
    memory.recall("bees", None, NOW)
    assert memory.check_integrity() == []


def test_what_was_spoken_to_chatgpt_is_taken(tmp_path: Path) -> None:
    row = chatgpt()
    spoken = {"content_type": "audio_transcription", "text": "I keep bees, aloud."}
    asset = {"content_type": "real_time_user_audio_video_asset_pointer", "frames": []}
    content = {"content_type": "multimodal_text", "parts": [spoken, asset]}
    row["mapping"]["u"]["message"]["content"] = content
    (found,) = read_export(write(tmp_path, [row], name="conversations.json"))
    assert found.messages[0].text == "I keep bees, aloud."


def test_a_line_separator_in_an_export_of_our_own_comes_back(
    memory: Memory, tmp_path: Path
) -> None:
    said = "one\u2028two\x85three"
    memory.begin_turn(EncodedText(said, said, None), NOW)
    memory.export_file(tmp_path / "own.jsonl")
    with Memory.open(tmp_path / "other.db", now=NOW) as other:
        other.import_file(tmp_path / "own.jsonl", encode, NOW)
        assert texts(other) == [said]


def test_a_large_export_in_parts_and_a_folder_unpacked(tmp_path: Path) -> None:
    archive = tmp_path / "export.zip"
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("user.json", "{}")
        out.writestr("conversations-000.json", json.dumps([chatgpt(id="c1")]))
        out.writestr("conversations-001.json", json.dumps([chatgpt(id="c2")]))
    assert [found.key for found in read_export(archive)] == ["chatgpt:c1", "chatgpt:c2"]
    folder = tmp_path / "unpacked"
    zipfile.ZipFile(archive).extractall(folder)
    (folder / "a-folder.md").mkdir()
    assert [found.key for found in read_export(folder)] == ["chatgpt:c1", "chatgpt:c2"]


def test_a_zip_with_a_password_is_named(tmp_path: Path) -> None:
    archive = tmp_path / "locked.zip"
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("conversations.json", "[]")
    raw = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(signature) + offset] |= 1  # the bit that says encrypted
    archive.write_bytes(raw)
    with pytest.raises(InputError, match="unpacked"):
        read_export(archive)


def test_json_nested_beyond_reason_is_named(tmp_path: Path) -> None:
    for name, start in (("a.json", '[{"mapping": '), ("a.jsonl", '{"text": ')):
        (tmp_path / name).write_text(start + "[" * 200_000 + "\n", "utf-8")
        with pytest.raises(InputError):
            read_export(tmp_path / name)


def test_a_long_conversation_is_cut_between_turns_and_goes_on(
    memory: Memory, tmp_path: Path
) -> None:
    rows = []
    for number in range(STRETCH):
        rows.append({"id": f"u{number}", "text": f"Question {number}"})
        rows.append({"id": f"a{number}", "role": "assistant", "text": f"Answer {number}"})
    path = write(tmp_path, *rows)
    n_encoded = 0

    def fail_late(text: str, said: datetime, before: str) -> EncodedText:
        nonlocal n_encoded
        n_encoded += 1
        if n_encoded > STRETCH + 9:
            raise KeyboardInterrupt
        return encode(text, said, before)

    with pytest.raises(KeyboardInterrupt):
        memory.import_file(path, fail_late, NOW)
    report = memory.import_file(path, encode, NOW)
    assert (report.n_known, report.n_messages, report.n_conversations) == (STRETCH, STRETCH, 0)
    assert texts(memory) == [row["text"] for row in rows]
    assert memory.store.value("SELECT count(*) FROM turns") == STRETCH
    assert memory.store.value("SELECT count(*) FROM conversations") == 1


def test_reading_takes_time_in_proportion_to_the_file(tmp_path: Path) -> None:
    rows = [{"text": f"The same words {number % 7}."} for number in range(40_000)]
    began = time.perf_counter()
    (found,) = read_export(write(tmp_path, *rows))
    assert len({message.key for message in found.messages}) == 40_000
    assert time.perf_counter() - began < 20  # a bound against squares, not a measurement
