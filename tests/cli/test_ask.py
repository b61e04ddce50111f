"""`assistant ask` over fakes: what is printed, the JSON shape, bad input, what is recorded."""

import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.cli.settings import Settings
from assistant.errors import GenerationError
from fakes import FakeModel

SHAPE = {"v", "id", "status", "answer", "memories", "model", "usage", "ms", "error", "meta"}


def give_stdin(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_the_answer_is_printed_and_the_turn_recorded(run, fake_model: FakeModel) -> None:
    ended = run("ask", "Good morning")
    assert ended.code == 0
    assert ended.out == "You said: Good morning\n"
    chat = run("chats", "show", "1", "--json").json()
    assert [message["text"] for message in chat["messages"]] == [
        "Good morning",
        "You said: Good morning",
    ]


def test_the_json_shape_of_an_answer(run, fake_model: FakeModel) -> None:
    run("ask", "My sister Anna adopted a dog called Bolo last week")
    told = run("ask", "--json", "What is the dog of Anna called?").json()
    assert set(told) == SHAPE
    assert told["v"] == 1
    assert told["status"] == "ok"
    assert told["error"] is None
    assert told["model"] == {"name": "fake", "sha256": "ab" * 32}
    assert set(told["usage"]) == {"prompt", "completion"}
    assert set(told["ms"]) == {"recall", "first_token", "total"}
    first = told["memories"][0]
    assert set(first) == {"id", "kind", "date", "score", "source_turn", "text"}
    assert first["text"] == "My sister Anna adopted a dog called Bolo last week"
    assert first["source_turn"] == 1


def test_in_mode_ask_nothing_recalled_is_given_without_a_yes(run, fake_model: FakeModel) -> None:
    run("ask", "My sister Anna adopted a dog called Bolo")
    run("config", "set", "memory.mode", "ask")
    ended = run("ask", "--json", "What is the dog of Anna called?")
    assert ended.json()["memories"] == []
    assert "nobody could be asked" in ended.err
    assert run("--yes", "ask", "--json", "The dog of Anna?").json()["memories"]


@pytest.mark.parametrize(("said", "given"), [("y", True), ("n", False)])
def test_in_mode_ask_the_person_is_asked_on_a_terminal(
    run, fake_model: FakeModel, monkeypatch: pytest.MonkeyPatch, said: str, given: bool
) -> None:
    run("ask", "My sister Anna adopted a dog called Bolo")
    run("config", "set", "memory.mode", "ask")
    monkeypatch.setattr(Settings, "stdin_is_terminal", True)
    monkeypatch.setattr(Settings, "stderr_is_terminal", True)
    give_stdin(monkeypatch, f"{said}\n".encode())
    ended = run("ask", "--json", "What is the dog of Anna called?")
    assert "Give them to the model?" in ended.err
    assert "called Bolo" in ended.err
    assert bool(ended.json()["memories"]) == given


def test_the_question_may_come_on_stdin(
    run, fake_model: FakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_stdin(monkeypatch, b"from a pipe\n")
    assert "from a pipe" in run("ask", "-").out
    give_stdin(monkeypatch, b"from a bare pipe\n")
    assert "a bare pipe" in run().out


@pytest.mark.parametrize(
    ("data", "word"), [(b"\xff\xfe\x00bad", "UTF-8"), (b"", "empty"), (b"  \n", "empty")]
)
def test_input_that_is_no_text_is_refused(
    run, fake_model: FakeModel, monkeypatch: pytest.MonkeyPatch, data: bytes, word: str
) -> None:
    give_stdin(monkeypatch, data)
    ended = run("ask", "-")
    assert ended.code == 2
    assert word in ended.err
    assert ended.err.count("\n") == 1


def test_an_empty_prompt_is_refused(run, fake_model: FakeModel) -> None:
    ended = run("ask", " ")
    assert ended.code == 2
    assert "empty" in ended.err


def test_without_a_model_the_remedy_is_a_command(run, data_dir: Path) -> None:
    ended = run("ask", "Hello", "--no-input")
    assert ended.code == 3
    assert "assistant models pull" in ended.err
    assert not (data_dir / "memory.db").exists()


def test_a_path_that_is_no_gguf_is_named(run, tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"this is no model at all" * 100)
    ended = run("ask", "Hello", "-m", str(file), "--no-input")
    assert ended.code == 3
    assert "model.gguf" in ended.err


def test_an_unknown_model_is_not_found(run, data_dir: Path) -> None:
    assert run("ask", "Hello", "-m", "no-such-model", "--no-input").code == 4


def test_an_unknown_conversation_is_not_found(run, fake_model: FakeModel) -> None:
    ended = run("ask", "-c", "99", "Hello")
    assert ended.code == 4
    assert "assistant chats list" in ended.err


def test_a_conversation_can_be_continued(run, fake_model: FakeModel) -> None:
    run("ask", "We talk about sailing")
    run("ask", "-c", "1", "And about wind")
    assert "We talk about sailing" in fake_model.prompts[-1]
    assert [chat["turns"] for chat in run("chats", "list", "--json").json()["chats"]] == [2]


def test_no_memory_neither_reads_nor_writes(run, fake_model: FakeModel) -> None:
    run("ask", "The shed code is tulip")
    told = run("ask", "--no-memory", "--json", "What is the shed code?").json()
    assert told["memories"] == []
    assert told["id"] is None
    assert len(run("chats", "list", "--json").json()["chats"]) == 1


def test_incognito_reads_and_does_not_write(run, fake_model: FakeModel) -> None:
    run("ask", "The shed code is tulip")
    told = run("ask", "--incognito", "--json", "What is the shed code?").json()
    assert told["memories"]
    assert len(run("chats", "list", "--json").json()["chats"]) == 1


def test_a_model_that_its_window_makes_slow_is_told_with_a_smaller_one(
    run, fake_model: FakeModel
) -> None:
    fake_model.facts = replace(
        fake_model.facts, slow_warning="About 0.5 tokens per second.", file_bytes=1_000_000_000
    )
    ended = run("ask", "Hello")
    assert ended.out == "You said: Hello\n"
    assert "About 0.5 tokens per second. A smaller one that fits: " in ended.err


def test_sources_are_listed_on_request(run, fake_model: FakeModel) -> None:
    run("ask", "The shed code is tulip")
    ended = run("ask", "--show-sources", "What is the shed code?")
    assert "Given to the model:" in ended.out
    assert "The shed code is tulip" in ended.out


def test_options_reach_the_model(run, fake_model: FakeModel, tmp_path: Path) -> None:
    system = tmp_path / "system.txt"
    system.write_text("Speak like a pirate.")
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object", "properties": {"a": {"type": "integer"}}}')
    options = ["--seed", "7", "--max-tokens", "9", "--temperature", "0.1"]
    ended = run("ask", *options, "--system", str(system), "--schema", str(schema), "Hello")
    assert ended.code == 0
    used = fake_model.parameters[-1]
    assert (used.seed, used.max_tokens, used.temperature) == (7, 9, 0.1)
    assert used.grammar is not None
    assert "Speak like a pirate." in fake_model.prompts[-1]


@pytest.mark.parametrize("schema", ["no json", '{"type": "nonsense"}', "[]"])
def test_a_schema_that_cannot_be_used_is_refused_before_anything_is_recorded(
    run, fake_model: FakeModel, data_dir: Path, tmp_path: Path, schema: str
) -> None:
    file = tmp_path / "schema.json"
    file.write_text(schema)
    assert run("ask", "Hello", "--schema", str(file)).code == 2
    assert not (data_dir / "memory.db").exists()


def test_a_missing_file_is_not_found(run, fake_model: FakeModel, tmp_path: Path) -> None:
    assert run("ask", "Hello", "--system", str(tmp_path / "none")).code == 4


@pytest.mark.parametrize(
    "arguments", [["--temperature", "9"], ["--max-tokens", "0"], ["--timeout", "0"]]
)
def test_a_value_out_of_range_is_a_usage_error(
    run, fake_model: FakeModel, arguments: list[str]
) -> None:
    assert run("ask", *arguments, "Hello").code == 2


def test_a_failure_while_writing_prints_what_came_and_its_code(run, fake_model: FakeModel) -> None:
    fake_model.fail_after, fake_model.error = 2, GenerationError("It broke.", "Try again.")
    ended = run("ask", "Hello there")
    assert ended.code == 1
    assert ended.out == "You said:\n"
    assert ended.err == "assistant: It broke. Try again.\n"


def test_a_failure_has_the_shape_of_an_answer(run, fake_model: FakeModel) -> None:
    fake_model.fail_after, fake_model.error = 2, GenerationError("It broke.", "Try again.")
    ended = run("ask", "--json", "Hello there")
    assert ended.code == 1
    told = ended.json()
    assert set(told) == SHAPE
    assert told["status"] == "error"
    assert told["answer"] == "You said:"
    assert told["error"]["type"] == "GenerationError"


def test_what_a_model_writes_cannot_act_on_the_terminal(run, fake_model: FakeModel) -> None:
    fake_model.reply = lambda text: "fine \x1b]52;c;ZXZpbA==\x07 and \x9b31m [@click=app.quit]"
    ended = run("ask", "Hello")
    assert "\x1b" not in ended.out
    assert "\x07" not in ended.out
    assert "\x9b" not in ended.out
    assert "[@click=app.quit]" in ended.out
    raw = run("ask", "--json", "Hello").out
    assert "\x1b" not in raw
    assert "\x9b" not in raw
    assert "\x9b31m" in json.loads(raw)["answer"]


def test_an_unknown_config_key_is_named_with_the_nearest(run, fake_model, data_dir: Path) -> None:
    (data_dir / "config.toml").write_text("[runtime]\nn_cxt = 5\n")
    ended = run("ask", "Hello")
    assert ended.code == 2
    assert "runtime.n_ctx" in ended.err


def test_a_read_only_data_directory_is_said_in_one_line(
    run, fake_model: FakeModel, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        Path,
        "mkdir",
        lambda self, *a, **k: (_ for _ in ()).throw(
            PermissionError(13, "Permission denied", str(self))
        ),
    )
    ended = run("ask", "Hello")
    assert ended.code == 1
    assert "Permission denied" in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("flag", ["--incognito", "--no-memory"])
def test_no_state_is_saved_of_what_is_not_recorded(
    run, fake_model: FakeModel, data_dir: Path, flag: str
) -> None:
    run("ask", "We talk about sailing")
    run("ask", "-c", "1", flag, "a secret about whales")
    assert "We talk about sailing" in fake_model.prompts[-1]
    states = [file.read_text() for file in (data_dir / "states").iterdir()]
    assert states
    assert not any("whales" in state for state in states)
