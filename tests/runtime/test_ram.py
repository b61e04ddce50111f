"""The RAM of a whole `ask`: the model file, its KV cache and no more than 300 MB."""

import subprocess
import sys
from pathlib import Path

import pytest

from conftest import model_file

pytestmark = pytest.mark.model

N_CTX = 4096
# The peak is read in a small process of its own: a child begins with its parent's.
MEASURE = """
import resource, subprocess, sys
child = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
print(child.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
"""


def test_the_peak_of_ask_is_the_file_the_kv_cache_and_300_mb(home: Path):
    command = [sys.executable, "-m", "assistant", "ask", "--data-dir", str(home)]
    question = "What is the name of my sister's dog, and where does she live?"
    measured = subprocess.run(
        [sys.executable, "-c", MEASURE, *command, question],
        capture_output=True,
        text=True,
        check=True,
    )
    code, peak = map(int, measured.stdout.split())
    assert code == 0, measured.stderr
    file_bytes = model_file("qwen2.5-coder-0.5b-instruct-q4_k_m").stat().st_size
    kv_bytes = N_CTX * 24 * 2 * 128 * 2  # tokens x layers x K and V x width x float16
    assert peak <= file_bytes + kv_bytes + (300 << 20)
