"""The keys that act now, on one line at the bottom; a click on one presses it.

One widget that draws a line, where Textual's Footer mounts a widget a key and all of them anew
whenever the focus moves: that was 38 % of the CPU time of the tests of the screens. Knows no screen.
"""

from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget


@dataclass(frozen=True, slots=True)
class KeyHint:
    """One key as it is shown: " ^n New "."""

    key: str
    shown: str
    description: str
    enabled: bool

    @property
    def width(self) -> int:
        """Terminal cells."""
        return self.content().cell_length

    def content(self) -> Content:
        dim = "" if self.enabled else "dim "
        return Content.assemble(
            Content.styled(f" {self.shown} ", f"{dim}bold $footer-key-foreground"),
            Content.styled(f"{self.description} ", f"{dim}$footer-description-foreground"),
        )


class KeyBar(Widget, can_focus=False):
    """As many keys as fit, whole ones only."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    KeyBar { dock: bottom; height: 1; background: $background; color: $footer-foreground; }
    """

    hints: tuple[KeyHint, ...] = ()

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._update)

    def on_unmount(self) -> None:
        self.screen.bindings_updated_signal.unsubscribe(self)

    def render(self) -> Content:
        return Content.assemble(*(hint.content() for _, hint in self._placed()))

    def on_click(self, event: events.Click) -> None:
        for start, hint in self._placed():
            if start <= event.x < start + hint.width:
                if hint.enabled:
                    self.app.simulate_key(hint.key)
                else:
                    self.app.bell()

    def _update(self, screen: Screen[object]) -> None:
        if screen is not self.screen or not self.app.app_focus:
            return
        hints = self._active()
        if hints != self.hints:
            self.hints = hints
            self.refresh()

    def _active(self) -> tuple[KeyHint, ...]:
        """The shown bindings in the order of the screen's, the first key of each action."""
        hints: dict[str, KeyHint] = {}
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if binding.show and binding.action not in hints:
                shown = self.app.get_key_display(binding)
                hints[binding.action] = KeyHint(
                    binding.key, shown, binding.description, active.enabled
                )
        return tuple(hints.values())

    def _placed(self) -> list[tuple[int, KeyHint]]:
        """The hints that fit into the line, each with the cell it begins at.

        Where some do not, the last one keeps its place: it is Help, which lists them all.
        """
        placed: list[tuple[int, KeyHint]] = []
        start, width = 0, self.size.width
        last = self.hints[-1:]
        for hint in self.hints[:-1]:
            if start + hint.width + last[0].width > width:
                break
            placed.append((start, hint))
            start += hint.width
        return placed + [(start, hint) for hint in last if start + hint.width <= width]
