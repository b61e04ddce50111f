"""The real engine behind the TUI's protocol: a thin join, with no behaviour of its own.

Everything heavy is imported in the methods, on the thread that uses it. Knows no widget.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from assistant.conversation.events import Event, Phase, Progress, Replied
from assistant.tui.session import ChatMode, ModelFacts
from assistant.tui.speeds import note_answer

if TYPE_CHECKING:
    from assistant.config import Config
    from assistant.conversation.engine import Engine as ConversationEngine
    from assistant.conversation.worker import PostThinkWorker
    from assistant.paths import Paths
    from assistant.records import EncodedText

SEQUENCE_CHAT = 0  # where the engine keeps the open conversation
N_JOBS = 20  # post-think jobs at most in one idle moment; the rest wait for the next


class LiveEngine:
    """`assistant.conversation.engine.Engine` as `session.Engine`."""

    def __init__(self, paths: "Paths", read_config: "Callable[[], Config]") -> None:
        self._paths = paths
        self._read_config = read_config
        self._engine: ConversationEngine | None = None
        self._worker: PostThinkWorker | None = None
        self._idling = False
        self._owes = False  # idle work was cut off and waits for the next pause

    def load(self, on_phase: Callable[[Progress], None]) -> ModelFacts:
        """Load the chosen model; another one than before replaces it."""
        from assistant.conversation.assemble import open_assistant

        on_phase(Phase("loading model"))
        conversation_id, mode = self._close()
        now = datetime.now(UTC)
        engine = open_assistant(
            self._paths, self._read_config(), now=now, on_phase=on_phase, agreement="asked"
        )
        self._engine = engine
        model = engine.load()
        engine.open_conversation(conversation_id, mode)
        info = getattr(model, "info", None)
        return ModelFacts(
            engine.behaviour.model_name, model.n_ctx, str(getattr(info, "window", "off"))
        )

    def ask(self, text: str, now: datetime, *, replaces: int | None = None) -> Iterator[Event]:
        from assistant.conversation.engine import AskOptions

        return self._timed(self._opened.ask(text, now, AskOptions(replaces=replaces)))

    def regenerate(self, turn_id: int, now: datetime) -> Iterator[Event]:
        return self._timed(self._opened.regenerate(turn_id, now))

    def _timed(self, events: Iterator[Event]) -> Iterator[Event]:
        """The same events; the speed of the answer is kept for the list of models."""
        for event in events:
            if isinstance(event, Replied):
                name = self._opened.behaviour.model_name
                note_answer(self._paths.speeds_file, name, event.reply.usage)
            yield event

    def answer_without(
        self, turn_id: int, memory_ids: Collection[int], now: datetime
    ) -> Iterator[Event]:
        return self._opened.answer_without(turn_id, memory_ids, now)

    def choose_branch(self, turn_id: int) -> None:
        self._opened.choose_branch(turn_id)

    def open_conversation(self, conversation_id: int | None, mode: ChatMode = "normal") -> None:
        if self._engine is not None:
            self._engine.open_conversation(conversation_id, mode)

    def prompt_of(self, turn_id: int) -> str:
        """Each message under its role, exactly as it was given to the model's own template."""
        explained = self._opened.why(turn_id)
        return "\n\n".join(f"── {part.role} ──\n{part.content}" for part in explained.prompt)

    def edit(self, memory_id: int, text: str, now: datetime) -> None:
        self._opened.memory.edit_thought(memory_id, *self._read(text, now))

    def merge(self, memory_ids: Sequence[int], text: str, now: datetime) -> None:
        self._opened.memory.merge_thoughts(memory_ids, *self._read(text, now))

    def _read(
        self, text: str, now: datetime
    ) -> "tuple[EncodedText, datetime, tuple[str, str, str] | None]":
        """What the person states by hand, as the store takes it: encoded, when, and its slot."""
        from assistant.conversation.recall import encode
        from assistant.conversation.selection import describe

        return encode(text, self._opened.embedder, now), now, describe(text, now).slot

    def prefill(self, text: str, now: datetime) -> None:
        """Read the prompt ahead, then go on with what the person's typing cut off."""
        self._idling = True
        self._opened.prefill(text, now)
        if self._idling and self._owes:
            self._idle(now)

    def idle(self, now: datetime) -> None:
        self._idling = True
        self._idle(now)

    def _idle(self, now: datetime) -> None:
        """Re-read the last turn without its notes, then derive thoughts from what was said."""
        self._owes = True
        engine = self._opened
        engine.settle()
        from assistant.conversation.assemble import open_worker

        # Made anew each time: the person may have changed what may be kept.
        worker = self._worker = open_worker(engine, self._read_config())
        if worker is not None:
            try:
                if self._idling:
                    worker.run_all(now, limit=N_JOBS)
                if self._idling:
                    engine.memory.consolidate(now)
            finally:
                worker.close()
                self._worker = None
        self._owes = not self._idling

    def stop(self) -> None:
        self._idling = False
        engine, worker = self._engine, self._worker  # another thread may put them away meanwhile
        if engine is not None:
            engine.stop()
        if worker is not None:
            worker.stop()

    def put_down(self) -> None:
        engine = self._engine
        if engine is None:
            return
        engine.open_conversation(None, engine.mode)
        if (model := engine.loaded_model) is not None:
            model.drop_sequence(SEQUENCE_CHAT)

    def close(self) -> None:
        self._close()

    def _close(self) -> tuple[int | None, ChatMode]:
        engine, self._engine = self._engine, None
        if engine is None:
            return None, "normal"
        open_now = engine.conversation_id, engine.mode
        engine.close()
        engine.memory.close()
        return open_now

    @property
    def _opened(self) -> "ConversationEngine":
        if self._engine is None:
            self.load(lambda phase: None)
        assert self._engine is not None
        return self._engine
