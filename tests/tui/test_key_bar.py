"""The line of keys: what it shows, and a click on it."""

from typing import ClassVar

from textual.app import App, ComposeResult
from textual.widgets import Input

from assistant.tui.widgets.key_bar import KeyBar
from tui_fakes import drawn, wait_for


class Keys(App[None]):
    BINDINGS: ClassVar[list[tuple[str, str, str]]] = [
        ("ctrl+n", "note", "New"),
        ("ctrl+l", "leave", "Leave"),
    ]
    pressed = ""

    def compose(self) -> ComposeResult:
        yield Input()
        yield KeyBar()

    def action_note(self) -> None:
        self.pressed += "n"

    def action_leave(self) -> None:
        self.pressed += "l"

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return None if action == "leave" and not self.pressed else True


async def test_a_click_on_a_key_presses_it_and_one_that_is_disabled_does_nothing() -> None:
    app = Keys()
    async with app.run_test(size=(60, 4)) as pilot:
        await wait_for(pilot, lambda: "^n New" in drawn(app))
        bar = app.query_one(KeyBar)
        line = drawn(app).splitlines()[-1]
        await pilot.click(KeyBar, offset=(line.index("Leave"), 0))
        assert app.pressed == ""
        await pilot.click(KeyBar, offset=(line.index("New"), 0))
        await wait_for(pilot, lambda: app.pressed == "n")
        assert [hint.enabled for hint in bar.hints if hint.description == "New"] == [True]


async def test_only_whole_keys_are_shown_and_the_last_of_them_first() -> None:
    """The last is Help in the app, which lists what has no room."""
    app = Keys()
    async with app.run_test(size=(18, 4)) as pilot:
        await wait_for(pilot, lambda: drawn(app).splitlines()[-1].strip() == "^n New  ^l Leave")
        await pilot.resize_terminal(17, 4)
        await wait_for(pilot, lambda: drawn(app).splitlines()[-1].strip() == "^l Leave")
        await pilot.resize_terminal(9, 4)
        await wait_for(pilot, lambda: drawn(app).splitlines()[-1].strip() == "")
