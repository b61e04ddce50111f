"""From a GGUF file to a `llama_model` and a `llama_context`, with every failure said plainly.

Knows parameters, sizes and error texts; nothing of prompts. The defaults that matter:

- weights are mapped, not copied: mapped pages can be dropped. Repacking (`use_extra_bufts`) keeps a
  second copy of most of a Q4_K file that cannot (1.5B: 1787 MB of RSS against 1190), so it is for
  where that gains and the RAM is there: see `may_repack`;
- all sequences share one pool of KV cells (`kv_unified`), so a prefix can be shared for nothing.
"""

import ctypes
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from assistant.errors import ModelMissing, ModelUnreadable, OutOfMemory
from assistant.runtime.available import available_bytes
from assistant.runtime.hooks import WeightHook
from assistant.runtime.library import StopFlag, llama, take_complaints
from assistant.runtime.machine import physical_cores

# Logits a single evaluation may output; llama.cpp sizes its buffers for this many vocabularies.
MAX_OUTPUTS: Final = 32
# Tokens in one graph: on a CPU 128 read as fast as 512 and need 28 MB less; where weights are
# streamed or on a GPU a graph should serve as many as it can.
_UBATCH_MAPPED: Final = 128
_UBATCH: Final = 512
_COMPUTE_BYTES: Final = 160 << 20  # graph buffers and what llama.cpp allocates besides the KV cache
_SIDE_SHARE: Final = 4  # one cell in this many more, for sequences beside the conversation
_SIDE_MIN: Final = 512
_REPACK_ROOM: Final = 3  # times the file: both copies fit into the free RAM, and as much is left
_N_CTX_MIN: Final = 256
N_CTX_MODEST: Final = 4096  # taken where the weights alone exceed the RAM
_BITS_PER_VALUE: Final = {"f16": 16.0, "q8_0": 8.5, "q4_0": 4.5}


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What the person can set; see the settings `runtime.*`."""

    n_ctx: int = 4096  # 0: what the model was trained for, as far as the RAM goes
    n_threads: int = 0  # 0: the physical cores
    n_batch: int = 512
    n_gpu_layers: int = 0
    n_sequences: int = 4
    kv_cache_type: str = "f16"
    flash_attention: str = "auto"
    repack: bool = False


@dataclass(slots=True)
class Loaded:
    """Pointers and what they were made with. `n_ctx` is one conversation's limit in tokens."""

    model: Any
    context: Any
    n_ctx: int
    keep_alive: tuple[object, ...]


def load(
    path: Path,
    options: LoadOptions,
    stop: StopFlag,
    window: WeightHook | None,
    on_progress: Callable[[float], None] | None,
) -> Loaded:
    """Raises ModelMissing, ModelUnreadable or OutOfMemory, or what `on_progress` raises, which ends
    the loading; frees what it had by then."""
    lib = llama()
    broken_off: list[BaseException] = []
    model_params, callback = _model_params(options, on_progress, broken_off)
    context_params = _context_params(options, stop, is_mapped=window is None)
    if window is not None:
        window.apply(model_params, context_params)
    take_complaints()
    model = lib.llama_model_load_from_file(os.fsencode(path), model_params)
    if not model:
        raise broken_off[0] if broken_off else _load_error(path)
    context = None
    try:
        if broken_off:  # at the very end, when llama.cpp no longer asks whether to go on
            raise broken_off[0]
        if not lib.llama_model_has_decoder(model):
            raise ModelUnreadable(f"{path} is no chat model.", "Choose another model.")
        n_ctx = fit_n_ctx(model, options, path.stat().st_size)
        context_params.n_ctx = n_ctx + side_cells(n_ctx, options.n_sequences)
        context = lib.llama_init_from_model(model, context_params)
        if not context:
            raise _context_error(n_ctx, options)
        if window is not None:
            window.attach(model, context)
    except BaseException:
        if context:
            lib.llama_free(context)
        lib.llama_model_free(model)
        raise
    return Loaded(model, context, n_ctx, (callback, context_params))


def find_window(path: Path, setting: str, options: LoadOptions) -> WeightHook | None:
    """The weight window that `setting` asks for; None where the file is simply mapped.

    Raises what `weight_window.open_window` raises, and ModelUnreadable.
    """
    free = available_bytes()
    is_auto = setting == "auto"
    if setting == "off" or (is_auto and (free is None or path.stat().st_size < free // 2)):
        return None
    from assistant.runtime.weight_window import open_window

    reserve = _COMPUTE_BYTES + (kv_bytes(path, options) if is_auto else 0)
    return open_window(path, setting, reserve_bytes=reserve)


def may_repack(path: Path, setting: str) -> bool:
    """Whether llama.cpp may rearrange the weights for the CPU, into a copy of its own.

    "auto" does where llama.cpp was built for AVX-512 and the free RAM is ample. Measured with the 1.5B
    on two cores: with AVX-512 answers are written 1.3 times as fast, though prompts are read 0.7 times as
    fast; with AVX2 alone nothing is gained.
    """
    if setting != "auto":
        return setting == "on"
    if b"AVX512 = 1" not in llama().llama_print_system_info():
        return False
    free = available_bytes()
    return free is not None and _REPACK_ROOM * path.stat().st_size < free


def kv_bytes(path: Path, options: LoadOptions) -> int:
    """Bytes of KV cache the options ask for, from the file's metadata alone."""
    lib = llama()
    params, _ = _model_params(options, None, [])
    params.vocab_only = True
    model = lib.llama_model_load_from_file(os.fsencode(path), params)
    if not model:
        raise _load_error(path)
    n_ctx = options.n_ctx or N_CTX_MODEST
    n_cells = n_ctx + side_cells(n_ctx, options.n_sequences)
    n_bytes = n_cells * kv_bytes_per_token(model, options.kv_cache_type)
    lib.llama_model_free(model)
    return n_bytes


def check_file(path: Path) -> None:
    """Raises ModelMissing or ModelUnreadable for what can be told without llama.cpp."""
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except FileNotFoundError:
        raise ModelMissing(
            f"No model at {path}: the file does not exist.", "Run `assistant models list`."
        ) from None
    except OSError as error:
        raise ModelUnreadable(f"{path} cannot be read: {error.strerror}.") from error
    if magic != b"GGUF":
        raise ModelUnreadable(
            f"{path} is not a GGUF file.", "Give the path of a file that ends in .gguf."
        )


def _model_params(
    options: LoadOptions,
    on_progress: Callable[[float], None] | None,
    broken_off: list[BaseException],
) -> tuple[Any, object]:
    """llama.cpp's parameters, and the callback that must live as long as they do. What `on_progress`
    raises is put into `broken_off`: no exception may pass through C."""
    lib = llama()
    params = lib.llama_model_default_params()
    params.load_mode = lib.LLAMA_LOAD_MODE_MMAP
    params.use_extra_bufts = options.repack
    params.n_gpu_layers = options.n_gpu_layers

    @lib.llama_progress_callback  # type: ignore[untyped-decorator] # llama_cpp publishes no types
    def report(share: float, _user_data: object) -> bool:
        try:
            if on_progress is not None and not broken_off:
                on_progress(share)
        except BaseException as error:  # noqa: BLE001 - a stop or a Ctrl-C: raised by `load`
            broken_off.append(error)
        return not broken_off

    params.progress_callback = report
    return params, report


def _context_params(options: LoadOptions, stop: StopFlag, *, is_mapped: bool) -> Any:
    lib = llama()
    params = lib.llama_context_default_params()
    params.n_batch = options.n_batch
    is_plain = is_mapped and options.n_gpu_layers == 0
    params.n_ubatch = min(options.n_batch, _UBATCH_MAPPED if is_plain else _UBATCH)
    params.n_seq_max = options.n_sequences
    params.n_outputs_max = min(options.n_batch, max(MAX_OUTPUTS, options.n_sequences))
    params.n_threads = params.n_threads_batch = options.n_threads or physical_cores()
    params.kv_unified = True
    params.no_perf = True
    params.flash_attn_type = {
        "auto": lib.LLAMA_FLASH_ATTN_TYPE_AUTO,
        "on": lib.LLAMA_FLASH_ATTN_TYPE_ENABLED,
        "off": lib.LLAMA_FLASH_ATTN_TYPE_DISABLED,
    }[options.flash_attention]
    kv_type = {
        "f16": lib.GGML_TYPE_F16,
        "q8_0": lib.GGML_TYPE_Q8_0,
        "q4_0": lib.GGML_TYPE_Q4_0,
    }[options.kv_cache_type]
    params.type_k = kv_type
    # llama.cpp can quantise V only where flash attention reads it.
    params.type_v = lib.GGML_TYPE_F16 if options.flash_attention == "off" else kv_type
    params.abort_callback = stop.callback()
    params.abort_callback_data = stop.address
    return params


def side_cells(n_ctx: int, n_sequences: int) -> int:
    """KV cells besides the conversation's own, so post-think cannot push it out."""
    return max(_SIDE_MIN, n_ctx // _SIDE_SHARE) if n_sequences > 1 else 0


def kv_bytes_per_token(model: Any, kv_cache_type: str = "f16") -> int:
    """Bytes of KV cache a token takes: K and V of every layer (an upper bound for hybrids)."""
    lib = llama()
    n_head = max(1, lib.llama_model_n_head(model))
    width = lib.llama_model_n_embd(model) // n_head
    key = _metadata_number(model, "attention.key_length") or width
    value = _metadata_number(model, "attention.value_length") or width
    values = lib.llama_model_n_layer(model) * lib.llama_model_n_head_kv(model) * (key + value)
    return int(values * _BITS_PER_VALUE[kv_cache_type] / 8)


def metadata(model: Any, key: str) -> str | None:
    """One GGUF metadata value as text."""
    lib = llama()
    room = 256
    while True:
        buffer = ctypes.create_string_buffer(room)
        n = lib.llama_model_meta_val_str(model, key.encode(), buffer, room)
        if n < 0:
            return None
        if n < room:
            return buffer.value.decode("utf-8", "replace")
        room = n + 1


def _metadata_number(model: Any, key: str) -> int | None:
    text = metadata(model, f"{metadata(model, 'general.architecture')}.{key}")
    return int(text) if text and text.isdigit() else None


def fit_n_ctx(model: Any, options: LoadOptions, file_bytes: int) -> int:
    """The context window in tokens. Raises OutOfMemory where the wanted one does not fit."""
    n_train = int(llama().llama_model_n_ctx_train(model)) or max(options.n_ctx, N_CTX_MODEST)
    per_token = kv_bytes_per_token(model, options.kv_cache_type)
    free = available_bytes()
    fits = n_train
    if free is not None and per_token:
        # Mapped weights give way under pressure, the KV cache does not.
        room = max(free - _COMPUTE_BYTES - file_bytes, (free - _COMPUTE_BYTES) // 2)
        cells = room // per_token
        fits = cells if options.n_sequences == 1 else cells * _SIDE_SHARE // (_SIDE_SHARE + 1)
        if file_bytes > free and not options.n_ctx:
            fits = min(fits, N_CTX_MODEST)  # what is left is better spent on weights
    if not options.n_ctx and fits >= _N_CTX_MIN:
        return min(n_train, fits) // _N_CTX_MIN * _N_CTX_MIN
    wanted = min(options.n_ctx or n_train, n_train)  # past its training a model writes noise
    if wanted > fits:
        raise _too_long(wanted, fits)
    return wanted


def _too_long(n_ctx: int, fits: int) -> OutOfMemory:
    if fits < _N_CTX_MIN:
        return OutOfMemory(
            "There is not enough free RAM for this model.", "Choose a smaller one: `models list`."
        )
    return OutOfMemory(
        f"A context of {n_ctx} tokens does not fit into the free RAM.",
        f"Run `assistant config set runtime.n_ctx {fits // _N_CTX_MIN * _N_CTX_MIN}`.",
    )


def _context_error(n_ctx: int, options: LoadOptions) -> OutOfMemory | ModelUnreadable:
    reason = take_complaints()
    if any(word in reason for word in ("alloc", "memory")) or not reason:
        return OutOfMemory(
            f"The KV cache for {n_ctx} tokens could not be allocated ({reason or 'no reason'}).",
            f"Run `assistant config set runtime.n_ctx {max(_N_CTX_MIN, n_ctx // 2)}`.",
        )
    return ModelUnreadable(
        f"llama.cpp refuses a {options.kv_cache_type} KV cache for this model: {reason}.",
        "Run `assistant config set runtime.kv_cache_type f16`.",
    )


def _load_error(path: Path) -> ModelUnreadable | OutOfMemory:
    reason = take_complaints()
    if "alloc" in reason:
        return OutOfMemory(
            f"{path.name} does not fit into the free RAM.", "Choose a smaller model."
        )
    if "not within the file bounds" in reason or "corrupted or incomplete" in reason:
        return ModelUnreadable(
            f"{path} is truncated or damaged.", "Fetch it again: `assistant models pull`."
        )
    return ModelUnreadable(
        f"llama.cpp cannot load {path}: {reason.split(';')[0] or 'no reason given'}.",
        "Choose another model: `assistant models list`.",
    )
