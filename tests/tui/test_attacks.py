"""Texts that would act if they were parsed: in answers, prompts, memories, titles and file names.

Each is drawn everywhere foreign text can appear; nothing may raise, quit, or reach the terminal.
"""

from dataclasses import replace

from assistant.errors import ModelMissing
from assistant.records import Recall
from assistant.tui.screens.chat import ChatScreen
from assistant.tui.session import (
    Candidate,
    Conflict,
    Facts,
    MemoryDetails,
    MemoryRow,
    ModelFacts,
    Neighbour,
    TurnText,
)
from assistant.tui.widgets.answer import Answer
from assistant.tui.widgets.markdown_parser import make_parser
from tui_fakes import (
    NOW,
    FakeEngine,
    FakeShelf,
    FakeStore,
    drawn,
    is_idle,
    make_app,
    memory,
    say,
    wait_for,
)

ATTACKS = [
    "[/foo]",
    "[@click=app.quit]quit[/]",
    "[bold red]x[/bold red] [link=http://a.b]l[/link] [$error]",
    "\x1b]52;c;aGFja2Vk\x07\x1b[2J\x9b31m",
    "[x](javascript:app.quit) ![i](http://a/b.png) <b>html</b> <script>x</script>",
    "| a | [/foo] |\n|---|---|\n| [@click=app.quit]c[/] | \x1b[31mred |",
    "```[/foo]\n[@click=app.quit]\n```",
    "\u202eevil\u2066 \ufeff\u2028line",
    "a\\[b] [[c]] [/] []",
]


def hostile_store(text: str) -> FakeStore:
    row = MemoryRow(1, "thought", text, "user", NOW)
    store = FakeStore(
        rows=[row, replace(row, id=2)],
        details_=MemoryDetails(text, [(NOW, text)], [Neighbour(2, text, NOW, "similar")], [0.5]),
        conflicts_=[Conflict(row, row)],
        candidates_=[Candidate(9, text)],
    )
    store.add(1, text, [TurnText(1, 1, text, NOW, text)])
    return store


async def test_hostile_text_is_drawn_as_text_wherever_it_appears() -> None:
    text = "\n\n".join(ATTACKS)
    store = hostile_store(text)
    recall = Recall(text, (memory(1, text),), (memory(2, text, reason=text),))
    engine = FakeEngine(store, reply=text, recall=recall, facts=ModelFacts(text, 4096, text))
    app = make_app(engine, shelf=FakeShelf(), facts=Facts(memory_mode="ask", data_dir=text))
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for(pilot, lambda: is_idle(app))
        view = await say(pilot, app, "q " + text)
        view.add_notice(text)
        await pilot.press("escape", "enter")  # the memories under the answer
        seen = [widget.region.intersection(app.screen.region) for widget in view.query("*")]
        for region in [region for region in seen if region.area]:
            await pilot.hover(offset=region.offset)  # a tooltip would be parsed as markup
            await pilot.click(offset=region.offset)
        for keys in (
            ("ctrl+w",),
            ("t",),
            ("escape", "f3"),
            ("enter",),
            ("c",),
            ("escape", "escape", "ctrl+g", *"q "),
            ("escape", "ctrl+p", *"chat"),
            ("escape", "f4"),
            ("escape",),
        ):
            await pilot.press(*keys)
            await pilot.pause()
            page = drawn(app)
            assert "\x1b" not in page
            assert "\x9b" not in page
        screen = app.screen
        assert isinstance(screen, ChatScreen)
        await screen.open_conversation(1)
        screen.prompt.fill(f"/rename {text}")
        await pilot.press("enter")
        screen.prompt.fill(f"/{text}")
        screen.tell(text, error=True)
        await pilot.pause()
        assert app.is_running
    assert app.return_value is None


async def test_hostile_text_streamed_in_small_pieces_is_drawn_as_text() -> None:
    engine = FakeEngine(FakeStore())
    app = make_app(engine)
    async with app.run_test() as pilot:
        for text in ATTACKS:
            engine.reply = " ".join(text)
            await say(pilot, app, text)
            assert "\x1b" not in drawn(app)
        assert app.is_running


async def test_an_error_that_quotes_hostile_text_is_drawn_as_text() -> None:
    engine = FakeEngine(
        FakeStore(), load_error=ModelMissing("[/foo] \x1b]52;c;x\x07", "[@click=a]")
    )
    app = make_app(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for(pilot, lambda: "[/foo]" in drawn(app))


async def test_nothing_in_an_answer_can_be_clicked() -> None:
    text = "[x](http://a.b) <http://c.d> http://e.f ![i](g.png)\n\n| t |\n|---|\n| [y](http://h) |"
    engine = FakeEngine(FakeStore(), reply=text)
    app = make_app(engine)
    async with app.run_test(size=(100, 30)) as pilot:
        view = await say(pilot, app, "q")
        await pilot.pause()
        answer = view.query_one(Answer)
        for line in range(answer.size.height):
            for column in range(answer.size.width):
                assert "@click" not in answer.get_style_at(column, line).meta
        assert answer.tooltip is None
        assert "x ⟨http://a.b⟩" in drawn(app)


def test_a_link_becomes_its_words_and_its_address() -> None:
    tokens = make_parser().parse("see [here](http://a.b) and <http://c.d>")
    words = "".join(child.content for child in tokens[1].children or [])
    assert words == "see here ⟨http://a.b⟩ and http://c.d"
