"""`assistant batch` over fakes: every id once, sessions in order, what is refused, how it resumes."""

import json
import os
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from assistant.batch.rows import digest, read_rows
from assistant.conversation import assemble
from assistant.errors import GenerationError, InputError
from fakes import FakeModel


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Six rows, three of them one session."""
    rows: list[dict[str, Any]] = [
        {"id": "a", "prompt": "First of all", "session": "s"},
        {"id": "b", "prompt": "On its own", "meta": {"mark": 1}},
        {"id": "c", "prompt": "Second of all", "session": "s"},
        {"id": 4, "prompt": "Alone as well", "system": "Speak like a pirate."},
        {"id": "e", "prompt": "Third of all", "session": "s"},
        {"id": "f", "prompt": "The last one"},
    ]
    return write(tmp_path / "in.jsonl", rows)


def write(file: Path, rows: list[dict[str, Any]]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def answers(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_every_row_is_answered_once_in_the_shape_of_ask(
    run, fake_model: FakeModel, table: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    ended = run("batch", str(table), "-o", str(out))
    assert ended.code == 0
    rows = answers(out)
    assert [row["id"] for row in rows] == ["a", "b", "c", 4, "e", "f"]
    assert {row["status"] for row in rows} == {"ok"}
    assert rows[1]["meta"] == {"mark": 1}
    asked = run("ask", "--json", "--no-memory", "Hello").json()
    assert [set(row) for row in rows] == [set(asked)] * 6
    assert "6 of 6 rows, 0 failed" in ended.err


def test_a_session_is_one_conversation_in_order_also_in_parallel(
    run, fake_model: FakeModel, table: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    assert run("batch", str(table), "-o", str(out), "-j", "4").code == 0
    third = next(prompt for prompt in fake_model.prompts if "Third of all" in prompt)
    assert third.index("First of all") < third.index("Second of all") < third.index("Third")
    assert "On its own" not in third
    in_session = [row["id"] for row in answers(out) if row["id"] in ("a", "c", "e")]
    assert in_session == ["a", "c", "e"]
    assert Counter(str(row["id"]) for row in answers(out)) == Counter("abc4ef")


def test_a_row_may_bring_its_own_system_prompt(
    run, fake_model: FakeModel, table: Path, tmp_path: Path
) -> None:
    run("batch", str(table), "-o", str(tmp_path / "out"))
    assert sum("Speak like a pirate." in prompt for prompt in fake_model.prompts) == 1


def test_memory_is_read_and_not_written(
    run, fake_model: FakeModel, data_dir: Path, tmp_path: Path
) -> None:
    run("ask", "The shed code is tulip")
    before = (data_dir / "memory.db").read_bytes()
    table = write(tmp_path / "in", [{"id": 1, "prompt": "What is the shed code?"}])
    assert run("batch", str(table), "-o", str(tmp_path / "out")).code == 0
    assert "tulip" in answers(tmp_path / "out")[0]["memories"][0]["text"]
    assert (data_dir / "memory.db").read_bytes() == before
    none = run("batch", str(table), "-o", str(tmp_path / "none"), "--no-memory")
    assert none.code == 0
    assert answers(tmp_path / "none")[0]["memories"] == []


def test_learning_records_the_rows_and_a_session_as_one_chat(
    run, fake_model: FakeModel, table: Path, tmp_path: Path
) -> None:
    assert run("batch", str(table), "-o", str(tmp_path / "out"), "--learn").code == 0
    chats = run("chats", "list", "--json").json()["chats"]
    assert sorted(chat["turns"] for chat in chats) == [1, 1, 1, 3]


def test_a_failed_row_is_written_and_the_batch_ends_in_5(
    run, fake_model: FakeModel, table: Path, tmp_path: Path
) -> None:
    def reply(text: str) -> str:
        if text == "Second of all":
            raise GenerationError("It broke.", "Try again.")
        return "fine"

    fake_model.reply = reply
    out = tmp_path / "out"
    ended = run("batch", str(table), "-o", str(out))
    assert ended.code == 5
    assert "--resume" in ended.err
    status = {str(row["id"]): row["status"] for row in answers(out)}
    assert status == {"a": "ok", "b": "ok", "c": "error", "4": "ok", "e": "error", "f": "ok"}
    fake_model.reply = lambda text: "fine now"
    n_before = len(fake_model.prompts)
    assert run("batch", str(table), "-o", str(out), "--resume").code == 0
    rows = answers(out)
    assert Counter(str(row["id"]) for row in rows) == Counter("abc4ef")
    assert {row["status"] for row in rows} == {"ok"}
    assert len(fake_model.prompts) == n_before + 2, "what was answered is not asked again"
    assert "First of all" in fake_model.prompts[-1], "the session goes on where it was"


@pytest.mark.parametrize("strange", [b"", b'{"status": "ok"}\n', b"[]\n\xff\n"])
def test_a_torn_last_line_or_a_strange_one_is_dropped_and_answered_again(
    run, fake_model: FakeModel, table: Path, tmp_path: Path, strange: bytes
) -> None:
    out = tmp_path / "out"
    run("batch", str(table), "-o", str(out))
    whole = out.read_bytes()
    out.write_bytes(strange + whole[: len(whole) - 40])
    assert run("batch", str(table), "-o", str(out), "--resume").code == 0
    assert Counter(str(row["id"]) for row in answers(out)) == Counter("abc4ef")


def test_resuming_a_finished_batch_does_nothing(
    run, fake_model: FakeModel, table: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run("batch", str(table), "-o", str(out))
    before = out.read_bytes()
    assert run("batch", str(table), "-o", str(out), "--resume").code == 0
    assert out.read_bytes() == before


def test_answers_are_not_overwritten_unless_forced(
    run, fake_model: FakeModel, table: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run("batch", str(table), "-o", str(out))
    ended = run("batch", str(table), "-o", str(out))
    assert ended.code == 2
    assert "--resume" in ended.err
    assert run("batch", str(table), "-o", str(out), "--force").code == 0


@pytest.mark.parametrize("change", ["parameters", "input"])
def test_resuming_with_something_changed_is_refused_unless_forced(
    run, fake_model: FakeModel, table: Path, tmp_path: Path, change: str
) -> None:
    out = tmp_path / "out"
    run("batch", str(table), "-o", str(out))
    more = ["--temperature", "0.1"] if change == "parameters" else []
    if change == "input":
        with table.open("a") as stream:
            stream.write('{"id": "g", "prompt": "One more"}\n')
    ended = run("batch", str(table), "-o", str(out), "--resume", *more)
    assert ended.code == 2
    assert change in ended.err
    assert "--force" in ended.err
    assert run("batch", str(table), "-o", str(out), "--resume", "--force", *more).code == 0
    n_rows = 7 if change == "input" else 6
    assert len({str(row["id"]) for row in answers(out)}) == len(answers(out)) == n_rows


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "no rows"),
        ("not json\n", "Line 1"),
        ('{"id": 1, "prompt": "x"}\n[1]\n', "Line 2"),
        ('{"id": 1}\n', "no prompt"),
        ('{"id": 1, "prompt": " "}\n', "wrong kind"),
        ('{"id": 1, "prompt": "x", "promt": "y"}\n', "promt"),
        ('{"id": {}, "prompt": "x"}\n', "id"),
        ('{"id": 1, "prompt": "x", "meta": 3}\n', "meta"),
        ('{"id": 7, "prompt": "x"}\n{"id": "7", "prompt": "y"}\n', "more than once: 7"),
    ],
)
def test_input_that_is_not_in_order_is_refused_before_any_work(
    run, fake_model: FakeModel, tmp_path: Path, text: str, word: str
) -> None:
    table = tmp_path / "in"
    table.write_text(text)
    ended = run("batch", str(table), "-o", str(tmp_path / "out"))
    assert ended.code == 2
    assert word in ended.err
    assert not (tmp_path / "out").exists()
    assert fake_model.prompts == []


def test_input_that_is_no_utf_8_or_is_missing(run, fake_model: FakeModel, tmp_path: Path) -> None:
    table = tmp_path / "in"
    table.write_bytes(b"\xff\xfe")
    assert run("batch", str(table), "-o", str(tmp_path / "out")).code == 2
    assert run("batch", str(tmp_path / "none"), "-o", str(tmp_path / "out")).code == 4


def test_the_first_interrupt_finishes_what_is_begun_and_leaves_a_resumable_file(
    run, fake_model: FakeModel, table: Path, tmp_path: Path
) -> None:
    n_replies = 0

    def reply(text: str) -> str:
        nonlocal n_replies
        n_replies += 1
        if n_replies == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return "fine"

    fake_model.reply = reply
    out = tmp_path / "out"
    assert run("batch", str(table), "-o", str(out)).code == 130
    assert 2 <= len(answers(out)) < 6
    assert {row["status"] for row in answers(out)} == {"ok"}
    fake_model.reply = lambda text: "fine"
    assert run("batch", str(table), "-o", str(out), "--resume").code == 0
    assert Counter(str(row["id"]) for row in answers(out)) == Counter("abc4ef")


def test_the_second_interrupt_ends_at_once_and_leaves_a_resumable_file(
    run, fake_model: FakeModel, table: Path, tmp_path: Path
) -> None:
    def reply(text: str) -> str:
        if text == "Alone as well":
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
        return "fine"

    fake_model.reply = reply
    out = tmp_path / "out"
    assert run("batch", str(table), "-o", str(out)).code == 130
    assert "4" not in [str(row["id"]) for row in answers(out)]
    fake_model.reply = lambda text: "fine"
    assert run("batch", str(table), "-o", str(out), "--resume").code == 0
    assert Counter(str(row["id"]) for row in answers(out)) == Counter("abc4ef")


def test_with_json_the_end_is_an_object(
    run, fake_model: FakeModel, table: Path, tmp_path: Path
) -> None:
    ended = run("batch", str(table), "-o", str(tmp_path / "out"), "--json", "--quiet")
    assert ended.json() == {"v": 1, "rows": 6, "failed": 0, "left": 0}
    assert ended.err == ""


def test_rows_without_an_id_are_called_by_their_line() -> None:
    assert [row.id for row in read_rows('{"prompt": "x"}\n\n{"prompt": "y"}\n')] == [1, 3]


def test_the_digest_sees_what_is_asked_and_not_how_it_is_written() -> None:
    one = read_rows('{"id": 1, "prompt": "x"}')
    same = read_rows('\n{"prompt":"x","id":1}\n')
    assert digest(one) == digest(same)
    assert digest(one) != digest(read_rows('{"id": 1, "prompt": "y"}'))
    with pytest.raises(InputError):
        read_rows("")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_heard_also_where_a_native_callback_loses_what_its_handler_raises(
    run, fake_model: FakeModel, table: Path, tmp_path: Path, number: int, code: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def load(path: Path, config: object, on_progress: Callable[[float], None], **more: object):
        with suppress(BaseException):  # as ctypes does around llama.cpp's log callback
            os.kill(os.getpid(), number)
        on_progress(0.5)
        return fake_model

    monkeypatch.setattr(assemble, "load_model", load)
    out = tmp_path / "out"
    assert run("batch", str(table), "-o", str(out)).code == code
    assert fake_model.prompts == []
    monkeypatch.setattr(assemble, "load_model", lambda *told, **more: fake_model)
    assert run("batch", str(table), "-o", str(out), "--resume").code == 0
    assert Counter(str(row["id"]) for row in answers(out)) == Counter("abc4ef")
