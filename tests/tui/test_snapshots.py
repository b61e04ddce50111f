"""What the key screens look like, at 80x24, 140x40 and one at 40x12. No clock, no blinking cursor.

After a wanted change: `pytest tests/tui/test_snapshots.py --snapshot-update`, and look at the report.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from assistant.tui.session import Facts, TurnText
from tui_fakes import (
    ANNA,
    NOW,
    FakeEngine,
    FakeShelf,
    FakeStore,
    drawn,
    is_idle,
    make_app,
    make_store,
    say,
    wait_for,
)

SIZES = [(80, 24), (140, 40)]
Journey = Callable[[Pilot[int]], Awaitable[None]]

ANSWER = """Bolo is **Anna's dog**, adopted in the week of 29 May 2023.

| who | where |
|---|---|
| Anna | Lisbon |

```python
def walk(dog):
    return f"{dog} is out"  # twice a day
```
"""


def chat_store() -> FakeStore:
    store = make_store()
    store.recalls[2] = ANNA
    store.add(
        1,
        "Anna and the dog",
        [
            TurnText(1, 1, "My sister Anna moved to Lisbon and adopted a dog.", NOW, "Lovely!"),
            TurnText(2, 2, "What do you know of Bolo?", NOW, ANSWER),
        ],
    )
    store.add(2, "Recipes without cilantro", [TurnText(3, 1, "Soup?", NOW, "Leek", True)])
    return store


async def ready(pilot: Pilot[int]) -> Any:
    app: Any = pilot.app
    await wait_for(pilot, lambda: is_idle(app))
    await pilot.pause()
    return app


async def in_chat(pilot: Pilot[int]) -> Any:
    app = await ready(pilot)
    await app.screen.open_conversation(1)
    await wait_for(pilot, lambda: app.screen.transcript.last is not None and is_idle(app))
    view = app.screen.transcript.last
    view.action_toggle_memories()
    await wait_for(pilot, lambda: view.turn.recall is not None)
    await pilot.pause()
    return app


async def welcome(pilot: Pilot[int]) -> None:
    await ready(pilot)


async def chat(pilot: Pilot[int]) -> None:
    await in_chat(pilot)


async def temporary(pilot: Pilot[int]) -> None:
    app = await ready(pilot)
    await app.screen.open_conversation(None, "temporary")
    await ready(pilot)


async def why(pilot: Pilot[int]) -> None:
    app = await in_chat(pilot)
    await pilot.press("ctrl+w")
    await wait_for(pilot, lambda: bool(app.screen.query("MemoryCard")))
    await wait_for(pilot, lambda: app.screen.query("MemoryCard").first().quoted is not None)
    await pilot.pause()


async def memory(pilot: Pilot[int]) -> None:
    app = await ready(pilot)
    await pilot.press("f3")
    await wait_for(pilot, lambda: app.screen.query("#memory-table").first().row_count == 8)
    await pilot.press("enter")
    await wait_for(pilot, lambda: app.screen.query_one("#memory-side").size.width > 0)
    table = app.screen.query_one("#memory-table")
    # Its text is fitted to what the details leave of it, a moment after they are shown.
    await wait_for(pilot, lambda: table.virtual_size.width <= table.size.width or not table.display)
    await pilot.pause()


async def models(pilot: Pilot[int]) -> None:
    app = await ready(pilot)
    await pilot.press("f4")
    await wait_for(pilot, lambda: app.screen.query("#models-table").first().row_count == 3)
    await pilot.pause()


async def first_run(pilot: Pilot[int]) -> None:
    app = await ready(pilot)
    await wait_for(pilot, lambda: "on this disk" in drawn(app))
    await pilot.pause()


async def help_page(pilot: Pilot[int]) -> None:
    await ready(pilot)
    await pilot.press("f1")
    await pilot.pause()


async def stopped(pilot: Pilot[int]) -> None:
    app = await ready(pilot)
    await say(pilot, app, "Tell me of [/foo] \x1b]52;c;x\x07")
    await pilot.press("escape")
    await pilot.pause()


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize(
    "journey", [welcome, chat, why, memory, models, first_run, help_page], ids=lambda j: j.__name__
)
def test_a_screen_looks_as_it_did(
    snap_compare: Any, journey: Journey, size: tuple[int, int]
) -> None:
    facts = Facts(data_dir="/home/me/assistant", first_run=journey is first_run)
    app = make_app(FakeEngine(chat_store()), shelf=FakeShelf(), facts=facts)
    assert snap_compare(app, terminal_size=size, run_before=journey)


@pytest.mark.parametrize("journey", [chat, temporary, why, memory], ids=lambda j: j.__name__)
def test_a_small_terminal_is_enough(snap_compare: Any, journey: Journey) -> None:
    app = make_app(FakeEngine(chat_store()), shelf=FakeShelf())
    assert snap_compare(app, terminal_size=(40, 12), run_before=journey)


@pytest.mark.parametrize("theme", ["assistant-light", "ansi-dark"])
def test_other_themes_are_readable(snap_compare: Any, theme: str) -> None:
    app = make_app(FakeEngine(chat_store()), theme=theme)
    assert snap_compare(app, terminal_size=(80, 24), run_before=chat)


def test_a_hostile_message_looks_like_text(snap_compare: Any) -> None:
    app = make_app(FakeEngine(FakeStore(), reply="[@click=app.quit]x[/] \x1b[31mred"))
    assert snap_compare(app, terminal_size=(80, 24), run_before=stopped)
