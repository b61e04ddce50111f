"""The open conversation: which one it is, and its turns as the prompt shows them.

Knows the store's messages and the saved KV states; nothing of recall or generation. The turns begin
where the context window's share begins, and what begins earlier stays recallable.
"""

from collections.abc import Callable, Sequence
from typing import Final

from assistant.conversation.ports import LanguageModel
from assistant.conversation.prompt import PastTurn, Room, fit_history, past_turns
from assistant.conversation.states import KeptStates
from assistant.errors import NotFound
from assistant.memory.memory import Memory

SEQUENCE: Final = 0  # holds the open conversation's prefix
N_CHARACTERS_A_TOKEN: Final = 8  # more than any tokeniser's mean: a quick first cut loses nothing


class History:
    """The turns of one conversation, or of none. Id None: the next message begins one."""

    def __init__(self, memory: Memory, states: KeptStates | None) -> None:
        self.conversation_id: int | None = None
        self.turns: Sequence[PastTurn] = ()
        self.running: int | None = None  # the turn that is not finished, and no history yet
        self._memory = memory
        self._states = states
        self._generation = memory.generation  # of the store, when the turns were read

    @property
    def next_number(self) -> int:
        return self.turns[-1].number + 1 if self.turns else 1

    @property
    def last_reply(self) -> str:
        return self.turns[-1].assistant if self.turns else ""

    def open(self, conversation_id: int | None) -> None:
        """Forget the turns; `restore` reads those of the new one. Raises NotFound."""
        if conversation_id is not None:
            self._memory.conversation(conversation_id)
        self.conversation_id, self.turns = conversation_id, ()

    def restore(self, model: LanguageModel, room: Room) -> None:
        """Read the turns, and the KV state whose first turn they begin with."""
        if self.conversation_id is None:
            return
        first = None
        if self._states:
            first = self._states.restore(self.conversation_id, model, SEQUENCE)
        turns = self.recorded(self.conversation_id, model, room)
        turns = [turn for turn in turns if turn.turn_id != self.running]
        starts = [i for i, turn in enumerate(turns) if turn.turn_id == first]
        n_characters = model.n_ctx * N_CHARACTERS_A_TOKEN
        self.turns = turns[starts[0] :] if starts else _recent(turns, n_characters)

    def forget_erased(self, model: LanguageModel | None, room: Callable[[], Room]) -> None:
        """Read the turns anew where something was erased since, by another program too."""
        if not self.is_outdated:
            return
        self._generation = self._memory.generation
        if self.conversation_id is None:
            return
        try:
            self.open(self.conversation_id)
        except NotFound:  # the whole conversation: the next message begins another
            self.open(None)
        if model is not None:
            model.drop_sequence(SEQUENCE)
            self.restore(model, room())

    @property
    def is_outdated(self) -> bool:
        """Whether the turns, or the KV cache, may hold what was erased."""
        return self._memory.generation != self._generation

    def recorded(
        self, conversation_id: int, model: LanguageModel, room: Room, before: int | None = None
    ) -> list[PastTurn]:
        """The recorded turns of a conversation, or those before one turn's number."""
        turns = past_turns(self._memory.messages(conversation_id), model, room)
        return [turn for turn in turns if before is None or turn.number < before]

    def fit(self, system: str, model: LanguageModel, n_tokens_max: int) -> Sequence[PastTurn]:
        """Let the oldest turns go that no longer fit; returns what stays."""
        self.turns = fit_history(system, self.turns, model, n_tokens_max)
        return self.turns

    def add(self, turn: PastTurn) -> None:
        self.turns, self.running = [*self.turns, turn], None

    def drop(self, turn_id: int) -> None:
        """Take a turn out that another branch replaces."""
        self.turns = [turn for turn in self.turns if turn.turn_id != turn_id]

    def keep_state(self, model: LanguageModel) -> None:
        """Save the KV state, so that the conversation reopens without being read again."""
        if self._states and self.conversation_id and self.turns and not self.is_outdated:
            self._states.keep(self.conversation_id, self.turns[0].turn_id, model, SEQUENCE)


def _recent(turns: Sequence[PastTurn], n_characters_max: int) -> Sequence[PastTurn]:
    """The newest turns within a number of characters: a quick cut before the exact one."""
    for start in range(len(turns) - 1, -1, -1):
        n_characters_max -= len(turns[start].user) + len(turns[start].assistant)
        if n_characters_max < 0:
            return turns[start + 1 :]
    return turns
