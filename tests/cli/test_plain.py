"""`assistant --plain`: linear, append-only, whole sentences, driven by a pipe."""

import io
import sys

import pytest

from assistant.cli.plain import Sentences
from fakes import FakeModel


def give(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    data = "".join(f"{line}\n" for line in lines).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_each_line_is_a_turn_of_one_conversation(
    run, fake_model: FakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(monkeypatch, "We talk about sailing", "And about wind")
    ended = run("--plain")
    assert ended.code == 0
    assert ended.out.splitlines()[0].startswith("You said:")
    assert "We talk about sailing" in fake_model.prompts[1]
    assert "\x1b" not in ended.out
    assert "\r" not in ended.out


def test_commands_are_not_questions(
    run, fake_model: FakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(monkeypatch, "/help", "First of all", "/new", "Something else", "/why", "/quit", "Never")
    ended = run("--plain")
    assert ended.code == 0
    assert "/why" in ended.out
    assert len(fake_model.prompts) == 2
    assert "<user> First of all" not in fake_model.prompts[1]


def test_a_command_that_does_not_exist_is_no_question_and_a_path_is_one(
    run, fake_model: FakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(monkeypatch, "/why", "/frobnicate", "/etc/fstab", "/quit")
    ended = run("--plain")
    assert "Nothing was given to the model yet." in ended.out
    assert "There is no command /frobnicate. /help lists them." in ended.err
    assert len(fake_model.prompts) == 1


def test_a_failed_turn_does_not_end_the_chat(
    run, fake_model: FakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from assistant.errors import GenerationError

    def reply(text: str) -> str:
        if text == "Break":
            raise GenerationError("It broke.", "Try again.")
        return "Fine."

    fake_model.reply = reply
    give(monkeypatch, "Break", "Mend")
    ended = run("--plain")
    assert ended.code == 0
    assert "It broke." in ended.err
    assert "Fine." in ended.out


def test_text_comes_by_whole_sentences() -> None:
    sentences = Sentences()
    pieces = ["One sen", "tence. And", " another! An", "d a\nline and a re", "st"]
    found = [sentence for piece in pieces for sentence in sentences.feed(piece)]
    assert found == ["One sentence.", "And another!", "And a"]
    assert sentences.rest() == "line and a rest"
    assert sentences.rest() == ""
