"""Other people's talk for `bench recall --fill`: what a store of 100 000 messages holds besides.

The sentences and vectors that `bench index --prepare` makes from the installed Python's own
documentation, in conversations of PER_CONVERSATION. Everything but the words is as the questions' own
conversations have it, so that no feature gives the filling away: its speakers are theirs, two to a
conversation, and its days lie between their first and last. Which ones is seeded.
Knows the `Memory` facade; knows no question.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from assistant.bench.index_corpus import collect_sentences
from assistant.bench.index_data import N_QUERIES, N_REAL, in_context, prepare
from assistant.bench.locomo import Dialogue
from assistant.bench.recall_store import observe
from assistant.memory.memory import Memory
from assistant.records import EncodedText, FloatArray

PER_CONVERSATION: Final = 40
AT_ONCE: Final = 50  # conversations in one transaction
SEED: Final = 11


class Filler:
    """Sentences and their vectors. Those that `bench index` asks as questions are left out."""

    def __init__(self, folder: Path, embedder: Any, on_progress: Callable[[str], None]) -> None:
        """Embeds the sentences where `bench index --prepare` has not: about ten minutes, once."""

        def told(done: int, total: int) -> None:
            if done % 10_000 < 256:
                on_progress(f"embedding the filling: {done} of {total}")

        file = prepare(folder, embedder, told)
        self.texts = collect_sentences(N_REAL + N_QUERIES)[:N_REAL]
        self.vectors: FloatArray = np.load(file, mmap_mode="r")[:N_REAL]

    def record(self, memory: Memory, dialogues: Sequence[Dialogue], n: int) -> None:
        """Record the first `n` sentences among the dialogues' own days."""
        random = np.random.default_rng(SEED)
        speakers = sorted({name for dialogue in dialogues for name in dialogue.speakers})
        dates = [session.date for dialogue in dialogues for session in dialogue.sessions]
        begins = range(0, min(n, len(self.texts)), PER_CONVERSATION)
        days = random.random(len(begins))
        for first in range(0, len(begins), AT_ONCE):
            with memory.store.write():
                for at in range(first, min(first + AT_ONCE, len(begins))):
                    date = min(dates) + float(days[at]) * (max(dates) - min(dates))
                    two = random.permutation(speakers)[:2].tolist()
                    self._record_one(memory, range(begins[at], n)[:PER_CONVERSATION], date, two)

    def _record_one(self, memory: Memory, which: range, date: datetime, two: list[str]) -> None:
        conversation = memory.new_conversation(f"filling {which.start}", date)
        recorded = [
            memory.record_message(
                self._encoded(at, at == which.start),
                date,
                conversation_id=conversation,
                speaker=two[at % 2],
            )
            for at in which
        ]
        observe(memory, recorded, date)

    def _encoded(self, at: int, is_first: bool) -> EncodedText:
        text, vector = self.texts[at], np.array(self.vectors[at])
        if is_first:
            return EncodedText(text, text, vector)
        return EncodedText(
            text, text, vector, context_vector=in_context(vector, self.vectors[at - 1])
        )
