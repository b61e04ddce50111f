"""The prompts a person sent, oldest first, kept across runs in one private file (JSON lines, 0600).

Knows no widget. A file that cannot be read or written costs the history, never the program.
"""

import json
from pathlib import Path

from assistant.paths import whole_file

MAXIMUM = 500  # default and maximum number of prompts kept


class PromptHistory:
    """Walk with `step`, add with `add`. `file` None keeps it in memory only (a temporary chat)."""

    def __init__(self, file: Path | None = None) -> None:
        self.file = file
        self._prompts = _read(file) if file else []
        self._at = len(self._prompts)
        self._draft = ""

    def add(self, prompt: str, *, keep: bool = True) -> None:
        """Remember a prompt that was sent; `keep` False writes nothing."""
        if not self._prompts or self._prompts[-1] != prompt:
            self._prompts = [*self._prompts[1 - MAXIMUM :], prompt]
            if keep:
                self._write()
        self._at, self._draft = len(self._prompts), ""

    def step(self, step: int, current: str) -> str | None:
        """The prompt before (-1) or after (1) the one shown; the draft comes back at the end."""
        at = self._at + step
        if not 0 <= at <= len(self._prompts):
            return None
        if self._at == len(self._prompts):
            self._draft = current
        self._at = at
        return self._draft if at == len(self._prompts) else self._prompts[at]

    def reload(self) -> None:
        """Read the file again: `erase` takes out the prompts that became erased messages."""
        if self.file is not None:
            self._prompts = _read(self.file)
            self._at, self._draft = len(self._prompts), ""

    def _write(self) -> None:
        if self.file is None:
            return
        try:
            with whole_file(self.file) as out:
                out.writelines(json.dumps(prompt) + "\n" for prompt in self._prompts)
        except OSError:
            self.file = None  # a read-only disk: go on without


def _read(file: Path) -> list[str]:
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    prompts: list[str] = []
    for line in lines:
        try:
            prompt = json.loads(line)
        except ValueError:
            continue
        if isinstance(prompt, str):
            prompts.append(prompt)
    return prompts[-MAXIMUM:]
