"""`assistant bench batch`: what N replies at once gain, ours against a bare llama.cpp loop.

Both answer the same prompts with the same weights, greedily and to the same length, once one by
one and once N at a time; the gain is the quotient of the two speeds, reading included. Runs
alternate, so that whatever else the machine does hits all four.
"""

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

import click

from assistant.bench.report import Settings, chosen_model, print_report
from assistant.records import ChatMessage, SamplingParameters
from assistant.runtime.batching import Batcher
from assistant.runtime.library import llama
from assistant.runtime.model import Model

_TOPICS: Final = (
    "a lighthouse keeper",
    "a stolen bicycle",
    "the last train of the night",
    "two brothers in a mine",
    "a dog in Lisbon",
    "a baker who cannot sleep",
    "an old map",
    "the first day of snow",
)


class BareBatch:
    """A context for N sequences, driven with nothing but llama.cpp."""

    def __init__(self, model: Model, n_parallel: int) -> None:
        lib = self._lib = llama()
        params = lib.llama_context_default_params()
        params.n_ctx = model.n_ctx
        params.n_seq_max = n_parallel
        params.kv_unified = True
        params.n_threads = params.n_threads_batch = lib.llama_n_threads(model.context.pointer)
        self._n = n_parallel
        self._context = lib.llama_init_from_model(
            lib.llama_get_model(model.context.pointer), params
        )
        self._batch = lib.llama_batch_init(params.n_batch, 0, 1)
        self._sampler = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
        lib.llama_sampler_chain_add(self._sampler, lib.llama_sampler_init_greedy())

    def run(self, prompts: Sequence[Sequence[int]], n_tokens: int) -> float:
        """Seconds for `n_tokens` of reply to every prompt, N at a time."""
        start = perf_counter()
        for i in range(0, len(prompts), self._n):
            self._run_group(prompts[i : i + self._n], n_tokens)
        return perf_counter() - start

    def _run_group(self, prompts: Sequence[Sequence[int]], n_tokens: int) -> None:
        lib, batch = self._lib, self._batch
        lib.llama_memory_clear(lib.llama_get_memory(self._context), False)
        batch.n_tokens = 0
        outputs = []
        for sequence, prompt in enumerate(prompts):
            for position, token in enumerate(prompt):
                self._add(token, position, sequence, position == len(prompt) - 1)
            outputs.append(batch.n_tokens - 1)
        for step in range(n_tokens):
            lib.llama_decode(self._context, batch)
            tokens = [lib.llama_sampler_sample(self._sampler, self._context, i) for i in outputs]
            batch.n_tokens = 0
            for sequence, token in enumerate(tokens):
                self._add(token, len(prompts[sequence]) + step, sequence, True)
            outputs = list(range(len(prompts)))

    def _add(self, token: int, position: int, sequence: int, wants_logits: bool) -> None:
        batch = self._batch
        i = batch.n_tokens
        batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, position, 1
        batch.seq_id[i][0] = sequence
        batch.logits[i] = int(wants_logits)
        batch.n_tokens = i + 1

    def close(self) -> None:
        self._lib.llama_batch_free(self._batch)
        self._lib.llama_sampler_free(self._sampler)
        self._lib.llama_free(self._context)


def run_batcher(model: Model, prompts: Sequence[Sequence[int]], n_tokens: int) -> float:
    """Tokens per second of `Batcher` over all prompts, with as many sequences as `model` has."""
    for sequence in range(model.kv_cache.n_sequences):
        model.drop_sequence(sequence)
    greedy = SamplingParameters(temperature=0, repeat_penalty=1.0, max_tokens=n_tokens)
    batcher: Batcher[int] = Batcher(model)
    start = perf_counter()
    for key, prompt in enumerate(prompts):
        batcher.submit(key, prompt, greedy)
    n_written = sum(finished.n_completion for finished in batcher)
    return n_written / (perf_counter() - start)


def run(
    model_file: Path, *, n_parallel: int = 4, n_runs: int = 5, n_tokens: int = 32
) -> dict[str, Any]:
    """Medians over `n_runs` rounds of four runs, tokens per second."""
    speeds: dict[str, list[float]] = {"one": [], "many": [], "llama_one": [], "llama_many": []}
    with (
        Model.load(model_file, n_sequences=1, weight_window="off") as one,
        Model.load(model_file, n_sequences=n_parallel, weight_window="off") as many,
    ):
        prompts = [
            many.render([ChatMessage("user", f"Write a long story about {topic}.")])
            for topic in (_TOPICS * n_parallel)[: 2 * n_parallel]
        ]
        bare_one, bare_many = BareBatch(one, 1), BareBatch(many, n_parallel)
        n_written = n_tokens * len(prompts)
        for _ in range(n_runs):
            speeds["one"].append(run_batcher(one, prompts, n_tokens))
            speeds["llama_one"].append(n_written / bare_one.run(prompts, n_tokens))
            speeds["many"].append(run_batcher(many, prompts, n_tokens))
            speeds["llama_many"].append(n_written / bare_many.run(prompts, n_tokens))
        bare_one.close()
        bare_many.close()
    medians = {name: median(values) for name, values in speeds.items()}
    gain, bare_gain = medians["many"] / medians["one"], medians["llama_many"] / medians["llama_one"]
    return {
        "parallel": n_parallel,
        "assistant_tps": {
            "1": round(medians["one"], 2),
            str(n_parallel): round(medians["many"], 2),
        },
        "llama_tps": {
            "1": round(medians["llama_one"], 2),
            str(n_parallel): round(medians["llama_many"], 2),
        },
        "gain": round(gain, 3),
        "llama_gain": round(bare_gain, 3),
        "ratio": round(gain / bare_gain, 3),
        "runs": n_runs,
    }


@click.command("batch")
@click.option("-m", "--model", "path", type=click.Path(path_type=Path), help="a GGUF file")
@click.option("-j", "--parallel", default=4, show_default=True, help="replies at once")
@click.option("--runs", default=5, show_default=True, help="rounds of four runs")
@click.option("--tokens", default=32, show_default=True, help="tokens per reply")
@click.pass_obj
def command(settings: Settings, path: Path | None, parallel: int, runs: int, tokens: int) -> None:
    """What several replies at once gain, against a bare llama.cpp loop."""
    model_file = chosen_model(settings, path)
    report = run(model_file, n_parallel=parallel, n_runs=runs, n_tokens=tokens)
    print_report(report, settings)
