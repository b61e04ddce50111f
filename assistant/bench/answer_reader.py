"""Who answers the questions of `bench answer`, and the answers that were given already.

Knows prompts as tokens and replies as text; nothing of what is asked. A run of hours on a slow
machine can be cut off: with a file to keep them in, no prompt is answered twice.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from assistant.conversation.ports import TokenCounter
from assistant.records import SamplingParameters

if TYPE_CHECKING:
    from assistant.runtime.model import Model

Tokens = tuple[int, ...]


class Reader(TokenCounter, Protocol):
    """A loaded model."""

    def answer(self, prompts: Sequence[Tokens]) -> Iterator[tuple[Tokens, str]]: ...


class ModelReader:
    """A model that answers many prompts, several at once: a decode step serves them all."""

    def __init__(self, model: "Model", sampling: SamplingParameters) -> None:
        self._model, self._sampling = model, sampling
        self.n_ctx, self.count_tokens, self.render = model.n_ctx, model.count_tokens, model.render

    def answer(self, prompts: Sequence[Tokens]) -> Iterator[tuple[Tokens, str]]:
        """Each prompt with its answer, as they are finished. Raises what the model raises."""
        from assistant.runtime.batching import Batcher

        batcher: Batcher[Tokens] = Batcher(self._model)
        for tokens in prompts:
            batcher.submit(tokens, tokens, self._sampling)
        for done in batcher:
            if done.error is not None:
                raise done.error
            yield done.key, done.text.strip()


class Kept:
    """One model's answers by prompt, also those of earlier runs that `file` holds, a line each."""

    def __init__(self, file: Path | None, model: str, max_tokens: int) -> None:
        self._file, self._run = file, {"model": model, "max_tokens": max_tokens}
        self._by_prompt: dict[str, str] = {}
        self._lines = None
        if file is None:
            return
        if file.exists():
            for row in map(json.loads, file.read_text("utf-8").splitlines()):
                if self._run.items() <= row.items():
                    self._by_prompt[row["prompt"]] = row["answer"]
        self._lines = file.open("a", encoding="utf-8", buffering=1)

    def __contains__(self, tokens: Tokens) -> bool:
        return _digest(tokens) in self._by_prompt

    def __getitem__(self, tokens: Tokens) -> str:
        return self._by_prompt[_digest(tokens)]

    def add(self, tokens: Tokens, answer: str, about: Mapping[str, Any]) -> None:
        """`about` is for whoever reads the file: the question, its category, its truth."""
        prompt = _digest(tokens)
        self._by_prompt[prompt] = answer
        if self._lines:
            row = {**self._run, "prompt": prompt, "answer": answer, **about}
            self._lines.write(json.dumps(row) + "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._lines:
            self._lines.close()


def _digest(tokens: Tokens) -> str:
    return hashlib.sha256(np.array(tokens, np.int32).tobytes()).hexdigest()
