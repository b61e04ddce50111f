"""The one place that joins the four leaves: memory, embedder, catalogue and language model.

Knows what is installed and what the settings say, and hands each part what it needs as plain values.
"""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from assistant.catalogue.catalogue import Catalogue
from assistant.catalogue.entries import Entry
from assistant.catalogue.recommend import machine_ram_bytes, smaller
from assistant.config import Config
from assistant.conversation.consent import Agreement
from assistant.conversation.engine import Behaviour, Engine, Mode
from assistant.conversation.events import Notice, Progress
from assistant.conversation.states import KeptStates
from assistant.conversation.worker import PostThinkWorker
from assistant.conversation.writers import choose_writer
from assistant.embedding.embedder import Embedder
from assistant.errors import ModelMissing
from assistant.memory.memory import Memory
from assistant.paths import Paths, resource

if TYPE_CHECKING:
    from assistant.memory.index import IndexKind
    from assistant.runtime.batching import Batcher
    from assistant.runtime.model import Model

CATALOGUE_FILE = "models/catalogue.toml"
SYSTEM_PROMPT_FILE = "models/prompts/system.md"
MODEL_FILE: Final = "model.onnx"  # of an embedder, whose sha256 says which one it is


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which model answers. `sha256` identifies the file whatever it is called."""

    name: str
    sha256: str
    path: Path


def open_catalogue(paths: Paths) -> Catalogue:
    return Catalogue.load(resource(CATALOGUE_FILE), paths.models_dir)


def open_memory(paths: Paths, config: Config, *, now: datetime, read_only: bool = False) -> Memory:
    """The person's store. Raises StoreLocked, StoreCorrupt, StoreNewer."""
    return Memory.open(
        paths.database,
        now=now,
        backups_dir=paths.backups_dir,
        index_dir=paths.index_dir,
        index=cast("IndexKind", config.text("memory.index")),  # the setting's choices are these
        read_only=read_only,
    )


def open_embedder(paths: Paths, config: Config) -> Embedder | None:
    """The embedder, or None where it is not installed: recall then goes by words alone."""
    try:
        folder = open_catalogue(paths).path_of(config.text("embedder"))
    except ModelMissing:
        return None
    return _load_embedder(folder)


def serve_embedder(paths: Paths, config: Config, memory: Memory) -> Embedder | None:
    """The embedder that made the store's vectors, where it is installed, else that of the settings.

    After a change of the setting the old vectors serve on, and new messages get one of them, until
    `memory reindex` has made all of them anew.
    """
    made = _installed_embedder(paths, memory.embedder_id)
    embedder = _load_embedder(made) if made else open_embedder(paths, config)
    if embedder is not None:
        memory.use_embedder(embedder.id, embedder.dimension)
    return embedder


def _installed_embedder(paths: Paths, sha256: str | None) -> Path | None:
    """The folder of the embedder with this file, where it is installed."""
    catalogue = open_catalogue(paths)
    for entry in catalogue.installed("embedding"):
        if any(file.name == MODEL_FILE and file.sha256 == sha256 for file in entry.files):
            return catalogue.path_of(entry)
    return None


def _load_embedder(folder: Path) -> Embedder:
    return Embedder.load(folder / MODEL_FILE, folder / "tokenizer.json")


def identify_model(paths: Paths, config: Config) -> ModelIdentity:
    """The chat model that would answer. Raises ModelMissing, ModelUnreadable, NotFound."""
    catalogue = open_catalogue(paths)
    entry = _chosen(catalogue, config)
    return ModelIdentity(entry.id, catalogue.sha256(entry), catalogue.path_of(entry))


def _chosen(catalogue: Catalogue, config: Config) -> Entry:
    return catalogue.chosen(config.text("model"))


def load_model(
    path: Path,
    config: Config,
    on_progress: Callable[[float], None] | None = None,
    *,
    n_sequences: int = 4,
) -> "Model":
    """The language model as the settings want it. Raises ModelError, OutOfMemory."""
    from assistant.runtime.model import Model

    return Model.load(
        path,
        n_ctx=config.integer("runtime.n_ctx"),
        n_threads=config.integer("runtime.n_threads"),
        n_batch=config.integer("runtime.n_batch"),
        n_gpu_layers=config.integer("runtime.n_gpu_layers"),
        n_sequences=n_sequences,
        kv_cache_type=config.text("runtime.kv_cache_type"),
        flash_attention=config.text("runtime.flash_attention"),
        weight_window=config.text("runtime.weight_window"),
        repack=config.text("runtime.repack"),
        on_progress=on_progress,
    )


def _load_advised(
    paths: Paths,
    config: Config,
    path: Path,
    on_notice: Callable[[Notice], None],
    on_progress: Callable[[float], None] | None = None,
    *,
    n_sequences: int = 4,
) -> "Model":
    """`load_model`, and a notice where the model's weight window makes it slow."""
    from assistant.runtime.available import available_bytes

    free = available_bytes()  # before this model takes it
    model = load_model(path, config, on_progress, n_sequences=n_sequences)
    info = model.info
    if advice := slow_advice(paths, info.slow_warning, info.file_bytes, free):
        on_notice(Notice(advice))
    return model


def slow_advice(paths: Paths, slow_warning: str, file_bytes: int, free_bytes: int | None) -> str:
    """`slow_warning`, and the best smaller chat model that fits `free_bytes` (None: not known).

    Empty where there is no warning.
    """
    if not slow_warning:
        return ""
    free = machine_ram_bytes() if free_bytes is None else free_bytes
    best = smaller(open_catalogue(paths).entries, file_bytes, free)
    hint = f" A smaller one that fits: {best.id}." if best else ""
    return slow_warning + hint


def open_worker(engine: Engine, config: Config) -> PostThinkWorker | None:
    """Who derives thoughts from the engine's finished turns; None where the settings want none.

    It shares the engine's model and thread: run it between two turns.
    """
    mode, kind = config.text("memory.mode"), config.text("memory.thought_writer")
    if mode == "off":
        return None
    name = engine.behaviour.model_name
    return PostThinkWorker(
        engine.memory,
        engine.embedder,
        f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident()}",
        writer=choose_writer(kind, None if kind == "rules" else engine.load(), name),
        ask_first=mode == "ask",
        never_store=config.words("memory.never_store"),
        meter=lambda: engine.loaded_model,
    )


@dataclass(frozen=True, slots=True)
class BatchParts:
    """What a batch runs on: one model for many conversations at once."""

    batcher: "Batcher[Any]"
    new_engine: Callable[[], Engine]


@contextmanager
def open_batch(
    paths: Paths,
    config: Config,
    *,
    now: datetime,
    parallel: int,
    mode: Mode,
    recall: bool,
    agreement: Agreement = "withheld",
    on_notice: Callable[[Notice], None] = lambda notice: None,
    on_progress: Callable[[float], None] | None = None,
) -> Iterator[BatchParts]:
    """The parts of a batch of `parallel` rows at once. What `on_progress` raises ends the loading.

    Raises as `open_assistant`, and OutOfMemory.
    """
    from assistant.runtime.batching import Batcher

    identity = identify_model(paths, config)
    behaves = behaviour(config, identity.name, agreement)
    if not recall:
        behaves = replace(behaves, n_memories=0, memory_tokens=0, portrait_tokens=0)
    if mode == "normal":
        paths.create()
    with open_memory(paths, config, now=now, read_only=mode != "normal") as memory:
        embedder = serve_embedder(paths, config, memory)
        path = identity.path
        with _load_advised(
            paths, config, path, on_notice, on_progress, n_sequences=parallel
        ) as model:

            def new_engine() -> Engine:
                engine = Engine(memory, embedder, lambda on_progress: model, behaves)
                engine.open_conversation(None, mode)
                return engine

            yield BatchParts(Batcher(model), new_engine)


def system_prompt(config: Config) -> str:
    """The person's own system prompt, else the built-in one."""
    own = config.text("chat.system_prompt")
    return own or resource(SYSTEM_PROMPT_FILE).read_text("utf-8").strip()


def behaviour(config: Config, model_name: str, agreement: Agreement = "given") -> Behaviour:
    """As the settings say. `agreement` is what the front end can offer where they say `ask`."""
    remembers = config.text("memory.mode") != "off"
    return Behaviour(
        system=system_prompt(config),
        sampling=config.sampling(),
        n_memories=config.integer("memory.recall_count") if remembers else 0,
        memory_tokens=config.integer("memory.token_budget") if remembers else 0,
        portrait_tokens=config.integer("memory.portrait_budget") if remembers else 0,
        model_name=model_name,
        think=remembers,
        agreement=agreement if config.text("memory.mode") == "ask" else "given",
    )


def open_assistant(
    paths: Paths,
    config: Config,
    *,
    now: datetime,
    on_phase: Callable[[Progress], None] = lambda progress: None,
    read_only: bool = False,
    agreement: Agreement = "withheld",
) -> Engine:
    """An engine over the person's store and chosen model, which is loaded with the first turn.

    Cheap: nothing heavier than the embedder is opened. Raises ModelMissing, ModelUnreadable and
    the StoreErrors before anything is recorded.
    """
    identity = identify_model(paths, config)
    if not read_only:
        paths.create()
    memory = open_memory(paths, config, now=now, read_only=read_only)
    embedder = serve_embedder(paths, config, memory)

    def load(on_progress: Callable[[float], None]) -> "Model":
        return _load_advised(paths, config, identity.path, on_phase, on_progress)

    return Engine(
        memory,
        embedder,
        load,
        behaviour(config, identity.name, agreement),
        states=None if read_only else KeptStates(paths.states_dir, identity.sha256[:16]),
        on_phase=on_phase,
    )
