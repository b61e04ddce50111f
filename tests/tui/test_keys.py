"""Every key of every place reaches its action there: none is taken by what lies around it.

What each action then does is in the tests of its screen.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.binding import Binding
from textual.pilot import Pilot

from assistant.tui.app import KEY_PLACES, AssistantApp
from assistant.tui.screens.chat import ChatScreen
from assistant.tui.screens.memory import MemoryScreen
from assistant.tui.screens.models import ModelsScreen
from assistant.tui.session import Candidate, Facts
from assistant.tui.widgets.consent import ConsentChip
from assistant.tui.widgets.find import FindBar
from assistant.tui.widgets.memory_card import MemoryCard
from tui_fakes import FakeEngine, FakeShelf, make_app, make_store, say, wait_for


async def to_input(pilot: Pilot[int], chat: ChatScreen) -> None:
    chat.prompt.focus()


async def to_answer(pilot: Pilot[int], chat: ChatScreen) -> None:
    assert chat.transcript.last is not None
    chat.transcript.last.focus()


async def to_transcript(pilot: Pilot[int], chat: ChatScreen) -> None:
    chat.transcript.focus()


async def to_find(pilot: Pilot[int], chat: ChatScreen) -> None:
    chat.find_bar.open()
    await wait_for(pilot, lambda: chat.query_one(FindBar).has_focus_within)


async def to_consent(pilot: Pilot[int], chat: ChatScreen) -> None:
    chat.find_bar.action_close()
    chip = chat.query_one(ConsentChip)
    await wait_for(pilot, lambda: chip.has_class("-asking"))
    chip.focus()


async def to_why(pilot: Pilot[int], chat: ChatScreen) -> None:
    assert chat.transcript.last is not None
    chat.frame.show_why(chat.transcript.last.turn, chat.conversation_id)
    await wait_for(pilot, lambda: isinstance(pilot.app.focused, MemoryCard))


async def to_memory(pilot: Pilot[int], chat: ChatScreen) -> None:
    chat.frame.action_memory()
    await wait_for(pilot, lambda: isinstance(pilot.app.screen, MemoryScreen))
    await wait_for(pilot, lambda: pilot.app.screen.query("#memory-table").first().has_focus)


async def to_models(pilot: Pilot[int], chat: ChatScreen) -> None:
    chat.frame.action_models()
    await wait_for(pilot, lambda: isinstance(pilot.app.screen, ModelsScreen))
    await wait_for(pilot, lambda: pilot.app.screen.query("#models-table").first().has_focus)


PLACES: dict[str, Callable[[Pilot[int], ChatScreen], Awaitable[None]]] = {
    "everywhere": to_input,
    "input": to_input,
    "chat": to_input,
    "on an answer": to_answer,
    "transcript": to_transcript,
    "find": to_find,
    "consent": to_consent,
    "why": to_why,
    "memory": to_memory,
    "models": to_models,
}


async def test_every_key_reaches_its_action(monkeypatch: pytest.MonkeyPatch) -> None:
    store = make_store()
    store.candidates_ = [Candidate(7, "avoids cilantro")]
    app = make_app(FakeEngine(store), shelf=FakeShelf(), facts=Facts(memory_mode="ask"))
    reached: list[str] = []

    async def note(action: Any, default_namespace: object = None) -> bool:
        if action.startswith("scroll_"):  # where nothing can be scrolled Textual goes on looking
            return False
        reached.append(action)
        return True

    async with app.run_test(size=(120, 40)) as pilot:
        chat = app.chat
        await say(pilot, app, "question")
        for place, owner in KEY_PLACES:
            while app.screen is not chat:
                app.pop_screen()
            await PLACES[place](pilot, chat)
            await pilot.pause()
            with monkeypatch.context() as patched:
                patched.setattr(AssistantApp, "run_action", lambda self, *told: note(*told))
                for binding in owner.__dict__["BINDINGS"]:
                    assert isinstance(binding, Binding)
                    for key in binding.key.split(","):
                        reached.clear()
                        await pilot.press(key)
                        for _ in range(100):  # a Pilot that gets no CPU for a while sees no work
                            if reached:
                                break
                            await pilot.pause()
                        assert reached == [binding.action], (place, key)
