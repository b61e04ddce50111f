"""Text to vectors: one onnxruntime session and its tokenizer. Knows nothing of who asks or why.

A vector is the mean of the last hidden states over the attention mask, scaled to L2 norm 1
(Sentence-BERT, arXiv 1908.10084, section 3). The same text gives the same vector alone or among a
thousand: a model whose int8 activations depend on their neighbours is run one text at a time.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from assistant.embedding.passages import split_passages
from assistant.errors import EmbeddingError, ModelMissing, ModelUnreadable
from assistant.records import FloatArray

N_MAX: Final = 256  # word pieces with [CLS] and [SEP], what all-MiniLM-L6-v2 was made for
# Word pieces with padding in one inference: 2048 took 200 MB more RAM and was slower.
BATCH_TOKENS: Final = 256
MAX_THREADS: Final = 4
SAME: Final = 1e-4  # largest difference of a component for two vectors to count as equal
MAX_CHARACTERS: Final = 64 * N_MAX  # a prefix this long always fills the N_MAX word pieces


class Embedder:
    """`embed` and `split`. `id` is the sha256 of the model file; a store never mixes two ids."""

    def __init__(self, session: Any, tokenizer: Any, model_id: str) -> None:
        self.id = model_id
        self.n_max = N_MAX
        self._session = session
        self._tokenizer = tokenizer
        self._inputs = {entry.name for entry in session.get_inputs()}
        self._output = session.get_outputs()[0].name
        self._batches_agree: bool | None = None
        self.dimension = int(self._infer([self._encode("dimension")]).shape[1])

    @classmethod
    def load(cls, model_file: Path, tokenizer_file: Path, *, n_threads: int = 0) -> Self:
        """Open a model. Raises ModelMissing, ModelUnreadable."""
        import onnxruntime
        from tokenizers import Tokenizer

        for file in (model_file, tokenizer_file):
            if not file.is_file():
                raise ModelMissing(
                    f"No embedder at {file}: the file does not exist.",
                    "Run `assistant models pull all-minilm-l6-v2-int8`.",
                )
        onnxruntime.disable_telemetry_events()
        try:
            tokenizer = Tokenizer.from_file(str(tokenizer_file))
            tokenizer.no_padding()
            tokenizer.no_truncation()
            session = onnxruntime.InferenceSession(
                str(model_file), _options(onnxruntime, n_threads), ["CPUExecutionProvider"]
            )
            return cls(session, tokenizer, _sha256(model_file))
        except Exception as error:  # both libraries raise bare Exception types
            raise ModelUnreadable(
                f"{model_file} is no usable embedder: {_first_line(error)}.",
                "Run `assistant models pull all-minilm-l6-v2-int8`.",
            ) from error

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """(len(texts), dimension) float32, each row of norm 1. A text is cut at `n_max` pieces.

        Raises EmbeddingError where onnxruntime fails.
        """
        encoded = [self._encode(text) for text in texts]
        vectors = np.empty((len(texts), self.dimension), np.float32)
        try:
            for rows in self._batches(encoded):
                vectors[rows] = self._infer([encoded[row] for row in rows])
        except Exception as error:  # both libraries raise bare Exception types
            raise EmbeddingError(f"The embedder failed: {_first_line(error)}.") from error
        return vectors

    def split(self, text: str) -> list[tuple[int, int]]:
        """Character spans of passages of at most `n_max` pieces; [] when `text` fits one."""
        offsets = self._tokenizer.encode(_valid(text), add_special_tokens=False).offsets
        return split_passages(text, offsets, N_MAX - 2)

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(_valid(text[:MAX_CHARACTERS])).ids
        return ids if len(ids) <= N_MAX else [*ids[: N_MAX - 1], ids[-1]]

    def _batches(self, encoded: list[list[int]]) -> list[list[int]]:
        """Rows to run together, of like length, so that little is padded."""
        if len(encoded) < 2 or not self._agree():
            return [[row] for row in range(len(encoded))]
        batches: list[list[int]] = []
        width = 0
        for row in sorted(range(len(encoded)), key=lambda row: len(encoded[row]), reverse=True):
            if not batches or width * (len(batches[-1]) + 1) > BATCH_TOKENS:
                batches.append([])
                width = len(encoded[row])
            batches[-1].append(row)
        return batches

    def _agree(self) -> bool:
        """Whether neighbours leave a vector alone. Dynamic int8 activations share one scale per
        inference, so there a text's vector would depend on what else is in the batch."""
        if self._batches_agree is None:
            pair = [self._encode("One."), self._encode("A second text, and a longer one, 1234!")]
            alone = np.concatenate([self._infer([ids]) for ids in pair])
            self._batches_agree = bool(np.abs(self._infer(pair) - alone).max() < SAME)
        return self._batches_agree

    def _infer(self, batch: list[list[int]]) -> FloatArray:
        """(n, dimension) from n lists of word piece ids, padded to the longest."""
        shape = (len(batch), max(map(len, batch)))
        ids = np.zeros(shape, np.int64)
        mask = np.zeros(shape, np.int64)
        for row, pieces in enumerate(batch):
            ids[row, : len(pieces)] = pieces
            mask[row, : len(pieces)] = 1
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        (hidden,) = self._session.run(
            [self._output], {name: value for name, value in feed.items() if name in self._inputs}
        )  # (n, pieces, dimension)
        if hidden.ndim != 3:
            raise ValueError(f"its output {self._output} has {hidden.ndim} axes instead of 3")
        return _pool(hidden, mask)


def _pool(hidden: FloatArray, mask: np.ndarray[Any, np.dtype[np.int64]]) -> FloatArray:
    """Mean over the mask, then L2 norm 1: (n, pieces, d), (n, pieces) -> (n, d)."""
    total = np.einsum("npd,np->nd", hidden, mask.astype(np.float32))
    norms = np.linalg.norm(total, axis=1, keepdims=True)
    return np.asarray(total / np.maximum(norms, 1e-12), np.float32)


def _options(onnxruntime: Any, n_threads: int) -> Any:
    """One inference is short: few threads, none of them spinning between two, no growing arena."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads or min(MAX_THREADS, _n_cpus())
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options


def _valid(text: str) -> str:
    """`text` with each lone surrogate as "?": the tokenizer takes no others, and offsets stay."""
    return text.encode("utf-8", "replace").decode()


def _n_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
