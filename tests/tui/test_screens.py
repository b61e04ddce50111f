"""The Memory, Models and First-run screens, over fakes."""

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from textual.widgets import Input, OptionList, Static

from assistant.conversation.events import Progress
from assistant.errors import SourceUnreachable
from assistant.tui.screens import memory
from assistant.tui.screens.chat import ChatScreen
from assistant.tui.screens.first_run import FirstRunScreen
from assistant.tui.screens.memory import MemoryScreen
from assistant.tui.screens.models import ModelsScreen
from assistant.tui.session import Facts, ModelFacts, TurnText
from tui_fakes import (
    NOW,
    FakeEngine,
    FakeShelf,
    FakeStore,
    drawn,
    is_idle,
    make_app,
    make_store,
    wait_for,
)


async def test_memories_are_filtered_forgotten_and_brought_back() -> None:
    store = make_store()
    app = make_app(FakeEngine(store))
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("f3")
        await wait_for(pilot, lambda: "Memory · 8 memories" in drawn(app))
        assert "Memory 2 about [/foo] cilantro" in drawn(app)
        await pilot.press("slash", *"kind:thought")
        await wait_for(pilot, lambda: "Memory · 4 memories" in drawn(app))
        await pilot.press("enter", "f")
        await wait_for(pilot, lambda: store.forgotten == [1])
        await pilot.press("u")
        await wait_for(pilot, lambda: store.forgotten == [])
        await pilot.press("space", "space", "f")
        await wait_for(pilot, lambda: store.forgotten == [1, 3])


async def test_a_bad_filter_is_named_in_the_title() -> None:
    app = make_app(FakeEngine(make_store()))
    async with app.run_test() as pilot:
        await pilot.press("f3")
        await pilot.press("slash", *"kind:dog")
        await wait_for(pilot, lambda: "kind: is one of message" in drawn(app))


async def test_where_there_is_no_memory_the_screen_says_so() -> None:
    store = make_store()
    app = make_app(FakeEngine(store))
    async with app.run_test() as pilot:
        await pilot.press("f3")
        await wait_for(pilot, lambda: "8 memories" in drawn(app))
        await pilot.press("slash", *"zebra")
        await wait_for(pilot, lambda: "No memory fits this filter." in drawn(app))
        store.rows.clear()
        await pilot.press(*["backspace"] * 5)
        await wait_for(pilot, lambda: "Nothing is remembered yet." in drawn(app))
        await pilot.press("escape", "escape")
        await wait_for(pilot, lambda: not isinstance(app.screen, MemoryScreen))


async def test_a_table_that_is_not_all_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MOST_LISTED", 8)
    app = make_app(FakeEngine(make_store()))
    async with app.run_test() as pilot:
        await pilot.press("f3")
        await wait_for(pilot, lambda: "the newest 8 memories, / finds older ones" in drawn(app))


async def test_erasing_asks_first_and_shows_a_receipt() -> None:
    store = make_store()
    app = make_app(FakeEngine(store))
    async with app.run_test() as pilot:
        await pilot.press("f3")
        await wait_for(pilot, lambda: "8 memories" in drawn(app))
        await pilot.press("x", "n")
        assert store.calls == []
        await pilot.press("x")
        await wait_for(pilot, lambda: "Erase 1 memory for good?" in drawn(app))
        await pilot.press("y")
        await wait_for(pilot, lambda: "2 backups" in drawn(app))
        assert store.calls == [("erase", (1,))]


async def test_details_neighbours_conflicts_and_the_portrait_stand_beside_the_table() -> None:
    store = make_store()
    engine = FakeEngine(store)
    app = make_app(engine)
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.press("f3")
        await wait_for(pilot, lambda: "8 memories" in drawn(app))
        await pilot.press("enter")
        await wait_for(pilot, lambda: "└ refines" in drawn(app))
        assert "█▅▁" in drawn(app)
        assert "Anna [/b] walks" in drawn(app)
        await pilot.press("o")
        await wait_for(pilot, lambda: "Lives by the sea." in drawn(app))
        await pilot.press("c")
        await wait_for(pilot, lambda: "keep newer" in drawn(app))
        assert "one for, one against" in drawn(app)
        assert "1 conflict, c shows them" in drawn(app)
        await pilot.press("n")
        await wait_for(pilot, lambda: ("settle", "newer") in store.calls)
        await wait_for(pilot, lambda: "Nothing contradicts" in drawn(app))
        await wait_for(pilot, lambda: "enter opens one" in drawn(app))
        await pilot.press("escape", "p")
        await wait_for(pilot, lambda: ("pin", (1,), True) in store.calls)
        await pilot.press("slash", *"kind:thought", "enter")
        await wait_for(pilot, lambda: "4 memories" in drawn(app))
        await pilot.press("space", "space", "m")
        await wait_for(pilot, lambda: "One thought for all of them" in drawn(app))
        assert "· Memory 3 about [/foo] cilantro" in drawn(app)  # what it will stand for, too
        await pilot.press("!", "ctrl+s")
        words = "Memory 1 about [/foo] cilantro!"
        await wait_for(pilot, lambda: engine.calls[-1] == ("merge", (1, 3), words))
        await pilot.press("e")
        await wait_for(pilot, lambda: "What should be remembered?" in drawn(app))
        await pilot.press("?", "ctrl+s")
        await wait_for(pilot, lambda: str(engine.calls[-1][2]).endswith("?"))
        await pilot.press("escape", "escape")
        await wait_for(pilot, lambda: not isinstance(app.screen, MemoryScreen))


async def test_what_stands_beside_the_table_follows_the_cursor_and_what_is_changed() -> None:
    store = make_store()
    app = make_app(FakeEngine(store))
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.press("f3")
        await wait_for(pilot, lambda: "8 memories" in drawn(app))
        await pilot.press("enter")
        await wait_for(pilot, lambda: "thought 1 · 13 Mar 2026" in drawn(app))
        await pilot.press("down")
        await wait_for(pilot, lambda: "message 2 · 12 Mar 2026" in drawn(app))
        await pilot.press("down", "e", "!", "ctrl+s")
        await wait_for(pilot, lambda: "thought 103 · 11 Mar 2026" in drawn(app))
        settled = store.conflicts_.copy()
        await pilot.press("c", "b")
        await wait_for(pilot, lambda: "Nothing contradicts" in drawn(app))
        store.forgotten.append(7)
        store.conflicts_ += settled
        await pilot.press("u")
        await wait_for(pilot, lambda: "Conflicts: 1" in drawn(app))


async def test_the_text_fills_the_table_after_each_change_of_width() -> None:
    store = make_store()
    store.rows[0] = replace(store.rows[0], text="Memory 1 " + "is long " * 30)
    app = make_app(FakeEngine(store))
    async with app.run_test(size=(140, 20)) as pilot:
        await pilot.press("f3")
        await wait_for(pilot, lambda: "is long " * 11 in drawn(app))
        table = app.screen.query_one("#memory-table")
        assert not table.show_horizontal_scrollbar
        await pilot.press("enter")
        await wait_for(pilot, lambda: "thought 1" in drawn(app))
        await pilot.resize_terminal(80, 20)
        await pilot.press("escape")
        await wait_for(pilot, lambda: "Memory 1 is long is long is long is long " in drawn(app))
        assert not table.show_horizontal_scrollbar


async def test_a_model_is_chosen_downloaded_paused_and_added() -> None:
    shelf, engine = FakeShelf(), FakeEngine(FakeStore())
    app = make_app(engine, shelf=shelf)
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_for(pilot, lambda: is_idle(app))
        await pilot.press("f4")
        await wait_for(pilot, lambda: isinstance(app.screen, ModelsScreen))
        await wait_for(pilot, lambda: "through the window" in drawn(app))
        await pilot.press("down", "down", "d")
        await wait_for(pilot, lambda: "Download qwen3-30b-a3b, 18.6 GB?" in drawn(app))
        await pilot.press("y")
        sizes = "qwen3-30b-a3b: downloading 6.0 GB of 18.6 GB · 8 MB/s · 26 min left"
        await wait_for(pilot, lambda: sizes in drawn(app))
        await pilot.press("p")
        await wait_for(pilot, lambda: "paused. p goes on." in drawn(app))
        shelf.gate.set()
        await pilot.press("p")
        await wait_for(pilot, lambda: "qwen3-30b-a3b is here." in drawn(app))
        await pilot.press("up", "enter")
        await wait_for(pilot, lambda: ("choose", "smollm2-135m") in shelf.calls)
        await pilot.press("a", *"my.gguf", "enter")
        await wait_for(pilot, lambda: ("add", "my.gguf") in shelf.calls)
        await pilot.press("escape")
        await wait_for(pilot, lambda: isinstance(app.screen, ChatScreen) and is_idle(app))


async def test_a_download_goes_on_while_the_person_talks_and_is_still_there_on_return() -> None:
    shelf = FakeShelf()
    app = make_app(FakeEngine(FakeStore()), shelf=shelf)
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await pilot.press("f4")
        await wait_for(pilot, lambda: "through the window" in drawn(app))
        await pilot.press("down", "down", "enter")  # Enter: it is to answer when it is here
        await wait_for(pilot, lambda: "Download qwen3-30b-a3b" in drawn(app))
        await pilot.press("y")
        await wait_for(pilot, lambda: "6.0 GB of 18.6 GB" in drawn(app))
        await pilot.press("d")
        await wait_for(pilot, lambda: ("pull", "qwen3-30b-a3b") in shelf.calls)
        await pilot.press("escape")
        await wait_for(pilot, lambda: "qwen3-30b-a3b goes on" in drawn(app))
        await pilot.press("f4")
        await wait_for(pilot, lambda: "6.0 GB of 18.6 GB" in drawn(app))
        await pilot.press("up", "up", "down", "down", "d", "escape")
        shelf.gate.set()
        await wait_for(pilot, lambda: ("choose", "qwen3-30b-a3b") in shelf.calls)
        await wait_for(pilot, lambda: "is here, and answers" in drawn(app))
        assert shelf.calls.count(("pull", "qwen3-30b-a3b")) == 1


async def test_leaving_the_app_ends_a_download() -> None:
    shelf = FakeShelf()
    app = make_app(FakeEngine(FakeStore()), shelf=shelf)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("f4")
        await wait_for(pilot, lambda: "through the window" in drawn(app))
        await pilot.press("down", "down", "d", "y")
        await wait_for(pilot, lambda: "6.0 GB of 18.6 GB" in drawn(app))
        await pilot.press("ctrl+q")
    assert shelf._stop.is_set()


async def test_why_a_download_failed_stays_to_be_read() -> None:
    shelf = FakeShelf(pull_error=SourceUnreachable("The hub cannot be reached.", "Try again."))
    app = make_app(FakeEngine(FakeStore()), shelf=shelf)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("f4")
        await wait_for(pilot, lambda: "through the window" in drawn(app))
        await pilot.press("down", "down", "d", "y")
        line = app.screen.query_one("#models-progress", Static)
        await wait_for(pilot, lambda: "cannot be reached. Try again." in str(line.content))


async def test_the_first_run_takes_three_steps_and_each_can_be_skipped() -> None:
    shelf, saved = FakeShelf(), []
    facts = Facts(
        data_dir="/home/me/.local/share/assistant",
        first_run=True,
        save_setting=lambda name, value: saved.append((name, value)),
    )
    app = make_app(FakeEngine(FakeStore()), shelf=shelf, facts=facts)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for(pilot, lambda: isinstance(app.screen, FirstRunScreen))
        assert "1 of 3" in drawn(app)
        await wait_for(pilot, lambda: "[@click=app.quit]model.gguf" in drawn(app))
        await pilot.press("s")
        assert "2 of 3" in drawn(app)
        await pilot.press("down", "enter")
        assert "/home/me/.local/share/assistant" in drawn(app)
        await pilot.press("enter")
        await wait_for(pilot, lambda: isinstance(app.screen, ChatScreen))
        assert saved == [("memory.mode", "ask")]
        await wait_for(pilot, lambda: "memory ask" in drawn(app))
        assert shelf.calls == []


async def test_a_model_chosen_in_the_first_run_is_downloaded_after_a_yes() -> None:
    shelf = FakeShelf()
    shelf.gate.set()
    app = make_app(FakeEngine(FakeStore()), shelf=shelf, facts=Facts(first_run=True))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for(pilot, lambda: isinstance(app.screen, FirstRunScreen))
        await wait_for(pilot, lambda: "on this disk" in drawn(app))
        await pilot.press("down", "down", "down", "enter", "s", "escape")
        await wait_for(pilot, lambda: "Download qwen3-30b-a3b" in drawn(app))
        await pilot.press("y")
        await wait_for(pilot, lambda: "qwen3-30b-a3b is here." in drawn(app))
        await wait_for(pilot, lambda: ("choose", "qwen3-30b-a3b") in shelf.calls)


@pytest.mark.parametrize("size", [(80, 24), (40, 12)])
async def test_the_first_run_says_how_to_go_on_before_it_knows_the_models(
    size: tuple[int, int],
) -> None:
    shelf = FakeShelf(look=threading.Event())
    shelf.models *= 12  # a long list leaves room for the keys all the same
    shelf.models = [replace(row, id=f"{row.id}-{n}") for n, row in enumerate(shelf.models)]
    app = make_app(FakeEngine(FakeStore()), shelf=shelf, facts=Facts(first_run=True))
    async with app.run_test(size=size) as pilot:
        await wait_for(pilot, lambda: isinstance(app.screen, FirstRunScreen))
        await wait_for(pilot, lambda: "Looking at what is here" in drawn(app))
        await pilot.press("enter")  # nothing to choose yet
        assert "1 of 3" in drawn(app)
        shelf.look.set()
        await wait_for(pilot, lambda: "in use" in drawn(app))
        assert "enter choose  s skip" in drawn(app)


async def test_the_first_run_may_be_left_before_it_knows_the_models() -> None:
    shelf = FakeShelf(look=threading.Event())
    app = make_app(FakeEngine(FakeStore()), shelf=shelf, facts=Facts(first_run=True))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for(pilot, lambda: isinstance(app.screen, FirstRunScreen))
        await pilot.press("escape")
        await wait_for(pilot, lambda: isinstance(app.screen, ChatScreen))
        shelf.look.set()
        await wait_for(pilot, lambda: all(worker.is_finished for worker in app.workers))


async def test_forty_columns_show_what_is_remembered_and_how_fast_a_model_is() -> None:
    app = make_app(FakeEngine(make_store()), shelf=FakeShelf())
    async with app.run_test(size=(40, 12)) as pilot:
        await pilot.press("f3")
        await wait_for(pilot, lambda: "13 Mar  Memory 1 about" in drawn(app))
        await pilot.press("escape", "f4")
        await wait_for(pilot, lambda: "smollm2-135m" in drawn(app) and "~4" in drawn(app))
        await pilot.resize_terminal(100, 30)
        await wait_for(pilot, lambda: "through the window" in drawn(app))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (("d",), "qwen2.5-coder-0.5b is here already."),
        (("enter",), "qwen2.5-coder-0.5b answers already."),
        (("p",), "No download is on its way, and none was paused."),
    ],
)
async def test_a_key_that_has_nothing_to_do_in_the_list_of_models_says_why(
    keys: tuple[str, ...], said: str
) -> None:
    app = make_app(FakeEngine(FakeStore()), shelf=FakeShelf())
    async with app.run_test() as pilot:
        await pilot.press("f4")
        await wait_for(pilot, lambda: "smollm2-135m" in drawn(app))
        await pilot.press(*keys)
        await wait_for(pilot, lambda: said in [n.message for n in app._notifications])


async def test_an_edit_that_waits_for_the_model_holds_no_key_and_is_made_though_the_screen_is_left() -> (
    None
):
    gate = threading.Event()
    engine = FakeEngine(make_store(), load_gate=gate)
    app = make_app(engine)
    async with app.run_test() as pilot:
        await pilot.press("f3")
        await wait_for(pilot, lambda: "8 memories" in drawn(app))
        await pilot.press("e", "!", "ctrl+s", "escape")
        await wait_for(pilot, lambda: isinstance(app.screen, ChatScreen))
        assert engine.calls == []
        gate.set()
        await wait_for(pilot, lambda: [call[0] for call in engine.calls] == ["edit"])


async def test_a_model_that_was_chosen_is_loaded_however_the_list_is_left() -> None:
    store = FakeStore()
    store.add(1, "A chat", [TurnText(1, 1, "Tree", NOW, "Yes.")])
    engine, loaded = FakeEngine(store), 0
    load = engine.load

    def counted(on_phase: Callable[[Progress], None]) -> ModelFacts:
        nonlocal loaded
        loaded += 1
        return load(on_phase)

    engine.load = counted  # type: ignore[method-assign]
    app = make_app(engine, shelf=FakeShelf())
    async with app.run_test() as pilot:
        await wait_for(pilot, lambda: is_idle(app) and loaded == 1)
        await pilot.press("f4")
        await wait_for(pilot, lambda: "smollm2-135m" in drawn(app))
        await pilot.press("down", "enter")
        await wait_for(
            pilot, lambda: "smollm2-135m answers" in " ".join(n.message for n in app._notifications)
        )
        app.open_chat(1)  # from the palette
        await wait_for(pilot, lambda: is_idle(app) and loaded == 2)


async def test_a_screen_that_lies_below_comes_up_by_its_key_and_shows_what_is_asked_for() -> None:
    app = make_app(FakeEngine(make_store()), shelf=FakeShelf())
    async with app.run_test() as pilot:
        await pilot.press("f4")
        await wait_for(pilot, lambda: isinstance(app.screen, ModelsScreen))
        await pilot.press("f3")
        await wait_for(pilot, lambda: "Memory · 8 memories" in drawn(app))
        await pilot.press("f4")
        await wait_for(pilot, lambda: isinstance(app.screen, ModelsScreen))
        await pilot.press("f3")
        await wait_for(pilot, lambda: "Memory · 8 memories" in drawn(app))
        app.action_memory("kind:thought")  # as a memory chosen in the palette
        await wait_for(pilot, lambda: "Memory · 4 memories" in drawn(app))


@pytest.mark.parametrize("place", ["palette", "search", "line"])
async def test_an_answer_that_comes_twice_takes_away_no_screen_but_its_own(place: str) -> None:
    store = FakeStore()
    store.add(1, "A chat", [TurnText(1, 1, "Tree", NOW, "Yes.")])
    engine = FakeEngine(store)
    app = make_app(engine, shelf=FakeShelf())
    async with app.run_test() as pilot:
        await wait_for(pilot, lambda: is_idle(app))
        if place == "line":
            await pilot.press("f4", "a")
            await wait_for(pilot, lambda: "The path of a GGUF file" in drawn(app))
            asked, below = app.screen, ModelsScreen
            line = asked.query_one(Input)
            answers = [Input.Submitted(line, "") for _ in range(2)]
        else:
            await pilot.press(*(("ctrl+g", *"Tree") if place == "search" else ("ctrl+p",)))
            await wait_for(pilot, lambda: app.screen.query_one(OptionList).option_count > 0)
            asked, below = app.screen, ChatScreen
            hits = asked.query_one(OptionList)
            answers = [OptionList.OptionSelected(hits, hits.options[0], 0) for _ in range(2)]
        for answer in answers:
            asked.post_message(answer)
        await wait_for(pilot, lambda: isinstance(app.screen, below))
        await pilot.pause()
        assert isinstance(app.screen, below)
        opened = [to for to in engine.opened if to != (None, "normal")]
        assert len(engine.opened) - len(opened) <= 1
        assert len(opened) <= 1


async def test_a_second_enter_in_the_first_run_chooses_nothing_from_the_step_that_is_done() -> None:
    saved: dict[str, str] = {}
    facts = Facts(first_run=True, save_setting=saved.__setitem__)
    app = make_app(FakeEngine(FakeStore()), shelf=FakeShelf(), facts=facts)
    async with app.run_test(size=(80, 30)) as pilot:
        await wait_for(pilot, lambda: "qwen2.5-coder-0.5b" in drawn(app))
        choices = app.screen.query_one(OptionList)
        choices.action_select()
        choices.action_select()  # before the first was heard
        await wait_for(pilot, lambda: "2 of 3" in drawn(app))
        await pilot.press("escape")
        await wait_for(pilot, lambda: isinstance(app.screen, ChatScreen))
        assert saved == {}


@pytest.mark.parametrize("key", ["space", "x", "f"])
async def test_a_key_that_finds_no_memory_says_so(key: str) -> None:
    app = make_app(FakeEngine(FakeStore()))
    async with app.run_test() as pilot:
        await wait_for(pilot, lambda: is_idle(app))
        await pilot.press("f3")
        await wait_for(pilot, lambda: "Nothing is remembered yet." in drawn(app))
        await pilot.press(key)
        said = "There is no memory here."
        await wait_for(pilot, lambda: said in [n.message for n in app._notifications])
