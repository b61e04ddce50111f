"""Several replies at once: one sequence each, one llama.cpp batch for the next token of all.

A decode step reads every weight once however many sequences it serves, so N rows together take
far less than N times one. Rows join as soon as there is a free sequence and room for their whole
reply ("continuous batching", Yu et al., Orca, OSDI 2022) and leave when they are finished.

Knows prompts as tokens; not what they are about nor where the replies go.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Generic, TypeVar

from assistant.errors import AssistantError, GenerationError
from assistant.records import SamplingParameters
from assistant.runtime.context import Row, Status
from assistant.runtime.loading import side_cells
from assistant.runtime.model import Model
from assistant.runtime.sampling import Sampler
from assistant.runtime.text_stream import TextStream

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Finished(Generic[Key]):
    """One reply. `finish`: stop, length, stopped or error; then `error` says what failed."""

    key: Key
    text: str
    finish: str
    n_prompt: int
    n_completion: int
    n_reused: int
    first_token_ms: float  # since the row joined
    total_ms: float
    error: AssistantError | None = None


@dataclass(slots=True)
class _Job(Generic[Key]):
    """A row from its submission to its end."""

    key: Key
    tokens: list[int]
    parameters: SamplingParameters
    sampler: Sampler | None = None
    sequence: int = -1
    text: TextStream = field(default_factory=TextStream)
    said: list[str] = field(default_factory=list)
    pending: deque[int] = field(default_factory=deque)  # tokens to evaluate, the prompt first
    n_cells: int = 0  # reserved
    n_completion: int = 0
    n_reused: int = 0
    started: float = 0.0
    first_token: float = 0.0


class Batcher(Generic[Key]):
    """Submit prompts, then iterate. Owns all sequences of the model while it runs."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._context, self._cache = model.context, model.kv_cache
        self._waiting: deque[_Job[Key]] = deque()
        self._active: dict[int, _Job[Key]] = {}  # by sequence
        self._n_cells = model.n_ctx + side_cells(model.n_ctx, self._cache.n_sequences)

    @property
    def n_open(self) -> int:
        """Rows that are not finished."""
        return len(self._waiting) + len(self._active)

    @property
    def n_parallel(self) -> int:
        """Most rows that can be answered at once: keep one more than these submitted."""
        return self._cache.n_sequences

    def submit(self, key: Key, tokens: Sequence[int], parameters: SamplingParameters) -> None:
        """Queue a row. `key` comes back with its reply."""
        self._waiting.append(_Job(key, list(tokens), parameters))

    def __iter__(self) -> Iterator[Finished[Key]]:
        """Replies in the order they are finished, until none is open."""
        while self.n_open:
            yield from self.step()

    def step(self) -> list[Finished[Key]]:
        """Evaluate one batch; the rows that ended in it."""
        finished = self._admit()
        plan = self._plan()
        if not plan:
            return finished
        jobs = [self._active[row.sequence] for row in plan]
        try:
            status = self._evaluate(plan)
        except GenerationError as error:
            return finished + self._end_all("error", error)
        if status is Status.STOPPED:
            return finished + self._end_all("stopped")
        for index, (row, job) in enumerate(zip(plan, jobs, strict=True)):
            if row.wants_logits and (end := self._draw(job, index)):
                finished.append(end)
        return finished

    # Joining

    def _admit(self) -> list[Finished[Key]]:
        """Give waiting rows a sequence, as long as the cells for their longest reply are free."""
        refused: list[Finished[Key]] = []
        if not self._active:
            self._model.clear_stop()
        while self._waiting and len(self._active) < self.n_parallel:
            job = self._waiting[0]
            job.n_cells = min(len(job.tokens) + job.parameters.max_tokens, self._model.n_ctx)
            reserved = sum(other.n_cells for other in self._active.values())
            if self._active and reserved + job.n_cells > self._n_cells:
                break
            self._waiting.popleft()
            try:
                self._join(job)
            except AssistantError as error:
                refused.append(self._end(job, "error", error))
        return refused

    def _join(self, job: "_Job[Key]") -> None:
        job.started = perf_counter()
        if not 0 < len(job.tokens) < self._model.n_ctx:
            raise GenerationError(
                f"A prompt of {len(job.tokens)} tokens does not fit the context of "
                f"{self._model.n_ctx}.",
                "Shorten it or raise runtime.n_ctx.",
            )
        vocabulary = self._model.vocabulary
        job.sampler = Sampler(job.parameters, vocabulary.pointer, vocabulary.n_tokens)
        job.text = TextStream((*job.parameters.stop, *self._model.template.stop))
        free = [s for s in range(self.n_parallel) if s not in self._active]
        job.sequence = free[0]
        job.n_reused = self._cache.reuse(job.sequence, job.tokens)
        job.pending.extend(job.tokens[job.n_reused :])
        self._active[job.sequence] = job

    # One batch

    def _plan(self) -> list[Row]:
        """The next token of every row that writes, then as much of the prompts as there is room."""
        rows: list[Row] = []
        by_length = sorted(self._active.values(), key=lambda job: len(job.pending))
        for job in by_length:
            room = self._context.n_batch - len(rows)
            position = len(self._cache.tokens(job.sequence))
            for i in range(min(room, len(job.pending))):
                is_last = i == len(job.pending) - 1
                rows.append(Row(job.pending[i], position + i, job.sequence, is_last))
        return rows

    def _evaluate(self, plan: list[Row]) -> Status:
        status = self._context.evaluate_rows(plan)
        if status is Status.NO_ROOM:
            for sequence in range(self.n_parallel):
                if sequence not in self._active:
                    self._cache.drop(sequence)
            status = self._context.evaluate_rows(plan)
        if status is Status.NO_ROOM:
            raise GenerationError("The KV cache is full.", "Lower -j or raise runtime.n_ctx.")
        if status is Status.DONE:
            for row in plan:
                self._cache.append(row.sequence, (row.token,))
                self._active[row.sequence].pending.popleft()
        return status

    def _draw(self, job: "_Job[Key]", index: int) -> Finished[Key] | None:
        """The row's next token from output `index`; its reply where that ends it."""
        assert job.sampler is not None
        try:
            token = job.sampler.sample(self._context.pointer, index)
        except GenerationError as error:
            return self._end(job, "error", error)
        job.first_token = job.first_token or perf_counter()
        if self._model.vocabulary.is_end(token):
            return self._end(job, "stop")
        job.n_completion += 1
        job.said.append(job.text.feed(self._model.vocabulary.piece(token)))
        if job.text.stopped:
            return self._end(job, "stop")
        n_tokens = len(job.tokens) + job.n_completion
        if job.n_completion >= job.parameters.max_tokens or n_tokens >= self._model.n_ctx:
            return self._end(job, "length")
        job.pending.append(token)
        return None

    # Leaving

    def _end(
        self, job: "_Job[Key]", finish: str, error: AssistantError | None = None
    ) -> Finished[Key]:
        if job.sampler is not None:
            job.sampler.close()
        if self._active.pop(job.sequence, None) and self._active:
            self._cache.drop(job.sequence)  # the others hold what prompts have in common
        now = perf_counter()
        first = job.first_token or now
        return Finished(
            key=job.key,
            text="".join(job.said) + job.text.finish(),
            finish=finish,
            n_prompt=len(job.tokens),
            n_completion=job.n_completion,
            n_reused=job.n_reused,
            first_token_ms=(first - job.started) * 1000,
            total_ms=(now - job.started) * 1000,
            error=error,
        )

    def _end_all(self, finish: str, error: AssistantError | None = None) -> list[Finished[Key]]:
        for sequence in self._active:
            self._cache.resync(sequence)
        return [self._end(job, finish, error) for job in list(self._active.values())]

    def close(self) -> None:
        """Give up what is open."""
        self._waiting.clear()
        self._end_all("stopped")
