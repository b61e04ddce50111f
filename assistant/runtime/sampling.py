"""The next token, drawn as `SamplingParameters` say: llama.cpp's samplers in one chain.

Knows logits and tokens, no text. The order is top-k, penalties, top-p, min-p, temperature, draw:
llama.cpp searches a hash table for each candidate in the penalties, so they follow top-k.
"""

import ctypes
import secrets
from typing import Any, Final, Self

import numpy as np

from assistant.errors import GenerationError, InputError
from assistant.records import FloatArray, SamplingParameters
from assistant.runtime.library import llama, take_complaints

_PENALTY_LAST_N: Final = 64  # tokens that repeat_penalty looks back
_GREEDY_CANDIDATES: Final = 64  # kept for the penalties when the best one is taken
_CANDIDATE: Final = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


class Sampler:
    """One chain for one reply. A context manager: it frees what llama.cpp allocated."""

    def __init__(self, parameters: SamplingParameters, vocab: Any, n_vocabulary: int) -> None:
        self._lib = llama()
        self._n_vocabulary = n_vocabulary
        self._grammar = self._make_grammar(parameters.grammar, vocab)
        self._chain = self._lib.llama_sampler_chain_init(
            self._lib.llama_sampler_chain_default_params()
        )
        for link in self._links(parameters):
            self._lib.llama_sampler_chain_add(self._chain, link)
        self._sample = self._lib.llama_sampler_sample

    def _links(self, parameters: SamplingParameters) -> list[Any]:
        lib, greedy = self._lib, parameters.temperature <= 0
        penalised = parameters.repeat_penalty != 1.0
        top_k = parameters.top_k if not greedy else _GREEDY_CANDIDATES * penalised
        links = []
        if top_k > 0:
            links.append(lib.llama_sampler_init_top_k(top_k))
        if penalised:
            links.append(
                lib.llama_sampler_init_penalties(
                    self._n_vocabulary, _PENALTY_LAST_N, parameters.repeat_penalty, 0.0, 0.0
                )
            )
        if greedy:
            return [*links, lib.llama_sampler_init_greedy()]
        if parameters.top_p < 1:
            links.append(lib.llama_sampler_init_top_p(parameters.top_p, 1))
        if parameters.min_p > 0:
            links.append(lib.llama_sampler_init_min_p(parameters.min_p, 1))
        seed = secrets.randbits(32) if parameters.seed is None else parameters.seed
        # 0xFFFFFFFF means "draw one" to llama.cpp.
        links.append(lib.llama_sampler_init_temp(parameters.temperature))
        links.append(lib.llama_sampler_init_dist(seed % 0xFFFFFFFF))
        return links

    def _make_grammar(self, grammar: str | None, vocab: Any) -> Any:
        if grammar is None:
            return None
        take_complaints()
        made = self._lib.llama_sampler_init_grammar(vocab, grammar.encode(), b"root")
        if not made:
            raise InputError(
                f"The grammar is not valid GBNF: {take_complaints() or 'it does not parse'}.",
                "Check the rule named `root`.",
            )
        return made

    def sample(self, context: Any, index: int = -1) -> int:
        """Draw from output `index` of the last evaluation, and take the token into account."""
        if self._grammar is None:
            return int(self._sample(self._chain, context, index))
        return self._sample_by_grammar(context, index)

    def _sample_by_grammar(self, context: Any, index: int) -> int:
        """Draw freely; only where the grammar refuses the token, draw among those it allows.

        Asking it of all candidates costs tens of milliseconds, of one token microseconds. The
        distribution is the same: p(t) + (1 - Z) p(t)/Z = p(t)/Z, Z being the share allowed.
        """
        pointer = self._lib.llama_get_logits_ith(context, index)
        logits = np.ctypeslib.as_array(pointer, (self._n_vocabulary,))  # (n_vocabulary,)
        token, _ = self._draw(logits)
        if not self._allows(token):
            token, logit = self._draw(logits, by_grammar=True)
            if logit == -np.inf or not self._allows(token):
                raise GenerationError(
                    "The grammar allows no token of this model here.", "Loosen the grammar."
                )
        self._lib.llama_sampler_accept(self._grammar, token)
        self._lib.llama_sampler_accept(self._chain, token)
        return token

    def _draw(self, logits: FloatArray, *, by_grammar: bool = False) -> tuple[int, float]:
        candidates = np.empty(self._n_vocabulary, _CANDIDATE)
        candidates["id"] = np.arange(self._n_vocabulary, dtype=np.int32)
        candidates["logit"] = logits
        candidates["p"] = 0
        array = self._as_array(candidates)
        if by_grammar:
            self._lib.llama_sampler_apply(self._grammar, ctypes.byref(array))
        self._lib.llama_sampler_apply(self._chain, ctypes.byref(array))
        chosen = array.data[array.selected]
        return int(chosen.id), float(chosen.logit)

    def _allows(self, token: int) -> bool:
        candidates = np.zeros(1, _CANDIDATE)
        candidates["id"] = token
        array = self._as_array(candidates)
        self._lib.llama_sampler_apply(self._grammar, ctypes.byref(array))
        return bool(candidates["logit"][0] != -np.inf)

    def _as_array(self, candidates: Any) -> Any:
        data = candidates.ctypes.data_as(self._lib.llama_token_data_p)
        return self._lib.llama_token_data_array(
            data=data, size=len(candidates), selected=-1, sorted=False
        )

    def close(self) -> None:
        if self._chain:
            self._lib.llama_sampler_free(self._chain)  # frees its links too
            self._chain = None
        if self._grammar is not None:
            self._lib.llama_sampler_free(self._grammar)
            self._grammar = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def surprise_of(logits: FloatArray, token: int) -> float:
    """-log softmax(logits)[token], nats. `logits`: (n_vocabulary,)."""
    peak = float(logits.max())
    total = float(np.exp(logits - peak, dtype=np.float32).sum(dtype=np.float64))
    return float(np.log(total)) + peak - float(logits[token])
