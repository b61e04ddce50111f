"""Real models for the tests of this folder, loaded once for each module.

One thread each: llama.cpp's threads wait for one another by spinning, which on a busy machine takes
longer than the work.
"""

from collections.abc import Iterator

import pytest

from assistant.runtime.model import Model
from conftest import model_file

SMALL = "smollm2-135m-instruct-q4_1"
DEFAULT = "qwen2.5-coder-0.5b-instruct-q4_k_m"


@pytest.fixture(scope="module")
def small_model() -> Iterator[Model]:
    """SmolLM2-135M, 512 tokens of context."""
    with Model.load(model_file(SMALL), n_ctx=512, n_threads=1) as model:
        yield model


@pytest.fixture
def small(small_model: Model) -> Model:
    """The small model with empty sequences."""
    for sequence in range(small_model.kv_cache.n_sequences):
        small_model.drop_sequence(sequence)
    return small_model


@pytest.fixture(scope="module")
def default_model() -> Iterator[Model]:
    """The default model, Qwen2.5-Coder-0.5B."""
    with Model.load(model_file(DEFAULT), n_ctx=2048, n_threads=1) as model:
        yield model
