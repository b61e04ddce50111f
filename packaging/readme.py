"""Write the README's tables (settings, keys, exit codes) from the code; `--check` only compares.

A table stands between `<!-- table: NAME -->` and `<!-- end -->`; everything else is left alone.
"""

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from man import exit_meanings

from assistant.config import SETTINGS, Setting
from assistant.tui.app import KEY_PLACES
from assistant.tui.keys import keys_of

README = Path(__file__).parent.parent / "README.md"
BLOCK = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def settings() -> str:
    """Every setting with its default and bounds."""
    rows = ((f"`{s.name}`", _default(s), _bounds(s), s.meaning) for s in SETTINGS.values())
    return _table(("setting", "default", "values", "meaning"), rows)


def keys() -> str:
    """Every binding, by the name it is remapped by."""
    rows = (
        (key.place, ", ".join(f"`{name}`" for name in key.keys), key.meaning, f"`{key.id}`")
        for key in keys_of(KEY_PLACES)
    )
    return _table(("where", "keys", "what it does", "name"), rows)


def exit_codes() -> str:
    """Every way a command ends."""
    rows = ((str(code), meaning) for code, meaning in sorted(exit_meanings().items()))
    return _table(("code", "meaning"), rows)


TABLES = {"settings": settings, "keys": keys, "exit_codes": exit_codes}


def fill(text: str) -> str:
    """`text` with every table in it made anew."""
    return BLOCK.sub(lambda match: match[1] + TABLES[match[2]]() + match[3], text)


def _default(setting: Setting) -> str:
    if setting.default == "" or setting.default == ():
        return "empty"
    shown = str(setting.default).lower() if isinstance(setting.default, bool) else setting.default
    return f"`{shown}`"


def _bounds(setting: Setting) -> str:
    if setting.choices:
        return ", ".join(f"`{choice}`" for choice in setting.choices)
    if setting.minimum is not None and setting.maximum is not None:
        return f"{setting.minimum:.10g} to {setting.maximum:.10g}"
    return "a list, comma-separated" if isinstance(setting.default, tuple) else "text"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in r] for r in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    now = README.read_text("utf-8")
    wanted = fill(now)
    if sys.argv[1:] == ["--check"]:
        sys.exit("README.md: run packaging/readme.py" if now != wanted else 0)
    README.write_text(wanted, "utf-8")
