"""`assistant memory` and `assistant chats` over fakes: every command, in words and in JSON."""

import json
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

from assistant.cli.input import confirm
from fakes import FakeModel

PEANUTS = "I am allergic to peanuts and I live in Bergen"


@pytest.fixture
def told(run, fake_model: FakeModel):
    """Two conversations on record, the thoughts drawn from them, and the portrait drawn from those."""
    assert run("ask", PEANUTS).code == 0
    assert run("ask", "The shed code is tulip").code == 0
    return run


def ids(run, *arguments: str) -> list[int]:
    return [
        memory["id"] for memory in run("memory", "list", "--json", *arguments).json()["memories"]
    ]


def test_the_list_holds_messages_and_what_is_drawn_from_them_newest_first(told) -> None:
    rows = told("memory", "list", "--json").json()["memories"]
    assert rows[0]["date"] >= rows[-1]["date"]
    assert {row["kind"] for row in rows} == {"message", "thought", "summary"}
    assert PEANUTS in told("memory", "list").out
    only = told("memory", "list", "--kind", "thought", "--json").json()["memories"]
    assert {row["kind"] for row in only} == {"thought"}


def test_search_ranks_and_scores(told) -> None:
    rows = told("memory", "search", "what am I allergic to", "--json").json()["memories"]
    assert "peanuts" in rows[0]["text"]
    assert rows[0]["signals"]
    assert "peanuts" in told("memory", "search", "allergic peanuts").out.splitlines()[0]


def test_forget_hides_and_undo_brings_back(told) -> None:
    before, portrait = ids(told), set(ids(told, "--kind", "summary"))
    assert told("memory", "forget", str(before[-1])).code == 0
    assert before[-1] not in ids(told)
    assert before[-1] in ids(told, "--forgotten")
    assert "Undone: forget" in told("memory", "undo").out
    # The portrait went with its source, and is drawn anew with the next thoughts.
    assert ids(told) == [memory for memory in before if memory not in portrait]


def test_undo_with_nothing_to_undo_is_not_found(run, fake_model: FakeModel) -> None:
    assert run("memory", "undo").code == 4


@pytest.mark.parametrize("command", ["forget", "show", "history", "graph", "pin"])
def test_an_unknown_memory_is_not_found_with_a_remedy(told, command: str) -> None:
    ended = told("memory", command, "999")
    assert ended.code == 4
    assert "assistant memory list" in ended.err


def test_add_edit_pin_show_and_history(told) -> None:
    added = told("memory", "add", "I never eat before noon", "--json").json()
    id = str(added["memory"])
    shown = told("memory", "show", id, "--json").json()["memory"]
    assert shown["text"] == "I never eat before noon"
    assert shown["pinned"] is False
    assert told("memory", "pin", id).code == 0
    assert told("memory", "show", id, "--json").json()["memory"]["pinned"] is True
    assert told("memory", "pin", id, "--off").code == 0
    edited = told("memory", "edit", id, "I never eat before ten", "--json").json()
    history = told("memory", "history", str(edited["memory"]), "--json").json()["history"]
    assert "insert" in {entry["operation"] for entry in history}
    assert "I never eat before ten" in told("memory", "list").out


def test_thoughts_are_merged_and_taken_apart_again(told) -> None:
    first, second = ids(told, "--kind", "thought")[:2]
    words = "I am allergic to peanuts, in Bergen and elsewhere"
    merged = told("memory", "merge", str(first), str(second), "--text", words, "--json").json()
    assert merged["operation"] == "merge"
    assert words in told("memory", "list", "--kind", "thought").out
    assert not {first, second} & set(ids(told, "--kind", "thought"))
    told("memory", "undo")
    assert {first, second} <= set(ids(told, "--kind", "thought"))
    assert told("memory", "merge", str(first), str(second)).code == 0  # the words of the first
    assert first in ids(told, "--kind", "thought")
    assert told("memory", "merge", str(first), str(first)).code == 2


def test_what_is_empty_or_not_there_is_said_in_the_words_of_its_command(told) -> None:
    assert "The text is empty." in told("memory", "add", " ").err
    assert "assistant memory edit 1" in told("memory", "edit", "1", "").err
    assert "The query is empty." in told("memory", "search", "").err
    missing = told("memory", "import", "/nonexistent.jsonl").err
    assert missing.count("/nonexistent.jsonl") == 1
    assert "Errno" not in missing
    assert "assistant memory history ID" in told("memory", "revert", "99999").err
    assert "Forgot 1 memory." in told("memory", "forget", str(ids(told)[0])).out


def test_enter_alone_is_a_yes_but_erases_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(click, "confirm", lambda question, default, err: default)
    person = SimpleNamespace(yes=False, may_ask=True)
    assert confirm("Download it?", person)
    assert not confirm("Erase it?", person, lasting=True)


def test_erase_asks_and_leaves_no_trace(told, data_dir: Path) -> None:
    [id] = [
        row["id"]
        for row in told("memory", "list", "--json").json()["memories"]
        if row["kind"] == "message" and "tulip" in row["text"] and row["role"] == "user"
    ]
    refused = told("memory", "erase", str(id), "--no-input")
    assert refused.code == 9
    assert id in ids(told)
    ended = told("memory", "erase", str(id), "--yes", "--json")
    assert ended.code == 0
    assert ended.json()["erased"]
    assert id not in ids(told)
    assert told("memory", "erase", "--yes").code == 2


def test_a_whole_chat_can_be_erased(told, data_dir: Path) -> None:
    assert told("memory", "erase", "--chat", "2", "--yes").code == 0
    found = told("doctor", "--find", "shed code", "--json").json()["found"]
    assert found == []
    assert told("chats", "show", "2").code == 4


def test_stats_portrait_conflicts_and_graph_answer(told) -> None:
    counts = told("memory", "stats", "--json").json()
    assert counts["counts"]
    assert told("memory", "portrait", "--json").json()["portrait"] is not None
    assert told("memory", "conflicts", "--json").json()["conflicts"] == []
    assert told("memory", "graph", str(ids(told)[0]), "--json").json()["links"] is not None
    assert "No conflicts" in told("memory", "conflicts").err
    assert told("memory", "conflicts", "7").code == 2
    assert told("memory", "conflicts", "7", "neither").code == 2
    assert told("memory", "conflicts", "7", "a").code == 4


def test_in_mode_ask_a_thought_waits_until_it_is_kept(
    run, fake_model: FakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSISTANT_MEMORY_MODE", "ask")
    run("ask", "I keep bees. I hate olives.")
    olives, bees = run("memory", "list", "--waiting", "--json").json()["memories"]
    assert (bees["text"], bees["waiting"]) == ("I keep bees.", True)
    assert "waiting    I keep bees." in run("memory", "list").out
    assert run("memory", "keep", str(bees["id"])).out == f"Kept: {bees['id']}.\n"
    assert run("memory", "forget", str(olives["id"])).code == 0
    assert run("memory", "list", "--waiting", "--json").json()["memories"] == []
    assert [
        row["text"]
        for row in run("memory", "list", "--kind", "thought", "--json").json()["memories"]
    ] == ["I keep bees."]
    assert run("memory", "keep", "999").code == 4


def test_in_mode_off_nothing_is_derived_later_either(
    run, fake_model: FakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSISTANT_MEMORY_MODE", "off")
    run("ask", "I keep bees.")
    monkeypatch.setenv("ASSISTANT_MEMORY_MODE", "auto")
    run("memory", "think")
    assert run("memory", "list", "--kind", "thought", "--json").json()["memories"] == []
    assert len(run("memory", "list", "--json").json()["memories"]) == 2  # the transcript is kept


def test_a_conflict_is_decided_undone_and_told(run, fake_model: FakeModel) -> None:
    run("ask", "I love olives.")
    run("ask", "I hate olives.")
    (conflict,) = run("memory", "conflicts", "--json").json()["conflicts"]
    assert run("memory", "conflicts", str(conflict["id"]), "keep", "B").out == "Kept: b.\n"
    lost = str(conflict["a"]["memory"])
    shown = run("memory", "show", lost, "--json").json()["memory"]
    assert shown["replaced_by"] == conflict["b"]["memory"]
    assert shown["source_text"] == "I love olives."
    entries = run("memory", "history", lost, "--json").json()["history"]
    assert [entry["operation"] for entry in entries] == ["insert", "supersede"]
    assert f"{entries[1]['id']}  " in run("memory", "history", lost).out
    assert run("memory", "revert", str(entries[1]["id"])).code == 0
    assert run("memory", "show", lost, "--json").json()["memory"]["state"] == "active"


def test_import_adds_only_what_is_new(told, tmp_path: Path) -> None:
    file = tmp_path / "chat.jsonl"
    rows = [
        {"role": "user", "content": "We sailed to Skagen", "created": "2025-06-01T10:00:00Z"},
        {"role": "assistant", "content": "Lovely", "created": "2025-06-01T10:00:05Z"},
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    first = told("memory", "import", str(file), "--json")
    assert first.json() == {
        "v": 1,
        "conversations": 1,
        "messages": 2,
        "known": 0,
        "thoughts": 0,
    }
    again = told("memory", "import", str(file), "--json").json()
    assert (again["messages"], again["known"]) == (0, 2)
    assert "Skagen" in told("memory", "search", "where did we sail to").out
    unknown = tmp_path / "what.bin"
    unknown.write_bytes(b"\x00\x01")
    assert told("memory", "import", str(unknown)).code == 2


def test_chats_are_listed_searched_shown_renamed_exported_and_deleted(told) -> None:
    chats = told("chats", "list", "--json").json()["chats"]
    assert [chat["id"] for chat in chats] == [2, 1]
    assert PEANUTS[:20] in told("chats", "list").out
    found = told("chats", "search", "peanuts", "--json").json()["messages"]
    assert {message["chat"] for message in found} == {1}
    assert told("chats", "rename", "1", "Food").code == 0
    assert "# Food" in told("chats", "show", "1").out
    lines = told("chats", "export", "1", "--format", "jsonl").out.splitlines()
    assert [json.loads(line)["role"] for line in lines] == ["user", "assistant"]
    assert "**You**" in told("chats", "export", "--format", "md").out
    assert told("chats", "delete", "1", "--no-input").code == 9
    assert told("chats", "delete", "1", "--yes").code == 0
    assert [chat["id"] for chat in told("chats", "list", "--json").json()["chats"]] == [2]
    assert told("memory", "undo").code == 0
    assert len(told("chats", "list", "--json").json()["chats"]) == 2


@pytest.mark.parametrize("command", ["show", "export"])
def test_an_unknown_chat_is_not_found(told, command: str) -> None:
    assert told("chats", command, "99").code == 4


def test_what_is_stored_cannot_act_on_the_terminal(run, fake_model: FakeModel) -> None:
    evil = "evil \x1b]52;c;ZXZpbA==\x07 and \x9b31m text"
    run("ask", evil)
    for command in (
        ["chats", "list"],
        ["chats", "show", "1"],
        ["chats", "search", "evil"],
        ["chats", "export", "1"],
        ["memory", "list"],
        ["memory", "search", "evil text"],
        ["memory", "show", "1"],
    ):
        for ended in (run(*command), run(*command, "--json")):
            assert ended.code == 0
            assert not set("\x1b\x07\x9b") & set(ended.out), command


def test_reading_commands_create_nothing(run, data_dir: Path) -> None:
    assert run("memory", "list").code == 0
    assert run("chats", "list", "--json").json() == {"v": 1, "chats": []}
    assert not data_dir.exists()


def test_everything_is_exported_as_json_lines(told, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in told("memory", "export").out.splitlines()]
    assert {row["type"] for row in rows} == {"message", "thought"}
    assert PEANUTS in [row["text"] for row in rows]
    ended = told("memory", "export", str(tmp_path / "all.jsonl"), "--json")
    assert ended.json()["rows"] == len(rows)
    assert (tmp_path / "all.jsonl").read_text().count("\n") == len(rows)


def test_a_backup_is_restored_after_a_yes_and_what_was_is_kept(told, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    assert told("memory", "backup", str(file)).code == 0
    told("ask", "Said after the backup")
    assert told("memory", "restore", str(file), "--no-input").code == 9
    kept = Path(told("memory", "restore", str(file), "--yes", "--json").json()["kept"])
    assert kept.exists()
    assert "Said after" not in told("memory", "list").out
    assert PEANUTS in told("memory", "list").out
    assert told("memory", "restore", str(tmp_path / "none.db"), "--yes").code == 4


def test_reindex_makes_all_vectors_anew(told) -> None:
    assert told("memory", "reindex", "--json").json()["memories"] > 0
    assert "peanuts" in told("memory", "search", "what am I allergic to").out.splitlines()[0]
