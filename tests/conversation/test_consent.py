"""Mode ask: nothing that was recalled reaches the model before the person agrees."""

from collections.abc import Callable
from datetime import datetime
from threading import Timer

import pytest

from assistant.conversation import events
from assistant.conversation.consent import WITHHELD
from assistant.conversation.engine import DEFAULT_OPTIONS, Engine
from assistant.records import Recall
from fakes import FakeModel

OpenEngine = Callable[..., Engine]
ASKED = "What is the dog of Anna called?"


def played(
    engine: Engine, now: datetime, answer: Callable[[events.Consent], object]
) -> list[events.Event]:
    told = []
    for event in engine.ask(ASKED, now):
        if isinstance(event, events.RecallAsked):
            answer(event.question)
        told.append(event)
    return told


def recall_of(told: list[events.Event]) -> Recall:
    [recall] = [event.recall for event in told if isinstance(event, events.RecallDone)]
    return recall


@pytest.fixture
def engine_of(open_engine: OpenEngine, now: datetime) -> Callable[[str], tuple[Engine, FakeModel]]:
    def make(agreement: str) -> tuple[Engine, FakeModel]:
        list(open_engine().ask("My sister Anna adopted a dog called Bolo.", now))
        model = FakeModel(n_ctx=2048)
        return open_engine(model=model, agreement=agreement), model

    return make


def test_what_the_person_agrees_to_is_given(engine_of, now: datetime) -> None:
    engine, model = engine_of("asked")
    told = played(engine, now, lambda question: question.agree())
    assert "Bolo" in model.prompts[-1]
    assert any("Bolo" in memory.text for memory in recall_of(told).memories)


def test_what_the_person_declines_is_not_given_and_is_a_near_miss(engine_of, now: datetime) -> None:
    engine, model = engine_of("asked")
    told = played(engine, now, lambda question: question.answer(()))
    assert all("Bolo" not in prompt for prompt in model.prompts)
    recall = recall_of(told)
    assert recall.memories == ()
    assert {m.reason for m in recall.near_misses if "Bolo" in m.text} == {"not agreed to"}
    assert isinstance(told[-1], events.Replied)


def test_a_part_may_be_given(engine_of, now: datetime) -> None:
    engine, _ = engine_of("asked")
    first = []

    def answer(question: events.Consent) -> None:
        first.append(question.memories[0].id)
        question.answer(first)

    assert [memory.id for memory in recall_of(played(engine, now, answer)).memories] == first


def test_where_nobody_can_be_asked_nothing_is_given_and_that_is_said(
    engine_of, now: datetime
) -> None:
    engine, model = engine_of("withheld")
    told = played(engine, now, lambda question: pytest.fail("nobody is there"))
    assert events.Notice(WITHHELD) in told
    assert all("Bolo" not in prompt for prompt in model.prompts)


def test_without_the_mode_nothing_is_asked(engine_of, now: datetime) -> None:
    engine, model = engine_of("given")
    played(engine, now, lambda question: pytest.fail("nothing is asked"))
    assert "Bolo" in model.prompts[-1]


def test_a_stop_ends_the_waiting(engine_of, now: datetime) -> None:
    engine, model = engine_of("asked")
    told = played(engine, now, lambda question: Timer(0.1, engine.stop).start())
    assert isinstance(told[-1], events.Replied)
    assert told[-1].reply.partial
    assert model.prompts == []


def test_nothing_is_given_ahead_or_in_a_batch(engine_of, now: datetime) -> None:
    engine, model = engine_of("asked")
    engine.load()
    ahead = engine.prefill(ASKED, now)
    assert ahead is not None
    assert ahead.memories == ahead.near_misses == ()  # nothing is looked for that cannot be given
    recall = engine.prepare(ASKED, now, DEFAULT_OPTIONS).prompt.recall
    assert recall.memories == ()
    assert any("Bolo" in memory.text for memory in recall.near_misses)
    assert all("Bolo" not in prompt for prompt in model.prompts)


@pytest.mark.parametrize("mode", ["normal", "temporary"])
def test_the_passages_of_the_message_itself_need_no_consent(engine_of, now: datetime, mode) -> None:
    engine, model = engine_of("asked")
    words = [f"word{i}" for i in range(3000)]
    words[1500:1500] = ["the code of the green safe is 7391 indeed"]
    text = " ".join(words) + ". What is the code of the green safe?"
    engine.load()
    engine.open_conversation(None, mode)
    ahead = engine.prefill(text, now)
    assert ahead is not None
    assert any("7391" in passage.text for passage in ahead.memories)
    for event in engine.ask(text, now):
        if isinstance(event, events.RecallAsked):
            assert all("word" not in memory.text for memory in event.question.memories)
            event.question.answer(())
    assert "7391" in model.prompts[-1]
    prepared = engine.prepare(text, now, DEFAULT_OPTIONS)
    assert any("7391" in passage.text for passage in prepared.prompt.recall.memories)
