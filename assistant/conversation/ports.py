"""What the stages are handed, as shapes: a language model, an embedder. No implementation.

The real ones are `runtime.model.Model` and `embedding.embedder.Embedder`, joined in `assemble`; the
tests' are in `tests/fakes.py`.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from assistant.records import ChatMessage, FloatArray, SamplingParameters, Token


class TextEmbedder(Protocol):
    """An embedding model."""

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """(n, dimension), L2 norm 1. Raises EmbeddingError."""

    def split(self, text: str) -> list[tuple[int, int]]:
        """Character spans of the passages of a long text; [] when it fits one vector."""


class TokenCounter(Protocol):
    """A tokeniser with a chat template."""

    @property
    def n_ctx(self) -> int:
        """The context window, tokens."""

    def count_tokens(self, text: str) -> int: ...

    def render(
        self, messages: Sequence[ChatMessage], *, add_generation_prompt: bool = True
    ) -> list[int]:
        """The tokens of a conversation; only template text becomes control tokens."""


class Prefilled(Protocol):
    """What reading a prompt cost."""

    @property
    def n_evaluated(self) -> int: ...

    @property
    def n_reused(self) -> int: ...


class LanguageModel(TokenCounter, Protocol):
    """A loaded model. One call at a time, but for `stop`, which any thread may call."""

    @property
    def finish(self) -> str | None:
        """Why the last stream ended: "stop", "length" or "stopped"; None while it runs."""

    def prefill(
        self,
        tokens: Sequence[int],
        *,
        sequence: int = 0,
        on_progress: Callable[[float], None] | None = None,
        step: int | None = None,
    ) -> Prefilled:
        """Evaluate what is not in the KV cache of `sequence` yet; ends early on `stop`.

        `step`: tokens read at once, which is what a stop loses.
        """

    def stream(
        self,
        tokens: Sequence[int],
        parameters: SamplingParameters,
        *,
        sequence: int = 0,
        want_surprise: bool = False,
    ) -> Iterator[Token]: ...

    def tokenize(self, text: str) -> list[int]: ...

    def surprise(self, tokens: Sequence[int], *, sequence: int, n_context: int = 0) -> list[float]:
        """-log p of each of `tokens[n_context:]`, nats; shorter where it was stopped."""

    def drop_sequence(self, sequence: int) -> None: ...

    def save_state(self, file: Path, *, sequence: int = 0) -> None: ...

    def load_state(self, file: Path, *, sequence: int = 0) -> int:
        """Tokens restored; 0 where the file is missing, damaged or another model's."""

    def stop(self) -> None: ...

    def close(self) -> None: ...
