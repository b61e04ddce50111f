"""Fakes with predictable output: a model whose tokens are words, an embedder of hashed words.

Production code never asks whether it is being tested; a test hands these to the engine instead of
the real ones.
"""

import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from assistant.errors import AssistantError
from assistant.records import ChatMessage, FloatArray, Reply, SamplingParameters, Token

if TYPE_CHECKING:
    from assistant.conversation.engine import Engine

DIMENSION = 384
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class FakePrefill:
    n_evaluated: int
    n_reused: int


@dataclass(frozen=True)
class FakeModelInfo:
    name: str = "fake"
    path: Path = Path("fake.gguf")
    file_bytes: int = 0
    architecture: str = "fake"
    quantisation: str = "none"
    n_ctx: int = 512
    n_ctx_train: int = 512
    n_vocabulary: int = 0
    n_layers: int = 0
    n_parameters: int = 0
    window: str = "off"
    slow_warning: str = ""


def _n_common(first: Sequence[int], second: Sequence[int]) -> int:
    pairs = enumerate(zip(first, second, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(first), len(second)))


def echo(prompt: str) -> str:
    """The default reply: the last words of the prompt."""
    return "You said: " + " ".join(prompt.split()[-3:])


@dataclass
class FakeModel:
    """A token is a run of non-blank characters; the chat template is one marker for each role.

    `reply` turns the text of the last user message into the answer. The KV cache is real enough to
    count what is evaluated and what is reused.
    """

    n_ctx: int = 512
    facts: FakeModelInfo = field(default_factory=FakeModelInfo)
    reply: Callable[[str], str] = echo
    fail_after: int | None = None  # tokens; then `error` is raised
    error: Exception = field(default_factory=lambda: RuntimeError("fake"))
    token_pause: Event | None = None  # waited for before every token
    finish: str = "stop"
    cache: dict[int, list[int]] = field(default_factory=dict)
    prompts: list[str] = field(default_factory=list)
    parameters: list[SamplingParameters] = field(default_factory=list)
    prefills: list[FakePrefill] = field(default_factory=list)
    n_stops: int = 0
    closed: bool = False
    _stop: Event = field(default_factory=Event)
    _words: dict[str, int] = field(default_factory=dict)
    _names: list[str] = field(default_factory=list)

    @property
    def info(self) -> FakeModelInfo:
        return replace(self.facts, n_ctx=self.n_ctx)

    def tokenize(self, text: str) -> list[int]:
        ids = []
        for word in text.split():
            if word not in self._words:
                self._words[word] = len(self._names)
                self._names.append(word)
            ids.append(self._words[word])
        return ids

    def detokenize(self, tokens: Sequence[int]) -> str:
        return " ".join(self._names[token] for token in tokens)

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def render(
        self, messages: Sequence[ChatMessage], *, add_generation_prompt: bool = True
    ) -> list[int]:
        tokens: list[int] = []
        for message in messages:
            tokens += self.tokenize(f"<{message.role}> {message.content} <end>")
        return tokens + (self.tokenize("<assistant>") if add_generation_prompt else [])

    def prefill(
        self,
        tokens: Sequence[int],
        *,
        sequence: int = 0,
        on_progress: Callable[[float], None] | None = None,
        step: int | None = None,
    ) -> FakePrefill:
        n_reused = max((_n_common(held, tokens) for held in self.cache.values()), default=0)
        self.cache[sequence] = list(tokens)
        if on_progress:
            on_progress(1.0)
        self.prefills.append(FakePrefill(len(tokens) - n_reused, n_reused))
        return self.prefills[-1]

    def stream(
        self,
        tokens: Sequence[int],
        parameters: SamplingParameters,
        *,
        sequence: int = 0,
        want_surprise: bool = False,
    ) -> Iterator[Token]:
        assert len(tokens) <= self.n_ctx, "the prompt is longer than the context window"
        self._stop.clear()
        self.cache[sequence] = list(tokens)
        text = self.detokenize(tokens)
        self.prompts.append(text)
        self.parameters.append(parameters)
        question = text.rpartition("<user>")[2].partition("<end>")[0].strip()
        self.finish = "stop"
        for n, word in enumerate(self.reply(question).split()):
            if self.token_pause:
                self.token_pause.wait()
            if self._stop.is_set():
                self.finish = "stopped"
                return
            if n == self.fail_after:
                raise self.error
            if n >= parameters.max_tokens or len(tokens) + n >= self.n_ctx:
                self.finish = "length"
                return
            [token] = self.tokenize(word)
            self.cache[sequence].append(token)
            yield Token(token, word if n == 0 else f" {word}", 1.0 if want_surprise else None)

    def surprise(self, tokens: Sequence[int], *, sequence: int, n_context: int = 0) -> list[float]:
        return [1.0] * (len(tokens) - n_context)

    def drop_sequence(self, sequence: int) -> None:
        self.cache.pop(sequence, None)

    def copy_sequence(self, source: int, target: int) -> None:
        self.cache[target] = list(self.cache.get(source, []))

    def save_state(self, file: Path, *, sequence: int = 0) -> None:
        file.write_text(self.detokenize(self.cache.get(sequence, [])), "utf-8")

    def load_state(self, file: Path, *, sequence: int = 0) -> int:
        if not file.exists():
            return 0
        self.cache[sequence] = self.tokenize(file.read_text("utf-8"))
        return len(self.cache[sequence])

    def stop(self) -> None:
        self.n_stops += 1
        self._stop.set()

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> "FakeModel":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True)
class FakeFinished:
    key: object
    text: str
    finish: str
    n_prompt: int
    n_completion: int
    n_reused: int = 0
    first_token_ms: float = 1.0
    total_ms: float = 2.0
    error: AssistantError | None = None


class FakeBatcher:
    """`runtime.batching.Batcher` over a `FakeModel`: every step finishes the oldest open row."""

    def __init__(self, model: FakeModel) -> None:
        self._model = model
        self._open: list[tuple[object, Sequence[int], SamplingParameters]] = []
        self.n_most_open = 0

    @property
    def n_open(self) -> int:
        return len(self._open)

    @property
    def n_parallel(self) -> int:
        return 4

    def submit(self, key: object, tokens: Sequence[int], parameters: SamplingParameters) -> None:
        self._open.append((key, tokens, parameters))
        self.n_most_open = max(self.n_most_open, len(self._open))

    def step(self) -> list[FakeFinished]:
        if not self._open:
            return []
        key, tokens, parameters = self._open.pop(0)
        pieces: list[str] = []
        try:
            pieces += [token.text for token in self._model.stream(tokens, parameters)]
        except AssistantError as error:
            return [FakeFinished(key, "", "error", len(tokens), 0, error=error)]
        return [FakeFinished(key, "".join(pieces), self._model.finish, len(tokens), len(pieces))]


class FakeEmbedder:
    """A bag of hashed words, L2 norm 1: texts that share words are similar, always the same way."""

    id: ClassVar[str] = "fa" * 32
    dimension: ClassVar[int] = DIMENSION
    n_max: ClassVar[int] = 256

    def embed(self, texts: Sequence[str]) -> FloatArray:
        vectors = np.zeros((len(texts), DIMENSION), np.float32)
        for row, text in enumerate(texts):
            for word in _WORD.findall(text.lower()) or [""]:
                vectors[row, zlib.crc32(word.encode()) % DIMENSION] += 1
        norms: FloatArray = np.linalg.norm(vectors, axis=1, keepdims=True)
        return (vectors / norms).astype(np.float32)

    def split(self, text: str) -> list[tuple[int, int]]:
        """Passages of at most 200 words; [] for a text of no more than that."""
        words = [found.span() for found in re.finditer(r"\S+", text)]
        if len(words) <= 200:
            return []
        starts = range(0, len(words), 200)
        return [(words[i][0], words[min(i + 200, len(words)) - 1][1]) for i in starts]


def reply_of(engine: "Engine", text: str, now: datetime, **options: object) -> Reply:
    """The reply of one whole turn."""
    from assistant.conversation import events
    from assistant.conversation.engine import AskOptions

    told = list(engine.ask(text, now, AskOptions(**options)))
    assert isinstance(told[-1], events.Replied)
    return told[-1].reply
