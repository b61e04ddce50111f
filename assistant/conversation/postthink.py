"""The post-think stage: the thoughts of one finished turn, derived outside the turn.

Reads the person's message as it was said (never the prompt, so nothing recalled and no system text can
come back as a thought) and the memories its reply took up. Knows a writer's shape and the `Memory`
facade; what it derives, `store` keeps.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from assistant.conversation.selection import Label, Selection
from assistant.conversation.writers import ThoughtWriter
from assistant.memory.memory import Memory
from assistant.memory.sentences import content_words
from assistant.records import Message, NewThought

SEQUENCE_SURPRISE: Final = 2  # of the model's: neither the conversation's nor the writer's
N_SURPRISE_TOKENS: Final = 256  # of the message: its beginning says whether the topic changed
N_CONTEXT_TOKENS: Final = 128  # of the message before, its end

MAX_MESSAGE_CHARACTERS: Final = 4000  # a longer one is a paste: its passages are its memory

IMPORTANCE: Final[dict[Label, float]] = {
    "fact": 0.3,
    "relation": 0.3,
    "preference": 0.3,
    "event": 0.2,
    "plan": 0.1,
}


@dataclass(frozen=True, slots=True)
class Derived:
    """What one turn gave: thoughts to store, memories to strengthen."""

    thoughts: tuple[NewThought, ...] = ()
    quoted: tuple[int, ...] = ()
    surprise: float | None = None  # nats a token of the person's message


class SurpriseMeter(Protocol):
    """A model that says how surprising a text is."""

    def tokenize(self, text: str) -> list[int]: ...

    def surprise(self, tokens: Sequence[int], *, sequence: int, n_context: int = 0) -> list[float]:
        """-log p of each of `tokens[n_context:]`, nats; shorter where it was stopped."""

    def stop(self) -> None: ...


def post_think(
    turn_id: int,
    memory: Memory,
    writer: ThoughtWriter,
    *,
    never_store: Collection[str] = (),
    meter: SurpriseMeter | None = None,
) -> Derived:
    """Derive what is worth keeping from a turn. Writes nothing. Raises what the writer's model raises.

    `never_store` are topics the person wants no thoughts about: a thought with one of their words
    is left out.
    """
    said = memory.messages_of_turn(turn_id)
    thoughts = [
        _to_thought(selection, message, writer)
        for message in said
        if message.role == "user" and len(message.text) <= MAX_MESSAGE_CHARACTERS
        for selection in writer.write(message.text, message.created)
        if not is_barred(selection.text, never_store)
    ]
    quoted = memory.quoted_memories(turn_id, uncounted=True)
    return Derived(tuple(thoughts), tuple(quoted), mean_surprise(said, memory, meter))


def mean_surprise(
    said: Sequence[Message], memory: Memory, meter: SurpriseMeter | None
) -> float | None:
    """Nats a token of the person's message after the message before it, without any memory block.

    None without a model, for an empty message, and where the model was stopped.
    """
    own = next((message for message in said if message.role == "user"), None)
    if meter is None or own is None:
        return None
    before = [m.text for m in memory.messages(own.conversation_id) if m.id < own.id][-1:]
    return measure_surprise(own.text, "".join(before), meter)


def measure_surprise(text: str, before: str, meter: SurpriseMeter) -> float | None:
    """Nats a token of a text after the one before it; None where it is empty or was stopped."""
    context = meter.tokenize(before + "\n")[-N_CONTEXT_TOKENS:] if before else []
    tokens = meter.tokenize(text)[:N_SURPRISE_TOKENS]
    values = meter.surprise([*context, *tokens], sequence=SEQUENCE_SURPRISE, n_context=len(context))
    return sum(values) / len(values) if tokens and len(values) == len(tokens) else None


def is_barred(text: str, topics: Collection[str]) -> bool:
    """Whether a text touches a topic: it holds every content word of it."""
    said = content_words(text)
    return any(words and words <= said for words in map(content_words, topics))


def _to_thought(selection: Selection, message: Message, writer: ThoughtWriter) -> NewThought:
    return NewThought(
        text=selection.text,
        source_message_id=message.id,
        writer=writer.name,
        writer_version=writer.version,
        label=selection.label,
        slot=selection.slot,
        event_time=selection.event_time,
        importance=IMPORTANCE[selection.label],
        generated=writer.generates,
    )
