"""Answering the rows of a batch, several at once, sessions in order.

Knows rows and engines; the generation is a batcher's, the file an `Output`'s. Knows no terminal.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from assistant.batch.output import Json, Output
from assistant.batch.rows import Row
from assistant.conversation.answer import answer_shape
from assistant.conversation.engine import AskOptions, Engine, Prepared
from assistant.conversation.generate import FINISHES, Draft
from assistant.conversation.prompt import PastTurn
from assistant.errors import AssistantError
from assistant.records import Recall, Reply, SamplingParameters, Usage


class Answered(Protocol):
    """A reply that a batcher finished."""

    @property
    def key(self) -> "Started": ...
    @property
    def text(self) -> str: ...
    @property
    def finish(self) -> str: ...
    @property
    def n_prompt(self) -> int: ...
    @property
    def n_completion(self) -> int: ...
    @property
    def n_reused(self) -> int: ...
    @property
    def first_token_ms(self) -> float: ...
    @property
    def total_ms(self) -> float: ...
    @property
    def error(self) -> AssistantError | None: ...


class RowBatcher(Protocol):
    """Several prompts generated at once (`runtime.batching.Batcher`)."""

    @property
    def n_open(self) -> int: ...
    @property
    def n_parallel(self) -> int: ...
    def submit(
        self, key: "Started", tokens: Sequence[int], parameters: SamplingParameters
    ) -> None: ...
    def step(self) -> Sequence[Answered]: ...


@dataclass(frozen=True, slots=True)
class Started:
    """A row whose prompt is being generated for."""

    row: Row
    engine: Engine
    prepared: Prepared


class Run:
    """One pass over the rows that are still to be answered."""

    def __init__(
        self,
        rows: Sequence[Row],
        output: Output,
        batcher: RowBatcher,
        new_engine: Callable[[], Engine],
        model: Json,
        clock: Callable[[], datetime],
        *,
        parallel: int = 1,
    ) -> None:
        """`new_engine` opens a conversation of its own over the shared model and store."""
        self.draining = False  # set by the front end: finish what is begun, begin nothing
        self.n_done = len([row for row in rows if str(row.id) in output.done])
        self.n_failed = 0
        self._waiting = deque(row for row in rows if str(row.id) not in output.done)
        self._output, self._batcher, self._clock = output, batcher, clock
        self._new_engine, self._model, self._parallel = new_engine, model, parallel
        self._busy: set[str] = set()  # sessions with a row in the batcher
        self._broken: set[str] = set()  # sessions with a failed row: what follows has no context
        self._engines: dict[str, Engine] = {}
        self._earlier = _earlier_turns(rows, output)

    def __iter__(self) -> Iterator[Json]:
        """The answers as they are written. A failed row is an answer with an error in it."""
        while True:
            yield from self._begin()
            if not self._batcher.n_open:
                return
            for answered in self._batcher.step():
                yield self._end(answered)

    def _begin(self) -> Iterator[Json]:
        """Submit rows while there is room; one more than can run, so that none has to wait."""
        while not self.draining and self._batcher.n_open < self._parallel + 1:
            row = self._take()
            if row is None:
                return
            try:
                started = self._start(row)
            except AssistantError as error:
                yield self._write(row, Reply("", "error", Usage(0, 0)), Recall(row.prompt), error)
                continue
            prepared = started.prepared
            self._batcher.submit(started, prepared.prompt.tokens, prepared.sampling)

    def _take(self) -> Row | None:
        """The first row whose session is not busy."""
        for row in self._waiting:
            if row.session is None or row.session not in self._busy:
                self._waiting.remove(row)
                return row
        return None

    def _start(self, row: Row) -> Started:
        """Raises AssistantError where the row cannot be asked."""
        if row.session in self._broken:
            what = f"A row before this one in session {row.session!r} failed."
            raise AssistantError(what, "--resume answers both.")
        engine = self._engine_of(row)
        prepared = engine.prepare(row.prompt, self._clock(), AskOptions(system=row.system))
        if row.session is not None:
            self._busy.add(row.session)
        return Started(row, engine, prepared)

    def _engine_of(self, row: Row) -> Engine:
        """A session's own conversation, gone on from where an earlier run left it."""
        if row.session is None:
            return self._new_engine()
        if row.session not in self._engines:
            engine = self._engines[row.session] = self._new_engine()
            recorded_in = self._output.sessions.get(row.session)
            if recorded_in is not None and engine.mode == "normal":
                engine.open_conversation(recorded_in)
            else:
                for past in self._earlier.get(row.session, ()):
                    engine.history.add(past)
        return self._engines[row.session]

    def _end(self, answered: Answered) -> Json:
        started = answered.key
        row, engine, prepared = started.row, started.engine, started.prepared
        draft = Draft([answered.text], FINISHES.get(answered.finish, "stop"))
        if answered.error:
            draft.finish, draft.error = "error", str(answered.error)
        draft.usage = replace(
            draft.usage,
            n_prompt=answered.n_prompt,
            n_completion=answered.n_completion,
            n_reused=answered.n_reused,
            first_token_ms=answered.first_token_ms,
            total_ms=answered.total_ms,
        )
        reply = engine.complete(prepared, draft, self._clock())
        if row.session is not None:
            self._busy.discard(row.session)
            if prepared.turn.id:
                self._output.note_session(row.session, prepared.turn.conversation_id)
        return self._write(row, reply, prepared.prompt.recall, answered.error)

    def _write(self, row: Row, reply: Reply, recall: Recall, error: AssistantError | None) -> Json:
        shape = answer_shape(row.id, reply, recall, self._model, error=error, meta=row.meta)
        self.n_done += 1
        if shape["status"] != "ok":
            self.n_failed += 1
            self._broken.update([row.session] if row.session is not None else [])
        self._output.write(shape)
        return shape


def _earlier_turns(rows: Sequence[Row], output: Output) -> dict[str, list[PastTurn]]:
    """What was said in each session before this run, in the order of the input."""
    turns: dict[str, list[PastTurn]] = {}
    for row in rows:
        done: dict[str, Any] | None = output.done.get(str(row.id))
        if row.session is not None and done is not None:
            said = turns.setdefault(row.session, [])
            said.append(PastTurn(0, len(said) + 1, row.prompt, done["answer"]))
    return turns
