"""Small GGUF models with random weights, written here: enough of a model for llama.cpp to run.

They say nothing sensible, but the same nothing every time: any difference in how weights are held
shows in their logits.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import gguf
import numpy as np

N_VOCABULARY = 512
N_EMBD = 512
N_HEAD = 8
Quantisation = Literal["Q4_K", "Q8_0", "F16"]


@dataclass(frozen=True, slots=True)
class Shape:
    """What varies between the models."""

    architecture: str = "llama"  # llama, qwen2 or qwen3moe
    quantisation: Quantisation = "Q4_K"
    tied: bool = False  # no output matrix of its own
    n_layers: int = 4
    n_ff: int = 1024
    n_experts: int = 32
    n_experts_used: int = 4
    splits: int = 1


def write_model(folder: Path, shape: Shape, seed: int = 1) -> Path:
    """Writes the model; returns its (first) file."""
    writer = gguf.GGUFWriter(
        None, shape.architecture, split_max_tensors=0 if shape.splits == 1 else 8
    )
    _write_metadata(writer, shape)
    random = np.random.default_rng(seed)
    for name, (rows, columns, n_experts), is_matrix in _tensors(shape):
        if not is_matrix:
            mean = 1.0 if "norm" in name else 0.0
            writer.add_tensor(name, (mean + 0.1 * random.standard_normal(rows)).astype(np.float32))
            continue
        if name.endswith("ffn_gate_inp.weight"):
            writer.add_tensor(name, random.standard_normal((rows, columns)).astype(np.float32) / 8)
            continue
        data = _random_matrix(random, shape.quantisation, max(1, n_experts) * rows, columns)
        dims = (n_experts, rows) if n_experts else (rows,)
        raw_dtype = None if shape.quantisation == "F16" else _type(shape.quantisation)
        writer.add_tensor(name, data.reshape(*dims, -1), raw_dtype=raw_dtype)
    path = folder / f"{shape.architecture}.gguf"
    writer.write_header_to_file(path)
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    if shape.splits == 1:
        return path
    return sorted(folder.glob(f"{shape.architecture}-00001-of-*.gguf"))[0]


def _type(quantisation: Quantisation) -> gguf.GGMLQuantizationType:
    return gguf.GGMLQuantizationType[quantisation]


def _write_metadata(writer: gguf.GGUFWriter, shape: Shape) -> None:
    writer.add_context_length(512)
    writer.add_embedding_length(N_EMBD)
    writer.add_block_count(shape.n_layers)
    writer.add_feed_forward_length(shape.n_ff)
    writer.add_head_count(N_HEAD)
    writer.add_head_count_kv(N_HEAD // 2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(N_EMBD // N_HEAD)
    if shape.architecture == "qwen3moe":
        writer.add_expert_count(shape.n_experts)
        writer.add_expert_used_count(shape.n_experts_used)
        writer.add_expert_feed_forward_length(shape.n_ff)
        writer.add_key_length(N_EMBD // N_HEAD)
        writer.add_value_length(N_EMBD // N_HEAD)
    # One token per byte: letters as GPT-2 writes bytes, then a few merges and fillers.
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    other = [i for i in range(256) if i not in printable]
    letters = {b: chr(b) for b in printable} | {b: chr(256 + n) for n, b in enumerate(other)}
    tokens = [letters[b] for b in range(256)] + ["th", "in"] + ["<|im_start|>", "<|im_end|>"]
    types = [gguf.TokenType.NORMAL] * 258 + [gguf.TokenType.CONTROL] * 2
    while len(tokens) < N_VOCABULARY:
        tokens.append(f"<unused{len(tokens)}>")
        types.append(gguf.TokenType.UNUSED)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(["t h", "i n"])
    writer.add_eos_token_id(259)
    writer.add_bos_token_id(258)


def _tensors(shape: Shape) -> list[tuple[str, tuple[int, int, int], bool]]:
    """(name, (rows, columns, experts or 0), whether it is a matrix), in the order of the file."""
    kv = N_EMBD // 2
    found: list[tuple[str, tuple[int, int, int], bool]] = []

    def matrix(name: str, rows: int, columns: int, experts: int = 0) -> None:
        found.append((f"{name}.weight", (rows, columns, experts), True))

    def vector(name: str, n: int, suffix: str = "weight") -> None:
        found.append((f"{name}.{suffix}", (n, 1, 0), False))

    matrix("token_embd", N_VOCABULARY, N_EMBD)
    for layer in range(shape.n_layers):
        block = f"blk.{layer}"
        vector(f"{block}.attn_norm", N_EMBD)
        for name, rows in (("attn_q", N_EMBD), ("attn_k", kv), ("attn_v", kv)):
            matrix(f"{block}.{name}", rows, N_EMBD)
            if shape.architecture == "qwen2":
                vector(f"{block}.{name}", rows, "bias")
        if shape.architecture == "qwen3moe":
            vector(f"{block}.attn_q_norm", N_EMBD // N_HEAD)
            vector(f"{block}.attn_k_norm", N_EMBD // N_HEAD)
        matrix(f"{block}.attn_output", N_EMBD, N_EMBD)
        vector(f"{block}.ffn_norm", N_EMBD)
        experts, suffix = 0, ""
        if shape.architecture == "qwen3moe":
            matrix(f"{block}.ffn_gate_inp", shape.n_experts, N_EMBD)
            experts, suffix = shape.n_experts, "_exps"
        matrix(f"{block}.ffn_gate{suffix}", shape.n_ff, N_EMBD, experts)
        matrix(f"{block}.ffn_up{suffix}", shape.n_ff, N_EMBD, experts)
        matrix(f"{block}.ffn_down{suffix}", N_EMBD, shape.n_ff, experts)
    vector("output_norm", N_EMBD)
    if not shape.tied:
        matrix("output", N_VOCABULARY, N_EMBD)
    return found


def _random_matrix(
    random: np.random.Generator, quantisation: Quantisation, rows: int, columns: int
) -> np.ndarray:
    """(rows, bytes or columns): random weights of about unit gain."""
    if quantisation != "Q4_K":
        weights = (random.standard_normal((rows, columns)) / np.sqrt(columns)).astype(np.float32)
        if quantisation == "F16":
            return weights.astype(np.float16)
        return gguf.quants.quantize(weights, _type(quantisation))
    # gguf cannot quantise to Q4_K: blocks of 256 are made up. Scale, least, 12 bytes of 6-bit
    # sub-scales, 128 bytes of 4-bit weights.
    n_blocks = rows * columns // 256
    blocks = random.integers(0, 256, (n_blocks, 144), np.uint8)
    scales = np.full((n_blocks, 1), 0.006 / np.sqrt(columns), np.float16)
    blocks[:, 0:2] = scales.view(np.uint8)
    blocks[:, 2:4] = (scales * np.float16(7.5)).view(np.uint8)
    return blocks.reshape(rows, -1)
