"""What the keys on a turn do: why, again, edit, copy, branches. Knows the chat screen it acts for."""

import asyncio
from dataclasses import replace

from assistant.tui.frame import Chat
from assistant.tui.session import TurnText
from assistant.tui.widgets.turn import TurnView

ONLY_LAST = "Only the newest message can be said or answered again."


class TurnActions:
    """One instance for each chat screen."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    async def run(self, view: TurnView, what: str) -> None:
        """`what` is one of the words that TurnView's bindings ask for."""
        if view not in self._chat.transcript.views:
            return  # the key before this one, as r, took it away
        match what:
            case "up" | "down":
                self._move(view, -1 if what == "up" else 1)
            case "type":
                self._chat.prompt.focus()
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
        recall = await self._chat.ask(lambda store: store.recall_of(turn_id))
        if recall is not None:
            view.update_turn(replace(view.turn, recall=recall))
            self._chat.transcript.replace_turn(view.turn)

    async def _why(self, view: TurnView) -> None:
        if view is self._chat.writing:
            self._chat.tell("The answer is still being written.")
            return
        if view.turn.recall is None and view.turn.turn_id:
            await self.fetch_recall(view)
        self._chat.frame.show_why(view.turn, self._chat.conversation_id)

    async def _regenerate(self, view: TurnView) -> None:
        chat, turn = self._chat, view.turn
        async with chat.changing:
            if view not in chat.transcript.views or not self._may_branch(view):
                return
            now = chat.backend.clock()
            await chat.transcript.drop_last()
            await chat.start_turn(TurnText(0, turn.number, turn.prompt, now))
            chat.backend.play(lambda engine: engine.regenerate(turn.turn_id, now))

    def _edit(self, view: TurnView) -> None:
        if not self._may_branch(view):
            return
        self._chat.replaces = view.turn.turn_id
        self._chat.prompt.show_instead(view.turn.prompt)
        self._chat.prompt.focus()
        self._chat.set_hint("Editing your last message. Enter sends it again, Esc leaves it.")

    def _may_branch(self, view: TurnView) -> bool:
        chat = self._chat
        if chat.writing is not None:
            chat.tell("The assistant is still writing. Esc stops it.")
        elif view is not chat.transcript.last:
            chat.tell(ONLY_LAST)
        elif not view.turn.turn_id:
            chat.tell("This chat is not kept, so there is nothing to branch from.")
        else:
            return True
        return False

    def _copy(self, view: TurnView, *, code: bool) -> None:
        blocks = view.code_blocks() if code else [view.reply]
        if blocks:
            self._chat.app.copy_to_clipboard(blocks[-1])
        words = "last code block" if code else "answer"
        self._chat.tell(f"Copied the {words}." if blocks else "There is no code in this answer.")

    def _move(self, view: TurnView, step: int) -> None:
        views = self._chat.transcript.views
        index = views.index(view) + step
        if index >= len(views):
            self._chat.prompt.focus()
        elif index >= 0:
            views[index].focus()

    # --- branches ------------------------------------------------------------------------------

    def show_branches(self, view: TurnView) -> None:
        """Mark the newest turn with its place among its branches, when it has any."""
        turn_id = view.turn.turn_id
        if not turn_id:
            return

        async def mark() -> None:
            branches = await self._chat.ask(lambda store: list(store.branches(turn_id)))
            if branches and len(branches) > 1 and turn_id in branches:
                view.branch = f"{branches.index(turn_id) + 1}/{len(branches)}"
                view.redraw()

        self._chat.begin(mark())

    async def _switch_branch(self, view: TurnView, step: int) -> None:
        if not self._may_branch(view):
            return
        chat, turn_id = self._chat, view.turn.turn_id
        branches = await chat.ask(lambda store: list(store.branches(turn_id)))
        if not branches or turn_id not in branches:
            return
        at = branches.index(turn_id) + step
        if not 0 <= at < len(branches):
            chat.tell("There is no other branch on this side.")
            return
        chosen = branches[at]
        await asyncio.wrap_future(chat.backend.tell(lambda engine: engine.choose_branch(chosen)))
        conversation_id = chat.conversation_id
        if conversation_id is None:
            return
        turns = await chat.ask(lambda store: store.turns(conversation_id))
        if turns:
            async with chat.changing:
                if chat.conversation_id != conversation_id or chat.writing is not None:
                    return  # the person went on meanwhile
                await chat.transcript.show_turns(turns)
            if (last := chat.transcript.last) is not None:
                last.focus(scroll_visible=False)
                self.show_branches(last)
