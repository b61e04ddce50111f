"""Erasing: the text leaves every place that this program put it, and a receipt says which.

Rows with all that hangs on them, words, vectors and graph; then what was made from them: prompts
kept for "why", titles, summaries, saved KV states, prompt history, backups, index files; then the
bytes, by a rebuilt word index, an emptied WAL and a vacuumed file. Knows no ranking and no model.
"""

import json
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from assistant.errors import NotFound, StoreError
from assistant.memory.journal import give_way
from assistant.memory.messages import follow_branches, title_of
from assistant.memory.schema import Store, renew_generation, translated
from assistant.memory.summaries import forget_sources
from assistant.memory.words import content_words, find_postings, stem
from assistant.paths import Paths, unfinished_copies, whole_file
from assistant.wording import count_of

REPEATED_WORDS: Final = 0.75  # share of an erased text's content words that a repetition holds
MIN_WORDS: Final = 3  # content words; a shorter text is repeated by chance


@dataclass(slots=True)
class Receipt:
    """What was erased, by sort; `repeats` are memories that still say much the same."""

    counts: dict[str, int] = field(default_factory=dict)
    repeats: list[int] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, sort: str, count: int) -> None:
        if count:
            self.counts[sort] = self.counts.get(sort, 0) + count

    def lines(self, text_of: Callable[[int], str] | None = None) -> list[str]:
        """For the person: what is gone, what is left, what went wrong. `text_of` a memory quotes it."""
        lines = [f"{count_of(n, sort)} erased" for sort, n in self.counts.items()]
        if self.repeats:
            quoted = [f"{id} {text_of(id)}" if text_of else str(id) for id in self.repeats]
            listed = "".join(f"\n  {line}" for line in quoted) if text_of else ", ".join(quoted)
            lines.append(f"Memories that say much the same and are kept: {listed}")
        lines.append("Backups and exports that you made yourself elsewhere are not touched.")
        return lines + self.problems


def erase(store: Store, ids: Collection[int], now: datetime, paths: Paths | None) -> Receipt:
    """Erase memories with their sources: of a thought or a passage the whole message it is from.

    `paths` is the data directory whose caches hold copies; None erases in the database alone.
    Raises NotFound where an id is unknown; then nothing is erased. A step that fails after the rows
    are gone (another process holds the file) is a line of the receipt.
    """
    receipt = Receipt()
    with store.write(durable=True) as connection:
        message_ids, memory_ids = _reach(connection, ids)
        texts = _texts(connection, message_ids, memory_ids)
        _erase_rows(connection, message_ids, memory_ids, texts, now, receipt)
    receipt.repeats = find_repeats(store, texts)
    _erase_bytes(store, receipt)
    if paths is not None:
        _erase_copies(paths, texts, receipt)
    return receipt


def _reach(connection: sqlite3.Connection, ids: Collection[int]) -> tuple[list[int], list[int]]:
    """The messages to erase and every memory that goes with them."""
    marks = _marks(ids)
    rows = connection.execute(
        f"SELECT id, message_id FROM memories WHERE id IN ({marks})", [*ids]
    ).fetchall()
    unknown = set(ids) - {row["id"] for row in rows}
    if unknown:
        raise NotFound(f"There is no memory {min(unknown)}.", "Run `assistant memory list`.")
    messages = sorted({row["message_id"] for row in rows if row["message_id"] is not None})
    memories = connection.execute(
        f"SELECT id FROM memories WHERE id IN ({marks}) OR message_id IN ({_marks(messages)})",
        [*ids, *messages],
    ).fetchall()
    return messages, [row[0] for row in memories]


def _texts(
    connection: sqlite3.Connection, message_ids: Sequence[int], memory_ids: Sequence[int]
) -> list[str]:
    """Every wording of what is erased."""
    said = connection.execute(
        f"SELECT text, resolved_text FROM messages WHERE id IN ({_marks(message_ids)})", message_ids
    ).fetchall()
    kept = connection.execute(
        f"SELECT text FROM memories WHERE id IN ({_marks(memory_ids)})", memory_ids
    ).fetchall()
    found = [text for row in (*said, *kept) for text in row if text and text.strip()]
    return list(dict.fromkeys(found))


def _erase_rows(
    connection: sqlite3.Connection,
    message_ids: Sequence[int],
    memory_ids: Sequence[int],
    texts: Sequence[str],
    now: datetime,
    receipt: Receipt,
) -> None:
    """One transaction: the rows, what cascades from them, and what was made from their text."""
    memories, messages = _marks(memory_ids), _marks(message_ids)
    for sort, table, column in _HANGING:
        found = connection.execute(
            f"SELECT count(*) FROM {table} WHERE {column} IN ({memories})", memory_ids
        ).fetchone()
        receipt.add(sort, found[0])
    turns = connection.execute(
        f"SELECT DISTINCT turn_id, conversation_id FROM messages WHERE id IN ({messages})",
        message_ids,
    ).fetchall()
    receipt.add("summaries", len(forget_sources(connection, memory_ids, now) or ()))
    receipt.add("prompts", _erase_prompts(connection, memory_ids, turns))
    receipt.add("titles", _erase_titles(connection, turns, texts))
    receipt.add("history lines", _erase_history(connection, texts))
    released = _release(connection, memory_ids)
    deleted = connection.execute(f"DELETE FROM memories WHERE id IN ({memories})", memory_ids)
    receipt.add("memories", deleted.rowcount)
    follow_branches(connection, released)  # those of which nothing more stands in their place
    give_way(connection, released, now)
    deleted = connection.execute(f"DELETE FROM messages WHERE id IN ({messages})", message_ids)
    receipt.add("messages", deleted.rowcount)
    deleted = connection.execute(
        "DELETE FROM turns WHERE id NOT IN (SELECT turn_id FROM messages)"
        f" AND id IN ({_marks(turns)})",
        [row["turn_id"] for row in turns],
    )
    receipt.add("turns", deleted.rowcount)
    deleted = connection.execute(
        "DELETE FROM entities WHERE id NOT IN (SELECT entity_id FROM mentions)"
    )
    receipt.add("phrases", deleted.rowcount)
    connection.execute("INSERT INTO memories_fts (memories_fts) VALUES ('rebuild')")
    renew_generation(connection)


_HANGING: Final = (
    ("thoughts", "thoughts", "memory_id"),
    ("vectors", "vectors", "memory_id"),
    ("mentions", "mentions", "memory_id"),
    ("links", "links", "from_memory"),
    ("recalls", "recalls", "memory_id"),
)


def _release(connection: sqlite3.Connection, memory_ids: Sequence[int]) -> list[int]:
    """The memories of thoughts that were replaced by what is erased: what replaced that in turn
    stands for them now, if anything does."""
    erased = (json.dumps(list(memory_ids)),)
    gone = "SELECT id FROM thoughts WHERE memory_id IN (SELECT value FROM json_each(?1))"
    replaced = f"superseded_by IN ({gone}) AND memory_id NOT IN (SELECT value FROM json_each(?1))"
    released = connection.execute(
        f"SELECT memory_id FROM thoughts WHERE {replaced}", erased
    ).fetchall()
    for _ in memory_ids:  # along a chain of several that go
        moved = connection.execute(
            "UPDATE thoughts SET superseded_by = (SELECT n.superseded_by FROM thoughts n"
            f" WHERE n.id = thoughts.superseded_by) WHERE {replaced}",
            erased,
        )
        if not moved.rowcount:
            break
    return [row[0] for row in released]


def _erase_prompts(
    connection: sqlite3.Connection, memory_ids: Sequence[int], turns: Sequence[Any]
) -> int:
    """The prompts that may hold the text: of turns that were given it, and of its conversations,
    whose history it was."""
    conversations = sorted({row["conversation_id"] for row in turns})
    changed = connection.execute(
        "UPDATE turns SET prompt = NULL WHERE prompt IS NOT NULL AND (id IN (SELECT turn_id FROM"
        f" recalls WHERE memory_id IN ({_marks(memory_ids)}))"
        f" OR conversation_id IN ({_marks(conversations)}))",
        [*memory_ids, *conversations],
    )
    # A turn that is being answered was given nobody knows what: it is to keep no prompt.
    connection.execute("UPDATE turns SET prompt = '' WHERE finished IS NULL")
    return changed.rowcount


def _erase_titles(
    connection: sqlite3.Connection, turns: Sequence[Any], texts: Sequence[str]
) -> int:
    """Titles of conversations and episodes that share words with what is erased."""
    gone = {word for text in texts for word in content_words(text)}
    count = 0
    conversations = sorted({row["conversation_id"] for row in turns})
    for table, where in (("conversations", "id"), ("episodes", "conversation_id")):
        rows = connection.execute(
            f"SELECT id, title FROM {table} WHERE {where} IN ({_marks(conversations)})",
            conversations,
        ).fetchall()
        for row in rows:
            if gone & set(content_words(row["title"])) or row["title"] in map(title_of, texts):
                connection.execute(f"UPDATE {table} SET title = '' WHERE id = ?", (row["id"],))
                count += 1
    return count


def _erase_history(connection: sqlite3.Connection, texts: Sequence[str]) -> int:
    """Lines of other thoughts' history that quote the text, as a supersession does."""
    count = 0
    for text in texts:
        quoted = json.dumps(text)[1:-1]
        changed = connection.execute(
            "DELETE FROM thought_history WHERE instr(coalesce(before, '') || coalesce(after, '')"
            " || reason, ?) OR instr(coalesce(before, '') || coalesce(after, '') || reason, ?)",
            (text, quoted),
        )
        count += changed.rowcount
    return count


def _erase_bytes(store: Store, receipt: Receipt) -> None:
    """Leave no old page: vacuum writes the file anew, the checkpoints empty the WAL."""
    if store.file is None:
        return
    try:
        store.compact()
    except StoreError as error:
        receipt.problems.append(
            f"The file's free pages are not rewritten yet: {error.what}"
            " Close the other program and run `assistant memory erase` without a number."
        )


def _erase_copies(paths: Paths, texts: Sequence[str], receipt: Receipt) -> None:
    """Saved KV states (any of them may have read the text), prompt history, backups that hold it,
    and index files, which are made anew from the store."""
    for sort, folder in (("saved states", paths.states_dir), ("index files", paths.index_dir)):
        for file in _files(folder):
            if file.suffix == ".lock":
                continue  # empty; who holds it would go on writing beside the next who takes it
            file.unlink(missing_ok=True)
            receipt.add(sort, 1)
    beside = paths.database.parent.glob(f"{paths.database.name}.*")  # a damaged store, half a copy
    for file in (*_files(paths.backups_dir), *beside):
        if _backup_holds(file, texts):
            file.unlink(missing_ok=True)
            receipt.add("backups", 1)
    receipt.add("lines of prompt history", _erase_prompt_history(paths.prompt_history, texts))


def _backup_holds(file: Path, texts: Sequence[str]) -> bool:
    """Whether a backup holds one of the texts; one that cannot be read is taken to."""
    try:
        with translated(file):
            connection = sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)
            try:
                return any(_count_rows(connection, text) for text in texts)
            finally:
                connection.close()
    except StoreError:
        return True


def _erase_prompt_history(file: Path, texts: Sequence[str]) -> int:
    """Rewrite the file without the prompts that became the erased messages."""
    for unfinished in unfinished_copies(file):  # a writer was killed
        unfinished.unlink(missing_ok=True)
    if not file.exists():
        return 0
    lines = file.read_text("utf-8", "replace").splitlines(keepends=True)
    wanted = {text.strip() for text in texts}
    kept = [line for line in lines if not _is_prompt(line, wanted)]
    if len(kept) < len(lines):
        with whole_file(file) as out:
            out.writelines(kept)
    return len(lines) - len(kept)


def _is_prompt(line: str, wanted: Collection[str]) -> bool:
    try:
        prompt = json.loads(line)
    except ValueError:
        prompt = line
    return isinstance(prompt, str) and any(text in prompt for text in wanted)


def find_repeats(store: Store, texts: Sequence[str]) -> list[int]:
    """Messages that hold most of an erased text's content words: the person may want them gone."""
    found: set[int] = set()
    for text in texts:
        terms = sorted({stem(word) for word in content_words(text)} - {""})
        if len(terms) < MIN_WORDS:
            continue
        holders = [find_postings(store, term).ids for term in terms]
        ids, counts = np.unique(np.concatenate(holders), return_counts=True)
        found.update(ids[counts >= REPEATED_WORDS * len(terms)].tolist())
    return sorted(found)


def find_traces(store: Store, text: str) -> list[tuple[str, int]]:
    """Where `text` still is in the database: (table.column or word index, how many rows).

    Every text column of every table, as written and as JSON would write it; then the word index:
    places of the text's words in memories that are gone.
    """
    found: list[tuple[str, int]] = []
    with store.snapshot() as connection:
        found += _rows_with(connection, text)
    dangling: set[int] = set()
    for word in dict.fromkeys(content_words(text)):
        places = store.read(
            "SELECT DISTINCT doc FROM memories_words WHERE term = ? AND doc NOT IN"
            " (SELECT id FROM searchable_memories)",
            (stem(word),),
        )
        dangling.update(row[0] for row in places)
    return [*found, ("word index", len(dangling))] if dangling else found


def _count_rows(connection: sqlite3.Connection, text: str) -> int:
    return sum(count for _, count in _rows_with(connection, text))


def _rows_with(connection: sqlite3.Connection, text: str) -> Iterator[tuple[str, int]]:
    escaped = json.dumps(text)[1:-1]
    for table, column in _text_columns(connection):
        (count,) = connection.execute(
            f'SELECT count(*) FROM "{table}" WHERE instr(lower("{column}"), lower(?))'
            f' OR instr("{column}", ?)',
            (text, escaped),
        ).fetchone()
        if count:
            yield f"{table}.{column}", count


def _text_columns(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    tables = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'"
        " AND name NOT LIKE 'memories_fts%' AND name NOT LIKE 'sqlite%'"
    ).fetchall()
    return [
        (table, column[1])
        for (table,) in tables
        for column in connection.execute(f'PRAGMA table_info("{table}")').fetchall()
        if column[2].upper() == "TEXT"
    ]


def _files(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()] if folder.is_dir() else []


def _marks(values: Collection[Any]) -> str:
    return ",".join("?" * len(values))
