"""Writes small GGUF files into FOLDER, for the fuzzer to start from: python make_seeds.py FOLDER.

A few hundred bytes to a few KiB each: plain, split, with experts, quantised, and without tensors.
"""

import sys
from pathlib import Path

import gguf
import numpy as np


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "empty", 0)
    write(folder / "plain", 3)
    write(folder / "split", 1, n_splits=2)
    write(folder / "experts", 2, n_experts=4)
    write(folder / "quantised", 2, quantised=True)


def write(
    path: Path, n_tensors: int, *, n_splits: int = 1, n_experts: int = 0, quantised: bool = False
) -> None:
    writer = gguf.GGUFWriter(path, "qwen3moe" if n_experts else "llama")
    writer.add_block_count(1)
    if n_splits > 1:
        writer.add_uint16("split.count", n_splits)
        writer.add_uint16("split.no", 0)
    if n_experts:
        writer.add_expert_used_count(2)
    shape = (n_experts, 2, 32) if n_experts else (2, 32)
    for i in range(n_tensors):
        weights = np.full(shape, i, np.float32)
        if quantised:
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(f"t{i}", gguf.quants.quantize(weights, kind), raw_dtype=kind)
        else:
            writer.add_tensor(f"t{i}", weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


main()
