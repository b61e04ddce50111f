"""Everything a command prints with --json is as `packaging/output-schema.json` says."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from jsonschema import Draft202012Validator

from assistant.cli import root
from fakes import FakeModel
from random_models import Shape, write_model

SCHEMA = json.loads((Path(__file__).parents[2] / "packaging/output-schema.json").read_text("utf-8"))
PRINTS_NO_DATA = {"completion"}


def leaves(group: click.Group, path: str = "") -> Iterator[str]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from leaves(command, f"{path}{name} ")
        else:
            yield path + name


def check(command: str, printed: str) -> list[Any]:
    """Every line of `printed` against the schema of `command`; returns the values."""
    validator = Draft202012Validator({"$defs": SCHEMA["$defs"], **SCHEMA["commands"][command]})
    values = [json.loads(line) for line in printed.splitlines()]
    assert values, command
    for value in values:
        validator.validate(value)
    return values


def test_every_command_that_prints_data_has_a_schema_and_no_other() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    commands = {name for name in leaves(root) if not name.startswith("bench ")}
    assert set(SCHEMA["commands"]) == commands - PRINTS_NO_DATA | {"(an error)"}


def test_what_is_printed_of_chats_and_memories_is_as_documented(
    run, fake_model: FakeModel, tmp_path: Path
) -> None:
    def said(*arguments: str) -> Any:
        ended = run(*arguments, "--json")
        assert ended.code == 0, (arguments, ended.err)
        known = [n for n in (2, 1) if " ".join(arguments[:n]) in SCHEMA["commands"]]
        return check(" ".join(arguments[: known[0]]), ended.out)[-1]

    said("ask", "I am allergic to peanuts and I live in Bergen")
    said("ask", "I live in Oslo now")
    said("chats", "list")
    said("chats", "search", "peanuts")
    said("chats", "show", "1")
    said("chats", "rename", "1", "A title")
    said("chats", "export", "--format", "jsonl")
    thought = str(said("memory", "add", "I never eat before noon")["memory"])
    said("memory", "list")
    said("memory", "search", "peanuts")
    said("memory", "show", thought)
    said("memory", "pin", thought)
    edited = str(said("memory", "edit", thought, "I never eat before ten")["memory"])
    other = str(said("memory", "add", "I drink no tea")["memory"])
    said("memory", "merge", edited, other)
    said("memory", "undo")
    entry = said("memory", "history", edited)["history"][-1]["id"]
    said("memory", "keep", edited)
    said("memory", "revert", str(entry))
    said("memory", "graph", edited)
    said("memory", "portrait")
    said("memory", "stats")
    said("memory", "think")
    said("memory", "conflicts")
    said("memory", "forget", edited)
    said("memory", "undo")
    said("memory", "reindex")
    said("memory", "export")
    exported = str(tmp_path / "out.jsonl")
    said("memory", "export", exported)
    said("memory", "import", exported)
    backup = said("memory", "backup", str(tmp_path / "copy.db"))["file"]
    said("memory", "erase", "1", "--yes")
    said("chats", "delete", "1", "--yes")
    said("memory", "restore", backup, "--yes")
    said("doctor", "--find", "peanuts")
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"id": 1, "prompt": "Hello"}\n', "utf-8")
    said("batch", str(rows), "-o", str(tmp_path / "answers.jsonl"))
    check("ask", (tmp_path / "answers.jsonl").read_text("utf-8"))


@pytest.mark.native  # the plan of a model
def test_what_is_printed_of_settings_and_models_is_as_documented(
    run, data_dir: Path, tmp_path: Path
) -> None:
    def said(*arguments: str) -> Any:
        return check(" ".join(arguments[:2]), run(*arguments, "--json").out)[-1]

    said("config", "path")
    said("config", "set", "sampling.seed", "7")
    said("config", "get", "sampling.seed")
    said("config", "show")
    said("models", "list")
    said("models", "add", str(write_model(tmp_path, Shape())), "--id", "mine")
    said("models", "use", "mine")
    said("models", "show", "mine")
    said("models", "pull", "mine")
    said("models", "plan", "mine", "--budget", "100%")
    said("models", "remove", "mine")
    check("doctor", run("doctor", "--json").out)


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("chats", "show", "9"), ("config", "get", "no.such"), ("ask",)]
)
def test_a_failure_is_one_object_with_its_remedy_and_exit_code(
    run, data_dir: Path, arguments: tuple[str, ...]
) -> None:
    ended = run("--json", *arguments)
    [value] = check("(an error)", ended.out)
    assert value["error"]["exit_code"] == ended.code != 0
