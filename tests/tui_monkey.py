"""A monkey at the app: seeded steps of what a person can do, the faults that befall them meanwhile,
and what must hold whatever they do.

`make_steps` knows a seed and nothing of the app: the same seed is the same person. `Monkey` plays the
steps and looks. What the app runs on, fakes or the real store and engine, is `test_monkey`'s.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from textual._wait import wait_for_idle
from textual.events import Event, Key, MouseDown, MouseMove, MouseScrollDown, MouseUp, Paste, Resize
from textual.geometry import Size
from textual.keys import REPLACED_KEYS, _character_to_key, _get_unicode_name_from_key
from textual.widgets import Input

from assistant.errors import AssistantError, SettingError
from assistant.tui.app import AssistantApp
from assistant.tui.commands import COMMANDS, is_command
from assistant.tui.history import PromptHistory
from assistant.tui.screens.chat import ChatScreen
from assistant.tui.widgets.key_bar import KeyBar
from tui_fakes import drawn

SIZES = [(1, 1), (3, 2), (20, 5), (40, 12), (60, 16), (80, 24), (100, 30), (140, 40), (200, 60)]
ODD_TEXTS = [
    "[/foo] [@click=app.quit]quit[/]",
    "\x1b]52;c;aGFja2Vk\x07\x1b[2J\x9b31m",
    "\u202eevil\u2066 שלום مرحبا \ufeff\u2028line",
    "👩‍👩‍👧‍👦 é ﷽ 👍🏽 \u0301\u0301",
    "w" * 400,
    " \t ",
    "| a | [/foo] |\n|---|---|\n| b | ```c",
    "/etc/fstab and [[links]] \\[x",
    "I moved to Ghent yesterday. My sister Anna has a dog called Bolo.",
    "\ud83d alone \x00 nul",
]
WORDS = [
    "anna",
    "I avoid cilantro.",
    "I love tea.",
    "what does Anna's dog eat?",
    "no",
    "x y z",
    "7",
]
FILTERS = [
    "kind:thought",
    "state:forgotten",
    "pinned:yes",
    '"a phrase',
    "kind:x",
    "before:2026",
    "zebra",
]
FAULTS = ["store", "slow", "slow", "disk", "load", "model", "embedder", "net"]
MOVES = [
    "up",
    "down",
    "pageup",
    "pagedown",
    "home",
    "end",
    "enter",
    "tab",
    "shift+tab",
    "left",
    "right",
]
OPENERS = ["f1", "f3", "f4", "ctrl+g", "ctrl+p", "ctrl+f", "ctrl+o", "ctrl+w"]
PLACES: dict[str, tuple[list[str], list[str]]] = {  # keys that lead there, keys that act there
    "chat": (
        [],
        ["ctrl+n", "ctrl+r", "ctrl+e", "ctrl+y", "ctrl+end", "ctrl+j", "up", "down", "tab", "enter", "escape"],
    ),
    "turn": (["escape"], ["w", "space", "enter", "r", "e", "c", "b", "[", "]", "k", "j", "i", "G", "g", *MOVES]),
    "list": (["ctrl+o"], ["up", "down", "enter", "home", "end", "ctrl+o", "escape"]),
    "find": (["ctrl+f"], [*"aen", "up", "down", "enter", "escape", "ctrl+f"]),
    "why": (["ctrl+w"], ["up", "down", "a", "f", "u", "e", "p", "x", "t", "ctrl+s", "escape", "q"]),
    "memory": (
        ["f3"],
        ["up", "down", "enter", "space", "f", "u", "x", "y", "n", "p", "e", "m", "c", "o", "l", "b", "/", "ctrl+s", "end", "escape"],
    ),
    "models": (["f4"], ["up", "down", "enter", "d", "p", "a", "y", "n", "q", "escape"]),
    "search": (["ctrl+g"], [*"an", "down", "up", "enter", "escape"]),
    "palette": (["ctrl+p"], [*"mea", "down", "up", "enter", "escape"]),
    "help": (["f1"], ["pagedown", "end", "escape", "q"]),
    "consent": (["ctrl+y"], ["y", "e", "n", "v", "enter", "escape", "ctrl+s"]),
}  # fmt: skip
ARGUMENTS = {
    "export": ["~nobody/x", "a.md", "no/such/x", ".", "x\x00"],
    "mode": ["auto", "ask", "off", "x"],
    "theme": ["assistant-light", "no [/such]", ""],
}
CALM_S = 15.0  # most that a calm app may take to become idle; a hang and not a slow machine is more

DEAF_S = 5.0  # most that a key may wait for those before it


@dataclass(frozen=True)
class Step:
    """One thing that is done: `kind` names a method of Monkey, `what` its arguments."""

    kind: str
    what: tuple[Any, ...] = ()


def make_steps(seed: int, n: int) -> list[Step]:
    """At least `n` steps: visits to places, with odd things and faults in between."""
    rng, steps = Random(seed), []
    while len(steps) < n:
        if rng.random() < 0.2:
            steps.append(Step("fault", tuple(rng.sample(FAULTS, rng.randint(0, 2)))))
        steps += _visit(rng) if rng.random() < 0.7 else [_accident(rng)]
    return steps


def _visit(rng: Random) -> Iterator[Step]:
    """Go to a place, do a few things there, and mostly leave."""
    yield from rng.choice([_stay, _stay, _stay, _say, _say, _command, _download, _choose])(rng)


def _say(rng: Random) -> Iterator[Step]:
    yield Step("type", (rng.choice([*WORDS, *ODD_TEXTS]),))
    yield Step("press", ("enter",))


def _command(rng: Random) -> Iterator[Step]:
    name = rng.choice([name for name in COMMANDS if name != "quit"])
    argument = rng.choice(ARGUMENTS.get(name, [*WORDS, *FILTERS, *ODD_TEXTS, ""]))
    yield Step("paste", (f"/{name} {argument}",))
    yield Step("press", ("enter",))


def _download(rng: Random) -> Iterator[Step]:
    yield Step("press", ("f4", "end", "d", "y"))
    yield Step(rng.choice(["calm", "settle", "hold"]))
    yield Step("press", tuple(rng.choices(["p", "escape", "f3", "q"], k=2)))


def _choose(rng: Random) -> Iterator[Step]:
    """Something of the palette, and on at once."""
    meanings = [command.meaning for command in COMMANDS.values() if command.name != "quit"]
    yield Step("press", ("ctrl+p",))
    yield Step("type", (rng.choice([*meanings, "question"]),))
    yield Step("settle")
    yield Step("burst", ("down", "enter", *"and", "enter"))


def _stay(rng: Random) -> Iterator[Step]:
    """Some keys of one place, and mostly out of it again."""
    place = rng.choice([*PLACES, "chat", "memory", "memory", "why"])
    way, keys = PLACES[place]
    if way:
        yield Step("press", tuple(way))
    for _ in range(rng.randint(1, 6)):
        some = tuple(rng.choices(keys, k=rng.randint(1, 3)))
        yield Step(rng.choice(["press", "press", "burst"]), some)
        if rng.random() < 0.12:
            yield _accident(rng)
        if rng.random() < 0.12:
            yield Step("hint", (rng.random(),))
        if place == "memory" and rng.random() < 0.2:
            yield Step("burst", ("/",))
            yield Step("type", (rng.choice([*FILTERS, *WORDS]),))
            yield Step("press", ("enter",))
    if rng.random() < 0.7:
        yield Step("press", ("escape",) * rng.randint(1, 3))


def _accident(rng: Random) -> Step:
    """Anything else that happens, where it happens."""
    match rng.choice(["click", "click", "scroll", "resize", "paste", "fault", "hold", "hint", "draft", "home", "calm"]):  # fmt: skip
        case "click":
            return Step("click", (rng.random(), rng.random(), rng.randint(1, 2)))
        case "scroll":
            return Step("scroll", (rng.random(), rng.random()))
        case "resize":
            return Step("resize", rng.choice(SIZES))
        case "paste":
            return Step("paste", (rng.choice(ODD_TEXTS),))
        case "fault":
            return Step("fault", tuple(rng.sample(FAULTS, rng.randint(0, 2))))
        case "hint":
            return Step("hint", (rng.random(),))
        case "draft":
            return Step("draft", (rng.choice(OPENERS),))
        case kind:
            return Step(kind)


@dataclass
class World:
    """What goes wrong at the moment, and whether answers and downloads are slow."""

    faults: frozenset[str] = frozenset()
    flow: threading.Event = field(default_factory=threading.Event)  # set: everything comes at once
    failures: list[AssistantError] = field(default_factory=list)  # that a thread reported
    confirmed: list[str] = field(default_factory=list)  # questions that were answered with yes
    erased: list[int] = field(default_factory=list)  # how many memories, by each erasing
    pulled: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)  # what the engine was given to answer

    def fail(self, fault: str, error: Exception) -> None:
        if fault in self.faults:
            raise error

    def save_setting(self, name: str, value: str) -> None:
        self.fail("disk", SettingError("config.toml could not be written."))


class Prompts(PromptHistory):
    """Notes what left the input on its way to the engine."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[str] = []

    def add(self, prompt: str, *, keep: bool = True) -> None:
        super().add(prompt, keep=keep)
        if not is_command(prompt.strip()):
            self.taken.append(prompt)


class Monkey:
    """Plays steps on a running app. Every method named by a step ends with the app looked at."""

    def __init__(self, app: AssistantApp, world: World, history: Prompts) -> None:
        self.app = app
        self.world = world
        self.history = history

    async def play(self, steps: list[Step]) -> None:
        """Raises AssertionError with every step up to the one that broke something."""
        for n, step in enumerate(steps):
            try:
                await getattr(self, step.kind)(*step.what)
                await self.settle()
                self.look()
            except Exception as error:
                done = "\n".join(f"    {step}," for step in steps[: n + 1])
                raise AssertionError(f"{error!r} after {n + 1} steps:\n{done}") from error
            if self.gone:
                return

    @property
    def gone(self) -> bool:
        """Whether the person found a way to leave."""
        return self.app._exit

    def look(self) -> None:
        """What holds after every step."""
        app, world = self.app, self.world
        assert app._exception is None, f"the app died of {app._exception!r}"
        faults = [error for error in world.failures if str(error).startswith("The engine failed")]
        assert not faults, faults
        erasing = [asked for asked in world.confirmed if asked.startswith("Erase")]
        assert len(world.erased) <= len(erasing), "something was erased that nobody said yes to"
        for model_id in world.pulled:
            assert any(model_id in asked for asked in world.confirmed), f"{model_id}: unasked"

    async def settle(self) -> None:
        """Let the app handle what it was sent. Whatever runs, its keys are heard meanwhile."""
        await wait_for_idle(0)
        heard = asyncio.Event()
        if self.app.call_later(heard.set):
            await self.until(heard.is_set, "no key is heard: something is waited for", DEAF_S)

    # --- what a person does --------------------------------------------------------------------

    async def send(self, event: Event) -> None:
        driver = self.app._driver
        assert driver is not None
        event.set_sender(self.app)
        driver.send_message(event)  # type: ignore[arg-type] # an Event is a Message

    async def press(self, *keys: str) -> None:
        for key in keys:
            if not self.gone:
                await self.burst(key)
                await self.settle()

    async def burst(self, *keys: str) -> None:
        """Faster than the app can follow."""
        for key in keys:
            name = _character_to_key(key) if len(key) == 1 and not key.isalnum() else key
            await self.send(Key(name, _character(name)))

    async def type(self, text: str) -> None:
        for character in text[:40]:
            if character.isprintable():
                await self.burst(character)

    async def paste(self, text: str) -> None:
        await self.send(Paste(text))

    def _spot(self, x: float, y: float) -> dict[str, Any]:
        column, row = int(x * self.app.size.width), int(y * self.app.size.height)
        at = {"x": column, "y": row, "screen_x": column, "screen_y": row}
        keys = {"shift": False, "meta": False, "ctrl": False}
        return {"widget": None, "delta_x": 0, "delta_y": 0, "button": 1, **at, **keys}

    async def click(self, x: float, y: float, times: int) -> None:
        spot = self._spot(x, y)
        await self.send(MouseMove(**{**spot, "button": 0}))
        for _ in range(times):
            await self.send(MouseDown(**spot))
            await self.send(MouseUp(**spot))

    async def scroll(self, x: float, y: float) -> None:
        for _ in range(3):
            await self.send(MouseScrollDown(**{**self._spot(x, y), "button": 0}))

    async def resize(self, width: int, height: int) -> None:
        assert self.app._driver is not None
        self.app._driver._size = (width, height)
        self.app.post_message(Resize(Size(width, height), Size(width, height)))

    async def fault(self, *names: str) -> None:
        self.world.faults = frozenset(names)

    async def hold(self) -> None:
        self.world.flow.clear()

    # --- what is looked at now and then --------------------------------------------------------

    async def until(
        self, condition: Callable[[], bool], problem: str, seconds: float = CALM_S
    ) -> None:
        for _ in range(int(seconds / 0.005)):
            if condition() or self.gone or self.app._exception is not None:
                return
            await asyncio.sleep(0.005)
        raise AssertionError(problem)

    async def calm(self) -> None:
        """Nothing fails, nothing is slow: then the app comes to rest, or waits for the person."""
        self.world.faults = frozenset()
        self.world.flow.set()
        backend, chip = self.app.backend, self.app.chat.consent_chip
        await self.until(
            lambda: not backend.busy or chip.question is not None, "the engine never became free"
        )
        for _ in range(3):  # what the screens still ask of the store
            await backend.on_store_thread(lambda: None)
            await self.settle()
        await self.settle()
        if self.gone:
            return
        focused, bars = self.app.focused, list(self.app.screen.query(KeyBar))
        named = any(hint.enabled for bar in bars for hint in bar.hints)
        bound = any(active.binding.key == "escape" for active in self._bindings())
        assert focused is not None or named or bound, "no focus, and no key that does anything"
        if isinstance(self.app.screen, ChatScreen):
            assert focused is not None, "the chat has no focus: what is typed goes nowhere"

    def _bindings(self) -> list[Any]:
        return list(self.app.screen.active_bindings.values())

    async def home(self) -> None:
        """Escape, pressed often enough, leads back to the chat."""
        await self.calm()
        for _ in range(12):
            if self.gone or self._is_home():
                return
            await self.press("escape")
            await self.calm()
        assert self._is_home(), f"Escape does not lead out of {self.app.screen!r}"

    def _is_home(self) -> bool:
        chat, app = self.app.chat, self.app
        at_rest = isinstance(app.screen, ChatScreen) and len(app.screen_stack) == 1
        return at_rest and chat.writing is None and app.focused is chat.prompt

    async def draft(self, opener: str) -> None:
        """What is typed is still there after a screen was opened and closed."""
        await self.home()
        chat = self.app.chat
        if self.gone or chat.replaces is not None:
            return
        draft = f"{chat.prompt.text}a draft"
        chat.prompt.fill(draft)
        await self.settle()
        await self.press(opener)
        if not isinstance(self.app.screen, ChatScreen):  # else Down is the prompt history's
            await self.press("down")
        await self.home()
        if not self.gone:
            assert chat.prompt.text == draft, f"{opener} cost the draft: {chat.prompt.text!r}"
            chat.prompt.fill("")

    def _seen(self) -> tuple[object, ...]:
        """Everything by which a person could tell that a key did something."""
        app = self.app
        notices = len(app._notifications)
        return drawn(app), app.focused, app.screen, notices, app.clipboard, app.chat.prompt.text

    async def hint(self, which: float) -> None:
        """A key that the bar shows does something a person can see."""
        await self.calm()
        bars = list(self.app.screen.query(KeyBar))
        hints = [hint for bar in bars for hint in bar.hints if hint.enabled]
        if self.gone or not hints or self.app.size.width < 60 or self.app.size.height < 16:
            return  # in less room much that a key does is out of sight
        hint = hints[int(which * len(hints))]
        if hint.key == "ctrl+q" or self._already(hint.description):
            return
        self.app._notifications.clear()  # the same sentence once more is drawn once more
        before = self._seen()
        self.app.simulate_key(hint.key)
        for _ in range(100):
            await self.calm()
            if self.gone or self._seen() != before:
                return
            await asyncio.sleep(0.01)
        screen = self.app.screen
        raise AssertionError(f"{hint.key} {hint.description} does nothing in {screen!r}")

    def _already(self, description: str) -> bool:
        """Whether what a key is for is already so: an empty line sent, the newest turn shown."""
        chat = self.app.chat
        match description:
            case "Send":
                return not chat.prompt.text.strip()
            case "New" | "Newest" | "Stop / back":
                return isinstance(self.app.screen, ChatScreen)
            case "Memories":  # under an answer that may be taller than the screen
                return True
            case "Filter":
                return isinstance(self.app.focused, Input)
            case "Portrait" | "Conflicts":
                return self.app.screen.has_class("-details")
        return False

    async def finish(self) -> None:
        """Every message was given to the engine exactly once, and the quit key quits."""
        if not self.gone:
            await self.press("ctrl+q")
            await self.until(lambda: self.gone, "the quit key does not quit")

    async def check_sent(self) -> None:
        await self.home()
        if not self.gone:
            taken, asked = Counter(self.history.taken), Counter(self.world.asked)
            assert taken == asked, f"sent {taken - asked} in vain, or {asked - taken} unasked"


def _character(key: str) -> str | None:
    """What a terminal would send along."""
    import unicodedata

    try:
        return unicodedata.lookup(_get_unicode_name_from_key(REPLACED_KEYS.get(key, key)))
    except KeyError:
        return key if len(key) == 1 else None
