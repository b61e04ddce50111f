"""What a weight window must offer so that `Model` runs through it.

Knows the order of the calls, not what a window does with them: `apply` before the model is loaded,
`attach` once its context exists, `check` after every `llama_decode`, `close` before both are freed.
"""

from typing import Any, Protocol


class WeightHook(Protocol):
    """Weights that are not all in RAM (assistant/runtime/weight_window.py)."""

    @property
    def mode(self) -> str:
        """The window in a few words for people ("55 % resident, 503 MB/token")."""

    @property
    def slow_warning(self) -> str:
        """What to tell the person where replies will be slow; empty where they will not."""

    def apply(self, model_params: Any, context_params: Any) -> None:
        """Set what the window needs in `llama_model_params` and `llama_context_params`, in place.

        Called once, before the file is loaded: `load_mode`, `use_extra_bufts`, `cb_eval`,
        `cb_eval_user_data`, `op_offload`. The hook keeps every callback object alive itself.
        """

    def attach(self, model: int, context: int) -> None:
        """The addresses of `llama_model` and `llama_context`; no decode has run yet."""

    def check(self) -> None:
        """Raise WeightReadError if a read failed since the last call, and clear it.

        Called after every `llama_decode`, also a failed or aborted one.
        """

    def close(self) -> None:
        """Stop all threads and give the tensors back; called before the context is freed."""
