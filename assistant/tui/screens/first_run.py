"""The first run: three short steps, each of which can be skipped. No splash, nothing hidden.

Step 1 a model, step 2 how memory works, step 3 where everything lives. Returns what was chosen; the
app acts on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from assistant.tui.screens.models import size_text
from assistant.tui.session import ModelRow
from assistant.tui.text import FAINT, plain
from assistant.tui.widgets.dialogs import Modal
from assistant.wording import one_line

MEMORY_MODES: Final = (
    ("auto", "Keep thoughts on its own", "It notes what you say about yourself; you can see, change and forget it."),
    ("ask", "Ask before it keeps a thought", "A small question under an answer; nothing is noted without a yes."),
    ("off", "Keep no thoughts and recall nothing", "Chats are still kept on this machine, as your own transcript."),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FirstRunChoices:
    """What the person chose; empty where a step was skipped."""

    model_id: str = ""
    model_path: str = ""
    memory_mode: str = ""
    must_download: bool = False  # the model is not here yet


class FirstRunScreen(Modal[FirstRunChoices]):
    """Enter takes the highlighted line and goes on, S skips, Esc leaves with what was chosen."""

    VERTICAL_BREAKPOINTS = [(0, "-short"), (16, "-tall")]  # noqa: RUF012 - Textual's own type
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "skip", "Skip"),
        Binding("escape", "leave", "Leave"),
    ]

    def __init__(self, data_dir: str) -> None:
        super().__init__()
        self._models: list[ModelRow] = []
        self._found_files: Sequence[str] = ()
        self._looked = False
        self._data_dir = data_dir
        self._step = 1
        self._model_id = ""
        self._model_path = ""
        self._memory_mode = ""
        self._must_download = False

    def compose(self) -> ComposeResult:
        with Vertical(id="first-run"):
            yield Static("", id="first-title")
            yield Static("", id="first-text")
            yield OptionList(id="first-choices")

    def on_mount(self) -> None:
        self.query_one("#first-run").border_subtitle = "↑ ↓ look  enter choose  s skip  esc leave"
        self._draw()
        self.query_one(OptionList).focus()

    def offer(self, models: Sequence[ModelRow], found_files: Sequence[str]) -> None:
        """What there is to choose from, as soon as it is known."""
        self._models, self._found_files = sorted(models, key=_usefulness), found_files
        self._looked = True
        may_be_drawn = self.is_mounted and self in self.app.screen_stack  # or left meanwhile
        if may_be_drawn and self._step == 1:
            self._draw()

    def _draw(self) -> None:
        title, text, options = (self._models_step, self._memory_step, self._place_step)[
            self._step - 1
        ]()
        self.query_one("#first-title", Static).update(plain(f"{self._step} of 3   {title}"))
        self.query_one("#first-text", Static).update(plain(text))
        choices = self.query_one(OptionList)
        choices.clear_options()
        choices.add_options(options)
        choices.highlighted = 0 if options else None

    def _models_step(self) -> tuple[str, str, list[Option]]:
        near = [row for row in self._models if row.chosen or row.recommended or row.installed]
        files = [
            Option(
                Content.assemble(
                    Content(one_line(file, 60)), "\n", Content.styled("on this disk", FAINT)
                ),
                id=f"path:{file}",
            )
            for file in self._found_files
        ]
        options = [Option(_model_line(row), id=f"id:{row.id}") for row in self._models]
        options[len(near) : len(near)] = files  # before the long list of what can be had
        if not self._looked:
            text = "Looking at what is here and what fits this machine…"
        elif any(row.installed for row in near):
            text = "One is here already. Choose, or skip and keep it."
        else:
            text = "A model is a file of a few hundred megabytes or more. It is fetched once."
        return "The model that answers", text, options

    def _memory_step(self) -> tuple[str, str, list[Option]]:
        options = [
            Option(
                Content.assemble(Content(name), "\n", Content.styled(meaning, FAINT)),
                id=mode,
            )
            for mode, name, meaning in MEMORY_MODES
        ]
        return "What is remembered", "You can change this at any time.", options

    def _place_step(self) -> tuple[str, str, list[Option]]:
        text = (
            f"Everything is in {self._data_dir}\n"
            "and nowhere else. Nothing leaves this machine: the network is used for a download "
            "you ask for, and for nothing more."
        )
        return "Where it lives", text, [Option(Content("Begin"), id="begin")]

    @on(OptionList.OptionSelected)
    def chosen(self, event: OptionList.OptionSelected) -> None:
        choice = event.option.id or ""
        if choice not in {option.id for option in self.query_one(OptionList).options}:
            return  # Enter came twice, and the step that it chose from is done
        if self._step == 1:
            kind, _, value = choice.partition(":")
            self._model_id = value if kind == "id" else ""
            self._model_path = value if kind == "path" else ""
            self._must_download = any(
                row.id == self._model_id and not row.installed for row in self._models
            )
        elif self._step == 2:
            self._memory_mode = choice
        self.action_skip()

    def action_skip(self) -> None:
        if self._step == 3:
            self.action_leave()
        else:
            self._step += 1
            self._draw()

    def action_leave(self) -> None:
        self.dismiss(
            FirstRunChoices(
                self._model_id, self._model_path, self._memory_mode, self._must_download
            )
        )


def _usefulness(row: ModelRow) -> tuple[bool, bool, bool]:
    """The order of the list: in use, recommended, here; then as the shelf has them."""
    return not row.chosen, not row.recommended, not row.installed


def _model_line(row: ModelRow) -> Content:
    about = [size_text(row.size_bytes), "here already" if row.installed else "a download"]
    mark = " ★ recommended for this machine" if row.recommended else ""
    mark = " ● in use" if row.chosen else mark
    return Content.assemble(
        Content(one_line(row.id)),
        Content.styled(mark, "$accent"),
        "\n",
        Content.styled(
            one_line(" · ".join(part for part in (*about, row.fit, row.note) if part), 110),
            FAINT,
        ),
    )
