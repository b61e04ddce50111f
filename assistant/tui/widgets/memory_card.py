"""One recalled memory as a card: text, date, who said it, each signal's part of the score.

Can be focused; the keys on it belong to the Why screen. Knows one record.
"""

from collections.abc import Mapping

from textual.content import Content
from textual.widgets import Static

from assistant.records import RecalledMemory
from assistant.tui.text import FAINT, day
from assistant.wording import clean

WHO = {"user": "you", "assistant": "the assistant", "system": "the system"}
LOST = {  # why a memory was not given, as recall names it and as a person reads it
    "weak": "too weak a match",
    "unrelated": "not about this",
    "over the count": "others fit better",
    "over budget": "no room was left",
    "near-duplicate": "says the same as one that was given",
    "not agreed to": "nobody agreed to give it",
}
SIGNALS = {  # what speaks for a memory, as recall names it and as a person reads it
    "meaning": "meaning",
    "context": "meaning in its place",
    "neighbours": "messages beside it",
    "words": "your words",
    "window": "your words around it",
    "episode": "the talk it is in",
    "session": "its chat",
    "time": "the time you name",
    "answer": "could answer it",
    "dated": "has a date",
    "named": "has a name",
    "graph": "connected",
    "retention": "still fresh",
    "speaker": "who said it",
    "length": "its length",
    "question": "is a question",
    "reply_words": "words it answers",
    "reply_meaning": "meaning it answers",
    "portrait": "about you",
    "replaces": "replaces what was found",
}
BAR_CELLS = 8
GAP = 3  # cells between two signals
LEAST_SHOWN = 0.05  # a smaller part of the score decides nothing


class MemoryCard(Static, can_focus=True):
    """`quoted` None where it is not known whether the answer used the memory's words."""

    def __init__(self, memory: RecalledMemory, *, quoted: bool | None = None) -> None:
        super().__init__(classes="card")
        self.memory = memory
        self.quoted = quoted
        self.mark = ""  # what the person did to it, as "forgotten"

    def on_mount(self) -> None:
        self.redraw()

    def on_resize(self) -> None:
        self.redraw()

    def redraw(self) -> None:
        self.update(self._content())

    def _content(self) -> Content:
        memory = self.memory
        source = f"turn {memory.turn_id}" if memory.turn_id is not None else "no turn"
        about = f"{day(memory.created)} · {WHO.get(memory.role, memory.role)} · {source}"
        if memory.kind != "message":
            about += f" · {memory.kind}"
        head = [Content.styled(about, FAINT)]
        if memory.reason:
            kind = memory.reason.partition(" of ")[0]  # "near-duplicate of 12"
            reason = LOST.get(memory.reason) or LOST.get(kind, memory.reason)
            head.append(Content.styled(clean(reason), "$warning"))
        elif self.quoted is not None:
            head.append(
                Content.styled("quoted in the answer", "$success")
                if self.quoted
                else Content.styled("not quoted", FAINT)
            )
        if self.mark:
            head.append(Content.styled(self.mark, "$error"))
        lines = [
            Content(clean(memory.text)),
            Content(" · ").join(head),
            *signal_lines(memory.score, memory.signals, self.size.width),
        ]
        if memory.resolved_text not in ("", memory.text):
            resolved = Content.styled(f"read as: {clean(memory.resolved_text)}", FAINT)
            lines.insert(1, resolved)
        return Content("\n").join(lines)


def signal_lines(score: float, signals: Mapping[str, float], width: int = 0) -> list[Content]:
    """The final score, then each signal with a bar; bars compare signals of one memory only.

    As many whole ones on a line as `width` cells hold; all of them where it is 0.
    """
    largest = max((abs(value) for value in signals.values()), default=0.0) or 1.0
    parts = [Content.styled(f"score {score:.2f}", FAINT)]
    for name, value in sorted(signals.items(), key=lambda pair: -abs(pair[1])):
        if abs(value) < LEAST_SHOWN:
            continue
        filled = max(1, round(BAR_CELLS * abs(value) / largest))
        bar = "▮" * filled
        parts.append(
            Content.assemble(
                Content.styled(f"{SIGNALS.get(name, name)} ", FAINT),
                Content.styled(bar, "$primary" if value >= 0 else "$error"),
                Content.styled(f" {value:.2f}", FAINT),
            )
        )
    lines: list[Content] = []
    for part in parts:
        if lines and (not width or lines[-1].cell_length + GAP + part.cell_length <= width):
            lines[-1] = Content.assemble(lines[-1], " " * GAP, part)
        else:
            lines.append(part)
    return lines
