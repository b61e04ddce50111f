"""A model's vocabulary: text to tokens and back, and what each token is.

Knows tokens and bytes, not templates and not the KV cache.
"""

import ctypes
from collections.abc import Sequence
from typing import Any

from assistant.runtime.library import llama


class Vocabulary:
    """The vocabulary of one loaded model; valid as long as the model is."""

    def __init__(self, model: Any) -> None:
        self._lib = llama()
        self._vocab = self._lib.llama_model_get_vocab(model)
        self.pointer = self._vocab
        self.n_tokens = int(self._lib.llama_vocab_n_tokens(self._vocab))
        self.bos = int(self._lib.llama_vocab_bos(self._vocab))
        self.eos = int(self._lib.llama_vocab_eos(self._vocab))
        self.adds_bos = bool(self._lib.llama_vocab_get_add_bos(self._vocab)) and self.bos >= 0
        self._pieces: dict[int, bytes] = {}
        self._end_of_generation: dict[int, bool] = {}
        # A SentencePiece vocabulary puts a space before every text it is given, also before one
        # that goes on in the middle of a prompt; a newline in front takes that space instead.
        self._guard: list[int] = []
        if self._lib.llama_vocab_type(self._vocab) == self._lib.LLAMA_VOCAB_TYPE_SPM:
            self._guard = self._tokenize(b"\n", special=False)

    def tokenize(self, text: str, *, special: bool = False, inside: bool = False) -> list[int]:
        """`text` as tokens, no BOS. `special`: control tokens are recognised in it.

        `inside`: the text continues a prompt, so no space is put before it.
        """
        raw = text.encode("utf-8", "replace")  # a lone surrogate would end in a C++ exception
        if inside and self._guard:
            tokens = self._tokenize(b"\n" + raw, special=special)
            n = len(self._guard)
            if tokens[:n] == self._guard:
                return tokens[n:]
        return self._tokenize(raw, special=special)

    def _tokenize(self, raw: bytes, *, special: bool) -> list[int]:
        if not raw:
            return []
        room = len(raw) + 8
        while True:
            buffer = (self._lib.llama_token * room)()
            n = self._lib.llama_tokenize(self._vocab, raw, len(raw), buffer, room, False, special)
            if n >= 0:
                return list(buffer[:n])
            room = -n

    def piece(self, token: int) -> bytes:
        """The bytes of one token; empty for a control token."""
        piece = self._pieces.get(token)
        if piece is None:
            piece = self._pieces[token] = self._piece(token, special=False)
        return piece

    def text_of(self, token: int) -> str:
        """A token as the template writes it, control tokens included; "" for no token."""
        return self._piece(token, special=True).decode("utf-8", "replace") if token >= 0 else ""

    def _piece(self, token: int, *, special: bool) -> bytes:
        room = 64
        while True:
            buffer = ctypes.create_string_buffer(room)
            n = self._lib.llama_token_to_piece(self._vocab, token, buffer, room, 0, special)
            if n >= 0:
                return buffer.raw[:n]
            room = -n

    def detokenize(self, tokens: Sequence[int]) -> str:
        return b"".join(map(self.piece, tokens)).decode("utf-8", "replace")

    def is_end(self, token: int) -> bool:
        """Whether the token ends a generation (EOS, end of turn)."""
        end = self._end_of_generation.get(token)
        if end is None:
            end = bool(self._lib.llama_vocab_is_eog(self._vocab, token))
            self._end_of_generation[token] = end
        return end

    def is_ordinary(self, token: int) -> bool:
        """Whether plain text can become this token: neither a control nor an added token."""
        attributes = self._lib.llama_vocab_get_attr(self._vocab, token)
        added = self._lib.LLAMA_TOKEN_ATTR_CONTROL | self._lib.LLAMA_TOKEN_ATTR_USER_DEFINED
        return not attributes & added
