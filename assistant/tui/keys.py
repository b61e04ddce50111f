"""Every key there is, read from the bindings themselves: for the help, the README and remapping.

A person's own keys come from `chat.keys` as "prompt.send=ctrl+s"; what is bound is bound by id.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
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


class _Key(StrEnum):
    """What Textual's own names of keys lack."""

    ALT_ENTER = "alt+enter"


def know_alt_enter() -> None:
    """Have ESC CR read as alt+enter, where a terminal speaks no newer protocol. Textual, whose table has
    no such sequence, makes it a plain enter: a line that was to be broken would be sent."""
    table: dict[str, Any] = ANSI_SEQUENCES_KEYS  # type: ignore[assignment]  # a dict it is
    table.setdefault("\x1b\r", (_Key.ALT_ENTER,))


@dataclass(frozen=True, slots=True)
class Key:
    """One binding: its id, the keys in words, what it does and where it works."""

    id: str
    keys: tuple[str, ...]
    meaning: str
    place: str


def keys_of(places: Iterable[tuple[str, type[DOMNode]]]) -> list[Key]:
    """The bindings of each (place, class), in the order given."""
    return [key for place, owner in places for key in _keys_of(place, owner)]


def _keys_of(place: str, owner: type[DOMNode]) -> Iterator[Key]:
    for binding in owner.__dict__.get("BINDINGS", []):
        if isinstance(binding, Binding) and binding.id:
            names = tuple(_name(key) for key in binding.key.split(","))
            yield Key(binding.id, names, binding.tooltip or binding.description, place)


def _name(key: str) -> str:
    return _NAMES.get(key.strip(), key.strip())


def read_keymap(pairs: Iterable[str], keys: Iterable[Key]) -> Mapping[str, str]:
    """`chat.keys` -> what Textual's `set_keymap` takes. Raises SettingError."""
    known = {key.id for key in keys}
    keymap: dict[str, str] = {}
    for pair in pairs:
        name, _, wanted = pair.partition("=")
        if not wanted.strip() or name.strip() not in known:
            raise SettingError(
                f"chat.keys: {pair!r} names no key of this program.",
                "Write it as prompt.send=ctrl+s; /help lists the names.",
            )
        keymap[name.strip()] = wanted.strip().replace("|", ",")
    return keymap
