"""The real embedder: published similarities, odd texts, one text equal to a thousand."""

from pathlib import Path

import numpy as np
import pytest

from assistant.embedding.embedder import N_MAX, Embedder
from assistant.errors import ModelMissing, ModelUnreadable
from conftest import model_file

pytestmark = pytest.mark.model
ODD = [
    "",
    " ",
    "\0",
    "a\0b",
    "ok",
    "word " * 5000,
    "x" * 100_000,
    "\U0001f600" * 40,
    "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd",
    "e\u0301\u200d\ufeff",
    "\ud800 a lone surrogate",
    "My sister Anna moved to Lisbon.",
]


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    model = model_file("all-minilm-l6-v2-int8", "model.onnx")
    return Embedder.load(model, model.with_name("tokenizer.json"))


def test_near_meanings_have_high_similarity(embedder: Embedder) -> None:
    bolo, same, far = embedder.embed(
        ["Her dog is called Bolo.", "The name of her dog is Bolo.", "Interest rates rose again."]
    )
    assert bolo @ same > 0.8
    assert bolo @ far < 0.3


def test_every_odd_text_has_a_vector_of_norm_one(embedder: Embedder) -> None:
    vectors = embedder.embed(ODD)
    assert vectors.shape == (len(ODD), embedder.dimension)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_one_text_and_a_thousand_give_the_same_vectors(embedder: Embedder) -> None:
    texts = [f"{n} {'and more ' * (n % 7)}{ODD[n % 5]}" for n in range(1000)]
    together = embedder.embed(texts)
    alone = np.concatenate([embedder.embed([text]) for text in texts[::50]])
    np.testing.assert_allclose(together[::50], alone, atol=1e-3)


def test_no_texts_give_no_vectors(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, embedder.dimension)


def test_a_passage_is_never_cut_by_the_embedder(embedder: Embedder) -> None:
    text = "The quick brown fox jumps over it. " * 300 + "unbroken" * 300 + " word" * 900
    spans = embedder.split(text)
    assert len(spans) > 5
    assert all(len(embedder._tokenizer.encode(text[a:b]).ids) <= N_MAX for a, b in spans)
    assert embedder.split("short") == []


def test_a_missing_or_broken_model_says_what_to_do(embedder: Embedder, tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="models pull"):
        Embedder.load(tmp_path / "none.onnx", tmp_path / "none.json")
    (tmp_path / "model.onnx").write_bytes(b"not a model")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelUnreadable, match="no usable embedder"):
        Embedder.load(tmp_path / "model.onnx", tmp_path / "tokenizer.json")
