"""A conversation is left, reopened, and erased from elsewhere: its turns and its saved KV state."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from assistant.conversation.engine import Engine
from assistant.errors import NotFound
from assistant.memory.memory import Memory
from fakes import FakeModel, reply_of

OpenEngine = Callable[..., Engine]


def test_a_reopened_conversation_goes_on_from_its_saved_state(
    open_engine: OpenEngine, now: datetime, tmp_path: Path
) -> None:
    model = FakeModel(n_ctx=2048)
    engine = open_engine(model)
    reply_of(engine, "We are talking about sailing", now)
    reply_of(engine, "And about the weather at sea", now)
    engine.settle()
    conversation_id = engine.conversation_id
    engine.close()
    fresh = FakeModel(n_ctx=2048)
    again = open_engine(fresh)
    again.open_conversation(conversation_id)
    reply_of(again, "Where were we?", now)
    assert "We are talking about sailing" in fresh.prompts[-1]
    assert fresh.prefills[0].n_reused > 20


def erase_elsewhere(folder: Path, words: str, now: datetime) -> None:
    """As `assistant memory erase` in another terminal does."""
    with Memory.open(folder / "memory.db", now=now) as other:
        other.erase([row.id for row in other.memories(words=[words], kinds=("message",))], now)


def test_what_another_program_erased_is_in_no_prompt_and_no_state_after(
    open_engine: OpenEngine, now: datetime, tmp_path: Path
) -> None:
    model = FakeModel(n_ctx=2048)
    engine = open_engine(model)
    reply_of(engine, "The shed code is tulip", now)
    engine.close()
    assert "tulip" in "".join(file.read_text() for file in tmp_path.glob("*.state"))
    erase_elsewhere(tmp_path, "tulip", now)
    engine.open_conversation(1)
    reply_of(engine, "Are you there?", now)
    erase_elsewhere(tmp_path, "there", now)
    engine.settle()
    assert all("tulip" not in model.detokenize(held) for held in model.cache.values())
    reply_of(engine, "And now?", now)
    assert "tulip" not in model.prompts[-1]
    assert "Are you there" not in model.prompts[-1]
    engine.close()
    for file in tmp_path.glob("*.state"):
        assert "tulip" not in file.read_text()


@pytest.mark.parametrize("leave", [Engine.close, lambda engine: engine.open_conversation(None)])
def test_a_state_is_not_kept_of_what_was_erased_meanwhile(
    open_engine: OpenEngine, now: datetime, tmp_path: Path, leave: Callable[[Engine], None]
) -> None:
    engine = open_engine(FakeModel(n_ctx=2048))
    reply_of(engine, "The shed code is tulip", now)
    reply_of(engine, "And the red kayak leaks", now)
    erase_elsewhere(tmp_path, "tulip", now)
    leave(engine)
    assert [*tmp_path.glob("*.state")] == []


def test_a_chat_that_was_erased_meanwhile_is_begun_anew(
    open_engine: OpenEngine, now: datetime, tmp_path: Path
) -> None:
    model = FakeModel(n_ctx=2048)
    engine = open_engine(model)
    reply_of(engine, "The shed code is tulip", now)
    with Memory.open(tmp_path / "memory.db", now=now) as other:
        other.erase_conversation(1, now)
    reply_of(engine, "Hello again", now)
    assert engine.conversation_id == 2
    assert "tulip" not in model.prompts[-1]


def test_a_conversation_reopens_without_its_state_as_well(
    open_engine: OpenEngine, now: datetime, tmp_path: Path
) -> None:
    engine = open_engine()
    reply_of(engine, "We are talking about sailing", now)
    engine.close()
    for file in tmp_path.glob("*.state"):
        file.unlink()
    fresh = FakeModel(n_ctx=2048)
    again = open_engine(fresh)
    again.open_conversation(1)
    reply_of(again, "Where were we?", now)
    assert "We are talking about sailing" in fresh.prompts[-1]


def test_a_conversation_that_does_not_exist_is_not_found(open_engine: OpenEngine) -> None:
    with pytest.raises(NotFound):
        open_engine().open_conversation(99)
