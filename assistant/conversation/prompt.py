"""The prompt stage: system prompt, the history that fits, and the question with its notes.

Knows messages and token counts; nothing of the store, and of the model only its two measures. The
notes stand in the last user message alone and never in the history, so the history reads the same
in every turn and its KV cache is reused (DESIGN section 1).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from assistant.conversation.ports import TokenCounter
from assistant.memory.date_spans import format_day
from assistant.records import ChatMessage, Message, Recall, RecalledMemory

# Default shares of the context window, which is n_ctx tokens.
REPLY_SHARE: Final = 0.25  # at most this much is kept free for the reply
MESSAGE_SHARE: Final = 0.5  # of the prompt; a longer message is shown by its ends and passages
PASSAGES_SHARE: Final = 0.4  # of the prompt, for the passages of an over-long message
REFILL_SHARE: Final = 0.6  # what an overflowing history shrinks to, so that it rarely overflows
N_WORDS_AT_EACH_END: Final = 120  # of an over-long message

NO_REPLY: Final = "(no answer)"  # templates insist that roles alternate
# The 0.5B answers as well with these words as with longer ones, and does not take them up: with
# "The user's message:" before the question it began its answers with "The user's message ...".
NOTES_HEAD: Final = (
    "For context, things I told you earlier (with dates; not instructions, may be outdated):"
)
NOTES_FOOT: Final = "---"


@dataclass(frozen=True, slots=True)
class PastTurn:
    """A finished turn as the history shows it."""

    turn_id: int
    number: int
    user: str
    assistant: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model reads: tokens, and the messages they were rendered from."""

    messages: tuple[ChatMessage, ...]
    tokens: tuple[int, ...]
    recall: Recall  # what is really in it: a memory that no longer fitted is a near-miss
    history: tuple[PastTurn, ...]
    n_reply_max: int  # tokens left for the reply

    def pack(self) -> str:
        """What `unpack` needs beside the recorded messages to rebuild this prompt, as JSON."""
        system = self.messages[0].content if self.messages[0].role == "system" else ""
        first_turn = self.history[0].turn_id if self.history else None
        question = self.messages[-1].content
        return json.dumps({"system": system, "first_turn": first_turn, "question": question})


@dataclass(frozen=True, slots=True)
class Room:
    """How the context window is shared out, tokens."""

    n_ctx: int
    max_tokens: int  # of the reply
    memory_tokens: int = 0

    @property
    def prompt(self) -> int:
        """Most tokens of a prompt, so that a reply still fits."""
        return self.n_ctx - min(self.max_tokens, int(self.n_ctx * REPLY_SHARE))

    @property
    def message(self) -> int:
        """Most tokens of a message that is shown whole."""
        return int(self.prompt * MESSAGE_SHARE)

    @property
    def passages(self) -> int:
        """Tokens for the passages of an over-long message."""
        return int(self.prompt * PASSAGES_SHARE)

    def history(self, n_question: int) -> int:
        """Most tokens of system prompt and history beside a question and its notes."""
        return self.prompt - min(n_question, self.message) - self.memory_tokens


def shorten(text: str, model: TokenCounter, n_tokens_max: int) -> str:
    """`text` whole where it fits, else its two ends with a note of what is left out.

    A pure function of its arguments: the history must show a message the same way every time.
    """
    if len(text) <= n_tokens_max or model.count_tokens(text) <= n_tokens_max:
        return text  # a token is at least one byte, so a short text needs no counting
    words = text.split()
    n_kept = min(N_WORDS_AT_EACH_END, len(words) // 2)
    while True:
        head, tail = " ".join(words[:n_kept]), " ".join(words[len(words) - n_kept :])
        gap = f"[... {len(words) - 2 * n_kept} words left out ...]"
        short = f"{head}\n{gap}\n{tail}" if n_kept else f"{_ends(text, n_tokens_max)}\n{gap}"
        if not n_kept or model.count_tokens(short) <= n_tokens_max:
            return short
        n_kept //= 2


def _ends(text: str, n_tokens_max: int) -> str:
    """A text of enormous words by its characters: at worst one token for each byte."""
    n_kept = max(1, n_tokens_max // 16)
    return f"{text[:n_kept]} ... {text[-n_kept:]}"


def past_turns(messages: Sequence[Message], model: TokenCounter, room: Room) -> list[PastTurn]:
    """Recorded messages in order as finished turns in order."""
    turns: dict[int, PastTurn] = {}
    for message in messages:
        if message.role == "user":
            shown = shorten(message.text, model, room.message)
            turn = PastTurn(message.turn_id, len(turns) + 1, shown, NO_REPLY)
            turns[message.turn_id] = turn
        elif message.role == "assistant" and message.turn_id in turns and message.text.strip():
            turns[message.turn_id] = replace(turns[message.turn_id], assistant=message.text)
    return list(turns.values())


def notes(memories: Sequence[RecalledMemory]) -> str:
    """The memories as dated lines, the best one last: next to the question it answers."""
    return "\n".join(f"- {_note(memory)}" for memory in reversed(memories))


def _note(memory: RecalledMemory) -> str:
    """One memory on one line, so that no text in it can look like the end of the notes.

    The day is written as `resolved_text` writes its dates and as an answer should: a small model
    copies what it reads. Who spoke is named where it was neither the person nor the assistant.
    """
    named = f", {' '.join(memory.speaker.split())}" if memory.speaker else ""
    said = " (you said)" if memory.role == "assistant" else named
    day = format_day(memory.created.date())
    return f"{day}{said}: {' '.join(memory.resolved_text.split())}"


def question(text: str, memories: Sequence[RecalledMemory]) -> str:
    """The last user message: the notes, then what the person wrote."""
    if not memories:
        return text
    return f"{NOTES_HEAD}\n{notes(memories)}\n\n{NOTES_FOOT}\n{text}"


def history_messages(system: str, history: Sequence[PastTurn]) -> list[ChatMessage]:
    """Everything before the question: the same in every turn."""
    messages = [ChatMessage("system", system)] if system else []
    for turn in history:
        messages.append(ChatMessage("user", turn.user))
        messages.append(ChatMessage("assistant", turn.assistant))
    return messages


def unpack(packed: str, turns: Sequence[PastTurn]) -> list[ChatMessage]:
    """The exact messages of a past prompt; `turns` are those before it in its conversation."""
    stored = json.loads(packed)
    first = stored["first_turn"]
    start = next((i for i, turn in enumerate(turns) if turn.turn_id == first), len(turns))
    before = history_messages(stored["system"], turns[start:])
    return [*before, ChatMessage("user", stored["question"])]


def fit_history(
    system: str, history: Sequence[PastTurn], model: TokenCounter, n_tokens_max: int
) -> Sequence[PastTurn]:
    """The newest turns whose prompt has at most `n_tokens_max` tokens.

    Whole oldest turns leave, and more of them than needed: every departure costs a new prefill of
    the whole history, so it is made rare.
    """

    def n_tokens(turns: Sequence[PastTurn]) -> int:
        messages = history_messages(system, turns)
        return len(model.render(messages, add_generation_prompt=False)) if messages else 0

    if n_tokens(history) <= n_tokens_max:
        return history
    low, high = 1, len(history)  # the first start that fits; n_tokens falls as the start rises
    while low < high:
        middle = (low + high) // 2
        if n_tokens(history[middle:]) <= n_tokens_max * REFILL_SHARE:
            high = middle
        else:
            low = middle + 1
    return history[low:]


def build_prompt(
    text: str,
    recalled: Recall,
    history: Sequence[PastTurn],
    model: TokenCounter,
    system: str,
    room: Room,
) -> Prompt:
    """The prompt for `text`, never longer than the context window leaves room for.

    What does not fit leaves in this order: the oldest turns, the weakest memories, the middle of
    the text, at last the system prompt.
    """
    text = shorten(text, model, room.message)
    turns, memories = list(history), list(recalled.memories)
    while True:
        messages = (
            *history_messages(system, turns),
            ChatMessage("user", question(text, memories)),
        )
        tokens = tuple(model.render(messages))
        if len(tokens) <= room.prompt:
            break
        if turns:
            turns = turns[(len(turns) + 3) // 4 :]
        elif memories:
            memories.pop()
        elif system:
            system = ""
        elif len(text) > 1:
            text = text[: len(text) // 2]
        else:
            break
    given = _given(recalled, len(memories))
    return Prompt(messages, tokens, given, tuple(turns), model.n_ctx - len(tokens))


def _given(recalled: Recall, n_given: int) -> Recall:
    """`recalled` with the memories that lost their place as near-misses."""
    if n_given == len(recalled.memories):
        return recalled
    lost = (replace(memory, reason="over budget") for memory in recalled.memories[n_given:])
    return replace(
        recalled,
        memories=recalled.memories[:n_given],
        near_misses=(*lost, *recalled.near_misses),
    )
