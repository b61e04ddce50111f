"""`assistant bench decode`: our token stream against the barest llama.cpp loop there can be.

The peer samples and decodes and does nothing else: no text, no stop flag, one sequence. Both read
the same prompt with the same weights in memory. Many short runs alternate, so that whatever else
the machine does hits both.
"""

from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

import click

from assistant.bench.report import Settings, chosen_model, print_report
from assistant.records import ChatMessage, SamplingParameters
from assistant.runtime.library import llama
from assistant.runtime.model import Model

_PROMPT: Final = (
    "Write a long story about a lighthouse keeper and the sea, with every detail of one day."
)
Reply = tuple[list[int], float]  # tokens, seconds from the first to the last
_GREEDY: Final = SamplingParameters(temperature=0, repeat_penalty=1.0)


class BareLoop:
    """A second context over the same weights, driven as llama.cpp's own examples do."""

    def __init__(self, model: Model) -> None:
        lib = self._lib = llama()
        params = lib.llama_context_default_params()
        params.n_ctx = model.n_ctx
        params.n_threads = params.n_threads_batch = lib.llama_n_threads(model.context.pointer)
        self._model = lib.llama_get_model(model.context.pointer)
        self._vocab = lib.llama_model_get_vocab(self._model)
        self._context = lib.llama_init_from_model(self._model, params)
        self._sampler = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
        lib.llama_sampler_chain_add(self._sampler, lib.llama_sampler_init_greedy())

    def run(self, tokens: list[int], n_max: int) -> Reply:
        """The reply's tokens and the seconds from its first to its last."""
        lib, context, sampler = self._lib, self._context, self._sampler
        lib.llama_memory_clear(lib.llama_get_memory(context), False)
        prompt = (lib.llama_token * len(tokens))(*tokens)
        lib.llama_decode(context, lib.llama_batch_get_one(prompt, len(tokens)))
        one = (lib.llama_token * 1)()
        batch = lib.llama_batch_get_one(one, 1)
        one[0] = lib.llama_sampler_sample(sampler, context, -1)
        reply = [one[0]]
        start = perf_counter()
        while len(reply) < n_max:
            lib.llama_decode(context, batch)
            one[0] = lib.llama_sampler_sample(sampler, context, -1)
            if lib.llama_vocab_is_eog(self._vocab, one[0]):
                break
            reply.append(one[0])
        return reply, perf_counter() - start

    def close(self) -> None:
        self._lib.llama_sampler_free(self._sampler)
        self._lib.llama_free(self._context)


def stream_reply(model: Model, tokens: list[int], n_max: int) -> Reply:
    """The same by `Model.stream`, text and all."""
    model.drop_sequence(0)
    reply = []
    start = last = 0.0
    for token in model.stream(tokens, replace(_GREEDY, max_tokens=n_max)):
        last = perf_counter()
        start = start or last
        reply.append(token.id)
    return reply, last - start


def run(model_file: Path, *, n_runs: int = 21, n_tokens: int = 48) -> dict[str, Any]:
    """Medians over `n_runs` alternating pairs, tokens per second."""
    with Model.load(model_file, weight_window="off") as model:
        tokens = model.render([ChatMessage("user", _PROMPT)])
        bare = BareLoop(model)
        pairs, same = [], True
        for i in range(n_runs + 1):
            replies: dict[str, Reply] = {}
            for who in ("ours", "bare") if i % 2 else ("bare", "ours"):
                is_ours = who == "ours"
                replies[who] = (
                    stream_reply(model, tokens, n_tokens) if is_ours else bare.run(tokens, n_tokens)
                )
            same = same and replies["ours"][0] == replies["bare"][0]
            if i:  # the first pair warms the caches
                pairs.append((_speed(*replies["ours"]), _speed(*replies["bare"])))
        bare.close()
    ours, theirs = median(a for a, _ in pairs), median(b for _, b in pairs)
    return {
        "assistant_tps": round(ours, 2),
        "llama_tps": round(theirs, 2),
        "ratio": round(ours / theirs, 4),
        "runs": n_runs,
        "tokens": n_tokens,
        "same_tokens": same,
        "model": model_file.name,
    }


def _speed(reply: list[int], seconds: float) -> float:
    return (len(reply) - 1) / seconds


@click.command("decode")
@click.option("-m", "--model", "path", type=click.Path(path_type=Path), help="a GGUF file")
@click.option("--runs", default=21, show_default=True, help="alternating pairs of runs")
@click.option("--tokens", default=48, show_default=True, help="tokens per reply")
@click.pass_obj
def command(settings: Settings, path: Path | None, runs: int, tokens: int) -> None:
    """Tokens per second of our stream against a bare llama.cpp loop."""
    print_report(run(chosen_model(settings, path), n_runs=runs, n_tokens=tokens), settings)
