"""The recall stage: a text becomes something to record, and a question becomes memories.

Knows the shape of an embedder and the `Memory` facade; nothing of the language model but a
function that counts tokens.
"""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from assistant.conversation.ports import TextEmbedder
from assistant.errors import EmbeddingError
from assistant.memory.dates import resolve_dates
from assistant.memory.memory import Memory
from assistant.records import EncodedText, FloatArray, Passage, Recall, RecalledMemory

N_WORDS_BEFORE: Final = 60  # of the message before, its end: the text itself must fit as well
N_QUERY_WORDS: Final = 60  # of an over-long text, taken at each end: where a paste has its question
_QUESTION: Final = re.compile(r"[^.!?;:]{1,400}\?")
_SENTENCE: Final = re.compile(r"(?<=[.!?;:])\s")


@dataclass(frozen=True, slots=True)
class RecallLimits:
    """How much may come back: memories, and tokens of them as the model counts."""

    n_memories: int
    n_tokens: int
    count_tokens: Callable[[str], int]
    n_portrait_tokens: int = 0  # of the portrait, where no memory fits


def encode(
    text: str, embedder: TextEmbedder | None, now: datetime, before: str = ""
) -> EncodedText:
    """`text` with its dates resolved and its vectors made; without vectors where that fails.

    A text must be recorded whatever happens to the embedder: `reindex` fills the gap later.
    `before` is the message before it: what "yes, that one" means is seen only with it.
    """
    resolved = resolve_dates(text, now)
    if embedder is None:
        return EncodedText(text, resolved, None)
    try:
        spans = embedder.split(resolved)
        parts = [resolved[start:end] for start, end in spans]
        context = " ".join(before.split()[-N_WORDS_BEFORE:])
        vectors = embedder.embed([resolved, *parts, *([f"{context}\n{resolved}"] * bool(context))])
    except EmbeddingError:
        return EncodedText(text, resolved, None)
    passages = tuple(
        Passage(start, end, vector)
        for (start, end), vector in zip(spans, vectors[1:], strict=False)
    )
    return EncodedText(text, resolved, vectors[0], passages, vectors[-1] if context else None)


def shorten_query(text: str) -> str:
    """What an over-long text asks: the questions at its two ends, or else the ends themselves.

    The words of a paste would find the paste's own ends again and drown the question.
    """
    words = text.split()
    if len(words) <= 2 * N_QUERY_WORDS:
        return text
    ends = [" ".join(words[:N_QUERY_WORDS]), " ".join(words[-N_QUERY_WORDS:])]
    asked = [found.strip() for end in ends for found in _QUESTION.findall(end)]
    return " ".join(asked) or " ".join(_SENTENCE.split(ends[0])[:1] + _SENTENCE.split(ends[1])[-1:])


def recall(
    query: str,
    vector: FloatArray | None,
    memory: Memory,
    now: datetime,
    limits: RecallLimits,
    exclude_turns: Collection[int] = (),
    conversation_id: int | None = None,
) -> Recall:
    """The memories for `query`, best first. `exclude_turns` are those the model reads anyway.

    Where none fits (a greeting, small talk), the portrait's first lines stand in: beside memories
    that fit they would only distract.
    """
    if limits.n_memories < 1 or limits.n_tokens < 1:
        return Recall(query)
    found = memory.recall(
        query,
        vector,
        now,
        k=limits.n_memories,
        exclude_turns=exclude_turns,
        conversation_id=conversation_id,
        token_budget=limits.n_tokens,
        count_tokens=limits.count_tokens,
    )
    if found.memories or limits.n_portrait_tokens < 1:
        return found
    drawn = memory.portrait_memories(exclude_turns, conversation_id)
    return _stand_in(found, drawn, limits)


def _stand_in(found: Recall, portrait: Sequence[RecalledMemory], limits: RecallLimits) -> Recall:
    """The portrait's lines that its budget holds, the first one last in the prompt."""
    given, n_left = [], limits.n_portrait_tokens
    for line in portrait[: limits.n_memories]:
        n_left -= limits.count_tokens(line.resolved_text)
        if n_left < 0:
            break
        given.append(line)
    ids = {line.id for line in given}
    lost = tuple(memory for memory in found.near_misses if memory.id not in ids)
    return replace(found, memories=tuple(given), near_misses=lost)


def recall_passages(
    encoded: EncodedText,
    embedder: TextEmbedder | None,
    memory: Memory,
    now: datetime,
    limits: RecallLimits,
    exclude_turns: Collection[int] = (),
    conversation_id: int | None = None,
) -> Recall:
    """What answers the question in an over-long message, its own passages among it.

    A message that is not recorded (no `conversation_id`) has its passages compared right here. The
    first and the last passage come after the others: the prompt shows both ends anyway, and the one
    with the question in it is always the most similar.
    """
    query = shorten_query(encoded.resolved_text)
    vector = encode(query, embedder, now).vector
    if conversation_id is None:
        found = Recall(query, tuple(_similar_passages(encoded, vector, now)))
    else:
        found = memory.recall(
            query,
            vector,
            now,
            k=max(limits.n_memories, len(encoded.passages)),
            exclude_turns=exclude_turns,
            conversation_id=conversation_id,
        )
    ends = {encoded.resolved_text[part.start : part.end] for part in _ends(encoded.passages)}
    ordered = sorted(found.memories, key=lambda passage: passage.text in ends)
    given, n_left = [], limits.n_tokens
    for passage in ordered:
        cost = limits.count_tokens(passage.resolved_text)
        if cost <= n_left:
            given.append(passage)
            n_left -= cost
    lost = [replace(other, reason="over budget") for other in ordered if other not in given]
    return replace(found, memories=tuple(given), near_misses=(*lost, *found.near_misses))


def _similar_passages(
    encoded: EncodedText, vector: FloatArray | None, now: datetime
) -> list[RecalledMemory]:
    """The passages of a text that is in no store, the most similar first. Their id is 0."""
    found = []
    for part in encoded.passages:
        similarity = 0.0
        if vector is not None and part.vector is not None:
            similarity = float(vector @ part.vector)
        text = encoded.resolved_text[part.start : part.end]
        signals = {"meaning": similarity}
        found.append(
            RecalledMemory(0, "passage", text, text, "user", now, 0, None, similarity, signals)
        )
    return sorted(found, key=lambda passage: -passage.score)


def _ends(passages: Sequence[Passage]) -> Sequence[Passage]:
    return [passages[0], passages[-1]] if passages else []
