"""What the keys on a turn do: why, again, edit, copy, branches. Knows the chat screen it acts for."""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from assistant.tui.session import TurnText
from assistant.tui.widgets.turn import TurnView

if TYPE_CHECKING:
    from assistant.tui.screens.chat import ChatScreen

ONLY_LAST = "Only the newest message can be said or answered again."


class TurnActions:
    """One instance for each chat screen."""

    def __init__(self, screen: "ChatScreen") -> None:
        self._screen = screen

    async def run(self, view: TurnView, what: str) -> None:
        """`what` is one of the words that TurnView's bindings ask for."""
        match what:
            case "up" | "down":
                self._move(view, -1 if what == "up" else 1)
            case "type":
                self._screen.prompt.focus()
            case "recall":
                await self.fetch_recall(view)
            case "why":
                await self._why(view)
            case "regenerate":
                await self._regenerate(view)
            case "edit":
                self._edit(view)
            case "copy" | "copy_code":
                self._copy(view, code=what == "copy_code")
            case "branch_before" | "branch_after":
                await self._switch_branch(view, -1 if what == "branch_before" else 1)

    async def fetch_recall(self, view: TurnView) -> None:
        """Ask the store what was given to the model in a turn of another day."""
        turn_id = view.turn.turn_id
        recall = await self._screen.ask(lambda store: store.recall_of(turn_id))
        if recall is not None:
            view.update_turn(replace(view.turn, recall=recall))
            self._screen.transcript.replace_turn(view.turn)

    async def _why(self, view: TurnView) -> None:
        if view is self._screen.writing:
            self._screen.tell("The answer is still being written.")
            return
        if view.turn.recall is None and view.turn.turn_id:
            await self.fetch_recall(view)
        self._screen.assistant_app.show_why(view.turn, self._screen.conversation_id)

    async def _regenerate(self, view: TurnView) -> None:
        screen, turn = self._screen, view.turn
        if not self._may_branch(view):
            return
        now = screen.backend.clock()
        await screen.transcript.drop_last()
        await screen.start_turn(TurnText(0, turn.number, turn.prompt, now))
        screen.backend.play(lambda engine: engine.regenerate(turn.turn_id, now))

    def _edit(self, view: TurnView) -> None:
        if not self._may_branch(view):
            return
        self._screen.replaces = view.turn.turn_id
        self._screen.prompt.fill(view.turn.prompt)
        self._screen.prompt.focus()
        self._screen.set_hint("Editing your last message. Enter sends it again, Esc leaves it.")

    def _may_branch(self, view: TurnView) -> bool:
        screen = self._screen
        if screen.writing is not None:
            screen.tell("The assistant is still writing. Esc stops it.")
        elif view is not screen.transcript.last:
            screen.tell(ONLY_LAST)
        elif not view.turn.turn_id:
            screen.tell("This chat is not kept, so there is nothing to branch from.")
        else:
            return True
        return False

    def _copy(self, view: TurnView, *, code: bool) -> None:
        blocks = view.code_blocks() if code else [view.reply]
        if blocks:
            self._screen.app.copy_to_clipboard(blocks[-1])
        words = "last code block" if code else "answer"
        self._screen.tell(f"Copied the {words}." if blocks else "There is no code in this answer.")

    def _move(self, view: TurnView, step: int) -> None:
        views = self._screen.transcript.views
        index = views.index(view) + step
        if index >= len(views):
            self._screen.prompt.focus()
        elif index >= 0:
            views[index].focus()

    # --- branches ------------------------------------------------------------------------------

    def show_branches(self, view: TurnView) -> None:
        """Mark the newest turn with its place among its branches, when it has any."""
        turn_id = view.turn.turn_id
        if not turn_id:
            return

        async def mark() -> None:
            branches = await self._screen.ask(lambda store: list(store.branches(turn_id)))
            if branches and len(branches) > 1 and turn_id in branches:
                view.branch = f"{branches.index(turn_id) + 1}/{len(branches)}"
                view.redraw()

        self._screen.run_worker(mark(), group="branches", exclusive=True)

    async def _switch_branch(self, view: TurnView, step: int) -> None:
        if not self._may_branch(view):
            return
        screen, turn_id = self._screen, view.turn.turn_id
        branches = await screen.ask(lambda store: list(store.branches(turn_id)))
        if not branches or turn_id not in branches:
            return
        at = branches.index(turn_id) + step
        if not 0 <= at < len(branches):
            screen.tell("There is no other branch on this side.")
            return
        chosen = branches[at]
        await asyncio.wrap_future(screen.backend.tell(lambda engine: engine.choose_branch(chosen)))
        conversation_id = screen.conversation_id
        if conversation_id is None:
            return
        turns = await screen.ask(lambda store: store.turns(conversation_id))
        if turns:
            await screen.transcript.show_turns(turns)
            if (last := screen.transcript.last) is not None:
                last.focus(scroll_visible=False)
                self.show_branches(last)
