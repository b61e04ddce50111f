"""The turn over fakes and a real store: what is recorded when, what the model reads, what stays."""

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event as Flag
from threading import Thread

import pytest

from assistant.conversation import events
from assistant.conversation.engine import AskOptions, Engine
from assistant.conversation.history import SEQUENCE
from assistant.conversation.recall import encode
from assistant.errors import GenerationError, InputError, TimedOut
from assistant.records import NewThought, Progress, Recall
from fakes import FakeModel, reply_of

OpenEngine = Callable[..., Engine]


def texts(engine: Engine) -> list[tuple[str, str]]:
    return [
        (message.role, message.text)
        for conversation in engine.memory.conversations()
        for message in engine.memory.messages(conversation.id)
    ]


def test_a_turn_tells_its_events_in_order(open_engine: OpenEngine, now: datetime) -> None:
    told = list(open_engine().ask("Good morning", now))
    names = [
        event.name if isinstance(event, events.Phase) else type(event).__name__ for event in told
    ]
    assert [name for i, name in enumerate(names) if name not in names[:i]] == [
        "Recorded",
        "loading model",
        "recalling",
        "RecallDone",
        "reading prompt",
        "writing",
        "TokenText",
        "Replied",
    ]


def test_a_turn_tells_how_far_an_index_is_that_it_must_make_anew(
    open_engine: OpenEngine, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares: list[float | None] = []
    engine = open_engine()
    engine.on_phase = lambda event: shares.extend(
        [event.share] if isinstance(event, events.Phase) and event.name == "recalling" else []
    )
    recalled = engine.memory.recall

    def recall_after_building(*arguments: object, **options: object) -> Recall:
        for done in (1, 2, 4):
            engine.memory._tell(Progress("recall index", done, 4))
        return recalled(*arguments, **options)  # type: ignore[arg-type] # passed on

    monkeypatch.setattr(engine.memory, "recall", recall_after_building)
    engine.memory._tell(Progress("recall index", 1, 4))
    assert shares == []  # outside a turn nobody waits
    reply_of(engine, "Good morning", now)
    assert shares == [0.25, 0.5, 1.0]


def test_the_message_is_on_disk_before_the_model_is_loaded(
    open_engine: OpenEngine, now: datetime
) -> None:
    engine = open_engine()

    def refuse(on_progress: object) -> FakeModel:
        assert texts(engine) == [("user", "Remember the milk")]
        raise GenerationError("No.")

    engine._load_model = refuse
    with pytest.raises(GenerationError):
        list(engine.ask("Remember the milk", now))
    assert ("user", "Remember the milk") in texts(engine)


def test_a_later_conversation_is_answered_from_an_earlier_one(
    open_engine: OpenEngine, now: datetime
) -> None:
    model = FakeModel()
    engine = open_engine(model)
    reply_of(engine, "My sister Anna adopted a dog called Bolo last week", now)
    engine.open_conversation(None)
    told = list(engine.ask("What is the dog of Anna called?", now + timedelta(days=9)))
    [recalled] = [event.recall for event in told if isinstance(event, events.RecallDone)]
    assert "Bolo" in recalled.memories[0].text
    assert "2 March 2026" in model.prompts[-1], "the date is resolved and reaches the model"


def test_notes_stand_in_the_last_message_only_and_leave_the_history(
    open_engine: OpenEngine, now: datetime
) -> None:
    model = FakeModel(n_ctx=2048)
    engine = open_engine(model)
    reply_of(engine, "The boat is called Merle", now)
    engine.open_conversation(None)
    reply_of(engine, "What is the boat called?", now)
    assert "Merle" in model.prompts[-1]
    reply_of(engine, "Thank you kindly", now)
    system, _, rest = model.prompts[-1].partition("<user>")
    assert "Merle" not in system
    assert rest.startswith(" What is the boat called? <end>")


def test_each_turn_evaluates_only_what_is_new(open_engine: OpenEngine, now: datetime) -> None:
    model = FakeModel(n_ctx=4096)
    engine = open_engine(model)
    for i in range(6):
        reply_of(engine, f"Question number {i} about boats and harbours", now)
    grown = [prefill.n_evaluated for prefill in model.prefills]
    assert max(grown[1:]) < 120, "the history is read once"


def test_settling_leaves_only_the_new_message_to_be_read(
    open_engine: OpenEngine, now: datetime
) -> None:
    model = FakeModel(n_ctx=4096)
    engine = open_engine(model, n_memories=0)
    reply_of(engine, "The first question", now)
    engine.settle()
    reply_of(engine, "A second one", now)
    assert (
        model.prefills[-1].n_evaluated
        == model.count_tokens("<user> A second one <end> <assistant>") - 1
    )


def test_a_prompt_read_ahead_is_taken_over_by_the_turn(
    open_engine: OpenEngine, now: datetime
) -> None:
    model = FakeModel(n_ctx=4096)
    engine = open_engine(model)
    reply_of(engine, "The boat is called Merle", now)
    engine.open_conversation(None)
    engine.prefill("What is the boat called?", now)
    assert model.prefills[-1].n_evaluated > 10
    reply_of(engine, "What is the boat called?", now)
    assert model.prefills[-1].n_evaluated == 0
    assert "Merle" in model.prompts[-1]
    assert list(model.cache) == [SEQUENCE], "what was typed is held in no other sequence"


def test_a_wrong_guess_costs_the_conversation_nothing(
    open_engine: OpenEngine, now: datetime
) -> None:
    model = FakeModel(n_ctx=300)
    engine = open_engine(model, n_memories=0)
    for n in range(3):
        reply_of(engine, f"Question number {n} about boats", now)
    engine.settle()
    held, turns = list(model.cache[SEQUENCE]), list(engine.history.turns)
    engine.prefill(" ".join(["paste"] * 200), now)
    assert model.cache[SEQUENCE] == held
    assert engine.history.turns == turns, "no turn leaves for a message that was never sent"
    reply_of(engine, "Another question", now)
    assert model.prefills[-1].n_reused >= len(held)
    engine.prefill("And a third", now)
    engine.open_conversation(None)
    assert list(model.cache) == [SEQUENCE]


def test_a_new_conversation_has_its_system_prompt_read_while_nobody_waits(
    open_engine: OpenEngine, now: datetime
) -> None:
    model = FakeModel(n_ctx=4096)
    engine = open_engine(model, n_memories=0)
    engine.load()
    engine.settle()
    reply_of(engine, "Hello", now)
    assert (
        model.prefills[-1].n_evaluated == model.count_tokens("<user> Hello <end> <assistant>") - 1
    )


def test_stopping_keeps_and_marks_what_came(open_engine: OpenEngine, now: datetime) -> None:
    engine = open_engine(FakeModel(reply=lambda text: "one two three four"))
    told = []
    for event in engine.ask("Count", now):
        told.append(event)
        if event == events.TokenText(" two"):
            engine.stop()
    assert isinstance(told[-1], events.Replied)
    assert told[-1].reply.finish == "stopped"
    [_, reply] = engine.memory.messages(1)
    assert reply.partial
    assert reply.text == "one two"


def test_a_stop_before_the_first_event_is_not_lost(open_engine: OpenEngine, now: datetime) -> None:
    engine = open_engine()
    turn = engine.ask("Hello", now)
    engine.stop()
    told = list(turn)
    assert isinstance(told[-1], events.Replied)
    assert told[-1].reply.text == ""
    assert texts(engine)[0] == ("user", "Hello")


def test_a_stop_while_the_model_loads_ends_the_loading(
    open_engine: OpenEngine, now: datetime
) -> None:
    engine, shares = open_engine(), []

    def load(on_progress: Callable[[float], None]) -> FakeModel:
        for share in (0.1, 0.2, 0.3):
            shares.append(share)
            if share == 0.2:
                engine.stop()
            on_progress(share)
        return FakeModel()

    engine._load_model = load
    told = list(engine.ask("Hello", now))
    assert shares == [0.1, 0.2]
    assert told[-1].reply.finish == "stopped"
    assert texts(engine)[0] == ("user", "Hello")
    engine._load_model = lambda on_progress: FakeModel()
    assert reply_of(engine, "Hello again", now).finish == "stop"


def test_a_stop_while_recalling_reads_no_prompt(
    open_engine: OpenEngine, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = FakeModel()
    engine = open_engine(model)
    recall = engine.memory.recall

    def stop_and_recall(*given: object, **more: object) -> object:
        engine.stop()
        return recall(*given, **more)

    monkeypatch.setattr(engine.memory, "recall", stop_and_recall)
    told = list(engine.ask("Where are the keys?", now))
    assert told[-1].reply.finish == "stopped"
    assert not any(isinstance(event, events.RecallDone) for event in told), "no prompt was built"
    assert model.prefills == []
    assert texts(engine)[0] == ("user", "Where are the keys?")
    assert engine.memory.messages(1)[-1].partial


def test_a_stop_while_nothing_runs_does_not_end_the_next_turn(
    open_engine: OpenEngine, now: datetime
) -> None:
    engine = open_engine()
    reply_of(engine, "Hello", now)
    engine.stop()
    assert reply_of(engine, "Hello again", now).finish == "stop"


def test_an_abandoned_turn_is_recorded_as_partial(open_engine: OpenEngine, now: datetime) -> None:
    engine = open_engine(FakeModel(reply=lambda text: "one two three"))
    turn = engine.ask("Count", now)
    while next(turn) != events.TokenText(" two"):
        pass
    turn.close()
    assert [m.partial for m in engine.memory.messages(1)] == [False, True]
    assert texts(engine)[1] == ("assistant", "one two")


def test_an_error_while_writing_keeps_what_came_and_is_raised(
    open_engine: OpenEngine, now: datetime
) -> None:
    model = FakeModel(
        reply=lambda text: "one two three", fail_after=2, error=GenerationError("Broken.")
    )
    engine = open_engine(model)
    with pytest.raises(GenerationError):
        list(engine.ask("Count", now))
    assert texts(engine) == [("user", "Count"), ("assistant", "one two")]
    assert engine.memory.messages(1)[1].partial


def test_a_turn_that_takes_too_long_is_stopped_and_kept(
    open_engine: OpenEngine, now: datetime
) -> None:
    pause = Flag()
    model = FakeModel(reply=lambda text: "one two three", token_pause=pause)
    engine = open_engine(model)
    told: list[object] = []

    def let_go() -> None:
        while not model.n_stops:
            pass
        pause.set()

    Thread(target=let_go, daemon=True).start()
    with pytest.raises(TimedOut):
        told.extend(engine.ask("Count", now, AskOptions(timeout_s=0.05)))
    assert engine.memory.messages(1)[-1].partial


def test_an_empty_message_is_refused_and_not_recorded(
    open_engine: OpenEngine, now: datetime
) -> None:
    engine = open_engine()
    with pytest.raises(InputError):
        engine.ask(" \n", now)
    assert engine.memory.conversations() == []


@pytest.mark.parametrize(
    ("mode", "options", "n_recalled"),
    [
        ("read-only", AskOptions(), 1),
        ("temporary", AskOptions(), 0),
        ("normal", AskOptions(record=False), 1),
        ("normal", AskOptions(record=False, recall=False), 0),
    ],
)
def test_what_is_not_to_be_recorded_is_not(
    open_engine: OpenEngine, now: datetime, mode: str, options: AskOptions, n_recalled: int
) -> None:
    model = FakeModel(n_ctx=2048)
    engine = open_engine(model)
    reply_of(engine, "The password of the shed is tulip", now)
    before = texts(engine)
    engine.open_conversation(None, mode)
    told = list(engine.ask("What is the password of the shed?", now, options))
    [recalled] = [event.recall for event in told if isinstance(event, events.RecallDone)]
    assert len(recalled.memories) >= n_recalled
    assert bool(recalled.memories) == bool(n_recalled)
    assert texts(engine) == before
    assert not any(isinstance(event, events.Recorded) for event in told)
    list(engine.ask("And again?", now, options))
    assert "password of the shed?" in model.prompts[-1], "the chat itself has its history"


@pytest.mark.parametrize("mode", ["normal", "read-only", "temporary"])
def test_an_over_long_message_is_answered_from_its_passages_with_a_notice(
    open_engine: OpenEngine, now: datetime, mode: str
) -> None:
    words = [f"word{i}" for i in range(3000)]
    words[1500:1500] = ["the code of the green safe is 7391 indeed"]
    model = FakeModel(n_ctx=2048)
    engine = open_engine(model)
    text = " ".join(words) + ". What is the code of the green safe?"
    engine.open_conversation(None, mode)
    told = list(engine.ask(text, now))
    assert any(isinstance(event, events.Notice) and "too long" in event.text for event in told)
    assert "7391" in model.prompts[-1]
    if mode == "normal":
        assert engine.memory.messages(1)[0].text == text, "it is remembered whole"


def test_oldest_turns_leave_the_prompt_and_stay_recallable(
    open_engine: OpenEngine, now: datetime
) -> None:
    model = FakeModel(n_ctx=400)
    engine = open_engine(model, memory_tokens=60)
    reply_of(engine, "My bicycle is painted turquoise", now)
    for i in range(25):
        reply_of(engine, f"Tell me something about topic number {i} please", now)
    assert "<user> My bicycle is painted turquoise" not in model.prompts[-1]
    reply_of(engine, "Which colour is my bicycle painted?", now)
    assert "turquoise" in model.prompts[-1]
    assert all(len(prompt.split()) <= 400 for prompt in model.prompts)


def test_regenerating_makes_a_branch_and_keeps_one_turn_in_the_history(
    open_engine: OpenEngine, now: datetime
) -> None:
    model = FakeModel(n_ctx=2048)
    engine = open_engine(model)
    reply_of(engine, "Tell me a joke", now)
    first = engine.history.turns[-1].turn_id
    [*_, replied] = engine.regenerate(first, now)
    assert isinstance(replied, events.Replied)
    assert engine.memory.branches(first) == [first, replied.turn.id]
    assert [turn.user for turn in engine.history.turns] == ["Tell me a joke"]
    assert "You said" not in model.prompts[-1], "the reply that is replaced is not read"
    engine.choose_branch(first)
    assert [turn.turn_id for turn in engine.history.turns] == [first]


def test_why_shows_the_exact_prompt_and_what_was_given(
    open_engine: OpenEngine, now: datetime
) -> None:
    model = FakeModel(n_ctx=2048)
    engine = open_engine(model)
    reply_of(engine, "The boat is called Merle", now)
    engine.open_conversation(None)
    reply_of(engine, "Good morning to you", now)
    reply_of(engine, "What is the boat called?", now)
    turn_id = engine.history.turns[-1].turn_id
    read = model.prompts[-1]
    reply_of(engine, "Thank you", now)
    why = engine.why(turn_id)
    assert "Merle" in why.recall.memories[0].text
    assert model.detokenize(model.render(why.prompt)) == read


def test_the_answer_without_a_memory_does_not_hold_it_and_is_not_recorded(
    open_engine: OpenEngine, now: datetime
) -> None:
    model = FakeModel(n_ctx=2048)
    engine = open_engine(model)
    reply_of(engine, "The boat is called Merle", now)
    engine.open_conversation(None)
    reply_of(engine, "What is the boat called?", now)
    turn_id = engine.history.turns[-1].turn_id
    given = engine.why(turn_id).recall.memories
    before = texts(engine)
    told = list(engine.answer_without(turn_id, [memory.id for memory in given], now))
    assert isinstance(told[-1], events.Replied)
    assert "Merle" in model.prompts[-2]
    assert "Merle" not in model.prompts[-1]
    assert texts(engine) == before


def test_the_portrait_stands_in_where_no_memory_fits_and_within_its_budget(
    open_engine: OpenEngine, now: datetime
) -> None:
    model = FakeModel()
    one_line = model.count_tokens("I keep bees on the roof")
    engine = open_engine(model, portrait_tokens=one_line)
    for text in ("I keep bees on the roof", "I teach mathematics in Lund"):
        source = engine.memory.begin_turn(encode(text, engine.embedder, now), now)
        new = NewThought(text, source.message_id, "rules", "1", importance=0.3)
        engine.memory.insert_thought(new, now)
    engine.memory.portrait(now)
    later = now + timedelta(days=1)
    told = list(engine.ask("Hello!", later))
    [recalled] = [event.recall for event in told if isinstance(event, events.RecallDone)]
    [line] = recalled.memories
    assert line.signals == {"portrait": 1.0}
    assert line.text in model.prompts[-1]
    turn = next(event.turn for event in told if isinstance(event, events.Recorded))
    assert [memory.id for memory in engine.memory.recalls(turn.id).memories] == [line.id]
    engine.memory.forget([line.id], later)
    engine.open_conversation(None)
    told = list(engine.ask("Hello!", later))
    [recalled] = [event.recall for event in told if isinstance(event, events.RecallDone)]
    assert line.id not in [memory.id for memory in recalled.memories]
