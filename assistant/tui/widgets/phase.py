"""The line above the input that always names what the person is waiting for.

Drawn when something changes, never by a timer: idle costs no CPU, and nothing blinks.
"""

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from assistant.conversation.events import Phase
from assistant.wording import one_line

BAR_CELLS = 16


class PhaseLine(Widget):
    """ "reading prompt 40 %", "writing · 41 tokens", or what can be done when nothing runs."""

    DEFAULT_CSS = """
    PhaseLine { height: auto; min-height: 1; max-height: 3; padding: 0 2; color: $text-muted; }
    """
    phase: reactive[Phase | None] = reactive(None)
    detail: reactive[str] = reactive("")
    idle_text: reactive[str] = reactive("", layout=True)  # as many lines as it needs
    esc_stops: reactive[bool] = reactive(True)

    def render(self) -> Content:
        if self.phase is None:
            return Content(one_line(self.idle_text))
        parts = [Content.styled(f"● {self.phase.name}", "$accent")]
        if (share := self.phase.share) is not None:
            parts.append(Content(f" {share:.0%} ".replace("%", " %")))
            parts.append(_bar(share))
        if self.detail:
            parts.append(Content(f" · {one_line(self.detail)}"))
        if self.esc_stops:
            parts.append(Content("  esc stops"))
        return Content.assemble(*parts)


def _bar(share: float) -> Content:
    filled = round(BAR_CELLS * min(1.0, max(0.0, share)))
    return Content.assemble(
        Content.styled("━" * filled, "$accent"),
        Content.styled("━" * (BAR_CELLS - filled), "$foreground 20%"),
    )
