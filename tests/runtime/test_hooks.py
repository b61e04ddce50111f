"""A weight window's failed read ends the turn and nothing else."""

from typing import Any

import pytest

from assistant.errors import WeightReadError
from assistant.records import ChatMessage, SamplingParameters
from assistant.runtime.batching import Batcher
from assistant.runtime.model import Model
from conftest import model_file

pytestmark = pytest.mark.model

GREEDY = SamplingParameters(temperature=0, repeat_penalty=1.0, max_tokens=8)


class FakeWindow:
    """Says what it was told, in order; `fail_in` evaluations from now a read fails."""

    mode = "window: fake"
    slow_warning = "fake: slow"

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.fail_in = -1

    def apply(self, model_params: Any, context_params: Any) -> None:
        assert not model_params.use_extra_bufts
        assert context_params.n_threads == 1
        self.calls.append("apply")

    def attach(self, model: int, context: int) -> None:
        assert model
        assert context
        self.calls.append("attach")

    def check(self) -> None:
        self.fail_in -= 1
        if self.fail_in == 0:
            raise WeightReadError("The model's weights could not be read: a test.")

    def close(self) -> None:
        self.calls.append("close")


def test_a_window_is_told_everything_in_order_and_its_errors_end_the_turn_alone():
    window = FakeWindow()
    with Model.load(
        model_file("smollm2-135m-instruct-q4_1"), n_ctx=256, n_threads=1, window=window
    ) as model:
        assert window.calls == ["apply", "attach"]
        assert model.info.window == "window: fake"
        assert model.info.slow_warning == "fake: slow"
        tokens = model.render([ChatMessage("user", "Tell me a story.")])
        expected = [token.id for token in model.stream(tokens, GREEDY)]
        model.drop_sequence(0)
        for fail_in in (1, 2, 5):
            window.fail_in = fail_in
            with pytest.raises(WeightReadError):
                list(model.stream(tokens, GREEDY))
            assert model.context.length(0) == len(model.kv_cache.tokens(0))
        assert [token.id for token in model.stream(tokens, GREEDY)] == expected
        window.fail_in = 3
        batcher: Batcher[int] = Batcher(model)
        batcher.submit(1, tokens, GREEDY)
        (failed,) = batcher
        assert isinstance(failed.error, WeightReadError)
    assert window.calls == ["apply", "attach", "close"]


def test_a_window_that_cannot_attach_is_closed():
    class Refusing(FakeWindow):
        def attach(self, model: int, context: int) -> None:
            raise WeightReadError("no")

    window = Refusing()
    with pytest.raises(WeightReadError):
        Model.load(model_file("smollm2-135m-instruct-q4_1"), n_ctx=256, n_threads=1, window=window)
    assert window.calls == ["apply", "close"]
