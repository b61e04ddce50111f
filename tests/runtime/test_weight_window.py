"""The weight window against plain mmap, on random models: the same tokens, the same logits."""

import json
import os
import resource
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from assistant.errors import OutOfMemory, SettingError, WeightReadError
from assistant.records import SamplingParameters
from assistant.runtime.model import Model
from assistant.runtime.plan import PAGE_BYTES, Rates, Role, make_plan
from assistant.runtime.weight_window import WeightWindow, open_window, parse_budget
from assistant.runtime.window_library import WindowHandle
from conftest import SOAK_SHARE
from random_models import Shape, write_model

pytestmark = pytest.mark.native

PROMPT = [int(n) for n in np.random.default_rng(3).integers(0, 256, 40)]
GREEDY = SamplingParameters(temperature=0, repeat_penalty=1.0, max_tokens=12)
RATES = Rates(disk=2e9, compute=1e10)
DENSE = (
    Shape("llama", "Q4_K"),
    Shape("llama", "Q8_0", tied=True),
    Shape("llama", "F16", tied=True),
    Shape("qwen2", "Q4_K", tied=True),
    Shape("qwen2", "F16"),
    Shape("qwen2", "Q8_0", splits=2),
)
EXPERTS = tuple(Shape("qwen3moe", q, n_layers=2, n_ff=256) for q in ("Q4_K", "Q8_0", "F16"))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """`written(shape)`: the model's file, written once."""
    files: dict[Shape, Path] = {}

    def find(shape: Shape) -> Path:
        if shape not in files:
            files[shape] = write_model(tmp_path_factory.mktemp("model"), shape)
        return files[shape]

    yield find
    for file in files.values():
        shutil.rmtree(file.parent)


def make_window(file: Path, share: float) -> WeightWindow:
    handle = WindowHandle(file)
    budget = int(share * sum(tensor.n_bytes for tensor in handle.tensors))
    plan = make_plan(handle.tensors, budget, RATES, n_experts_used=handle.n_experts_used)
    return WeightWindow(handle, plan)


@contextmanager
def loaded(file: Path, window: WeightWindow | None, **options: Any) -> Iterator[Model]:
    values = {"n_ctx": 256, "n_batch": 64, "n_threads": 1, **options}
    with Model.load(file, weight_window="off", window=window, **values) as model:
        yield model


def run_greedy(
    model: Model, prompt: Sequence[int] = PROMPT, n: int = 8
) -> tuple[list[int], npt.NDArray[np.float32]]:
    """Tokens and the logits (n + 1, n_vocabulary) behind them."""
    model.drop_sequence(0)
    model.prefill(prompt)
    tokens, logits = [], [model.context.logits().copy()]
    for i in range(n):
        tokens.append(int(np.argmax(logits[-1])))
        model.context.evaluate_one(tokens[-1], len(prompt) + i, 0)
        logits.append(model.context.logits().copy())
    return tokens, np.array(logits)


def decode(model: Model, n: int) -> None:
    """`n` tokens more, all different, after those of `run_greedy`."""
    start = model.context.length(0)
    for i in range(n):
        model.context.evaluate_one(i * 7 % 256, start + i, 0)


@pytest.mark.parametrize("shape", DENSE, ids=str)
def test_a_dense_model_says_the_same_at_every_budget(written: Any, shape: Shape) -> None:
    file = written(shape)
    with loaded(file, None) as model:
        tokens, logits = run_greedy(model)
    assert np.ptp(logits) > 1  # a model that says something
    for share in (1.0, 0.75, 0.5, 0.35, 0.2):
        window = make_window(file, share)
        with loaded(file, window) as model:
            assert run_greedy(model)[0] == tokens
            assert np.array_equal(run_greedy(model)[1], logits), share
            counters = window.counters()
            assert counters.n_unplanned == 0
            assert window.plan.total(Role.STREAMED) == 0 or counters.n_bytes_read > 0


@pytest.mark.parametrize("shape", EXPERTS, ids=str)
def test_a_mixture_of_experts_says_the_same_at_every_budget(written: Any, shape: Shape) -> None:
    file = written(shape)
    with loaded(file, None) as model:
        tokens, logits = run_greedy(model)
    for share in (1.0, 0.5, 0.25, 0.18):
        window = make_window(file, share)
        with loaded(file, window) as model:
            for _ in range(2):
                found = run_greedy(model)
                assert found[0] == tokens
                assert np.array_equal(found[1], logits), share
            assert window.counters().n_unplanned == 0


def test_two_threads_and_large_batches_say_the_same(written: Any) -> None:
    prompt = PROMPT * 3
    for shape in (DENSE[0], DENSE[2], EXPERTS[0]):
        file = written(shape)
        with loaded(file, None, n_threads=2, n_batch=128) as model:
            expected = run_greedy(model, prompt, 1)
        with loaded(file, make_window(file, 0.3), n_threads=2, n_batch=128) as model:
            found = run_greedy(model, prompt, 1)
        assert found[0] == expected[0]
        assert np.array_equal(found[1], expected[1])


def test_experts_are_read_only_when_they_are_not_in_the_cache(
    written: Any, record_property: Callable[[str, object], None]
) -> None:
    """32 experts a layer; RAM for all else and a share of the experts (`pytest -s` prints)."""
    file = written(EXPERTS[1])
    with loaded(file, None) as model:
        expected = run_greedy(model)
    for share in (1.0, 0.25, 0.1):
        handle = WindowHandle(file)
        experts = sum(t.n_bytes for t in handle.tensors if "_exps" in t.name)
        other = sum(t.n_bytes for t in handle.tensors) - experts
        plan = make_plan(
            handle.tensors, int(other + 0.7e6 + share * experts), RATES, n_experts_used=4
        )
        window = WeightWindow(handle, plan)
        with loaded(file, window) as model:
            found = run_greedy(model, n=8)
            assert found[0] == expected[0]
            assert np.array_equal(found[1], expected[1]), share
            before = window.counters().as_dict()
            decode(model, 60)
            after = window.counters().as_dict()
        change = {name: after[name] - before[name] for name in after}
        if share == 1.0:
            assert after["n_expert_bytes_read"] <= 1.1 * experts  # each is read once
            continue
        missed = change["n_expert_misses"] * experts / (2 * 32)  # two layers
        ratio = change["n_expert_bytes_read"] / missed
        told = {
            "bytes_per_token": round(change["n_expert_bytes_read"] / 60),
            "missing_bytes_per_token": round(missed / 60),
            "ratio": round(ratio, 4),
            "hit_rate": round(change["n_expert_hits"] / (60 * 2 * 4), 3),  # four are chosen
        }
        print(f"experts in RAM {share:.0%}: {told}")
        record_property(f"experts {share:.0%}", told)
        assert 0 < ratio <= 1.1
        assert change["n_expert_hits"] > 0
        assert after["n_expert_evictions"] > 0


def test_a_prefill_reads_the_streamed_set_once(written: Any) -> None:
    file = written(DENSE[0])
    window = make_window(file, 0.4)
    with loaded(file, window, n_ctx=512, n_batch=256) as model:
        run_greedy(model, n=1)
        before = window.counters().as_dict()
        model.drop_sequence(0)
        model.prefill((PROMPT * 7)[:256])  # one micro-batch
        after = window.counters().as_dict()
    assert after["n_graphs"] - before["n_graphs"] == 1
    n_bytes = after["n_bytes_read"] - before["n_bytes_read"]
    # Each read begins at a page, and what the ring held before and holds after may differ by all of it.
    begun_early = PAGE_BYTES * (after["n_reads"] - before["n_reads"])
    assert n_bytes <= window.plan.bytes_per_token + begun_early + window.plan.ring_bytes


def test_no_page_of_the_mapping_is_touched_again(written: Any) -> None:
    file = written(DENSE[0])
    with loaded(file, make_window(file, 0.5)) as model:
        run_greedy(model)
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_majflt
        run_greedy(model, n=20)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_majflt == faults
        assert mapped_resident_bytes(file) == 0


def mapped_resident_bytes(file: Path) -> int:
    """Bytes of the file's mappings in this process that are in RAM."""
    total, inside = 0, False
    for line in Path("/proc/self/smaps").read_text("utf-8").splitlines():
        if "-" in line.split(" ", 1)[0]:
            inside = line.endswith(str(file))
        elif inside and line.startswith("Rss:"):
            total += int(line.split()[1]) * 1024
    return total


def test_prefixes_sequences_states_and_grammars_work_as_without(
    written: Any, tmp_path: Path
) -> None:
    file = written(DENSE[1])

    def use(model: Model) -> list[Any]:
        said: list[Any] = [[t.id for t in model.stream(PROMPT, GREEDY)]]
        said.append(model.prefill([*PROMPT, 5, 6, 7]).n_reused)
        model.save_state(tmp_path / "state")
        model.drop_sequence(0)
        said.append(model.load_state(tmp_path / "state"))
        said.append([t.id for t in model.stream([*PROMPT, 5, 6, 7, 8], GREEDY)])
        model.copy_sequence(0, 1)
        said.append([t.id for t in model.stream([*PROMPT, 9], GREEDY, sequence=1)])
        said.append(model.surprise(PROMPT[:9], sequence=2))
        grammar = SamplingParameters(temperature=0, max_tokens=6, grammar='root ::= "in" "th"+')
        said.append([t.text for t in model.stream(PROMPT, grammar)])
        return said

    with loaded(file, None) as model:
        expected = use(model)
    with loaded(file, make_window(file, 0.4)) as model:
        assert use(model) == expected


@pytest.mark.parametrize(
    "options", [{"kv_cache_type": "q8_0"}, {"flash_attention": "off"}], ids=str
)
def test_kv_types_and_flash_attention_work_as_without(
    written: Any, options: dict[str, str]
) -> None:
    for shape in (DENSE[0], EXPERTS[0]):
        file = written(shape)
        with loaded(file, None, **options) as model:
            expected = run_greedy(model)
        with loaded(file, make_window(file, 0.4), **options) as model:
            found = run_greedy(model)
        assert np.array_equal(found[1], expected[1])


def test_a_stop_ends_prefill_and_decode_and_the_next_turn_is_whole(written: Any) -> None:
    for shape in (DENSE[0], DENSE[2], EXPERTS[0]):
        file = written(shape)
        with loaded(file, None) as model:
            expected = run_greedy(model)
        with loaded(file, make_window(file, 0.3)) as model:
            model.drop_sequence(0)
            for token in model.stream(PROMPT, GREEDY):
                model.stop()
                assert token
            assert model.finish == "stopped"
            # In the midst of a graph: the flag is set before the first node is computed.
            model._stop.set()
            model.context.evaluate(PROMPT, 0, 1)
            model._stop.clear()
            model.drop_sequence(1)
            assert np.array_equal(run_greedy(model)[1], expected[1])


@pytest.mark.parametrize("shape", [DENSE[0], EXPERTS[0]], ids=str)
def test_a_truncated_file_fails_the_turn_and_not_the_process(
    written: Any, tmp_path: Path, shape: Shape
) -> None:
    file = tmp_path / "model.gguf"
    shutil.copyfile(written(shape), file)
    size, modified = file.stat().st_size, file.stat().st_mtime_ns
    window = make_window(file, 0.4)
    with loaded(file, window) as model:
        expected = run_greedy(model)
        os.truncate(file, size // 8)
        for _ in range(2):
            with pytest.raises(WeightReadError, match="truncated"):
                run_greedy(model)
        shutil.copyfile(written(shape), file)
        with pytest.raises(WeightReadError, match="changed"):
            run_greedy(model)
        os.utime(file, ns=(modified, modified))  # as a disk that was away and came back
        found = run_greedy(model)
        assert np.array_equal(found[1], expected[1])


def test_a_replaced_file_changes_nothing(written: Any, tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    shutil.copyfile(written(DENSE[0]), file)
    with loaded(file, make_window(file, 0.4)) as model:
        expected = run_greedy(model)
        other = tmp_path / "other.gguf"
        other.write_bytes(b"GGUF" + bytes(1000))
        other.replace(file)
        assert np.array_equal(run_greedy(model)[1], expected[1])


def test_models_follow_one_another_in_one_process_and_leave_no_memory(written: Any) -> None:
    shapes = (DENSE[0], EXPERTS[0], DENSE[3])

    def use_all() -> None:
        for shape in shapes:
            with loaded(written(shape), make_window(written(shape), 0.4)) as model:
                run_greedy(model, n=2)

    use_all()
    before = anonymous_bytes()
    for _ in range(3):
        use_all()
    assert anonymous_bytes() - before < 8 << 20


def anonymous_bytes() -> int:
    for line in Path("/proc/self/status").read_text("utf-8").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise AssertionError


@pytest.mark.soak
def test_memory_is_constant_over_two_thousand_tokens(written: Any) -> None:
    n_tokens = int(2000 * SOAK_SHARE)
    for shape in (DENSE[0], EXPERTS[0]):
        file = written(shape)
        window = make_window(file, 0.4)
        with loaded(file, window) as model:
            run_greedy(model, n=100)
            before = anonymous_bytes()
            for _ in range(n_tokens // 200):
                run_greedy(model, n=200)
            assert anonymous_bytes() - before < 1 << 20
            assert window.counters().n_unplanned == 0


# Settings and refusals


def test_a_budget_is_a_size_or_a_share() -> None:
    assert parse_budget("50%", 1000) == 500
    assert parse_budget("2GiB", 1) == 2 << 30
    assert parse_budget("1.5g", 1) == 3 << 29
    assert parse_budget("700 MB", 1) == 700 << 20
    assert parse_budget("4096", 1) == 4096
    for wrong in ("", "much", "0", "0%", "120%", "-1G", "5 parsecs"):
        with pytest.raises(SettingError):
            parse_budget(wrong, 1000)


def test_gpu_layers_are_refused_with_a_remedy(written: Any) -> None:
    file = written(DENSE[0])
    with (
        pytest.raises(SettingError, match="CPU only"),
        loaded(file, make_window(file, 0.5), n_gpu_layers=8),
    ):
        pass


def test_off_and_a_model_that_fits_take_no_window(written: Any) -> None:
    file = written(DENSE[0])
    assert open_window(file, "off", reserve_bytes=0) is None
    assert open_window(file, "auto", reserve_bytes=0) is None


def test_auto_takes_a_window_for_what_does_not_fit(
    written: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(DENSE[0])
    free = int(0.7 * file.stat().st_size)
    monkeypatch.setattr("assistant.runtime.weight_window.available_bytes", lambda: free)
    window = open_window(file, "auto", reserve_bytes=1000)
    assert window is not None
    assert window.plan.budget_bytes < free
    assert "resident" in window.mode
    window.close()


def test_a_budget_that_is_too_small_is_refused(written: Any) -> None:
    with pytest.raises(OutOfMemory, match="needs at least"):
        open_window(written(DENSE[0]), "100k", reserve_bytes=0)


def test_the_counters_are_plain_numbers(written: Any) -> None:
    file = written(DENSE[0])
    window = make_window(file, 0.5)
    with loaded(file, window) as model:
        run_greedy(model, n=2)
        assert json.loads(json.dumps(window.counters().as_dict()))["n_graphs"] == 3
