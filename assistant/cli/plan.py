"""`assistant models plan`: how a model would be held in RAM, and how fast that would be.

Draws what the runtime plans; the arithmetic is in runtime/plan.py. `models.py` hangs it into its
group; everything heavy is imported when the command runs.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assistant.cli.output import note, print_json, print_text
from assistant.errors import AssistantError

if TYPE_CHECKING:
    from assistant.cli.settings import Settings
    from assistant.runtime.plan import Plan


@click.command()
@click.argument("model")
@click.option("--budget", help="RAM for the weights: a size (2GiB) or a share of the model (50%).")
@click.pass_obj
def plan(settings: "Settings", model: str, budget: str | None) -> None:
    """Which weights of MODEL (an id or a GGUF file) stay in RAM, and the speed to expect.

    Without --budget: what is free now, less KV cache and a margin. Measures disk and processor.
    """
    from assistant.conversation.assemble import slow_advice
    from assistant.runtime.available import available_bytes
    from assistant.runtime.weight_window import plan_file

    path = _find(settings, model)
    made = plan_file(path, budget or settings.config.text("runtime.weight_window"))
    if settings.json:
        print_json({"v": 1, "plan": describe(made)})
        return
    for row in _table(made):
        print_text(row)
    if advice := slow_advice(
        settings.paths, made.slow_warning, path.stat().st_size, available_bytes()
    ):
        note(advice, settings)


def _find(settings: "Settings", model: str) -> Path:
    path = Path(model)
    if path.is_file():
        return path
    from assistant.conversation.assemble import open_catalogue

    catalogue = open_catalogue(settings.paths)
    return catalogue.path_of(catalogue.find(model))


def describe_weights(settings: "Settings", path: Path) -> dict[str, Any]:
    """How a conversation begun now would hold the weights of `path`: bytes, tokens per second."""
    from assistant.runtime.loading import LoadOptions, find_window, may_repack
    from assistant.runtime.weight_window import WeightWindow

    config = settings.config
    options = LoadOptions(
        n_ctx=config.integer("runtime.n_ctx"), kv_cache_type=config.text("runtime.kv_cache_type")
    )
    try:
        window = find_window(path, config.text("runtime.weight_window"), options)
    except AssistantError as error:  # what else is known of the model is told all the same
        return {"mode": "none", "reason": error.what}
    if not isinstance(window, WeightWindow):
        told = {"mode": "mapped", "resident_share": 1.0, "bytes_per_token": 0}
        return {**told, "repacked": may_repack(path, config.text("runtime.repack"))}
    window.close()
    told = describe(window.plan)
    names = ("resident_share", "bytes_per_token", "ram_bytes", "tokens_per_second")
    return {"mode": "window", **{name: told[name] for name in names}}


def describe(plan: "Plan") -> dict[str, Any]:
    """The plan as plain values; bytes, and tokens per second."""
    from assistant.runtime.plan import Role

    return {
        "budget_bytes": plan.budget_bytes,
        "ram_bytes": plan.ram_bytes,
        "ring_bytes": plan.ring_bytes,
        "expert_cache_bytes": plan.expert_bytes,
        "gather_bytes": plan.gather_bytes,
        **{f"{role.name.lower()}_bytes": plan.total(role) for role in Role},
        "resident_share": round(plan.resident_share, 4),
        "bytes_per_token": round(plan.bytes_per_token),
        "disk_bytes_per_s": round(plan.rates.disk),
        "compute_bytes_per_s": round(plan.rates.compute),
        "tokens_per_second": round(plan.tokens_per_second, 2),
    }


def _table(plan: "Plan") -> list[str]:
    from assistant.runtime.plan import Role

    meaning = {
        Role.PINNED: "in RAM for good",
        Role.STREAMED: "read for every token",
        Role.GATHERED: "rows read when a token needs them",
        Role.EXPERTS: "read when the router chooses them",
    }
    rows = [f"{'weights':10} {'tensors':>8} {'bytes':>10}  how they come into RAM"]
    for role, words in meaning.items():
        if n := plan.roles.count(role):
            rows.append(f"{role.name.lower():10} {n:8} {_mb(plan.total(role)):>10}  {words}")
    rows += [
        "",
        f"RAM        {_mb(plan.ram_bytes)} of {_mb(plan.budget_bytes)}"
        f" (ring {_mb(plan.ring_bytes)}, expert cache {_mb(plan.expert_bytes)})",
        f"disk       {_mb(plan.bytes_per_token)} per token at {plan.rates.disk / 1e9:.2f} GB/s",
        f"processor  {_mb(plan.used_bytes_per_token)} per token"
        f" at {plan.rates.compute / 1e9:.1f} GB/s",
        f"expected   {plan.tokens_per_second:.1f} tokens per second",
    ]
    return rows


def _mb(n_bytes: float) -> str:
    return f"{n_bytes / 1e6:.0f} MB"
