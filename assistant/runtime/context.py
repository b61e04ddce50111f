"""A llama.cpp context: evaluate tokens, read logits, move KV cells. One thread at a time.

Knows positions, sequences and pointers; no text and no sampling. Everything that llama.cpp
answers with a number becomes a `Status` or an error here.
"""

import ctypes
from collections.abc import Sequence
from enum import Enum
from typing import Any, NamedTuple

import numpy as np

from assistant.errors import GenerationError
from assistant.records import FloatArray
from assistant.runtime.hooks import WeightHook
from assistant.runtime.library import StopFlag, llama, take_complaints


class Status(Enum):
    DONE = 0
    NO_ROOM = 1  # no free KV cells; nothing changed
    STOPPED = 2  # the stop flag was set; whole ubatches of the batch may have stayed


class Row(NamedTuple):
    """One token of a batch with several sequences."""

    token: int
    position: int
    sequence: int
    wants_logits: bool


class Context:
    """One `llama_context` and the batch buffers that feed it."""

    def __init__(
        self, pointer: Any, n_vocabulary: int, stop: StopFlag, hook: WeightHook | None
    ) -> None:
        self._lib = llama()
        model = self._lib.llama_get_model(pointer)
        self._is_recurrent = bool(
            self._lib.llama_model_is_recurrent(model) or self._lib.llama_model_is_hybrid(model)
        )
        self.pointer = pointer
        self.n_batch = int(self._lib.llama_n_batch(pointer))
        self._n_vocabulary = n_vocabulary
        self._memory = self._lib.llama_get_memory(pointer)
        self._stop = stop
        self._check = hook.check if hook else None
        self._decode = self._lib.llama_decode
        self._make_batch(self.n_batch)

    def _make_batch(self, n: int) -> None:
        """Buffers for `n` tokens, owned by numpy and ctypes, that `llama_batch` points into."""
        lib = self._lib
        self._token = (lib.llama_token * n)()
        self._position = (lib.llama_pos * n)()
        self._n_seq = (ctypes.c_int32 * n)(*[1] * n)
        self._sequence = (lib.llama_seq_id * n)()
        size = ctypes.sizeof(lib.llama_seq_id)
        pointer = ctypes.POINTER(lib.llama_seq_id)
        base = ctypes.addressof(self._sequence)
        self._sequence_pointers = (pointer * n)(
            *[ctypes.cast(base + i * size, pointer) for i in range(n)]
        )
        self._wants: Any = (ctypes.c_int8 * n)()
        self._batch = lib.llama_batch(
            n_tokens=0,
            token=self._token,
            embd=None,
            pos=self._position,
            n_seq_id=self._n_seq,
            seq_id=self._sequence_pointers,
            logits=self._wants,
        )

    def evaluate(
        self, tokens: Sequence[int], start: int, sequence: int, *, n_outputs: int = 1
    ) -> Status:
        """Evaluate at positions start..., with logits for the last `n_outputs` tokens.

        Raises GenerationError (and WeightReadError). At most `n_batch` tokens.
        """
        n = len(tokens)
        self._batch.n_tokens = n
        self._token[:n] = tokens
        self._position[:n] = range(start, start + n)
        self._sequence[:n] = [sequence] * n
        self._wants[:n] = [0] * (n - n_outputs) + [1] * n_outputs
        return self._run()

    def evaluate_one(self, token: int, position: int, sequence: int) -> Status:
        """The decode step: one token, with its logits."""
        self._batch.n_tokens = 1
        self._token[0] = token
        self._position[0] = position
        self._sequence[0] = sequence
        self._wants[0] = 1
        return self._run()

    def evaluate_rows(self, rows: Sequence[Row]) -> Status:
        """Tokens of several sequences in one batch."""
        n = len(rows)
        self._batch.n_tokens = n
        self._token[:n] = [row.token for row in rows]
        self._position[:n] = [row.position for row in rows]
        self._sequence[:n] = [row.sequence for row in rows]
        self._wants[:n] = [row.wants_logits for row in rows]
        return self._run()

    def _run(self) -> Status:
        answer = self._decode(self.pointer, self._batch)
        if self._check is not None:
            self._check()
        if answer == 0:
            return Status.DONE
        if answer == 1:
            return Status.NO_ROOM
        if answer == 2 or self._stop.is_set:
            return Status.STOPPED
        raise GenerationError(
            f"llama.cpp could not evaluate the prompt ({answer}): "
            f"{take_complaints() or 'no reason given'}.",
            "Try again; if it stays, run `assistant doctor`.",
        )

    def logits(self, index: int = -1) -> FloatArray:
        """Output `index` of the last evaluation, (n_vocabulary,). A view: valid until the next."""
        pointer = self._lib.llama_get_logits_ith(self.pointer, index)
        return np.ctypeslib.as_array(pointer, (self._n_vocabulary,))

    # The three operations of kv_cache.Cells.

    def remove(self, sequence: int, start: int) -> bool:
        return bool(self._lib.llama_memory_seq_rm(self._memory, sequence, start, -1))

    def copy(self, source: int, target: int, end: int) -> bool:
        whole = self.length(source) == end
        if not whole and self._is_recurrent:
            return False
        self.remove(target, 0)
        self._lib.llama_memory_seq_cp(self._memory, source, target, 0, -1 if whole else end)
        return True

    def length(self, sequence: int) -> int:
        return int(self._lib.llama_memory_seq_pos_max(self._memory, sequence)) + 1

    def close(self) -> None:
        if self.pointer:
            self._lib.llama_free(self.pointer)
            self.pointer = None
