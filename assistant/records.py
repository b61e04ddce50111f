"""The plain values that travel between packages. No behaviour, no I/O, no library types but numpy's.

Every time is an aware `datetime` in UTC; every vector is float32 with L2 norm 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import numpy as np
import numpy.typing as npt

Role = Literal["system", "user", "assistant"]
Kind = Literal["message", "passage", "thought", "summary"]
State = Literal["active", "faded", "superseded", "forgotten"]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message as a chat template takes it."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Passage:
    """Characters [start, end) of a message longer than the embedder reads, and their vector."""

    start: int
    end: int
    vector: FloatArray | None  # (dimension,)


@dataclass(frozen=True, slots=True)
class EncodedText:
    """A text ready to be recorded: dates resolved, vectors made. `text` itself is never altered."""

    text: str
    resolved_text: str
    vector: FloatArray | None  # (dimension,); None when no embedder could be had
    passages: tuple[Passage, ...] = ()  # of `resolved_text`; empty when it fits one vector
    context_vector: FloatArray | None = None  # of the message before it and this one together


@dataclass(frozen=True, slots=True)
class Message:
    """One recorded message. `partial` marks a reply that was stopped or cut off."""

    id: int
    conversation_id: int
    turn_id: int
    role: Role
    text: str
    resolved_text: str
    created: datetime
    speaker: str | None = None
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of the person and the reply to it. `number` counts from 1 in its conversation."""

    id: int
    conversation_id: int
    number: int
    message_id: int
    created: datetime


@dataclass(frozen=True, slots=True)
class Conversation:
    id: int
    title: str
    created: datetime
    last_used: datetime
    n_turns: int


@dataclass(frozen=True, slots=True)
class RecalledMemory:
    """One memory that recall ranked. `score` is the final ranking; higher is better.

    `signals` holds each part of the score by name ("words", "meaning", "session", "episode",
    "neighbours", "speaker", "time", "graph", "retention"). `reason` is empty for a memory that is given to the
    model, else why a near-miss lost ("near-duplicate of 12", "weak", "over budget").
    """

    id: int
    kind: Kind
    text: str
    resolved_text: str
    role: Role
    created: datetime
    conversation_id: int
    turn_id: int | None
    score: float
    signals: Mapping[str, float]
    speaker: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Recall:
    """What one query brought back, best first, and what nearly came back."""

    query: str
    memories: tuple[RecalledMemory, ...] = ()
    near_misses: tuple[RecalledMemory, ...] = ()
    elapsed_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Thought:
    """One derived statement with its source, in the person's own words, dates resolved."""

    id: int
    memory_id: int
    text: str
    source_message_id: int
    writer: str
    writer_version: str
    created: datetime
    subject: str | None = None
    relation: str | None = None
    object: str | None = None
    event_time: datetime | None = None
    superseded_by: int | None = None


@dataclass(frozen=True, slots=True)
class NewThought:
    """A thought before it is stored. `slot` is (subject, relation, object).

    `generated`: a model worded it, so words may differ in form from the message's; none may be new.
    """

    text: str
    source_message_id: int
    writer: str
    writer_version: str
    label: str = "fact"
    slot: tuple[str, str, str] | None = None
    event_time: datetime | None = None
    importance: float = 0.0  # in [0, 1]
    vector: FloatArray | None = field(default=None, compare=False)  # (dimension,)
    generated: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of post-think work. `attempts` counts this one."""

    id: int
    kind: str
    turn_id: int | None
    attempts: int


@dataclass(frozen=True, slots=True)
class Token:
    """One generated piece of text. `text` is valid UTF-8 and may be empty while bytes are held back.

    `surprise` is -log p(token) in nats, None where it was not asked for.
    """

    id: int
    text: str
    surprise: float | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What one reply cost. `n_prefill` counts the tokens evaluated, `n_reused` those in the KV cache."""

    n_prompt: int
    n_completion: int
    n_prefill: int = 0
    n_reused: int = 0
    recall_ms: float = 0.0
    first_token_ms: float = 0.0
    total_ms: float = 0.0

    @property
    def tokens_per_second(self) -> float:
        """Decode speed: completion tokens after the first, per second; 0 for fewer than two."""
        decode_ms = self.total_ms - self.first_token_ms
        return (
            (self.n_completion - 1) * 1000 / decode_ms
            if self.n_completion > 1 and decode_ms > 0
            else 0.0
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """The model's answer, whole or partial. `finish` says why it ended."""

    text: str
    finish: Literal["stop", "length", "stopped", "error"]
    usage: Usage
    error: str | None = None

    @property
    def partial(self) -> bool:
        return self.finish in ("stopped", "error")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long piece of work is. `total` is 0 where it is not known. Units: `unit`."""

    phase: str
    done: int
    total: int
    unit: str = ""


@dataclass(frozen=True, slots=True)
class SamplingParameters:
    """How the next token is drawn. temperature 0 is greedy; seed None draws a fresh one."""

    temperature: float = 0.7
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    repeat_penalty: float = 1.0
    max_tokens: int = 512
    seed: int | None = None
    stop: tuple[str, ...] = field(default=())
    grammar: str | None = None  # GBNF
