"""The chat screen, driven by Pilot over the fake engine."""

import threading
from itertools import pairwise
from pathlib import Path
from time import perf_counter, sleep

import pytest
from textual import events
from textual._xterm_parser import XTermParser

from assistant.conversation.events import TokenText
from assistant.errors import AssistantError, ModelMissing
from assistant.tui.history import PromptHistory
from assistant.tui.messages import JobFailed
from assistant.tui.screens.chat import ChatScreen
from assistant.tui.session import TurnText
from assistant.tui.widgets.answer import Answer
from assistant.tui.widgets.conversations import ConversationList
from assistant.tui.widgets.header import StatusHeader
from assistant.tui.widgets.phase import PhaseLine
from assistant.tui.widgets.prompt import PromptInput
from assistant.tui.widgets.transcript import Transcript
from assistant.tui.widgets.turn import TurnView
from tui_fakes import NOW, FakeEngine, FakeStore, drawn, is_idle, make_app, say, wait_for


def shown(view: TurnView, selector: str) -> str:
    return str(view.query_one(selector).render())


async def test_an_answer_is_streamed_and_its_memories_and_speed_are_shown_under_it() -> None:
    engine = FakeEngine(FakeStore())
    app = make_app(engine)
    async with app.run_test() as pilot:
        view = await say(pilot, app, "What is the name of Anna's dog?")
        assert engine.asked == ["What is the name of Anna's dog?"]
        assert view.reply == "Anna's dog is called **Bolo**."
        footer = shown(view, ".turn-footer")
        assert "2 memories given to the model" in footer
        assert "tokens/s" in footer
        assert not view.query(".turn-memories")
        await pilot.press("escape", "enter")
        assert "Bolo" in shown(view, ".turn-memories")
        assert "context 5 %" in str(app.screen.query_one(StatusHeader).render())


async def test_what_is_typed_after_enter_while_the_store_is_slow_is_kept_and_enter_counts_once() -> (
    None
):
    store, gate = FakeStore(), threading.Event()
    store.add(1, "A chat", [TurnText(1, 1, "Question", NOW, "Yes.")])
    turns = store.turns
    engine = FakeEngine(store)
    app = make_app(engine)
    async with app.run_test() as pilot:
        await wait_for(pilot, lambda: is_idle(app))
        prompt = app.chat.prompt
        store.turns = lambda id_: turns(id_) if gate.wait(10) else []  # type: ignore[method-assign]
        app.chat.post_message(ConversationList.Chosen(1))  # the chat waits for its turns
        prompt.fill("One")
        for _ in range(2):  # not by a Pilot, which waits for the chat
            app.chat.post_message(PromptInput.Sent("One"))
        prompt.insert(" two")
        gate.set()
        await wait_for(pilot, lambda: is_idle(app) and engine.asked == ["One"])
        assert app.chat.prompt.text == " two"
        assert [turn.prompt for turn in app.chat.transcript.turns] == ["Question", "One"]


async def test_an_answer_that_goes_on_while_the_app_ends_is_not_drawn() -> None:
    engine = FakeEngine(FakeStore(), reply="A paragraph.\n\n" * 60, tokens_per_second=10)
    app = make_app(engine)
    async with app.run_test() as pilot:
        await wait_for(pilot, lambda: is_idle(app))
        app.chat.prompt.fill("Hello")
        await pilot.press("enter")
        await wait_for(pilot, lambda: app.chat.writing is not None)
        app.exit(0)
        app.chat._listener.send(TokenText("A paragraph.\n\n" * 40))
        await app.chat.draw_events()  # as it comes from the engine that is stopped
        app.chat.post_message(JobFailed(AssistantError("It failed.")))


async def test_a_click_on_what_was_just_taken_away_hits_nothing() -> None:
    app = make_app(FakeEngine(FakeStore()))
    async with app.run_test() as pilot:
        view = await say(pilot, app, "Hello")
        x, y = view.query_one(".prompt-text").region.offset
        with app.batch_update():  # the frame that a person sees and clicks on is the one before
            await view.query_one(".prompt-text").remove()
            button = {"button": 1, "shift": False, "meta": False, "ctrl": False}
            app.chat._forward_event(events.MouseDown(None, x, y, 0, 0, **button))


async def test_the_phase_is_named_while_the_model_loads_and_the_message_waits_for_it() -> None:
    gate = threading.Event()
    engine = FakeEngine(FakeStore(), load_gate=gate)
    app = make_app(engine)
    async with app.run_test() as pilot:
        line = app.screen.query_one(PhaseLine)
        await wait_for(pilot, lambda: "loading model 40 %" in str(line.render()))
        app.screen.query_one(PromptInput).fill("Hello")
        await pilot.press("enter")
        assert engine.asked == []
        gate.set()
        await wait_for(pilot, lambda: is_idle(app))
        assert engine.asked == ["Hello"]
        assert str(line.render()) == ""


async def test_an_answer_that_takes_long_to_draw_is_drawn_less_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    append, begun = Answer.append, []

    def draw_slowly(answer: Answer, text: str) -> None:
        begun.append(perf_counter())
        sleep(0.05)
        append(answer, text)

    monkeypatch.setattr(Answer, "append", draw_slowly)
    engine = FakeEngine(FakeStore(), reply="word " * 90, tokens_per_second=60)
    app = make_app(engine)
    async with app.run_test() as pilot:
        await say(pilot, app, "Hello")
    gaps = [later - before for before, later in pairwise(begun[1:-1])]  # the last ends with the job
    assert len(gaps) >= 2
    assert min(gaps) > 0.15  # a fifteenth of a second and the draw itself are 0.12


async def test_escape_stops_the_answer_marks_it_partial_and_never_quits() -> None:
    engine = FakeEngine(FakeStore(), reply="word " * 500, tokens_per_second=60)
    app = make_app(engine)
    async with app.run_test() as pilot:
        app.screen.query_one(PromptInput).fill("Go on")
        await pilot.press("enter")
        transcript = app.screen.query_one(Transcript)
        await wait_for(pilot, lambda: bool(transcript.last and "word" in transcript.last.reply))
        await pilot.press("escape")
        await wait_for(pilot, lambda: is_idle(app))
        view = transcript.last
        assert view is not None
        assert view.turn.partial
        assert "a partial answer" in shown(view, ".turn-footer")
        for _ in range(4):
            await pilot.press("escape")
        assert app.is_running


async def test_a_stop_while_the_model_loads_is_not_lost() -> None:
    gate = threading.Event()
    engine = FakeEngine(FakeStore(), reply="word " * 500, tokens_per_second=60, load_gate=gate)
    app = make_app(engine)
    async with app.run_test() as pilot:
        app.screen.query_one(PromptInput).fill("Go on")
        await pilot.press("enter", "escape")
        gate.set()
        await wait_for(pilot, lambda: is_idle(app))
        last = app.screen.query_one(Transcript).last
        assert last is not None
        assert last.turn.partial


@pytest.mark.parametrize("key", ["ctrl+j", "shift+enter", "alt+enter"])
async def test_a_newline_key_breaks_the_line_and_sends_nothing(key: str) -> None:
    engine = FakeEngine(FakeStore())
    app = make_app(engine)
    async with app.run_test() as pilot:
        await pilot.press("a", key, "b")
        assert app.screen.query_one(PromptInput).text == "a\nb"
        assert engine.asked == []


def test_alt_enter_is_known_where_a_terminal_sends_it_as_escape_and_return() -> None:
    make_app(FakeEngine(FakeStore()))
    parser = XTermParser()
    read = [token for bytes in ("\x1b\r", "\r") for token in parser.feed(bytes)]
    assert [token.key for token in read if isinstance(token, events.Key)] == ["alt+enter", "enter"]


async def test_enter_in_one_burst_with_the_text_sends_it_all() -> None:
    engine = FakeEngine(FakeStore())
    app = make_app(engine)
    async with app.run_test() as pilot:
        await wait_for(pilot, lambda: is_idle(app))
        for character in "Hello":
            app.post_message(events.Key(character, character))
        app.post_message(events.Key("enter", "\r"))
        await wait_for(pilot, lambda: engine.asked == ["Hello"])


async def test_nothing_is_sent_for_blanks() -> None:
    engine = FakeEngine(FakeStore())
    app = make_app(engine)
    async with app.run_test() as pilot:
        await pilot.press("space", "enter")
        await pilot.pause()
        assert engine.asked == []


async def test_a_second_message_waits_in_the_input_while_the_first_is_answered() -> None:
    engine = FakeEngine(FakeStore(), reply="word " * 200, tokens_per_second=60)
    app = make_app(engine)
    async with app.run_test() as pilot:
        prompt = app.screen.query_one(PromptInput)
        prompt.fill("one")
        await pilot.press("enter")
        prompt.fill("two")
        await pilot.press("enter")
        assert prompt.text == "two"
        await pilot.press("escape")
        await wait_for(pilot, lambda: is_idle(app))
        assert engine.asked == ["one"]


async def test_a_conversation_is_opened_from_the_list() -> None:
    store = FakeStore()
    store.add(1, "Anna", [TurnText(1, 1, "My sister Anna", NOW, "Lovely.")])
    engine = FakeEngine(store)
    app = make_app(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        conversations = app.screen.query_one(ConversationList)
        await wait_for(pilot, lambda: conversations.option_count == 2)
        assert not conversations.display
        await pilot.press("ctrl+o", "down", "enter")
        await wait_for(pilot, lambda: app.screen.query_one(Transcript).last is not None)
        assert not conversations.display
        view = app.screen.query_one(Transcript).last
        assert view is not None
        assert (view.turn.prompt, view.reply) == ("My sister Anna", "Lovely.")
        await wait_for(pilot, lambda: engine.opened == [(1, "normal")])
        await pilot.press("ctrl+n")
        await wait_for(pilot, lambda: engine.opened[-1] == (None, "normal"))
        assert app.screen.query_one("#welcome").display


async def test_the_list_stands_beside_the_chat_from_100_columns_on() -> None:
    app = make_app(FakeEngine(FakeStore()))
    async with app.run_test(size=(100, 24)) as pilot:
        conversations = app.screen.query_one(ConversationList)
        assert conversations.display
        assert app.screen.query_one("#chat").region.x == 30
        await pilot.press("ctrl+o")
        assert conversations.has_focus
        await pilot.press("ctrl+o")
        assert not conversations.display
        await pilot.resize_terminal(80, 24)
        await pilot.press("ctrl+o")
        assert conversations.display
        assert app.screen.query_one("#chat").region.x == 0


async def test_a_model_that_cannot_be_loaded_is_named_with_its_remedy_and_the_app_stays() -> None:
    engine = FakeEngine(
        FakeStore(),
        load_error=ModelMissing("No [/model] is there.", "Run `assistant models pull`."),
    )
    app = make_app(engine)
    async with app.run_test(notifications=True) as pilot:
        await wait_for(pilot, lambda: "No [/model] is there. /models or F4" in drawn(app))
        assert "no model yet" in str(app.screen.query_one(StatusHeader).render())


async def test_prompts_come_back_with_up_and_are_kept_in_a_private_file(tmp_path: Path) -> None:
    file = tmp_path / "prompt_history"
    app = make_app(FakeEngine(FakeStore()), PromptHistory(file))
    async with app.run_test() as pilot:
        await say(pilot, app, "first")
        await say(pilot, app, "second [/foo]\nline")
        await pilot.press("d", "up", "up", "up", "up")
        assert app.screen.query_one(PromptInput).text == "first"
        await pilot.press("down", "down", "down")
        assert app.screen.query_one(PromptInput).text == "d"
    assert file.stat().st_mode & 0o777 == 0o600
    assert PromptHistory(file).step(-1, "") == "second [/foo]\nline"


async def test_quitting_closes_the_engine_and_the_store() -> None:
    engine = FakeEngine(FakeStore())
    app = make_app(engine)
    async with app.run_test() as pilot:
        await wait_for(pilot, lambda: is_idle(app))
        await pilot.press("ctrl+q")
    assert engine.closed
    assert engine.store.closed


async def test_quitting_at_once_ends_quietly() -> None:
    for n_pauses in range(4):
        app = make_app(FakeEngine(FakeStore()))
        async with app.run_test() as pilot:
            for _ in range(n_pauses):
                await pilot.pause()
            app.exit(0)
        assert app.return_value == 0


async def test_reading_on_up_the_page_is_not_disturbed_and_end_follows_again() -> None:
    store = FakeStore()
    store.add(
        1, "Long", [TurnText(n, n, f"Question {n}", NOW, "Line\n\n" * 8) for n in range(1, 9)]
    )
    engine = FakeEngine(store, reply="word\n\n " * 600, tokens_per_second=0)
    app = make_app(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = app.screen
        assert isinstance(screen, ChatScreen)
        await screen.open_conversation(1)
        await pilot.pause()
        transcript = screen.query_one(Transcript)
        assert transcript.scroll_y == transcript.max_scroll_y > 20
        await pilot.press("pageup", "pageup")
        await pilot.pause()
        held = transcript.scroll_y
        assert held < transcript.max_scroll_y
        engine.tokens_per_second = 60
        screen.prompt.fill("more")
        await pilot.press("enter")
        await wait_for(pilot, lambda: bool(transcript.last and "word" in transcript.last.reply))
        await pilot.press("pageup", "pageup")
        await pilot.pause()
        held, height = transcript.scroll_y, transcript.virtual_size.height
        await wait_for(pilot, lambda: transcript.virtual_size.height > height + 8)
        assert transcript.scroll_y == held < transcript.max_scroll_y
        for key in ("ctrl+end", "end"):
            await pilot.press("pageup", key)
            await pilot.pause()
            assert transcript.scroll_y == transcript.max_scroll_y
        await pilot.press("a", "b", "home", "end")  # in a text it is the line's end
        assert screen.prompt.cursor_location == (0, 2)
        await pilot.press("escape")
        await wait_for(pilot, lambda: is_idle(app))
