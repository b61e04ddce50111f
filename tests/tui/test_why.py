"""Why an answer: what was given, its marks and its undo, and the answer without a memory beside it."""

import re
import threading
from collections.abc import Iterator

from assistant.conversation.events import Event, Phase
from assistant.records import Recall
from assistant.tui.screens.chat import ChatScreen
from assistant.tui.screens.compare import CompareScreen
from assistant.tui.screens.why import WhyScreen
from assistant.tui.widgets.memory_card import MemoryCard
from assistant.tui.widgets.prompt import PromptInput
from tui_fakes import (
    FakeEngine,
    FakeStore,
    drawn,
    is_idle,
    make_app,
    memory,
    say,
    wait_for,
)


async def test_why_shows_what_was_given_to_the_model_and_never_says_caused() -> None:
    engine = FakeEngine(FakeStore())
    app = make_app(engine)
    async with app.run_test(size=(100, 40)) as pilot:
        await say(pilot, app, "What is the name of Anna's dog?")
        await pilot.press("escape", "w")
        await wait_for(pilot, lambda: isinstance(app.screen, WhyScreen))
        cards = list(app.screen.query(MemoryCard))
        await wait_for(pilot, lambda: cards[0].quoted is True)
        page = drawn(app)
        assert "Given to the model: 2 memories" in page
        assert "Not given: 1 near-miss" in page
        assert "too weak a match" in page
        assert "your words ▮▮▮▮▮ 0.50" in page
        assert "caused" not in page
        await pilot.press("f")
        await wait_for(pilot, lambda: engine.store.forgotten == [1])
        await pilot.press("u")
        await wait_for(pilot, lambda: engine.store.forgotten == [])
        await pilot.press("down", "p", "x")
        await wait_for(pilot, lambda: ("exclude", 2, 1) in engine.store.calls)
        assert ("pin", (2,), True) in engine.store.calls
        await pilot.press("u")  # nothing was forgotten: what is kept out stays so
        await wait_for(pilot, lambda: cards[1].mark == "never in this chat")
        await pilot.press("x")
        await wait_for(pilot, lambda: ("include", 2, 1) in engine.store.calls)
        await pilot.press("t")
        await wait_for(pilot, lambda: "the prompt of turn 100 [/foo]" in drawn(app))
        await pilot.press("up", "e")  # a message stays as it was said
        await pilot.pause()
        assert isinstance(app.screen, WhyScreen)
        await pilot.press("escape")
        await wait_for(pilot, lambda: isinstance(app.screen, ChatScreen))


async def test_the_prompt_of_an_answer_asked_for_while_another_is_written_holds_no_key() -> None:
    engine = FakeEngine(FakeStore())
    app = make_app(engine)
    async with app.run_test(size=(100, 40)) as pilot:
        await say(pilot, app, "What is the name of Anna's dog?")
        engine.reply, engine.tokens_per_second = "word " * 1000, 20
        app.screen.query_one(PromptInput).fill("And the cat?")
        await pilot.press("enter")
        await wait_for(pilot, lambda: app.chat.writing is not None)
        app.show_why(app.chat.transcript.turns[0], 1)
        await wait_for(pilot, lambda: isinstance(app.screen, WhyScreen))
        await pilot.press("t")
        await wait_for(pilot, lambda: "As soon as the model is free." in drawn(app))
        await pilot.press("escape")
        await wait_for(pilot, lambda: isinstance(app.screen, ChatScreen))
        assert app.chat.writing is not None
        await pilot.press("escape")
        await wait_for(pilot, lambda: is_idle(app))


async def test_an_undo_takes_back_the_last_mark_alone() -> None:
    engine = FakeEngine(FakeStore())
    app = make_app(engine)
    async with app.run_test(size=(100, 40)) as pilot:
        await say(pilot, app, "What is the name of Anna's dog?")
        await pilot.press("escape", "w")
        await wait_for(pilot, lambda: isinstance(app.screen, WhyScreen))
        cards = list(app.screen.query(MemoryCard))
        await pilot.press("f", "down", "f")
        await wait_for(pilot, lambda: [c.mark for c in cards] == ["forgotten", "forgotten", ""])
        await pilot.press("u")
        await wait_for(pilot, lambda: [c.mark for c in cards] == ["forgotten", "", ""])
        assert engine.store.forgotten == [1]


async def test_why_begins_with_its_first_line_and_breaks_no_signal_in_two() -> None:
    signals = {"meaning": 1.0, "neighbours": 0.9, "context": 0.8, "episode": 0.7, "speaker": 0.6}
    found = [memory(n, f"Memory {n} " + "is long " * 20, signals=signals) for n in range(1, 9)]
    engine = FakeEngine(FakeStore(), recall=Recall("dog", tuple(found)))
    app = make_app(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await say(pilot, app, "What is the name of Anna's dog?")
        await pilot.press("escape", "w")
        await wait_for(pilot, lambda: "Given to the model: 8 memories" in drawn(app))
        await wait_for(pilot, lambda: "who said it ▮▮▮▮▮ 0.60" in drawn(app))
        assert "messages beside it ▮▮▮▮▮▮▮ 0.90\n" in re.sub(r" +\n", "\n", drawn(app))
        await pilot.press("down", "down", "down", "up", "up", "up", "up")
        await wait_for(pilot, lambda: "Given to the model: 8 memories" in drawn(app))


async def test_an_answer_without_a_memory_stands_beside_the_one_that_was_given() -> None:
    engine = FakeEngine(FakeStore())
    app = make_app(engine)
    async with app.run_test(size=(140, 40)) as pilot:
        view = await say(pilot, app, "What is the name of Anna's dog?")
        await pilot.press("ctrl+w")
        await wait_for(pilot, lambda: isinstance(app.screen, WhyScreen))
        await pilot.press("a")
        await wait_for(pilot, lambda: isinstance(app.screen, CompareScreen))
        await wait_for(pilot, lambda: "I do not know" in drawn(app))
        assert "Bolo" in drawn(app)
        assert ("without", view.turn.turn_id, (1,)) in engine.calls
        await wait_for(pilot, lambda: is_idle(app))
        await pilot.press("escape")
        await wait_for(pilot, lambda: isinstance(app.screen, WhyScreen))


async def test_a_comparison_that_another_chat_takes_away_leaves_the_engine_free() -> None:
    engine = FakeEngine(FakeStore())
    gate = threading.Event()

    def answer_without(turn_id: int, memory_ids: object, now: object) -> Iterator[Event]:
        gate.clear()  # what ran in the background was stopped
        yield Phase("writing")
        gate.wait(10)

    app = make_app(engine)
    async with app.run_test() as pilot:
        await say(pilot, app, "question")
        engine.answer_without = answer_without  # type: ignore[method-assign,assignment]
        engine.stop = gate.set  # type: ignore[method-assign]
        await pilot.press("ctrl+w", "a")
        await wait_for(pilot, lambda: app.backend.busy and isinstance(app.screen, CompareScreen))
        app.open_chat(1)
        await wait_for(pilot, lambda: is_idle(app))
        assert gate.is_set()
        await say(pilot, app, "and now?")
        assert is_idle(app)
