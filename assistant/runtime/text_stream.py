"""Token bytes to text: half a character is held back, and so is what may become a stop string.

Knows bytes and strings, no model.
"""

import codecs
from collections.abc import Sequence


class TextStream:
    """Feed the bytes of each token, get the text that is certain.

    `stopped` is set once a stop string came; the text before it has then been given out and the
    stop string itself never is.
    """

    def __init__(self, stop: Sequence[str] = ()) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stop = tuple(text for text in stop if text)
        self._held = ""
        self.stopped = False

    def feed(self, piece: bytes) -> str:
        """The text that `piece` completes; empty while everything is held back."""
        text = self._decoder.decode(piece)
        return self._watch(text) if self._stop else text

    def finish(self) -> str:
        """The text still held back. A character that never got all its bytes is dropped."""
        held, self._held = self._held, ""
        return "" if self.stopped else held

    def _watch(self, text: str) -> str:
        text = self._held + text
        found = [at for at in (text.find(stop) for stop in self._stop) if at >= 0]
        if found:
            self.stopped = True
            self._held = ""
            return text[: min(found)]
        n_held = max(self._overlap(text, stop) for stop in self._stop)
        cut = len(text) - n_held
        self._held = text[cut:]
        return text[:cut]

    @staticmethod
    def _overlap(text: str, stop: str) -> int:
        """Length of the longest end of `text` that `stop` begins with."""
        for n in range(min(len(stop) - 1, len(text)), 0, -1):
            if text.endswith(stop[:n]):
                return n
        return 0
