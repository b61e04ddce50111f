"""Words of a query and where they stand in the store: FTS5's index, read term by term.

Reading the index itself (`fts5vocab`) instead of asking for `bm25()` gives every hit's term counts,
so one look-up serves messages, their neighbours and whole sessions. Knows no vectors.
"""

import re
import sqlite3
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from assistant.memory.schema import Store

RowArray = npt.NDArray[np.int64]

MAX_STEMS: Final = 20_000  # words whose term is remembered, about 2 MB
_stems: Final[dict[str, str]] = {}
_tokenizer_lock = threading.Lock()  # of both

_WORD: Final = re.compile(r"[^\W_]+")
# Words that say how a thing is asked, not what about. Contractions fall apart at the apostrophe.
STOP_WORDS: Final = frozenset(
    _WORD.findall(
        """
    a about after all also am an and any are as at be because been before being but by can could
    d did do does doing down during each few for from further had has have having he her here
    hers him his how i if in into is it its itself just ll m may me might more most must my no
    nor not now of off on once only or other our out over own re s same shall she should so some
    such t than that the their them then there these they this those through to too under until
    up us ve very was we were what when where which while who whom whose why will with would yes
    you your yours
        """
    )
)


@dataclass(frozen=True, slots=True)
class Postings:
    """Where one term stands: memory ids and how often in each. `n_memories` is its frequency."""

    term: str
    ids: RowArray  # (n,) ascending
    counts: npt.NDArray[np.float32]  # (n,)

    @property
    def n_memories(self) -> int:
        return len(self.ids)


def words_of(text: str) -> list[str]:
    """The words of a text in order, lower case."""
    return _WORD.findall(text.casefold())


def content_words(text: str) -> list[str]:
    """The words that carry meaning, in order."""
    return [word for word in words_of(text) if word not in STOP_WORDS]


def replace_speakers(text: str, speakers: Collection[str]) -> str:
    """`text` with each speaker's name, whole or its first word, as "I"."""
    names = {part for name in speakers for part in (name, name.split(" ")[0]) if part}
    if not names:
        return text
    either = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.sub(rf"\b(?:{either})\b", "I", text)


@lru_cache(maxsize=1)
def _tokenizer() -> sqlite3.Connection:
    """FTS5's own tokenizer, in a database in RAM: the only way to it without an extension."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.execute(
        "CREATE VIRTUAL TABLE text USING fts5"
        " (word, tokenize = 'porter unicode61 remove_diacritics 2')"
    )
    connection.execute("CREATE VIRTUAL TABLE terms USING fts5vocab (text, instance)")
    return connection


def stem(word: str) -> str:
    """The term FTS5 stores for a word (Porter, no diacritics); empty where it stores none."""
    return stems([word])[0]


def stems(words: Sequence[str]) -> list[str]:
    """`stem` of each word. Unknown ones go to FTS5 together: that costs a tenth of one by one."""
    with _tokenizer_lock:
        unknown = [word for word in dict.fromkeys(words) if word not in _stems]
        if len(_stems) + len(unknown) > MAX_STEMS:
            _stems.clear()
            unknown = list(dict.fromkeys(words))
        if unknown:
            _stems.update(zip(unknown, _ask_tokenizer(unknown), strict=True))
        return [_stems[word] for word in words]


def _ask_tokenizer(words: Sequence[str]) -> list[str]:
    connection = _tokenizer()
    connection.execute("BEGIN")
    try:
        connection.executemany(
            "INSERT INTO text (rowid, word) VALUES (?, ?)", enumerate(words, start=1)
        )
        terms = dict(connection.execute("SELECT doc, min(term) FROM terms GROUP BY doc"))
    finally:
        connection.rollback()
    return [terms.get(number, "") for number in range(1, len(words) + 1)]


def find_postings(store: Store, term: str) -> Postings:
    """All places of one term, read as one text: one row for each of them would be made into Python
    objects, which took most of a recall at 100 000 memories."""
    listed = store.value("SELECT group_concat(doc) FROM memories_words WHERE term = ?", (term,))
    places = np.fromstring(listed or "", np.int64, sep=",")
    ids, counts = np.unique(places, return_counts=True)
    return Postings(term, ids, counts.astype(np.float32))
