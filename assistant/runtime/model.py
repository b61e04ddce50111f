"""`Model`: one GGUF model, loaded. Renders prompts, reads them, writes replies token by token.

Knows tokens and sequences; nothing of memories, conversations or the person. One thread at a time
calls it, except for `stop`, which any thread may. Sequence 0 is the conversation's; the others are
for work beside it (post-think, a prompt read while it is typed) and may be dropped for room.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

from assistant.errors import GenerationError
from assistant.records import ChatMessage, SamplingParameters, Token
from assistant.runtime import loading, state_file
from assistant.runtime.context import Context, Status
from assistant.runtime.hooks import WeightHook
from assistant.runtime.kv_cache import KvCache
from assistant.runtime.library import StopFlag, llama
from assistant.runtime.prompt_tokens import tokenize_segments
from assistant.runtime.sampling import Sampler, surprise_of
from assistant.runtime.template import ChatTemplate
from assistant.runtime.text_stream import TextStream
from assistant.runtime.vocabulary import Vocabulary

Finish = Literal["stop", "length", "stopped"]


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Facts about a loaded model. `window`: how the weights are held, in words.

    `slow_warning`: what to tell the person of it; empty where the speed is bearable.
    """

    name: str
    path: Path
    file_bytes: int
    architecture: str
    quantisation: str
    n_ctx: int
    n_ctx_train: int
    n_vocabulary: int
    n_layers: int
    n_parameters: int
    kv_bytes_per_token: int
    window: str
    slow_warning: str = ""


@dataclass(frozen=True, slots=True)
class Prefill:
    """What reading a prompt took. `stopped`: it was cut short; what was read stays."""

    n_evaluated: int
    n_reused: int
    stopped: bool = False


class Model:
    """Use `Model.load`; close it, or use it as a context manager."""

    info: ModelInfo
    finish: str = ""  # why the last `stream` ended: a `Finish`; empty while it runs
    prefilled: Prefill = Prefill(0, 0)  # of the last prompt

    def __init__(
        self,
        path: Path,
        loaded: loading.Loaded,
        stop: StopFlag,
        options: loading.LoadOptions,
        window: WeightHook | None,
    ) -> None:
        self._loaded = loaded
        self._options = options
        self._stop = stop
        self._window = window
        self.vocabulary = Vocabulary(loaded.model)
        self.context = Context(loaded.context, self.vocabulary.n_tokens, stop, window)
        self.kv_cache = KvCache(self.context, options.n_sequences)
        self.info = _describe(path, loaded, self.vocabulary, options, window)
        self.template = self._find_template()
        # A prompt is read in such steps: progress is shown and a stop loses no more than one.
        self._step = int(llama().llama_n_ubatch(loaded.context))
        self._identity: state_file.Identity | None = None

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        n_ctx: int = 4096,
        n_threads: int = 0,
        n_batch: int = 512,
        n_gpu_layers: int = 0,
        n_sequences: int = 4,
        kv_cache_type: str = "f16",
        flash_attention: str = "auto",
        weight_window: str = "auto",
        window: WeightHook | None = None,
        repack: str = "off",
        on_progress: Callable[[float], None] | None = None,
    ) -> Self:
        """Load a GGUF. `on_progress` gets the share in [0, 1]; what it raises ends the loading.

        `window` holds the weights; without one `weight_window` says how they are held. `repack`: on,
        off or auto (`loading.may_repack`); a window never does. Raises ModelMissing, ModelUnreadable
        or OutOfMemory.
        """
        options = loading.LoadOptions(
            n_ctx=n_ctx,
            n_threads=n_threads,
            n_batch=n_batch,
            n_gpu_layers=n_gpu_layers,
            n_sequences=n_sequences,
            kv_cache_type=kv_cache_type,
            flash_attention=flash_attention,
        )
        loading.check_file(path)
        options = replace(options, repack=loading.may_repack(path, repack))
        window = window or loading.find_window(path, weight_window, options)
        stop = StopFlag()
        try:
            loaded = loading.load(path, options, stop, window, on_progress)
        except BaseException:
            if window is not None:
                window.close()
            raise
        return cls(path, loaded, stop, options, window)

    def _find_template(self) -> ChatTemplate:
        vocabulary = self.vocabulary
        source = loading.metadata(self._loaded.model, "tokenizer.chat_template")
        chatml = vocabulary.tokenize("<|im_end|>", special=True)
        return ChatTemplate(
            source,
            bos=vocabulary.text_of(vocabulary.bos),
            eos=vocabulary.text_of(vocabulary.eos),
            has_chatml=len(chatml) == 1,
        )

    @property
    def n_ctx(self) -> int:
        """The context window: most tokens of prompt and reply together."""
        return self._loaded.n_ctx

    # Text and tokens

    def tokenize(self, text: str) -> list[int]:
        """`text` as ordinary tokens; control tokens written in it are plain text. No BOS."""
        return self.vocabulary.tokenize(text)

    def detokenize(self, tokens: Sequence[int]) -> str:
        return self.vocabulary.detokenize(tokens)

    def count_tokens(self, text: str) -> int:
        return len(self.vocabulary.tokenize(text))

    def render(
        self,
        messages: Sequence[ChatMessage],
        *,
        add_generation_prompt: bool = True,
        now: datetime | None = None,
        sequence: int = 0,
    ) -> list[int]:
        """The prompt's tokens by the model's own chat template.

        Begins with the tokens that `sequence` holds as far as the messages are the same. `now` is
        for templates that state the date.
        """
        segments = self.template.render(
            messages, add_generation_prompt=add_generation_prompt, now=now
        )
        return tokenize_segments(segments, self.vocabulary, self.kv_cache.tokens(sequence))

    # Reading and writing

    def prefill(
        self,
        tokens: Sequence[int],
        *,
        sequence: int = 0,
        on_progress: Callable[[float], None] | None = None,
        step: int | None = None,
    ) -> Prefill:
        """Read a prompt into `sequence`, evaluating only what it does not hold yet.

        `step`: tokens read at once, fewer than usual where a stop is likely: it loses one step.
        """
        self._stop.clear()
        return self._prefill(tokens, sequence, on_progress, step)

    def _prefill(
        self,
        tokens: Sequence[int],
        sequence: int,
        on_progress: Callable[[float], None] | None = None,
        step: int | None = None,
    ) -> Prefill:
        n_step = min(step or self._step, self._step)
        if not 0 < len(tokens) <= self.n_ctx:
            raise GenerationError(
                f"A prompt of {len(tokens)} tokens does not fit the context of {self.n_ctx}.",
                "Shorten the message or raise runtime.n_ctx.",
            )
        n_reused = at = self.kv_cache.reuse(sequence, tokens)
        stopped = False
        while at < len(tokens) and not stopped:
            if on_progress is not None:
                on_progress((at - n_reused) / (len(tokens) - n_reused))
            piece = tokens[at : at + n_step]
            is_last = at + len(piece) == len(tokens)
            stopped = not self._append(piece, sequence, n_outputs=int(is_last))
            at += 0 if stopped else len(piece)
        if on_progress is not None and not stopped:
            on_progress(1.0)
        self.prefilled = Prefill(at - n_reused, n_reused, stopped)
        return self.prefilled

    def _append(self, tokens: Sequence[int], sequence: int, n_outputs: int) -> bool:
        """Evaluate at the end of `sequence`, making room if need be; False where stopped."""
        cache = self.kv_cache
        start = len(cache.tokens(sequence))
        try:
            while True:
                if self._stop.is_set:
                    return False
                status = self.context.evaluate(tokens, start, sequence, n_outputs=n_outputs)
                if status is not Status.NO_ROOM:
                    break
                self._make_room(sequence)
        except GenerationError:
            cache.resync(sequence)
            raise
        if status is Status.STOPPED:
            cache.resync(sequence)
            return False
        cache.append(sequence, tokens)
        return True

    def _make_room(self, sequence: int) -> None:
        victim = self.kv_cache.least_used(keep=sequence)
        if victim is None:
            raise GenerationError(
                "The context is full.", "Start a new conversation or raise runtime.n_ctx."
            )
        self.kv_cache.drop(victim)

    def stream(
        self,
        tokens: Sequence[int],
        parameters: SamplingParameters,
        *,
        sequence: int = 0,
        want_surprise: bool = False,
        on_progress: Callable[[float], None] | None = None,
    ) -> Iterator[Token]:
        """Read the prompt, then yield the reply token by token.

        Ends at an end-of-turn token, a stop string, `max_tokens`, the context's end or `stop`;
        `finish` then says which, and `prefilled` what the prompt took. Text held back at the end
        (the beginning of a stop string that did not come) is in the last Token.
        """
        self.finish = ""
        self._stop.clear()
        with Sampler(parameters, self.vocabulary.pointer, self.vocabulary.n_tokens) as sampler:
            if self._prefill(tokens, sequence, on_progress).stopped:
                self.finish = "stopped"
                return
            room = self.n_ctx - len(tokens)
            n_max = min(parameters.max_tokens, room)
            text = TextStream((*parameters.stop, *self.template.stop))
            yield from self._decode(sampler, text, n_max, sequence, want_surprise)

    def _decode(
        self, sampler: Sampler, text: TextStream, n_max: int, sequence: int, want_surprise: bool
    ) -> Iterator[Token]:
        """The hot loop: what is done here is done for every token.

        A token is yielded before it is evaluated, so it is on the screen while the next is made.
        """
        context, cache, vocabulary = self.context, self.kv_cache.tokens(sequence), self.vocabulary
        sample, feed, piece, is_end = sampler.sample, text.feed, vocabulary.piece, vocabulary.is_end
        pointer = context.pointer
        surprise = None
        finish: Finish = "length"
        token = -1
        for i in range(n_max):
            token = sample(pointer)
            if is_end(token):
                finish = "stop"
                break
            if want_surprise:
                surprise = surprise_of(context.logits(), token)
            said = feed(piece(token))
            if i == n_max - 1 and not text.stopped:
                said += text.finish()
            yield Token(token, said, surprise)
            if text.stopped:
                finish = "stop"
                break
            if i == n_max - 1:
                break
            if self._stop.is_set or not self._append_one(token, len(cache), sequence):
                finish = "stopped"
                break
        held = text.finish()
        if held:
            yield Token(token, held)
        self.finish = finish

    def _append_one(self, token: int, position: int, sequence: int) -> bool:
        """`_append` for one token, without the slices."""
        try:
            status = self.context.evaluate_one(token, position, sequence)
        except GenerationError:
            self.kv_cache.resync(sequence)
            raise
        if status is Status.DONE:
            self.kv_cache.append(sequence, (token,))
            return True
        if status is Status.STOPPED:
            self.kv_cache.resync(sequence)
            return False
        return self._append((token,), sequence, 1)

    def surprise(self, tokens: Sequence[int], *, sequence: int, n_context: int = 0) -> list[float]:
        """-log p of each of `tokens[n_context:]` given what precedes it, in nats.

        `tokens[:n_context]` are only read. Without any, the first token follows the start of a
        text. Texts longer than the side sequences' room are read in windows that overlap by half.
        Shorter than asked for when stopped.
        """
        self._stop.clear()
        tokens = list(tokens)
        if n_context == 0:
            start = self.vocabulary.bos if self.vocabulary.bos >= 0 else self.vocabulary.eos
            tokens, n_context = [start, *tokens], 1
        room = self.n_ctx
        if sequence:
            room = loading.side_cells(self.n_ctx, self.kv_cache.n_sequences)
        values: list[float] = []
        while n_context < len(tokens):
            begin = 0 if n_context < room else n_context - room // 2
            window = tokens[begin : begin + room]
            got = self._surprise_window(window, n_context - begin, sequence)
            values += got
            n_context += len(got)
            if begin + len(window) > n_context:
                break  # stopped
        return values

    def _surprise_window(self, tokens: Sequence[int], n_context: int, sequence: int) -> list[float]:
        at = self.kv_cache.reuse(sequence, tokens, keep=n_context - 1)
        while at < n_context - 1:
            step = tokens[at : min(at + self._step, n_context - 1)]
            if not self._append(step, sequence, 0):
                return []
            at += len(step)
        values: list[float] = []
        while at < len(tokens) - 1:
            # Logits of position i are about token i + 1; the last token needs none.
            step = tokens[at : min(at + loading.MAX_OUTPUTS, len(tokens) - 1)]
            if not self._append(step, sequence, len(step)):
                break
            values += [
                surprise_of(self.context.logits(i), tokens[at + i + 1]) for i in range(len(step))
            ]
            at += len(step)
        return values

    # Sequences and their state

    def copy_sequence(self, source: int, target: int) -> int:
        """Let `target` begin as `source` stands (the cells are shared); returns its tokens."""
        return self.kv_cache.copy(source, target)

    def drop_sequence(self, sequence: int) -> None:
        self.kv_cache.drop(sequence)

    def save_state(self, file: Path, *, sequence: int = 0) -> None:
        """Save the sequence, atomically and for the owner's eyes only. A cache: a full disk is
        logged, not raised."""
        tokens = self.kv_cache.tokens(sequence)
        if tokens:
            state_file.save(self.context.pointer, sequence, tokens, file, self._state_identity())

    def load_state(self, file: Path, *, sequence: int = 0) -> int:
        """Restore the sequence; returns its tokens, 0 for a file that is missing, damaged or of
        another model."""
        self.kv_cache.drop(sequence)
        tokens = state_file.load(
            self.context.pointer, sequence, file, self._state_identity(), self.n_ctx
        )
        if self.context.length(sequence) != len(tokens):
            self.kv_cache.drop(sequence)
            return 0
        self.kv_cache.adopt(sequence, tokens)
        return len(tokens)

    def _state_identity(self) -> state_file.Identity:
        if self._identity is None:
            options = self._options
            version = llama().llama_version().decode()
            cells = f"{options.kv_cache_type} {options.flash_attention} {version}"
            self._identity = state_file.Identity(state_file.identify_model(self.info.path), cells)
        return self._identity

    # Ending

    def stop(self) -> None:
        """End the call that runs now, reading or writing, within 300 ms. From any thread."""
        self._stop.set()

    def clear_stop(self) -> None:
        """Forget a `stop` that came while nothing ran. Reading and writing do it themselves."""
        self._stop.clear()

    def close(self) -> None:
        """Free everything. The model is of no use afterwards; a second call does nothing."""
        if self._loaded.model is None:
            return
        if self._window is not None:
            self._window.close()
        self.context.close()
        llama().llama_model_free(self._loaded.model)
        self._loaded.model = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _describe(
    path: Path,
    loaded: loading.Loaded,
    vocabulary: Vocabulary,
    options: loading.LoadOptions,
    window: WeightHook | None,
) -> ModelInfo:
    lib, model = llama(), loaded.model
    ftype = lib.llama_ftype_name(lib.llama_model_ftype(model)) or b"unknown"
    return ModelInfo(
        name=loading.metadata(model, "general.name") or path.stem,
        path=path,
        file_bytes=path.stat().st_size,
        architecture=loading.metadata(model, "general.architecture") or "unknown",
        quantisation=ftype.decode(),
        n_ctx=loaded.n_ctx,
        n_ctx_train=int(lib.llama_model_n_ctx_train(model)),
        n_vocabulary=vocabulary.n_tokens,
        n_layers=int(lib.llama_model_n_layer(model)),
        n_parameters=int(lib.llama_model_n_params(model)),
        kv_bytes_per_token=loading.kv_bytes_per_token(model, options.kv_cache_type),
        window=window.mode if window else "mapped",
        slow_warning=window.slow_warning if window else "",
    )
