"""The generate stage: tokens of a prompt become a reply, whole or partial, perhaps within a time.

Knows the shape of a language model; nothing of memories or the store.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Event as Flag
from threading import Timer
from time import perf_counter
from typing import Literal

from assistant.conversation.events import Event, Phase, TokenText
from assistant.conversation.ports import LanguageModel
from assistant.errors import TimedOut
from assistant.records import Reply, SamplingParameters, Usage

Finish = Literal["stop", "length", "stopped", "error"]
FINISHES: dict[str, Finish] = {"length": "length", "stopped": "stopped"}


@dataclass
class Draft:
    """A reply while it is written. Whatever ends it, `reply` is what is worth keeping."""

    pieces: list[str] = field(default_factory=list)
    finish: Finish = "stopped"
    error: str | None = None
    usage: Usage = field(default_factory=lambda: Usage(0, 0))

    def reply(self) -> Reply:
        return Reply("".join(self.pieces), self.finish, self.usage, self.error)


@contextmanager
def time_limit(seconds: float | None, stop: Callable[[], None]) -> Iterator[None]:
    """Stop the turn after `seconds` and say so. Raises TimedOut at the end of the block."""
    if seconds is None:
        yield
        return
    late = Flag()

    def end() -> None:
        late.set()
        stop()

    timer = Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
    if late.is_set():
        remedy = "Raise --timeout, or lower sampling.max_tokens."
        raise TimedOut(f"No whole answer within {seconds:g} s.", remedy)


def generate(
    tokens: Sequence[int],
    model: LanguageModel,
    parameters: SamplingParameters,
    draft: Draft,
    *,
    is_stopping: Callable[[], bool],
    on_phase: Callable[[Phase], None],
    sequence: int = 0,
) -> Generator[Event, None, None]:
    """Read the prompt, write the reply into `draft` and yield it piece by piece.

    Raises what the model raises; `draft` then holds what came before.
    """
    started = perf_counter()
    n_completion, first_token_ms = 0, 0.0

    def on_progress(share: float) -> None:
        on_phase(Phase("reading prompt", share))
        if is_stopping():  # a stop that came before the model began to read was lost on it
            model.stop()

    try:
        yield Phase("reading prompt")
        # All but the last token, whose logits the stream needs: reading has a progress to show.
        read = model.prefill(tokens[:-1], sequence=sequence, on_progress=on_progress)
        draft.usage = replace(draft.usage, n_prefill=read.n_evaluated + 1, n_reused=read.n_reused)
        if is_stopping():
            return
        for token in model.stream(tokens, parameters, sequence=sequence):
            if not n_completion:
                first_token_ms = (perf_counter() - started) * 1000
                yield Phase("writing")
            n_completion += 1
            draft.pieces.append(token.text)
            yield TokenText(token.text)
            if is_stopping():
                return
        draft.finish = FINISHES.get(model.finish or "", "stop")
    except Exception as error:
        draft.finish, draft.error = "error", str(error)
        raise
    finally:
        draft.usage = replace(
            draft.usage,
            n_prompt=len(tokens),
            n_completion=n_completion,
            first_token_ms=first_token_ms,
            total_ms=(perf_counter() - started) * 1000,
        )
