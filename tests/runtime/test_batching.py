"""Replies made together are the replies made one by one, and no row takes another's place."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from assistant.errors import GenerationError
from assistant.records import ChatMessage, SamplingParameters
from assistant.runtime.batching import Batcher
from assistant.runtime.context import Row, Status
from assistant.runtime.model import Model

pytestmark = pytest.mark.model

GREEDY = SamplingParameters(temperature=0, repeat_penalty=1.0, max_tokens=12)
QUESTIONS = ["Name three rivers.", "Why is the sky blue?", "Who wrote Faust?", "Describe a cat."]


def prompts(model: Model) -> list[list[int]]:
    return [model.render([ChatMessage("user", question)]) for question in QUESTIONS]


def test_one_row_is_the_stream(small: Model):
    tokens = prompts(small)[0]
    expected = "".join(token.text for token in small.stream(tokens, GREEDY))
    small.drop_sequence(0)
    batcher: Batcher[str] = Batcher(small)
    batcher.submit("a", tokens, GREEDY)
    (finished,) = batcher
    assert (finished.key, finished.text, finished.finish) == ("a", expected, "length")
    assert finished.n_completion == 12
    assert finished.n_prompt == len(tokens)


def test_rows_in_one_batch_have_the_logits_they_have_alone(small: Model):
    # Fewer than 64 tokens in all: from there on llama.cpp takes a tiled attention kernel, which
    # rounds differently (up to 0.9 in a logit here), and a greedy reply may differ near a tie.
    texts = [small.tokenize(question) for question in QUESTIONS]
    alone = []
    for tokens in texts:
        small.prefill(tokens)
        alone.append(small.context.logits().copy())
        small.drop_sequence(0)
    plan = [
        Row(token, position, sequence, position == len(tokens) - 1)
        for sequence, tokens in enumerate(texts)
        for position, token in enumerate(tokens)
    ]
    assert len(plan) < 64
    assert small.context.evaluate_rows(plan) is Status.DONE
    outputs = [i for i, row in enumerate(plan) if row.wants_logits]
    for index, expected in zip(outputs, alone, strict=True):
        np.testing.assert_allclose(small.context.logits(index), expected, atol=1e-2)
    for sequence in range(4):
        small.context.remove(sequence, 0)


def test_more_rows_than_sequences_all_come_back_once(small: Model):
    batcher: Batcher[int] = Batcher(small)
    rows = prompts(small) * 3
    for key, tokens in enumerate(rows):
        batcher.submit(key, tokens, replace(GREEDY, max_tokens=4 + key))
    finished = {row.key: row for row in batcher}
    assert sorted(finished) == list(range(12))
    assert all(row.finish in ("stop", "length") and row.text for row in finished.values())
    assert all(row.n_completion <= 4 + key for key, row in finished.items())
    assert batcher.n_open == 0


def test_rows_wait_until_there_is_room_for_their_longest_reply(small: Model):
    batcher: Batcher[int] = Batcher(small)
    n_most = []
    for key, tokens in enumerate(prompts(small)):
        batcher.submit(key, tokens, replace(GREEDY, max_tokens=400))
    while batcher.n_open:
        batcher.step()
        n_most.append(len(batcher._active))
        if len(n_most) == 6:
            break
    assert max(n_most) == 2  # 1024 cells, some 430 each
    batcher.close()
    assert batcher.n_open == 0


def test_a_row_that_cannot_be_answered_fails_alone(small: Model):
    batcher: Batcher[str] = Batcher(small)
    batcher.submit("long", [5] * 600, GREEDY)
    batcher.submit("empty", [], GREEDY)
    batcher.submit("good", prompts(small)[0], GREEDY)
    batcher.submit("grammar", prompts(small)[1], replace(GREEDY, grammar="root ::= ("))
    finished = {row.key: row for row in batcher}
    assert finished["good"].finish == "length"
    for key in ("long", "empty", "grammar"):
        assert finished[key].finish == "error"
        assert finished[key].error is not None


def test_a_failed_evaluation_fails_the_rows_in_it_and_no_other(
    small: Model, monkeypatch: pytest.MonkeyPatch
):
    batcher: Batcher[str] = Batcher(small)
    batcher.submit("a", prompts(small)[0], GREEDY)

    def fail(_plan: object) -> Status:
        raise GenerationError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(small.context, "evaluate_rows", fail)
        (failed,) = batcher.step()
    assert failed.finish == "error"
    batcher.submit("b", prompts(small)[1], GREEDY)
    assert [row.finish for row in batcher] == ["length"]


def test_a_stop_ends_all_rows_with_what_they_have(small: Model):
    batcher: Batcher[int] = Batcher(small)
    for key, tokens in enumerate(prompts(small)):
        batcher.submit(key, tokens, replace(GREEDY, max_tokens=100))
    for _ in range(4):
        assert batcher.step() == []
    threading.Thread(target=small.stop).start()
    finished = list(batcher)
    assert {row.finish for row in finished} == {"stopped"}
    assert len(finished) == 4
    assert all(
        small.context.length(sequence) == len(small.kv_cache.tokens(sequence))
        for sequence in range(4)
    )


def test_rows_keep_their_grammar_and_stop_strings(small: Model):
    batcher: Batcher[str] = Batcher(small)
    tokens = prompts(small)[1]
    batcher.submit("grammar", tokens, replace(GREEDY, grammar='root ::= "yes" | "no"'))
    batcher.submit("free", tokens, GREEDY)
    finished = {row.key: row.text for row in batcher}
    assert finished["grammar"] in ("yes", "no")
    # Alone both times: a batch of another size may round otherwise and choose other words.
    batcher.submit("alone", tokens, GREEDY)
    (alone,) = batcher
    batcher.submit("stopped", tokens, replace(GREEDY, stop=(alone.text[5:8],)))
    (stopped,) = batcher
    assert stopped.text == alone.text.split(alone.text[5:8])[0]
