"""The turn: record, recall, prompt, generate, record. Start reading at `Engine._turn`.

Knows the stages and their order, the open conversation and how a turn is stopped. Knows no front
end (it yields events), no library and no clock: `now` is an argument.
"""

from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Event as Flag
from typing import Final, Literal

from assistant.conversation.consent import Agreement, ask_consent, needing_consent, withhold
from assistant.conversation.events import (
    Event,
    Notice,
    Phase,
    Progress,
    RecallDone,
    Recorded,
    Replied,
)
from assistant.conversation.generate import Draft, generate, time_limit
from assistant.conversation.history import SEQUENCE, History
from assistant.conversation.ports import LanguageModel, TextEmbedder
from assistant.conversation.prompt import (
    NO_REPLY,
    PastTurn,
    Prompt,
    Room,
    build_prompt,
    fit_history,
    history_messages,
    shorten,
    unpack,
)
from assistant.conversation.recall import RecallLimits, encode, recall, recall_passages
from assistant.conversation.states import KeptStates
from assistant.errors import GenerationError, InputError
from assistant.memory.memory import Memory
from assistant.records import (
    ChatMessage,
    EncodedText,
    FloatArray,
    Recall,
    Reply,
    SamplingParameters,
    Turn,
)

Mode = Literal["normal", "read-only", "temporary"]
LoadModel = Callable[[Callable[[float], None]], LanguageModel]

SEQUENCE_ASIDE: Final = 1  # for answers that must not evict the conversation's prefix
SEQUENCE_TYPED: Final = 3  # for the prompt of what is being typed; 1 and 2 are post-think's
GUESS_STEP: Final = 32  # default; 8 to 128 tokens: what Enter may have to wait for


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What the settings say of a conversation, as plain values."""

    system: str
    sampling: SamplingParameters
    n_memories: int = 5
    memory_tokens: int = 320
    portrait_tokens: int = 0
    model_name: str = ""
    think: bool = True  # False: no thought is ever drawn from what is said now
    agreement: Agreement = "given"  # to what is recalled going into the prompt


@dataclass(frozen=True, slots=True)
class AskOptions:
    """What one question may change. `record` and `recall` only narrow the conversation's mode."""

    record: bool = True
    recall: bool = True
    system: str | None = None
    sampling: SamplingParameters | None = None
    timeout_s: float | None = None
    replaces: int | None = None  # the turn that this one is another branch of


DEFAULT_OPTIONS: Final = AskOptions()


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the model was given in one turn. Never more than that: not what caused its answer."""

    recall: Recall
    prompt: tuple[ChatMessage, ...]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A turn up to its prompt, for whoever generates the reply elsewhere."""

    turn: Turn
    encoded: EncodedText
    prompt: Prompt
    sampling: SamplingParameters


class _Stopped(Exception):
    """Ends a turn between two stages; it is recorded as far as it came."""


class Engine:
    """One conversation at a time over one model and one store. One thread, but for `stop`."""

    def __init__(
        self,
        memory: Memory,
        embedder: TextEmbedder | None,
        load_model: LoadModel,
        behaviour: Behaviour,
        *,
        states: KeptStates | None = None,
        on_phase: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        """`on_phase` hears of progress inside one long call, where no event can be yielded."""
        self.memory = memory
        self.embedder = embedder
        self.behaviour = behaviour
        self.mode: Mode = "normal"
        self.history = History(memory, states)
        self.on_phase = on_phase
        memory.on_progress = self._on_recalling
        self._load_model = load_model
        self._model: LanguageModel | None = None
        self._running = self._guessing = False
        self._stopping = Flag()

    # --- one turn -----------------------------------------------------------------------------

    def ask(
        self, text: str, now: datetime, options: AskOptions = DEFAULT_OPTIONS
    ) -> Iterator[Event]:
        """Answer `text` in the open conversation, or in a new one where none is open.

        Yields the events of `events.py`. A reply that is stopped, cut off by an error or abandoned
        (the iterator closed) is recorded as partial. Raises InputError on an empty text, TimedOut,
        ModelError while loading, and what the model raises; the message is recorded by then.
        """
        if not text.strip():
            raise InputError("The prompt is empty.", "Write something.")
        self._begin_stoppable()
        return self._turn(text, now, options)

    def _turn(self, text: str, now: datetime, options: AskOptions) -> Iterator[Event]:
        self.history.forget_erased(self._model, self._room)
        encoded = encode(text, self.embedder, now, before=self.history.last_reply)
        turn = self._begin(encoded, now, options)  # 1 the message is safe before anything else
        draft, recalled, prompt = Draft(), Recall(text), None
        try:
            if turn.id:
                yield Recorded(turn)
            with time_limit(options.timeout_s, self.stop), suppress(_Stopped):
                yield from self._load()
                yield Phase("recalling")
                recalled = self._recall(encoded, turn, now, options)  # 2
                recalled = yield from self._agreed(recalled, turn)
                self._check_stop()
                prompt = self._prompt(text, recalled, options)  # 3
                yield RecallDone(prompt.recall)
                yield from self._notices(encoded, prompt)
                yield from self._generate(prompt, draft, options)  # 4 a stop keeps what came
        finally:
            reply = self._finish(turn, draft, recalled, prompt, encoded, now)  # 5 and its job
            self._drop_guess()
            self._running = False
        yield Replied(turn, reply)  # the person can type again

    def prepare(self, text: str, now: datetime, options: AskOptions) -> Prepared:
        """The first half of a turn; `complete` is the second. For a batch of many at once."""
        self.history.forget_erased(self._model, self._room)
        encoded = encode(text, self.embedder, now, before=self.history.last_reply)
        turn = self._begin(encoded, now, options)
        recalled = self._recall(encoded, turn, now, options)
        if self.behaviour.agreement != "given":  # a batch asks nobody
            recalled = withhold(recalled, needing_consent(recalled, turn.id))
        prompt = self._prompt(text, recalled, options)
        return Prepared(turn, encoded, prompt, self._sampling(prompt, options))

    def complete(self, prepared: Prepared, draft: Draft, now: datetime) -> Reply:
        """Record the reply that was generated for a prepared turn."""
        prompt = prepared.prompt
        return self._finish(prepared.turn, draft, prompt.recall, prompt, prepared.encoded, now)

    def stop(self) -> None:
        """End the running turn within 300 ms, keeping what came. Safe from any thread.

        What is read ahead ends with its step: most likely the turn that comes needs it.
        """
        if self._running:
            self._stopping.set()
        if self._model is not None and not self._guessing:
            self._model.stop()

    def regenerate(self, turn_id: int, now: datetime) -> Iterator[Event]:
        """Another reply to the message of the last turn, as a branch beside it."""
        return self.ask(self._message_of(turn_id), now, AskOptions(replaces=turn_id))

    def answer_without(
        self, turn_id: int, memory_ids: Collection[int], now: datetime
    ) -> Iterator[Event]:
        """The answer of that turn had these memories not been given. Nothing is recorded."""
        self._begin_stoppable()
        draft = Draft()
        try:
            with suppress(_Stopped):
                yield from self._load()
                prompt = self._prompt_without(turn_id, memory_ids)
                yield RecallDone(prompt.recall)
                yield from self._generate(prompt, draft, DEFAULT_OPTIONS, SEQUENCE_ASIDE)
        finally:
            self._running = False
            if self._model is not None:
                self._model.drop_sequence(SEQUENCE_ASIDE)
        yield Replied(Turn(0, 0, 0, 0, now), draft.reply())

    def why(self, turn_id: int) -> Explanation:
        """What was given to the model in that turn, and the exact prompt. Raises NotFound."""
        packed = self.memory.prompt_of(turn_id)
        messages = unpack(packed, self._turns_before(turn_id)) if packed else []
        return Explanation(self.memory.recalls(turn_id), tuple(messages))

    # --- the open conversation ----------------------------------------------------------------

    @property
    def conversation_id(self) -> int | None:
        return self.history.conversation_id

    def open_conversation(self, conversation_id: int | None, mode: Mode = "normal") -> None:
        """Continue a conversation from its saved KV state, or begin a new one with None.

        Raises NotFound.
        """
        self._keep_state()
        self._drop_guess()
        self.history.forget_erased(self._model, self._room)
        self.history.open(conversation_id)
        self.mode = mode
        if self._model is not None:
            self.history.restore(self._model, self._room())

    def choose_branch(self, turn_id: int) -> None:
        """Make that turn the one its conversation goes on from. Raises NotFound."""
        self.memory.choose_branch(turn_id)
        if self._model is not None:
            self.history.restore(self._model, self._room())

    @property
    def loaded_model(self) -> LanguageModel | None:
        """The model, if a turn has loaded it."""
        return self._model

    def settle(self) -> None:
        """Read the last turn as the history will show it, without its notes, while nobody waits.

        The next turn then evaluates its own text only. Ends at `stop`.
        """
        self.history.forget_erased(self._model, self._room)
        messages = history_messages(self.behaviour.system, self.history.turns)
        if self._model is not None and messages:
            self._begin_stoppable()
            tokens = self._model.render(messages, add_generation_prompt=False)
            self._read_ahead(tokens, SEQUENCE)
            self._running = False

    def prefill(self, text: str, now: datetime) -> Recall | None:
        """Recall for what is typed so far and read the prompt for it, before Enter is pressed.

        Lossless: it is read beside the conversation, whose own prefix stays as it is. The turn
        takes over what is still right of it, and what is not is dropped. Ends at `stop`. Returns
        what was recalled; None where nothing was read.
        """
        if self._model is None or not text.strip():
            return None
        self._begin_stoppable()
        self.history.forget_erased(self._model, self._room)
        self._guessing, turns = True, self.history.turns
        try:
            encoded = encode(text, self.embedder, now)
            turn = Turn(0, self.conversation_id or 0, 0, 0, now)
            given = self.behaviour.agreement == "given"  # else nothing is asked before Enter
            recalled = self._recall(encoded, turn, now, AskOptions(recall=given))
            prompt = self._prompt(text, recalled, DEFAULT_OPTIONS)
            self._read_ahead(prompt.tokens[:-1], SEQUENCE_TYPED, GUESS_STEP)
            return prompt.recall
        except GenerationError:  # no room beside the conversation: then nothing is read ahead
            self._drop_guess()
            return None
        finally:
            self.history.turns = turns  # a turn that only a guess has no room for stays
            self._running = self._guessing = False

    def _read_ahead(self, tokens: Sequence[int], sequence: int, step: int | None = None) -> None:
        model = self.load()

        def on_progress(share: float) -> None:
            if self._stopping.is_set():  # a stop from before the model began to read
                model.stop()

        model.prefill(tokens, sequence=sequence, on_progress=on_progress, step=step)

    def _drop_guess(self) -> None:
        if self._model is not None:
            self._model.drop_sequence(SEQUENCE_TYPED)

    def close(self) -> None:
        """Save the open conversation's KV state and free the model. The store stays open."""
        self._keep_state()
        if self._model is not None:
            self._model.close()
            self._model = None

    # --- the model ----------------------------------------------------------------------------

    def load(self) -> LanguageModel:
        """The model, loaded now if it is not yet. Raises ModelError, OutOfMemory."""
        if self._model is None:
            self._model = self._load_model(self._on_loading)
            self.history.restore(self._model, self._room())
        return self._model

    def _on_loading(self, share: float) -> None:
        self.on_phase(Phase("loading model", share))
        self._check_stop()  # raised out of the loading: seconds of it need not be waited for

    def _on_recalling(self, share: float) -> None:
        if self._running:  # what is typed ahead waits in silence
            self.on_phase(Phase("recalling", share))

    def _load(self) -> Iterator[Event]:
        if self._model is None:
            yield Phase("loading model")
            self.load()
        self._check_stop()

    # --- the stages, with what the conversation and the options add to them -------------------

    def _begin(self, encoded: EncodedText, now: datetime, options: AskOptions) -> Turn:
        """Record the message. A turn that is not to be recorded has id 0."""
        if self.mode != "normal" or not options.record:
            return Turn(0, 0, self.history.next_number, 0, now)
        if options.replaces is not None:
            self.history.drop(options.replaces)
        turn = self.memory.begin_turn(
            encoded, now, conversation_id=self.conversation_id, replaces=options.replaces
        )
        self.history.conversation_id = turn.conversation_id
        self.history.running = turn.id
        return turn

    def _recall(
        self, encoded: EncodedText, turn: Turn, now: datetime, options: AskOptions
    ) -> Recall:
        """Memories for the message; for an over-long one its own passages, with more room."""
        count_tokens, in_prompt = self.load().count_tokens, {t.turn_id for t in self.history.turns}
        chat, memory = turn.conversation_id or None, self.memory
        if self._is_long(encoded.text) and encoded.passages:
            limits = RecallLimits(self.behaviour.n_memories, self._room().passages, count_tokens)
            recorded = chat if turn.id else None  # what is only typed so far has no passages there
            return recall_passages(encoded, self.embedder, memory, now, limits, in_prompt, recorded)
        if self.mode == "temporary" or not options.recall:
            return Recall(encoded.text)
        behaves = self.behaviour
        limits = RecallLimits(
            behaves.n_memories, behaves.memory_tokens, count_tokens, behaves.portrait_tokens
        )
        vector = self._query_vector(encoded, now)
        return recall(encoded.text, vector, memory, now, limits, {*in_prompt, turn.id}, chat)

    def _agreed(self, recalled: Recall, turn: Turn) -> Generator[Event, None, Recall]:
        agreement, is_stopping = self.behaviour.agreement, self._stopping.is_set
        return (yield from ask_consent(recalled, turn.id, agreement, is_stopping))

    def _query_vector(self, encoded: EncodedText, now: datetime) -> FloatArray | None:
        """The message's own vector, unless it names a speaker: names are features, not words."""
        asked = self.memory.query_text(encoded.text)
        return encoded.vector if asked == encoded.text else encode(asked, self.embedder, now).vector

    def _prompt(self, text: str, recalled: Recall, options: AskOptions) -> Prompt:
        model, room = self.load(), self._room(options)
        system = self.behaviour.system if options.system is None else options.system
        turns = self.history.fit(system, model, room.history(model.count_tokens(text)))
        return build_prompt(text, recalled, turns, model, system, room)

    def _prompt_without(self, turn_id: int, memory_ids: Collection[int]) -> Prompt:
        text, model, room = self._message_of(turn_id), self.load(), self._room()
        given, system = self.memory.recalls(turn_id), self.behaviour.system
        kept = tuple(memory for memory in given.memories if memory.id not in memory_ids)
        n_history = room.history(model.count_tokens(text))
        turns = fit_history(system, self._turns_before(turn_id), model, n_history)
        return build_prompt(text, replace(given, memories=kept), turns, model, system, room)

    def _notices(self, encoded: EncodedText, prompt: Prompt) -> Iterator[Event]:
        if self.embedder is None and self.mode != "temporary":
            yield Notice("No embedder is installed: recall goes by words alone.")
        if self._is_long(encoded.text):
            yield Notice(
                "Your message is too long to read whole: the answer is given from its ends and "
                f"the {len(prompt.recall.memories)} passages that fit it best."
            )

    def _generate(
        self, prompt: Prompt, draft: Draft, options: AskOptions, sequence: int = SEQUENCE
    ) -> Iterator[Event]:
        if self._stopping.is_set():
            return
        yield from generate(
            prompt.tokens,
            self.load(),
            self._sampling(prompt, options),
            draft,
            is_stopping=self._stopping.is_set,
            on_phase=self.on_phase,
            sequence=sequence,
        )

    def _finish(
        self,
        turn: Turn,
        draft: Draft,
        recalled: Recall,
        prompt: Prompt | None,
        encoded: EncodedText,
        now: datetime,
    ) -> Reply:
        """Record the reply with what was given to the model, and add the turn to the history."""
        recalled = prompt.recall if prompt else recalled
        draft.usage = replace(draft.usage, recall_ms=recalled.elapsed_ms)
        reply = draft.reply()
        if turn.id:
            self.memory.finish_turn(
                turn,
                encode(reply.text, self.embedder, now, before=encoded.text),
                recalled,
                now,
                partial=reply.partial,
                model=self.behaviour.model_name,
                prompt=prompt.pack() if prompt else "",
                think=self.behaviour.think,
            )
        if self._model is not None:
            shown = shorten(encoded.text, self._model, self._room().message)
            said = reply.text if reply.text.strip() else NO_REPLY
            self.history.add(PastTurn(turn.id, turn.number, shown, said))
        return reply

    # --- small questions ----------------------------------------------------------------------

    def _check_stop(self) -> None:
        """Leave the running turn where it was told to stop. Raises _Stopped."""
        if self._running and self._stopping.is_set():
            raise _Stopped

    def _begin_stoppable(self) -> None:
        """From here on `stop` counts, though no event has been asked for yet."""
        self._stopping.clear()
        self._running = True

    def _room(self, options: AskOptions = DEFAULT_OPTIONS) -> Room:
        sampling = options.sampling or self.behaviour.sampling
        return Room(self.load().n_ctx, sampling.max_tokens, self.behaviour.memory_tokens)

    def _sampling(self, prompt: Prompt, options: AskOptions) -> SamplingParameters:
        sampling = options.sampling or self.behaviour.sampling
        return replace(sampling, max_tokens=min(sampling.max_tokens, prompt.n_reply_max))

    def _is_long(self, text: str) -> bool:
        limit = self._room().message
        return len(text) > limit and self.load().count_tokens(text) > limit

    def _message_of(self, turn_id: int) -> str:
        return self.memory.message(self.memory.turn(turn_id).message_id).text

    def _turns_before(self, turn_id: int) -> list[PastTurn]:
        turn = self.memory.turn(turn_id)
        room, model = self._room(), self.load()
        return self.history.recorded(turn.conversation_id, model, room, before=turn.number)

    def _keep_state(self) -> None:
        if self._model is not None and self.mode == "normal":
            self.history.keep_state(self._model)
