"""Every key there is, read from the bindings themselves: for the help, the README and remapping.

A person's own keys come from `chat.keys` as "prompt.send=ctrl+s"; what is bound is bound by id.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from textual.binding import Binding
from textual.dom import DOMNode

from assistant.errors import SettingError

_NAMES: Final = {
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "slash": "/",
    "question_mark": "?",
    "pageup": "page up",
    "pagedown": "page down",
    "escape": "esc",
}


@dataclass(frozen=True, slots=True)
class Key:
    """One binding: its id, the keys in words, what it does and where it works."""

    id: str
    keys: tuple[str, ...]
    meaning: str
    place: str


def all_keys() -> list[Key]:
    """In the order a person meets them."""
    from assistant.tui.app import AssistantApp
    from assistant.tui.screens.chat import ChatScreen
    from assistant.tui.screens.memory import MemoryScreen
    from assistant.tui.screens.models import ModelsScreen
    from assistant.tui.screens.why import WhyScreen
    from assistant.tui.widgets.find import FindBar
    from assistant.tui.widgets.prompt import PromptInput
    from assistant.tui.widgets.transcript import Transcript
    from assistant.tui.widgets.turn import TurnView

    places: list[tuple[str, type[DOMNode]]] = [
        ("everywhere", AssistantApp),
        ("input", PromptInput),
        ("chat", ChatScreen),
        ("on an answer", TurnView),
        ("transcript", Transcript),
        ("find", FindBar),
        ("why", WhyScreen),
        ("memory", MemoryScreen),
        ("models", ModelsScreen),
    ]
    return [key for place, owner in places for key in _keys_of(place, owner)]


def _keys_of(place: str, owner: type[DOMNode]) -> Iterator[Key]:
    for binding in owner.__dict__.get("BINDINGS", []):
        if isinstance(binding, Binding) and binding.id:
            names = tuple(_name(key) for key in binding.key.split(","))
            yield Key(binding.id, names, binding.tooltip or binding.description, place)


def _name(key: str) -> str:
    return _NAMES.get(key.strip(), key.strip())


def read_keymap(pairs: Iterable[str]) -> Mapping[str, str]:
    """`chat.keys` -> what Textual's `set_keymap` takes. Raises SettingError."""
    known = {key.id for key in all_keys()}
    keymap: dict[str, str] = {}
    for pair in pairs:
        name, _, keys = pair.partition("=")
        if not keys.strip() or name.strip() not in known:
            raise SettingError(
                f"chat.keys: {pair!r} names no key of this program.",
                "Write it as prompt.send=ctrl+s; /help lists the names.",
            )
        keymap[name.strip()] = keys.strip().replace("|", ",")
    return keymap
