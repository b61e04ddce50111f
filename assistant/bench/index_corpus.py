"""Real English sentences from what is installed with Python: docstrings, comments and READMEs.

The benchmark's vectors must come from real text that anyone can have again without a download, so it
reads this Python's standard library and site-packages. Knows no embedder and no index.
"""

import ast
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from assistant.errors import NotFound

MIN_CHARACTERS: Final = 25
MAX_CHARACTERS: Final = 200
_SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_PARAGRAPH_END: Final = re.compile(r"\n\s*\n")
_WORD: Final = re.compile(r"[A-Za-z]{2,}")


def collect_sentences(n: int) -> list[str]:
    """`n` different sentences, the same ones for the same installed packages.

    Raises NotFound when the installed text is too small.
    """
    found: dict[str, None] = {}
    if n == 0:
        return []
    for text in _texts():
        for sentence in split_sentences(text):
            found.setdefault(sentence)
            if len(found) == n:
                return list(found)
    raise NotFound(
        f"The installed Python packages hold {len(found)} sentences, fewer than {n}.",
        "Ask for a smaller --n, or install more packages.",
    )


def split_sentences(text: str) -> Iterator[str]:
    """Sentences of running prose; code, tables and headings fall out by shape."""
    for paragraph in _PARAGRAPH_END.split(text):
        for sentence in _SENTENCE_END.split(" ".join(paragraph.split())):
            words = _WORD.findall(sentence)
            prose = 5 * len(words) >= 4 * len(sentence.split())
            if MIN_CHARACTERS <= len(sentence) <= MAX_CHARACTERS and len(words) >= 5 and prose:
                yield sentence


def _texts() -> Iterator[str]:
    library = Path(sysconfig.get_path("stdlib"))
    packages = Path(sysconfig.get_path("purelib"))
    sources = [f for f in sorted(library.rglob("*.py")) if "site-packages" not in f.parts]
    sources += sorted(packages.rglob("*.py"))
    for file in sources:
        yield from _docstrings(file)
    for file in sorted(packages.glob("*.dist-info/METADATA")):
        yield file.read_text("utf-8", "replace")
    for file in sources:
        yield "\n\n".join(_comments(file))


def _docstrings(file: Path) -> Iterator[str]:
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, RecursionError):  # test data that is broken on purpose
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


def _comments(file: Path) -> Iterator[str]:
    """Each run of comment lines as one text."""
    run: list[str] = []
    try:
        for line in file.read_text("utf-8").splitlines():
            stripped = line.strip()
            if stripped.startswith("#"):
                run.append(stripped.lstrip("#! "))
            elif run:
                yield " ".join(run)
                run = []
    except UnicodeDecodeError:
        return
    yield " ".join(run)
