"""The weight window's plan: which weights stay in RAM, which are streamed, and how fast that is.

Pure arithmetic on sizes, names and rates; knows no file, no library and no model. Dense weights are
read in a cycle, once per token, and for a cyclic scan nothing beats pinning a fixed part and
streaming the rest (Belady, 1966): the page cache, which drops what was used longest ago, always
drops what is needed next. A mixture of experts reads what its router chooses, so its experts get a
cache. The idea of weights that live in flash: "LLM in a flash" (arXiv 2312.11514).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from assistant.errors import OutOfMemory

PAGE_BYTES: Final = 4096
MIB: Final = 1 << 20

# The ring: default, least and most RAM for streamed weights between the disk and their use. The
# time of the output matrix and of sampling must be bridged (32 MiB is 16 ms of a 2 GB/s disk); more
# is better spent on pinned weights.
RING_BYTES: Final = 48 * MIB
RING_BYTES_MAX: Final = 256 * MIB
_RING_SHARE: Final = 8  # of the budget, the ring may take one part in this many
_PIECE_ROWS: Final = 128  # the least rows of a large tensor that are streamed as one piece
_PIECES: Final = 3  # one in use, one complete, one being read

N_GATHER_ROWS: Final = 512  # embedding rows kept
SLOW_TOKENS_PER_SECOND: Final = 2.0  # below, a smaller model is the better advice


class Role(IntEnum):
    """How a weight comes into RAM; the numbers of `assistant_window_role`."""

    PINNED = 0
    STREAMED = 1
    GATHERED = 2
    EXPERTS = 3


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor of a GGUF file."""

    name: str
    n_bytes: int
    row_bytes: int
    shape: tuple[int, int, int, int]  # elements; the first is the length of a row
    file: int = 0
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Rates:
    """What the machine does, bytes per second; see `weight_window.measure_rates`."""

    disk: float
    compute: float  # weights multiplied with one token's activations, all in RAM


@dataclass(frozen=True, slots=True)
class Plan:
    """A role per tensor, the order of streaming, and what follows from them."""

    tensors: tuple[TensorInfo, ...]
    roles: tuple[Role, ...]
    order: tuple[int, ...]  # the streamed tensors, as they will be used
    budget_bytes: int
    ring_bytes: int
    expert_bytes: int  # RAM for the expert cache
    gather_bytes: int
    n_experts_used: int
    rates: Rates

    def total(self, role: Role) -> int:
        """File bytes of the tensors with this role."""
        pairs = zip(self.tensors, self.roles, strict=True)
        return sum(tensor.n_bytes for tensor, given in pairs if given is role)

    @property
    def ram_bytes(self) -> int:
        """RAM the window takes; never more than the budget."""
        return pinned_bytes(self) + self.ring_bytes + self.expert_bytes + self.gather_bytes

    @property
    def expert_share(self) -> float:
        """Share of the experts that the cache holds; 1 where there are none."""
        experts = self.total(Role.EXPERTS)
        return min(1.0, self.expert_bytes / experts) if experts else 1.0

    @property
    def resident_share(self) -> float:
        """Share of the model's bytes that need not be read again."""
        streamed = self.total(Role.STREAMED) + self.total(Role.EXPERTS) * (1 - self.expert_share)
        return 1 - streamed / max(1, sum(tensor.n_bytes for tensor in self.tensors))

    @property
    def bytes_per_token(self) -> float:
        """Bytes read from disk per token. Experts: as if the router chose evenly (it does not, so
        fewer are read)."""
        return self.total(Role.STREAMED) + self._routed_bytes * (1 - self.expert_share)

    @property
    def _routed_bytes(self) -> float:
        pairs = zip(self.tensors, self.roles, strict=True)
        return sum(
            tensor.n_bytes * min(1.0, self.n_experts_used / max(1, tensor.shape[2]))
            for tensor, role in pairs
            if role is Role.EXPERTS
        )

    @property
    def used_bytes_per_token(self) -> float:
        """Bytes of weights that one token is multiplied with."""
        return self.total(Role.PINNED) + self.total(Role.STREAMED) + self._routed_bytes

    @property
    def tokens_per_second(self) -> float:
        """The slower of disk and processor: both work at once, except for experts, which are known
        only when their layer is reached."""
        compute_s = self.used_bytes_per_token / self.rates.compute
        stream_s = self.total(Role.STREAMED) / self.rates.disk
        expert_s = self._routed_bytes * (1 - self.expert_share) / self.rates.disk
        return 1 / max(1e-9, max(compute_s, stream_s) + expert_s)

    @property
    def slow_warning(self) -> str:
        """What to tell the person when replies will be slow; empty when they will not."""
        expected = self.tokens_per_second
        if expected >= SLOW_TOKENS_PER_SECOND:
            return ""
        return f"This model is larger than the RAM for it: about {expected:.1f} tokens per second."


def pinned_bytes(plan: Plan) -> int:
    """RAM of the pinned tensors, in whole pages; neighbours in the file share theirs."""
    chosen = [t for t, r in zip(plan.tensors, plan.roles, strict=True) if r is Role.PINNED]
    return _paged_bytes(chosen)


def _paged_bytes(tensors: Iterable[TensorInfo]) -> int:
    total, file, end = 0, -1, 0
    for tensor in sorted(tensors, key=lambda t: (t.file, t.offset)):
        begin = tensor.offset // PAGE_BYTES * PAGE_BYTES
        stop = -(-(tensor.offset + tensor.n_bytes) // PAGE_BYTES) * PAGE_BYTES
        if tensor.file != file:
            file, end = tensor.file, 0
        total += max(0, stop - max(begin, end))
        end = max(end, stop)
    return total


# Kinds of tensors, told by the names that GGUF fixes.

_BLOCK: Final = re.compile(r"blk\.(\d+)\.")
_TABLES: Final = frozenset(
    {
        "token_embd.weight",
        "token_types.weight",
        "position_embd.weight",
        "per_layer_token_embd.weight",
    }
)
# Order of use within a layer; what is not named comes between attention and FFN.
_RANKS: Final = ("attn_q", "attn_k", "attn_v", "attn_qkv", "attn", "", "ffn_up", "ffn_gate", "ffn")


def _place(tensor: TensorInfo) -> tuple[int, int, str]:
    """Where in a token's computation the tensor is used, roughly; the window learns the rest."""
    block = _BLOCK.match(tensor.name)
    if block is None:
        is_last = tensor.name.startswith("output")
        return (1 << 30 if is_last else -1, 0, tensor.name)
    rest = tensor.name[block.end() :]
    rank = next((i for i, prefix in enumerate(_RANKS) if prefix and rest.startswith(prefix)), 5)
    return (int(block[1]), rank, tensor.name)


def _is_experts(tensor: TensorInfo) -> bool:
    return tensor.shape[2] > 1 and tensor.name.endswith("_exps.weight")


def _can_stream(tensor: TensorInfo) -> bool:
    """Matrices may be streamed; norms, biases, routers and other small things stay."""
    is_matrix = tensor.shape[1] > 1 and tensor.shape[2] == tensor.shape[3] == 1
    return is_matrix and tensor.name.endswith(".weight") and "ffn_gate_inp" not in tensor.name


@dataclass(frozen=True, slots=True)
class _Kinds:
    """Numbers of the tensors, by what may be done with them."""

    gathered: frozenset[int]  # embedding tables, when they are not the output matrix as well
    experts: frozenset[int]
    matrices: tuple[int, ...]  # may be streamed
    fixed: tuple[int, ...]  # always pinned


def _sort_out(tensors: Sequence[TensorInfo]) -> _Kinds:
    tied = not any(tensor.name == "output.weight" for tensor in tensors)
    tables = _TABLES - {"token_embd.weight"} if tied else _TABLES
    gathered = frozenset(i for i, tensor in enumerate(tensors) if tensor.name in tables)
    experts = frozenset(i for i, tensor in enumerate(tensors) if _is_experts(tensor))
    rest = [i for i in range(len(tensors)) if i not in gathered | experts]
    return _Kinds(
        gathered,
        experts,
        tuple(i for i in rest if _can_stream(tensors[i])),
        tuple(i for i in rest if not _can_stream(tensors[i])),
    )


def make_plan(
    tensors: Sequence[TensorInfo], budget_bytes: int, rates: Rates, *, n_experts_used: int = 0
) -> Plan:
    """The best use of `budget_bytes` of RAM for these weights.

    Pinned first is what is small, then output and attention, then as much of every layer's FFN as
    fits, spread evenly so that the disk never idles; of a mixture of experts everything but the
    experts, whose cache gets the rest. Raises OutOfMemory where not even the ring and the small
    tensors fit.
    """
    tensors = tuple(tensors)
    if _paged_bytes(tensors) <= budget_bytes:  # nothing needs to be read twice
        roles = (Role.PINNED,) * len(tensors)
        return Plan(tensors, roles, (), budget_bytes, 0, 0, 0, n_experts_used, rates)
    kinds = _sort_out(tensors)
    gather = sum(_gather_bytes(tensor) for tensor in tensors if tensor.name in _TABLES)
    room = budget_bytes - gather - _paged_bytes(tensors[i] for i in kinds.fixed)
    experts = kinds.experts
    matrices = _paged_bytes(tensors[i] for i in kinds.matrices)
    if experts and matrices + _paged_bytes(tensors[i] for i in experts) <= room:
        experts = frozenset()  # they all fit: pinned like the rest
    least = _expert_bytes_min([tensors[i] for i in sorted(experts)], n_experts_used)
    room -= least
    ring, streamed = 0, frozenset[int]()
    if matrices > room:
        ring = _ring_bytes([tensors[i] for i in kinds.matrices], budget_bytes)
        streamed = frozenset(_choose_streamed(tensors, kinds.matrices, room - ring))
    if room < ring:
        raise _too_small(budget_bytes, budget_bytes + ring - room)
    by_role = {Role.GATHERED: kinds.gathered, Role.EXPERTS: experts, Role.STREAMED: streamed}
    roles = tuple(
        next((role for role, members in by_role.items() if i in members), Role.PINNED)
        for i in range(len(tensors))
    )
    pinned = _paged_bytes(t for t, role in zip(tensors, roles, strict=True) if role is Role.PINNED)
    left = budget_bytes - gather - ring - pinned if experts else 0
    order = tuple(sorted(streamed, key=lambda i: _place(tensors[i])))
    return Plan(tensors, roles, order, budget_bytes, ring, left, gather, n_experts_used, rates)


def _too_small(budget_bytes: int, needed_bytes: int) -> OutOfMemory:
    return OutOfMemory(
        f"A weight window of {budget_bytes / MIB:.0f} MiB is too small for this model: "
        f"it needs at least {needed_bytes / MIB:.0f} MiB.",
        "Set runtime.weight_window to more, or choose a smaller model.",
    )


def _gather_bytes(tensor: TensorInfo) -> int:
    """Rows kept, and whole pages around those read at once (native/window/row-gatherer.cpp)."""
    landing = 32 * (-(-tensor.row_bytes // PAGE_BYTES) + 1) * PAGE_BYTES
    return N_GATHER_ROWS * tensor.row_bytes + landing + 2 * PAGE_BYTES


def _expert_bytes_min(experts: Sequence[TensorInfo], n_used: int) -> int:
    """Slots for one token's experts in every pool of native/window/expert-runner.cpp."""
    layers: dict[str, list[int]] = {}
    for tensor in sorted(experts, key=lambda t: "down" in t.name):
        each = tensor.n_bytes // tensor.shape[2]
        room = -(-(tensor.offset % PAGE_BYTES + each) // PAGE_BYTES) * PAGE_BYTES
        room += PAGE_BYTES if each % PAGE_BYTES else 0
        layers.setdefault(tensor.name.rsplit(".", 2)[0], []).append(room)
    pools = {tuple(rooms) for rooms in layers.values()}
    return max(1, n_used) * sum(sum(rooms) for rooms in pools)


def _ring_bytes(tensors: Sequence[TensorInfo], budget_bytes: int) -> int:
    """Three of the largest tensor where the budget allows, else of the largest piece of one."""
    layers = [t.n_bytes for t in tensors if _BLOCK.match(t.name)]
    wanted = max(RING_BYTES, _PIECES * (max(layers, default=0) + 3 * PAGE_BYTES))
    piece = max(min(t.n_bytes, _PIECE_ROWS * t.row_bytes) + 3 * PAGE_BYTES for t in tensors)
    allowed = max(min(RING_BYTES_MAX, budget_bytes // _RING_SHARE), _PIECES * piece)
    return -(-min(wanted, allowed) // PAGE_BYTES) * PAGE_BYTES


def _choose_streamed(
    tensors: Sequence[TensorInfo], candidates: Sequence[int], room_bytes: int
) -> set[int]:
    """Which of `candidates` are streamed so that the others fit into `room_bytes`.

    Groups are pinned in order: output, attention, FFN; one that does not fit whole is divided
    evenly along the order of use.
    """
    streamed = set(candidates)
    for group in _groups(tensors, candidates):
        size = _paged_bytes(tensors[i] for i in group) + 2 * PAGE_BYTES * len(group)
        if size <= room_bytes:
            streamed -= set(group)
            room_bytes -= size
            continue
        some = _spread(tensors, sorted(group, key=lambda i: _place(tensors[i])), room_bytes)
        streamed -= some
        room_bytes -= sum(tensors[i].n_bytes + 2 * PAGE_BYTES for i in some)
    return streamed


def _groups(tensors: Sequence[TensorInfo], candidates: Sequence[int]) -> list[list[int]]:
    groups: list[list[int]] = [[], [], []]
    for i in candidates:
        name = tensors[i].name
        rank = 0 if _BLOCK.match(name) is None else 1 if ".ffn" not in name else 2
        groups[rank].append(i)
    return [group for group in groups if group]


def _spread(tensors: Sequence[TensorInfo], ordered: Sequence[int], room_bytes: int) -> set[int]:
    """Pin tensors worth `room_bytes`, evenly along the order of use (Bresenham's error diffusion)."""
    costs = {i: tensors[i].n_bytes + 2 * PAGE_BYTES for i in ordered}
    share = max(0, room_bytes) / max(1, sum(costs.values()))
    pinned: set[int] = set()
    owed = 0.0
    left = room_bytes
    for i in ordered:
        owed += share * costs[i]
        if owed >= costs[i] <= left:  # never ahead of the share, or the last layers get none
            pinned.add(i)
            owed -= costs[i]
            left -= costs[i]
    for i in ordered:  # what rounding left over
        if i not in pinned and costs[i] <= left:
            pinned.add(i)
            left -= costs[i]
    return pinned
