"""Slash commands: what is one, what each does, and what is said where it cannot be done."""

from pathlib import Path

import pytest

from assistant.errors import SettingError
from assistant.tui.commands import find_command, is_command
from assistant.tui.screens.chat import ChatScreen
from assistant.tui.screens.help import HelpScreen
from assistant.tui.screens.memory import MemoryScreen
from assistant.tui.screens.search import SearchScreen
from assistant.tui.session import Candidate, Facts
from assistant.tui.widgets.prompt import PromptInput
from assistant.tui.widgets.transcript import Transcript
from tui_fakes import (
    FakeEngine,
    FakeStore,
    drawn,
    is_idle,
    make_app,
    say,
    wait_for,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("/help", True), ("/etc/fstab", False), ("/ no", False), ("/", False), ("/read-only", True)],
)
def test_a_slash_and_a_word_is_a_command_and_a_path_is_none(text: str, expected: bool) -> None:
    assert is_command(text) is expected


def test_a_command_that_does_not_exist_is_answered_with_the_nearest() -> None:
    assert find_command("/memry")[2] == "There is no command /memry. Did you mean /memory?"
    assert "/read-only" in find_command("/incognito")[2]  # by what it does


async def test_commands_are_named_while_typed_completed_by_tab_and_run_by_enter() -> None:
    engine = FakeEngine(FakeStore())
    app = make_app(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for(pilot, lambda: is_idle(app))
        await pilot.press("slash", "t")
        await wait_for(pilot, lambda: "/temporary · /theme" in drawn(app))
        await pilot.press("e", "tab")
        await wait_for(pilot, lambda: app.screen.query_one(PromptInput).text == "/temporary ")
        await pilot.press("enter")
        await wait_for(pilot, lambda: (None, "temporary") in engine.opened)
        assert "temporary: nothing is kept" in drawn(app)
        assert engine.asked == []


async def test_the_memory_mode_is_set_by_a_command() -> None:
    saved: dict[str, object] = {}
    app = make_app(FakeEngine(FakeStore()), facts=Facts(save_setting=saved.__setitem__))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for(pilot, lambda: is_idle(app))
        app.screen.query_one(PromptInput).fill("/mode never")
        await pilot.press("enter")
        await wait_for(
            pilot, lambda: any("one of auto, ask, off" in n.message for n in app._notifications)
        )
        app.screen.query_one(PromptInput).fill("/mode ask")
        await pilot.press("enter")
        await wait_for(pilot, lambda: saved == {"memory.mode": "ask"})


@pytest.mark.parametrize(
    ("command", "mode", "theme"),
    [
        ("/mode off", "auto", "assistant-dark"),
        ("/theme assistant-light", "auto", "assistant-light"),
    ],
)
async def test_a_setting_that_cannot_be_saved_is_said_and_the_app_goes_on(
    command: str, mode: str, theme: str
) -> None:
    def save(name: str, value: str) -> None:
        raise SettingError("config.toml could not be written: No space left on device.")

    app = make_app(FakeEngine(FakeStore()), facts=Facts(save_setting=save))
    async with app.run_test() as pilot:
        await wait_for(pilot, lambda: is_idle(app))
        app.chat.prompt.fill(command)
        await pilot.press("enter")
        await wait_for(pilot, lambda: any("No space" in n.message for n in app._notifications))
        assert (app.chat.status.memory_mode, app.theme) == (mode, theme)


async def test_a_topic_that_cannot_be_saved_as_never_kept_is_asked_about_still() -> None:
    def never(topic: str) -> None:
        raise SettingError("config.toml could not be written: No space left on device.")

    store = FakeStore(candidates_=[Candidate(7, "avoids cilantro", "cilantro")])
    facts = Facts(memory_mode="ask", never_store=never)
    app = make_app(FakeEngine(store), facts=facts)
    async with app.run_test() as pilot:
        chip = app.chat.consent_chip
        await wait_for(pilot, lambda: chip.has_class("-asking"))
        await pilot.press("ctrl+y", "v", "enter")
        await wait_for(pilot, lambda: any("No space" in n.message for n in app._notifications))
        assert (store.calls, chip.candidate) == ([], Candidate(7, "avoids cilantro", "cilantro"))


async def test_a_temporary_chat_leaves_no_prompt_behind(tmp_path: Path) -> None:
    from assistant.tui.history import PromptHistory

    history = PromptHistory(tmp_path / "h")
    engine = FakeEngine(FakeStore())
    app = make_app(engine, history)
    async with app.run_test() as pilot:
        await wait_for(pilot, lambda: is_idle(app))
        screen = app.screen
        assert isinstance(screen, ChatScreen)
        await screen.open_conversation(None, "temporary")
        await say(pilot, app, "secret")
    assert not (tmp_path / "h").exists()


async def test_every_screen_opens_by_its_key_and_by_its_command() -> None:
    app = make_app(FakeEngine(FakeStore()))
    async with app.run_test() as pilot:
        for key, command, kind in (
            ("f1", "/help", HelpScreen),
            ("f3", "/memory anna", MemoryScreen),
            ("ctrl+g", "/search dog", SearchScreen),
        ):
            await pilot.press(key)
            await wait_for(pilot, lambda kind=kind: isinstance(app.screen, kind))
            await pilot.press("escape")
            await wait_for(pilot, lambda: isinstance(app.screen, ChatScreen))
            app.screen.query_one(PromptInput).fill(command)
            await pilot.press("enter")
            await wait_for(pilot, lambda kind=kind: isinstance(app.screen, kind))
            await pilot.press("escape")
            await wait_for(pilot, lambda: isinstance(app.screen, ChatScreen))


async def test_a_chat_is_renamed_and_deleted() -> None:
    store = FakeStore()
    app = make_app(FakeEngine(store))
    async with app.run_test() as pilot:
        await say(pilot, app, "question")
        app.screen.query_one(PromptInput).fill("/rename A better [/title]")
        await pilot.press("enter")
        await wait_for(pilot, lambda: store.conversations_[1].title == "A better [/title]")
        app.screen.query_one(PromptInput).fill("/delete")
        await pilot.press("enter")
        await wait_for(pilot, lambda: store.conversations_ == {})
        assert app.screen.query_one(Transcript).last is None


async def test_a_chat_is_exported_once_and_never_over_a_file(tmp_path: Path) -> None:
    app = make_app(FakeEngine(FakeStore(), reply="The \x1b]52;c;aGk=\x07answer"))
    async with app.run_test() as pilot:
        await say(pilot, app, "one\ntwo")
        file = tmp_path / "chat.md"
        for _ in range(2):
            app.screen.query_one(PromptInput).fill(f"/export {file}")
            await pilot.press("enter")
            await wait_for(pilot, lambda: app.screen.query_one(PromptInput).text == "")
            await wait_for(pilot, file.exists)
        assert "> one\n> two\n\nThe answer" in file.read_text()
        assert file.stat().st_mode & 0o777 == 0o600
        await wait_for(pilot, lambda: any("File exists" in n.message for n in app._notifications))


@pytest.mark.parametrize("name", ["~nobody/chat.md", "chat\0.md", "\ud83d.md"])
async def test_a_name_that_no_file_can_have_is_said_and_nothing_is_exported(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = make_app(FakeEngine(FakeStore()))
    async with app.run_test() as pilot:
        await say(pilot, app, "one")
        app.chat.prompt.fill(f"/export {name}")
        await pilot.press("enter")
        await wait_for(
            pilot, lambda: any("could not be written" in n.message for n in app._notifications)
        )
    assert list(tmp_path.iterdir()) == []
