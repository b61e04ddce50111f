"""The prompts a person sent, oldest first, kept across runs in one private file (JSON lines, 0600).

A prompt is appended to the file, which other programs append to and erase from meanwhile. Knows no
widget. A file that cannot be read or written costs the history, never the program.
"""

import json
from contextlib import suppress
from pathlib import Path
from typing import Final

from assistant.paths import open_private, whole_file

MAXIMUM: Final = 500  # prompts to walk through; of more than twice as many the file keeps these


class PromptHistory:
    """Walk with `step`, add with `add`. `file` None keeps it in memory only (a temporary chat)."""

    def __init__(self, file: Path | None = None) -> None:
        self.file = file
        self._prompts = _read(file) if file else []
        if file and len(self._prompts) > 2 * MAXIMUM:
            with suppress(OSError), whole_file(file) as out:
                out.writelines(_line(prompt) for prompt in self._prompts[-MAXIMUM:])
        self._prompts = self._prompts[-MAXIMUM:]
        self._kept = self._prompts[-1] if self._prompts else None  # the last one in the file
        self._at = len(self._prompts)
        self._edits: dict[int, str] = {}  # what was typed at each place, the draft's among them

    def add(self, prompt: str, *, keep: bool = True) -> None:
        """Remember a prompt that was sent; `keep` False writes it nowhere, ever."""
        if keep and prompt != self._kept:
            self._append(prompt)
            self._kept = prompt
        if self._prompts[-1:] != [prompt]:
            self._prompts = [*self._prompts[1 - MAXIMUM :], prompt]
        self._at, self._edits = len(self._prompts), {}

    def step(self, step: int, current: str) -> str | None:
        """The prompt before (-1) or after (1) the one shown, as it was last seen: the draft at the end,
        and what was changed on the way, come back."""
        at = self._at + step
        if not 0 <= at <= len(self._prompts):
            return None
        self._edits[self._at], self._at = current, at
        return self._edits.get(at, self._prompts[at] if at < len(self._prompts) else "")

    def reload(self) -> None:
        """Read the file again: `erase` takes out the prompts that became erased messages."""
        if self.file is not None:
            self._prompts = _read(self.file)[-MAXIMUM:]
            self._at, self._edits = len(self._prompts), {}

    def _append(self, prompt: str) -> None:
        if self.file is None:
            return
        try:
            with open(self.file, "a", encoding="utf-8", opener=open_private) as out:
                out.write(_line(prompt))
        except OSError:
            self.file = None  # a read-only disk: go on without


def _line(prompt: str) -> str:
    return json.dumps(prompt) + "\n"


def _read(file: Path) -> list[str]:
    try:
        lines = file.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
    prompts: list[str] = []
    for line in lines:
        try:
            prompt = json.loads(line)
        except ValueError:
            continue
        if isinstance(prompt, str):
            prompts.append(prompt)
    return prompts
