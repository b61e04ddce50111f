"""The post-think stage: the thoughts of one finished turn, derived outside the turn.

Reads the person's message as it was said (never the prompt, so nothing recalled and no system text can
come back as a thought) and the memories its reply took up. Knows a writer's shape and the `Memory`
facade; what it derives, `store` keeps.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from assistant.conversation.selection import Label, Selection
from assistant.conversation.writers import ThoughtWriter
from assistant.memory.memory import Memory
from assistant.memory.sentences import content_words
from assistant.records import Message, NewThought

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


def post_think(
    turn_id: int,
    memory: Memory,
    writer: ThoughtWriter,
    *,
    never_store: Collection[str] = (),
) -> Derived:
    """Derive what is worth keeping from a turn. Writes nothing. Raises what the writer's model raises.

    `never_store` are topics the person wants no thoughts about: a thought with one of their words
    is left out.
    """
    thoughts = [
        _to_thought(selection, message, writer)
        for message in memory.messages_of_turn(turn_id)
        if message.role == "user" and len(message.text) <= MAX_MESSAGE_CHARACTERS
        for selection in writer.write(message.text, message.created)
        if not is_barred(selection.text, never_store)
    ]
    return Derived(tuple(thoughts), tuple(memory.quoted_memories(turn_id)))


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
