"""What tests of thoughts do to a store: say, think, add."""

from datetime import UTC, datetime

from assistant.memory.memory import Memory
from assistant.memory.thoughts import Outcome
from assistant.records import EncodedText, NewThought, Recall, Turn

NOW = datetime(2024, 5, 1, 9, 0, tzinfo=UTC)


def say(memory: Memory, text: str, now: datetime = NOW, reply: str = "Noted.") -> Turn:
    turn = memory.begin_turn(EncodedText(text, text, None), now)
    memory.finish_turn(turn, EncodedText(reply, reply, None), Recall(text), now)
    return turn


def think(
    memory: Memory,
    text: str,
    *,
    said: str | None = None,
    slot: tuple[str, str, str] | None = None,
    now: datetime = NOW,
) -> Outcome:
    turn = say(memory, said or text, now)
    return memory.insert_thought(NewThought(text, turn.message_id, "rules", "1", slot=slot), now)


def texts(memory: Memory) -> set[str]:
    return {thought.text for thought in memory.thoughts()}


def add(memory: Memory, text: str, value: str) -> int:
    slot = ("person", "favourite colour", value)
    return memory.add_thought(EncodedText(text, text, None), NOW, slot=slot).memory_id
