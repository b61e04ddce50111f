"""The stores that `bench recall` and `bench answer` ask: LoCoMo conversations recorded as messages.

Embeds every text once, for several stores. Knows the adapter from a file to the `Memory` facade; knows
no ranking and no figure.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from assistant.bench.locomo import Dialogue, Session
from assistant.conversation.postthink import SurpriseMeter, measure_surprise
from assistant.conversation.recall import encode
from assistant.memory.index import IndexKind
from assistant.memory.memory import Memory
from assistant.records import EncodedText, FloatArray


class Texts:
    """What is embedded once and recorded in several stores: messages and questions."""

    def __init__(self, dialogues: Sequence[Dialogue], embedder: Any) -> None:
        self.embedder = embedder
        self.sessions = {
            (dialogue.name, session.number): tuple(self._encode(session))
            for dialogue in dialogues
            for session in dialogue.sessions
        }
        self.surprises: dict[tuple[str, int], tuple[float | None, ...]] = {}
        self.query_vectors: dict[str, FloatArray] = {}
        self.embed_ms: list[float] = []

    def _encode(self, session: Session) -> Iterator[EncodedText]:
        before = ""
        for said in session.messages:
            yield encode(said.text, self.embedder, session.date, before)
            before = said.text

    def measure_surprises(
        self, dialogues: Sequence[Dialogue], meter: SurpriseMeter, say: Callable[[str], None]
    ) -> None:
        """Of every message, as the post-think job measures it: episodes then begin by surprise."""
        for dialogue in dialogues:
            say(f"{dialogue.name}: surprise of {dialogue.n_messages} messages")
            for session in dialogue.sessions:
                said = [message.text for message in session.messages]
                self.surprises[dialogue.name, session.number] = tuple(
                    measure_surprise(text, before, meter)
                    for text, before in zip(said, ["", *said], strict=False)
                )

    def query_vector(self, text: str) -> FloatArray:
        if text not in self.query_vectors:
            started = perf_counter()
            self.query_vectors[text] = self.embedder.embed([text])[0]
            self.embed_ms.append((perf_counter() - started) * 1000)
        return self.query_vectors[text]


@contextmanager
def open_store(embedder: Any, now: datetime, index: IndexKind = "auto") -> Iterator[Memory]:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "memory.db"
        with Memory.open(file, now=now, index_dir=Path(folder) / "index", index=index) as memory:
            memory.use_embedder(embedder.id, embedder.dimension)
            yield memory


def record(memory: Memory, dialogue: Dialogue, texts: Texts) -> dict[str, int]:
    """Record a dialogue, one conversation a session, in its episodes; the memory of each key."""
    messages: dict[str, int] = {}
    with memory.store.write():
        for session in dialogue.sessions:
            conversation = memory.new_conversation(f"session {session.number}", session.date)
            encoded = texts.sessions[dialogue.name, session.number]
            recorded = [
                memory.record_message(
                    text, session.date, conversation_id=conversation, speaker=said.speaker
                )
                for said, text in zip(session.messages, encoded, strict=True)
            ]
            surprises = texts.surprises.get((dialogue.name, session.number), ())
            observe(memory, recorded, session.date, surprises)
            messages.update(zip((said.key for said in session.messages), recorded, strict=True))
    rows = memory.store.read("SELECT message_id, id FROM memories WHERE kind = 'message'")
    by_message = {row["message_id"]: row["id"] for row in rows}
    return {key: by_message[message_id] for key, message_id in messages.items()}


def observe(
    memory: Memory,
    messages: Sequence[int],
    now: datetime,
    surprises: Sequence[float | None] = (),
) -> None:
    """Put the turns of these messages into episodes, as their post-think jobs would one by one."""
    known = surprises or [None] * len(messages)
    for message_id, surprise in zip(messages, known, strict=True):
        memory.observe_turn(memory.message(message_id).turn_id, surprise, now)


def memory_end(memory: Memory) -> datetime:
    """A day after the last message: when the questions are asked."""
    return memory.conversations(limit=1)[0].last_used + timedelta(days=1)
