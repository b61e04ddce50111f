"""One turn: what the person said, the answer, and the quiet line under it.

Built from a `TurnText`, then told of events. It can be focused, so that single keys act on it; what
those keys do is the screen's business. Knows no engine.
"""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from assistant.records import Recall, RecalledMemory, Reply
from assistant.tui.session import TurnText
from assistant.tui.text import FAINT, day, plain
from assistant.tui.widgets.answer import Answer
from assistant.tui.widgets.markdown_parser import make_parser, split_finished
from assistant.wording import clean, count, one_line

MOST_LINES = 24  # drawn lines of a growing answer until what is finished of it is set aside


class TurnView(Vertical, can_focus=True):
    """One message of the person with the reply to it."""

    DEFAULT_CSS = """
    TurnView { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("w", "ask('why')", "Why", id="turn.why"),
        Binding("enter,space", "toggle_memories", "Memories", id="turn.memories"),
        Binding("r", "ask('regenerate')", "Again", id="turn.regenerate"),
        Binding("e", "ask('edit')", "Edit", id="turn.edit"),
        Binding("c", "ask('copy')", "Copy", id="turn.copy"),
        Binding("b", "ask('copy_code')", "Copy code", id="turn.copy_code"),
        Binding(
            "left_square_bracket,h",
            "ask('branch_before')",
            "Earlier branch",
            show=False,
            id="turn.branch_before",
        ),
        Binding(
            "right_square_bracket,l",
            "ask('branch_after')",
            "Later branch",
            show=False,
            id="turn.branch_after",
        ),
        Binding("up,k", "ask('up')", "Up", show=False, id="turn.up"),
        Binding("down,j", "ask('down')", "Down", show=False, id="turn.down"),
        Binding("i", "ask('type')", "Type", show=False, id="turn.type"),
    ]

    class Asked(Message):
        """A key on a turn: `what` is one of the words in the bindings above."""

        def __init__(self, view: "TurnView", what: str) -> None:
            super().__init__()
            self.view = view
            self.what = what

    def __init__(self, turn: TurnText) -> None:
        super().__init__(classes="turn")
        self.turn = turn
        self.branch = ""  # "2/3" where the person or the model said it in other ways too
        self._answer = Answer(turn.reply, classes="answer")
        self._footer = Static("", classes="turn-footer")
        self._said: list[Content] = []
        self._open = False
        self._n_words = 1
        self._written = ""

    def compose(self) -> ComposeResult:
        yield Static(plain(self.turn.prompt), classes="prompt-text")
        yield self._answer
        yield self._footer

    def on_mount(self) -> None:
        self.redraw()
        if self.turn.turn_id and self.turn.reply and self.turn.recall is None:
            self.action_ask("recall")  # a turn of another day: what it was given is in the store

    @property
    def reply(self) -> str:
        return self.turn.reply or self._written

    @property
    def n_words(self) -> int:
        return self._n_words

    def code_blocks(self) -> list[str]:
        """The text of each code block of the answer, in order."""
        tokens = make_parser().parse(clean(self.reply))
        return [token.content.rstrip() for token in tokens if token.type in ("fence", "code_block")]

    def add_notice(self, text: str, *, error: bool = False) -> None:
        """A sentence about this turn, kept under its answer."""
        self._said = [*self._said, plain(text, "$error" if error else "$warning")]
        self._line("turn-notices", before=self._footer).update(Content("\n").join(self._said))

    def update_turn(self, turn: TurnText) -> None:
        """New facts about the same turn; the texts are not drawn again."""
        self.turn = turn
        self.redraw()

    async def write(self, text: str) -> None:
        """Append a piece of the answer."""
        self._n_words += text.count(" ")  # about: it is drawn while the answer grows
        text = clean(text)
        self._written += text
        self._answer.append(text)
        if self._answer.n_lines > MOST_LINES:
            await self._set_finished_aside()

    async def _set_finished_aside(self) -> None:
        """Into a widget that is not drawn again: each piece draws the whole of what still grows."""
        finished, growing = split_finished(self._answer.source)
        if finished.strip():
            with self.app.batch_update():
                await self.mount(Answer(finished, classes="answer"), before=self._answer)
                self._answer.show(growing)

    async def finish(self, turn: TurnText) -> None:
        """The reply is complete or stopped; `turn` holds it as it was recorded."""
        if turn.reply:
            pieces = list(self.query_children(".answer"))
            with self.app.batch_update():  # it looks the same, so nobody must see it change
                self._answer.show(clean(turn.reply))
                for piece in pieces[:-1]:
                    await piece.remove()
        self.update_turn(turn)

    def action_ask(self, what: str) -> None:
        self.post_message(self.Asked(self, what))

    def action_toggle_memories(self) -> None:
        """Open or close the list of memories; the screen fetches them where it has to."""
        self._open = not self._open
        if self._open and self.turn.recall is None:
            self.post_message(self.Asked(self, "recall"))
        self.redraw()

    def redraw(self) -> None:
        """Draw the footer and the memories from `turn`."""
        footer = self._footer_text()
        self._footer.update(footer)
        self._footer.display = bool(footer.plain)
        recall = self.turn.recall
        if self._open and recall is not None:
            self._line("turn-memories").update(_memory_lines(recall))
        for memories in self.query(".turn-memories"):
            memories.display = self._open

    def _line(self, kind: str, before: Static | None = None) -> Static:
        """A line that few turns need: a widget costs some 4 ms, so it is made when it is filled."""
        for line in self.query_children(f".{kind}").results(Static):
            return line
        line = Static("", classes=kind)
        self.mount(line, before=before)
        return line

    def _footer_text(self) -> Content:
        parts: list[Content] = []
        if self.branch:
            parts.append(Content.styled(f"\u2039{self.branch}\u203a", "$accent"))
        if self.turn.partial:
            partial = "a partial answer" if self.turn.reply else "stopped before the answer"
            parts.append(Content.styled(partial, "$warning"))
        recall, usage = self.turn.recall, self.turn.usage
        if recall is not None and recall.memories:
            mark = "▾" if self._open else "▸"
            n = count(len(recall.memories), "memory")
            parts.append(Content(f"{mark} {n} given to the model"))
        elif self._open and recall is not None:
            parts.append(Content("no memory was given to the model"))
        if usage is not None and usage.tokens_per_second:
            parts.append(Content(f"{usage.tokens_per_second:.1f} tokens/s"))
        return Content(" · ").join(parts)


def _memory_lines(recall: Recall) -> Content:
    return Content("\n").join(_memory_line(memory) for memory in recall.memories)


def _memory_line(memory: RecalledMemory) -> Content:
    return Content.assemble(
        Content.styled(f"{day(memory.created):>11}  ", FAINT),
        Content.styled("" if memory.role == "user" else f"{memory.role}: ", "$secondary"),
        Content(one_line(memory.text, 240)),
    )


def recorded_turn(turn: TurnText, reply: Reply) -> TurnText:
    """`turn` with the reply in it."""
    from dataclasses import replace

    return replace(turn, reply=reply.text, partial=reply.partial, usage=reply.usage)
