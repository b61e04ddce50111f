"""The plan's arithmetic, on made-up models: no file, no library."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from assistant.errors import OutOfMemory
from assistant.runtime.plan import MIB, PAGE_BYTES, Plan, Rates, Role, TensorInfo, make_plan

RATES = Rates(disk=2e9, compute=16e9)


def make_tensors(
    n_layers: int = 28, *, width: int = 1536, n_ff: int = 8960, tied: bool = False, experts: int = 0
) -> list[TensorInfo]:
    """About the shape of a small Qwen, 4.5 bits per weight."""
    found: list[TensorInfo] = []
    end = 1000

    def add(name: str, columns: int, rows: int = 1, n: int = 1) -> None:
        nonlocal end
        row_bytes = columns * 4 if rows == 1 else columns * 9 // 16
        n_bytes = row_bytes * rows * n
        found.append(TensorInfo(name, n_bytes, row_bytes, (columns, rows, n, 1), 0, end))
        end += -(-n_bytes // 32) * 32

    add("token_embd.weight", width, 150_000)
    for layer in range(n_layers):
        block = f"blk.{layer}."
        add(block + "attn_norm.weight", width)
        for name, rows in (("attn_q", width), ("attn_k", width // 6), ("attn_output", width)):
            add(f"{block}{name}.weight", width, rows)
        if experts:
            add(block + "ffn_gate_inp.weight", width, experts)
            add(block + "ffn_gate_exps.weight", width, n_ff, experts)
            add(block + "ffn_up_exps.weight", width, n_ff, experts)
            add(block + "ffn_down_exps.weight", n_ff, width, experts)
        else:
            add(block + "ffn_gate.weight", width, n_ff)
            add(block + "ffn_up.weight", width, n_ff)
            add(block + "ffn_down.weight", n_ff, width)
    add("output_norm.weight", width)
    if not tied:
        add("output.weight", width, 150_000)
    return found


def file_bytes(tensors: list[TensorInfo]) -> int:
    return sum(tensor.n_bytes for tensor in tensors)


models = st.builds(
    make_tensors,
    st.integers(1, 40),
    width=st.sampled_from([256, 768, 1536, 4096]),
    n_ff=st.sampled_from([512, 4096, 14336]),
    tied=st.booleans(),
    experts=st.sampled_from([0, 0, 8, 64]),
)


def plan_or_reject(tensors: list[TensorInfo], share: float) -> Plan:
    try:
        return make_plan(tensors, int(file_bytes(tensors) * share), RATES, n_experts_used=4)
    except OutOfMemory:
        assume(False)
        raise


@given(models, st.floats(0.02, 1.2))
def test_a_plan_never_takes_more_than_its_budget(tensors: list[TensorInfo], share: float) -> None:
    plan = plan_or_reject(tensors, share)
    assert plan.ram_bytes <= plan.budget_bytes


@given(models, st.floats(0.02, 1.2))
def test_every_tensor_has_a_role_and_streamed_ones_a_place(
    tensors: list[TensorInfo], share: float
) -> None:
    plan = plan_or_reject(tensors, share)
    streamed = [i for i, role in enumerate(plan.roles) if role is Role.STREAMED]
    assert len(plan.roles) == len(tensors)
    assert sorted(plan.order) == streamed
    assert (plan.ring_bytes > 0) == bool(streamed)


@given(models, st.floats(0.02, 1.2))
def test_small_tensors_are_always_pinned(tensors: list[TensorInfo], share: float) -> None:
    plan = plan_or_reject(tensors, share)
    for tensor, role in zip(plan.tensors, plan.roles, strict=True):
        if tensor.shape[1] == 1 or "ffn_gate_inp" in tensor.name:
            assert role is Role.PINNED, tensor.name


@given(models, st.floats(0.02, 1.0), st.floats(0.0, 0.2))
def test_more_ram_never_makes_much_more_to_read(
    tensors: list[TensorInfo], share: float, more: float
) -> None:
    small, large = plan_or_reject(tensors, share), plan_or_reject(tensors, share + more)
    # The ring grows with the budget, so a little more may be streamed just where it does.
    slack = max(tensor.n_bytes for tensor in tensors) + large.ring_bytes - small.ring_bytes
    assert large.bytes_per_token <= small.bytes_per_token + max(0, slack)


@given(models, st.floats(0.02, 1.0))
def test_the_ring_holds_three_of_its_largest_pieces(
    tensors: list[TensorInfo], share: float
) -> None:
    plan = plan_or_reject(tensors, share)
    for i in plan.order:
        piece = min(tensors[i].n_bytes, 128 * tensors[i].row_bytes)
        assert plan.ring_bytes >= 3 * (piece + PAGE_BYTES)


def test_all_that_fits_is_pinned() -> None:
    tensors = make_tensors()
    plan = make_plan(tensors, 2 * file_bytes(tensors), RATES)
    assert set(plan.roles) == {Role.PINNED}
    assert plan.bytes_per_token == 0
    assert plan.resident_share == 1


def test_what_is_streamed_is_spread_evenly_over_the_layers() -> None:
    tensors = make_tensors()
    plan = make_plan(tensors, file_bytes(tensors) // 2, RATES)
    layers = [int(tensors[i].name.split(".")[1]) for i in plan.order]
    assert layers == sorted(layers)
    per_layer = [layers.count(layer) for layer in range(28)]
    assert max(per_layer) - min(per_layer) <= 1


def test_embeddings_are_gathered_unless_they_are_the_output_too() -> None:
    for tied in (False, True):
        tensors = make_tensors(tied=tied)
        plan = make_plan(tensors, file_bytes(tensors) // 2, RATES)
        role = plan.roles[0]
        assert (role is Role.GATHERED) == (not tied)


def test_experts_get_a_cache_and_the_rest_is_pinned() -> None:
    tensors = make_tensors(8, n_ff=768, experts=64)
    plan = make_plan(tensors, file_bytes(tensors) // 3, RATES, n_experts_used=4)
    assert plan.total(Role.STREAMED) == 0
    assert 0.1 < plan.expert_share < 0.4
    expected = plan.total(Role.EXPERTS) * (4 / 64) * (1 - plan.expert_share)
    assert plan.bytes_per_token == pytest.approx(expected)


def test_the_prediction_is_the_slower_of_disk_and_processor() -> None:
    tensors = make_tensors()
    plan = make_plan(tensors, file_bytes(tensors) // 2, RATES)
    assert plan.tokens_per_second == pytest.approx(RATES.disk / plan.bytes_per_token)
    fast = make_plan(tensors, file_bytes(tensors) // 2, Rates(disk=1e12, compute=16e9))
    used = file_bytes(tensors) - tensors[0].n_bytes
    assert fast.tokens_per_second == pytest.approx(16e9 / used)


def test_a_budget_below_the_least_is_refused_with_the_least() -> None:
    tensors = make_tensors()
    with pytest.raises(OutOfMemory, match="needs at least") as caught:
        make_plan(tensors, 2 * MIB, RATES)
    least = int(caught.value.what.split("at least ")[1].split()[0])
    make_plan(tensors, (least + 1) * MIB, RATES)
