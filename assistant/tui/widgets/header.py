"""One line on top: which model, how full the context is, what memory does, what leaves the machine.

Facts that fit are shown, the rest waits for a wider terminal. Knows how to draw a Status, not
where it comes from.
"""

from dataclasses import dataclass

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from assistant.tui.session import ChatMode, ModelFacts
from assistant.wording import one_line

SHORT_NAME = 8  # cells of the model's name that are always shown


@dataclass(frozen=True, slots=True)
class Status:
    """What the header shows. `network` is empty while nothing was sent anywhere."""

    model: ModelFacts | None = None
    n_context_used: int = 0
    memory_mode: str = "auto"
    chat_mode: ChatMode = "normal"
    network: str = ""


class StatusHeader(Widget):
    """Draws a Status."""

    DEFAULT_CSS = """
    StatusHeader { height: 1; dock: top; padding: 0 2; background: $panel; color: $text-muted; }
    """
    status: reactive[Status] = reactive(Status, layout=False)

    def watch_status(self, status: Status) -> None:
        for mode in ("temporary", "read-only"):
            self.set_class(status.chat_mode == mode, f"-{mode}")

    def render(self) -> Content:
        width = self.content_size.width
        parts = _parts(self.status)
        name = one_line(_name(self.status), max(SHORT_NAME, width // 2))
        while parts:
            right = Content(" · ").join(part for _, part in parts)
            room = width - right.cell_length - 2
            worst = max(rank for rank, _ in parts)
            if worst <= 1:  # these matter more than the end of the model's name
                name = one_line(name, max(SHORT_NAME, room))
            if len(name) <= room:
                left = Content.styled(name, "$foreground bold")
                return Content.assemble(left, " " * (width - len(name) - right.cell_length), right)
            parts = [part for part in parts if part[0] != worst]
        return Content.styled(name, "$foreground bold")


def _name(status: Status) -> str:
    return status.model.name if status.model else "no model yet"


def _parts(status: Status) -> list[tuple[int, Content]]:
    """(rank, text), in the order drawn; a high rank is dropped first."""
    facts: list[tuple[int, Content]] = []
    if status.chat_mode == "temporary":
        facts.append((0, Content.styled("temporary: nothing is kept", "$warning bold")))
    elif status.chat_mode == "read-only":
        facts.append((0, Content.styled("read-only: nothing is added", "$accent bold")))
    if status.model:
        share = 100 * status.n_context_used / max(1, status.model.n_ctx)
        colour = "$warning" if share > 90 else ""
        facts.append((2, Content.styled(f"context {share:.0f} %", colour)))
    if status.chat_mode != "temporary":
        facts.append((3, Content(f"memory {status.memory_mode}")))
    if status.model:
        facts.append((4, Content(one_line(f"window {status.model.window}", 28))))
    if status.network:
        facts.append((1, Content.styled(one_line(status.network, 24), "$warning")))
    else:
        facts.append((1, Content.styled("offline ✓", "$success")))
    return facts
