"""Keys on a turn, slash commands, finding, branches, modes: over the fake engine."""

import threading
from dataclasses import replace

import pytest
from textual import events

from assistant.memory.weights import WEIGHTS
from assistant.tui.app import KEY_PLACES
from assistant.tui.commands import COMMANDS
from assistant.tui.keys import keys_of
from assistant.tui.screens.chat import ChatScreen
from assistant.tui.screens.help import help_text
from assistant.tui.session import Candidate, Facts, TurnText
from assistant.tui.widgets.consent import ConsentChip
from assistant.tui.widgets.find import FindBar
from assistant.tui.widgets.memory_card import SIGNALS
from assistant.tui.widgets.prompt import PromptInput
from assistant.tui.widgets.transcript import N_MOST, N_MOUNTED, Transcript
from assistant.tui.widgets.turn import TurnView
from tui_fakes import (
    ANNA,
    NOW,
    FakeEngine,
    FakeStore,
    drawn,
    is_idle,
    make_app,
    say,
    wait_for,
)

CODE = "Here:\n\n```python\nprint('one')\n```\n\n```\ntwo\n```"


async def test_an_answer_and_its_code_are_copied() -> None:
    app = make_app(FakeEngine(FakeStore(), reply=CODE))
    async with app.run_test() as pilot:
        await say(pilot, app, "code please")
        await pilot.press("escape", "c")
        await wait_for(pilot, lambda: app.clipboard == CODE)
        await pilot.press("b")
        await wait_for(pilot, lambda: app.clipboard == "two")


async def test_regenerating_replaces_the_answer_and_asks_the_engine_for_another_branch() -> None:
    engine = FakeEngine(FakeStore())
    app = make_app(engine)
    async with app.run_test() as pilot:
        first = await say(pilot, app, "question")
        turn_id = first.turn.turn_id
        await pilot.press("ctrl+r")
        await wait_for(pilot, lambda: ("regenerate", turn_id) in engine.calls and is_idle(app))
        transcript = app.screen.query_one(Transcript)
        assert [turn.prompt for turn in transcript.turns] == ["question"]


async def test_editing_the_last_message_sends_it_as_another_branch_and_escape_leaves_it() -> None:
    engine = FakeEngine(FakeStore())
    app = make_app(engine)
    async with app.run_test() as pilot:
        view = await say(pilot, app, "What is the dog?")
        await pilot.press("ctrl+e")
        screen = app.screen
        assert isinstance(screen, ChatScreen)
        await wait_for(pilot, lambda: screen.prompt.text == "What is the dog?")
        assert screen.replaces == view.turn.turn_id
        await pilot.press("escape")
        assert (screen.replaces, screen.prompt.text) == (None, "")
        await pilot.press("escape", "e")
        await wait_for(pilot, lambda: screen.replaces is not None)
        await pilot.press("!", "enter")
        await wait_for(pilot, lambda: len(engine.asked) == 2 and is_idle(app))
        assert engine.asked[-1] == "What is the dog?!"
        assert [turn.prompt for turn in screen.transcript.turns] == ["What is the dog?!"]


@pytest.mark.parametrize("key", ["escape", "enter", "ctrl+n"])
async def test_what_was_typed_before_a_message_is_edited_comes_back(key: str) -> None:
    app = make_app(FakeEngine(FakeStore()))
    async with app.run_test() as pilot:
        await say(pilot, app, "question")
        await pilot.press(*"draft", "ctrl+e", "ctrl+e")
        await wait_for(pilot, lambda: app.chat.prompt.text == "question")
        await pilot.press(key)
        await wait_for(pilot, lambda: app.chat.prompt.text == "draft" and is_idle(app))
        assert app.chat.replaces is None


async def test_a_message_sent_while_another_chat_is_opened_is_said_in_that_one() -> None:
    engine, gate = FakeEngine(FakeStore(), tokens_per_second=20), threading.Event()
    engine.store.add(1, "A chat", [TurnText(1, 1, "Question", NOW, "Yes.")])
    turns = engine.store.turns
    engine.store.turns = lambda id_: turns(id_) if gate.wait(10) else []  # type: ignore[method-assign]
    app = make_app(engine)
    async with app.run_test() as pilot:
        await wait_for(pilot, lambda: is_idle(app))
        app.open_chat(1)  # from the palette, while the store is slow
        app.chat.prompt.fill("Hello")
        app.chat.post_message(PromptInput.Sent("Hello"))
        gate.set()
        await wait_for(pilot, lambda: engine.asked == ["Hello"] and is_idle(app))
        assert [turn.prompt for turn in app.chat.transcript.turns] == ["Question", "Hello"]
        assert engine.opened[-1] == (1, "normal")
        assert app.chat.transcript.turns[-1].reply


async def test_another_answer_asked_for_while_a_new_chat_opens_is_not_begun_in_that() -> None:
    engine = FakeEngine(FakeStore())
    app = make_app(engine)
    async with app.run_test() as pilot:
        view = await say(pilot, app, "question")
        app.run_worker(app.chat.open_conversation(None))
        app.run_worker(app.chat._actions.run(view, "regenerate"))
        await wait_for(pilot, lambda: (None, "normal") in engine.opened and is_idle(app))
        await wait_for(pilot, lambda: not app.chat.changing.locked())
        assert (list(app.chat.transcript.turns), app.chat.writing) == ([], None)
        assert ("regenerate", view.turn.turn_id) not in engine.calls


async def test_branches_are_shown_and_walked() -> None:
    store = FakeStore(branches_=[90, 100])
    engine = FakeEngine(store)
    app = make_app(engine)
    async with app.run_test() as pilot:
        view = await say(pilot, app, "question")
        await wait_for(pilot, lambda: view.branch == "2/2")
        await pilot.press("escape", "right_square_bracket")
        await pilot.press("left_square_bracket")
        await wait_for(pilot, lambda: ("choose", 90) in engine.calls)


async def test_words_are_found_in_the_chat_and_the_keys_go_round() -> None:
    store = FakeStore()
    turns = [
        TurnText(n, n, f"Question {n}", NOW, "apple" if n % 50 == 0 else "pear")
        for n in range(1, 301)
    ]
    store.add(1, "Long", turns)
    app = make_app(FakeEngine(store))
    async with app.run_test() as pilot:
        screen = app.screen
        assert isinstance(screen, ChatScreen)
        await screen.open_conversation(1)
        await pilot.press("ctrl+f", *"APPLE")
        await wait_for(pilot, lambda: "6/6" in drawn(app))
        assert "Find  APPLE" in drawn(app)
        await pilot.press("enter")
        await wait_for(pilot, lambda: "1/6" in drawn(app))
        await wait_for(pilot, lambda: "Question 50" in drawn(app))
        await pilot.press("up", "up")
        await wait_for(pilot, lambda: "Question 250" in drawn(app))
        await pilot.press("escape")
        await wait_for(pilot, lambda: isinstance(app.focused, TurnView))
        assert not screen.query_one(FindBar).has_class("-open")


async def test_words_found_in_one_chat_are_looked_for_anew_in_the_next() -> None:
    store = FakeStore()
    for chat, n in ((1, 9), (2, 1)):
        turns = [TurnText(10 * chat + i, i, f"Chat {chat}", NOW, "apple") for i in range(n)]
        store.add(chat, f"Chat {chat}", turns)
    app = make_app(FakeEngine(store))
    async with app.run_test() as pilot:
        await app.chat.open_conversation(1)
        await pilot.press("ctrl+f", *"apple")
        await wait_for(pilot, lambda: "9/9" in drawn(app))
        await app.chat.open_conversation(2)
        await wait_for(pilot, lambda: "9/9" not in drawn(app))
        await pilot.press("ctrl+f", "down")
        await wait_for(pilot, lambda: "1/1" in drawn(app))
        await app.chat.open_conversation(None)
        await pilot.press("ctrl+f", "up")
        await wait_for(pilot, lambda: "nothing found" in drawn(app))


async def test_a_found_message_of_another_chat_is_opened_where_it_stands() -> None:
    store = FakeStore()
    store.add(1, "Trees", [TurnText(n, n, f"Tree {n}", NOW, "yes") for n in range(1, 40)])
    app = make_app(FakeEngine(store))
    async with app.run_test() as pilot:
        await pilot.press("ctrl+g", *"Tree 7")
        await wait_for(pilot, lambda: "14 Mar 2026 · Trees" in drawn(app))
        await pilot.press("down", "enter")
        await wait_for(pilot, lambda: isinstance(app.screen, ChatScreen) and "Tree 7" in drawn(app))


async def test_a_message_found_from_the_memory_screen_is_shown_and_not_opened_under_it() -> None:
    store = FakeStore()
    store.add(1, "Trees", [TurnText(1, 1, "Tree 1", NOW, "yes")])
    app = make_app(FakeEngine(store))
    async with app.run_test() as pilot:
        await wait_for(pilot, lambda: is_idle(app))
        await pilot.press("f3", "ctrl+g", *"Tree")
        await wait_for(pilot, lambda: "14 Mar 2026 · Trees" in drawn(app))
        await pilot.press("down", "enter")
        await wait_for(pilot, lambda: isinstance(app.screen, ChatScreen) and "Tree 1" in drawn(app))


async def test_five_thousand_turns_open_as_a_window_that_moves() -> None:
    store = FakeStore()
    store.add(1, "Long", [TurnText(n, n, f"Question {n}", NOW, "Yes.") for n in range(1, 5001)])
    app = make_app(FakeEngine(store))
    async with app.run_test(size=(80, 24)) as pilot:
        screen = app.screen
        assert isinstance(screen, ChatScreen)
        await screen.open_conversation(1)
        transcript = screen.query_one(Transcript)
        assert len(transcript.views) == N_MOUNTED
        for first in (4980, 4970, 4960):
            while transcript.views[0].turn.number > first:
                await pilot.press("pageup")
                await pilot.pause()
        numbers = [view.turn.number for view in transcript.views]
        assert numbers == list(range(numbers[0], numbers[-1] + 1))
        assert len(numbers) <= N_MOST
        await pilot.press("ctrl+end")
        await wait_for(pilot, lambda: "Question 5000" in drawn(app))


async def test_in_mode_ask_a_thought_waits_for_its_answer_and_typing_goes_on() -> None:
    never: list[str] = []
    store = FakeStore(candidates_=[Candidate(7, "avoids cilantro"), Candidate(8, "has a [/dog]")])
    engine = FakeEngine(store)
    app = make_app(engine, facts=Facts(memory_mode="ask", never_store=never.append))
    async with app.run_test(size=(80, 24)) as pilot:
        chip = app.screen.query_one(ConsentChip)
        await wait_for(pilot, lambda: chip.has_class("-asking"))
        await pilot.press("y")
        assert app.screen.query_one(PromptInput).text == "y"
        assert "ctrl+y, then  y yes" in drawn(app)
        await pilot.press("ctrl+y")
        await wait_for(pilot, lambda: "ctrl+y" not in drawn(app))  # it has the keyboard now
        await pilot.press("y")
        await wait_for(pilot, lambda: ("decide", 7, True) in store.calls)
        await wait_for(pilot, lambda: "has a [/dog]" in drawn(app))
        await pilot.press("v")
        await wait_for(pilot, lambda: "What holds them is never kept" in drawn(app))
        await pilot.press(*"dog", "enter")
        await wait_for(pilot, lambda: ("decide", 8, False) in store.calls)
        assert never == ["dog"]
        await wait_for(pilot, lambda: not chip.has_class("-asking"))


@pytest.mark.parametrize(("key", "given"), [("y", (1, 2)), ("n", ()), ("escape", ())])
async def test_what_was_recalled_is_asked_about_before_it_is_given(
    key: str, given: tuple[int, ...]
) -> None:
    engine = FakeEngine(FakeStore(), asks_first=True)
    app = make_app(engine, facts=Facts(memory_mode="ask"))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for(pilot, lambda: is_idle(app))
        app.screen.query_one(PromptInput).fill("The dog?")
        await pilot.press("enter")
        await wait_for(pilot, lambda: "Give these to the model?" in drawn(app))
        await wait_for(pilot, lambda: "y Yes" in drawn(app))
        assert "Edit first" not in drawn(app)  # what was recalled is given or not
        assert "Anna loves long walks." in drawn(app)
        await pilot.press(key)
        await wait_for(pilot, lambda: is_idle(app))
        assert engine.given == given
        await wait_for(pilot, lambda: not app.screen.query_one(ConsentChip).has_class("-asking"))
        await wait_for(pilot, lambda: app.screen.query_one(PromptInput).has_focus)


async def test_a_pause_in_typing_reads_the_prompt_ahead_when_that_is_allowed() -> None:
    engine = FakeEngine(FakeStore())
    app = make_app(engine, facts=Facts(may_prefill=lambda: True))
    async with app.run_test() as pilot:
        await wait_for(pilot, lambda: is_idle(app))
        app.screen.query_one(PromptInput).fill("What is")
        await wait_for(pilot, lambda: ("prefill", "What is") in engine.calls)
        await pilot.press("enter")
        engine.tokens_per_second = 20
        app.screen.query_one(PromptInput).fill("And then")  # while the answer comes
        await wait_for(pilot, lambda: ("prefill", "And then") in engine.calls)
        assert engine.asked == ["What is"]
        assert [call for call in engine.calls if call[0] == "prefill"] == [
            ("prefill", "What is"),
            ("prefill", "And then"),
        ]


async def test_what_could_wait_is_done_after_each_answer() -> None:
    engine = FakeEngine(FakeStore(), recall=replace(ANNA, memories=()))
    app = make_app(engine)
    async with app.run_test() as pilot:
        await wait_for(pilot, lambda: engine.n_idle == 1)
        await say(pilot, app, "question")
        await wait_for(pilot, lambda: engine.n_idle == 2)


def test_the_help_names_every_command_and_every_key_once() -> None:
    keys = keys_of(KEY_PLACES)
    text = help_text(keys).plain
    assert all(f"/{name}" in text for name in COMMANDS)
    ids = [key.id for key in keys]
    assert len(ids) == len(set(ids))
    assert all(id_ in text for id_ in ids)


def test_every_signal_of_recall_has_a_name_for_a_person() -> None:
    assert set(WEIGHTS) < set(SIGNALS)


async def test_keys_pressed_blindly_on_an_answer_end_nothing() -> None:
    engine = FakeEngine(FakeStore())
    app = make_app(engine)
    async with app.run_test() as pilot:
        await say(pilot, app, "question")
        await pilot.press("escape")
        for key in "/memory ask":  # one burst, on the answer in place of the input
            app.post_message(events.Key("space" if key == " " else key, key))
        await pilot.pause()
        await wait_for(pilot, lambda: is_idle(app))
        assert app.is_running
