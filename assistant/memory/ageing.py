"""The facade's part that has to do with time: use and fading, episodes, days, the portrait, imports.

`Memory` inherits it; it adds no state of its own. Knows which part does what, no model and no clock.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from assistant.memory import (
    browse,
    consolidate,
    episodes,
    import_formats,
    importers,
    messages,
    portrait,
    thought_rows,
    thoughts,
)
from assistant.memory.consolidate import Faded
from assistant.memory.episodes import Episode
from assistant.memory.importers import ImportReport
from assistant.memory.portrait import Portrait
from assistant.memory.schema import Store, from_text, to_text
from assistant.memory.sentences import is_quoted
from assistant.records import EncodedText, FloatArray, Message, Progress, RecalledMemory

CONSOLIDATE_HOURS: Final = 12.0


class AgeingMemory:
    """What `Memory` offers on use, fading and what is drawn together over time."""

    store: Store

    def _embedder_row(self, connection: Any, vector: FloatArray | None) -> int | None:
        raise NotImplementedError  # `Memory` has it

    def messages_of_turn(self, turn_id: int) -> list[Message]:
        return messages.read_messages_of_turn(self.store, turn_id)

    # --- import -----------------------------------------------------------------------------

    def import_file(
        self,
        path: Path,
        encode: importers.Encode,
        now: datetime,
        on_progress: Callable[[Progress], None] = lambda progress: None,
    ) -> ImportReport:
        """Record what another program exported; running it again adds only what is new.

        `encode` makes (text, when it was said, the text before it) into something to record.
        Raises InputError where the file is of no known format.
        """
        report = ImportReport()
        conversations = import_formats.read_export(path)
        total = sum(len(conversation.messages) for conversation in conversations)
        done = 0

        def count(n: int) -> None:
            nonlocal done
            done += n
            on_progress(Progress("import", done, total, "messages"))

        for conversation in conversations:
            report.add(
                importers.import_conversation(
                    self.store,
                    conversation,
                    encode,
                    lambda connection, text: self._embedder_row(connection, any_vector(text)),
                    now,
                    count,
                )
            )
        importers.relate_thoughts(self.store, conversations, report.thought_ids, now)
        on_progress(Progress("import", total, total, "messages"))
        return report

    # --- use and age --------------------------------------------------------------------------------

    def strengthen(self, memory_ids: Sequence[int], now: datetime, reason: str = "used") -> None:
        """Count a use of memories: given to the model and quoted, or confirmed by the person."""
        with self.store.write() as connection:
            for memory_id in memory_ids:
                thoughts.strengthen(connection, memory_id, now, thought_rows.PERSON, reason)

    def fade(self, now: datetime) -> Faded:
        """Let the oldest memories of low retention fade into summaries. Deletes nothing."""
        return consolidate.fade(self.store, now)

    def consolidate(self, now: datetime) -> bool:
        """Idle work, at most once in CONSOLIDATE_HOURS: let memories fade, summarise days.

        False where it was done lately; nothing is done then. (The portrait follows the thoughts.)
        """
        last = self.store.meta("consolidated")
        if last and (now - from_text(last)).total_seconds() < CONSOLIDATE_HOURS * 3600:
            return False
        self.fade(now)
        portrait.make_days(self.store, now)
        self.store.set_meta("consolidated", to_text(now))
        return True

    def portrait(self, now: datetime) -> Portrait:
        """The portrait of the person, made anew where what it draws on has changed."""
        if self.store.read_only:
            return portrait.read_portrait(self.store)
        return portrait.make_portrait(self.store, now)

    def portrait_memories(
        self, exclude_turns: Collection[int] = (), conversation_id: int | None = None
    ) -> list[RecalledMemory]:
        """The portrait's lines as memories to be given to the model, in its order. Writes nothing.

        Without what is in the prompt anyway, or what the person keeps out of this conversation.
        """
        lines = portrait.read_portrait(self.store).lines
        found = messages.read_memories(self.store, [line.memory_id for line in lines])
        kept_out = browse.excluded_memories(self.store, conversation_id)
        return [
            replace(found[line.memory_id], signals={"portrait": 1.0})
            for line in lines
            if line.memory_id not in kept_out and found[line.memory_id].turn_id not in exclude_turns
        ]

    def days(self, now: datetime, limit: int = 30) -> list[tuple[date, str]]:
        """The latest days, newest first, each in selected sentences."""
        if not self.store.read_only:
            portrait.make_days(self.store, now)
        return portrait.read_days(self.store, limit)

    def observe_turn(self, turn_id: int, surprise: float | None, now: datetime) -> None:
        """Put a finished turn into an episode, as its post-think job does: by its surprise in nats a
        token, where that is known, else by embedding distance."""
        with self.store.write() as connection:
            episodes.observe_turn(connection, turn_id, surprise, now)

    def episodes(self, conversation_id: int | None = None) -> list[Episode]:
        """Episodes in the order they began; those of one conversation, or all."""
        return episodes.read_episodes(self.store, conversation_id)

    def boundary_counts(self) -> dict[str, int]:
        """How many episodes began by a start, a pause, surprise, or embedding distance."""
        return episodes.count_boundaries(self.store)

    def boundary_shares(self) -> dict[str, float]:
        """Of those begun by surprise or embedding distance, the share of each; empty without any."""
        return episodes.boundary_shares(self.boundary_counts())

    def quoted_memories(self, turn_id: int, *, uncounted: bool = False) -> list[int]:
        """The memories given to the model in a turn whose words its reply took up.

        `uncounted`: only those that were not yet made stronger for it.
        """
        said = {message.role: message.text for message in self.messages_of_turn(turn_id)}
        rows = self.store.read(
            "SELECT m.id, m.text FROM recalls r JOIN memories m ON m.id = r.memory_id"
            " WHERE r.turn_id = ? AND r.given = 1 AND r.quoted <= ?",
            (turn_id, 0 if uncounted else 1),
        )
        question, reply = said.get("user", ""), said.get("assistant", "")
        return [int(row[0]) for row in rows if is_quoted(row[1], reply, question)]


def any_vector(encoded: EncodedText) -> FloatArray | None:
    """The text's vector or, of a long text, one of a passage: all are of one embedder."""
    vectors = (encoded.vector, *(passage.vector for passage in encoded.passages))
    return next((vector for vector in vectors if vector is not None), None)
