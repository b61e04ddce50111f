"""The file that keeps columns and graph: what it must give back, and when it must not be used."""

import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from assistant.memory import caches, ranking_file
from assistant.memory.memory import Memory
from assistant.paths import Paths
from assistant.records import EncodedText
from conftest import SOAK_SHARE

NOW = datetime(2024, 5, 1, tzinfo=UTC)
PLANTS = ("Larch", "Willow", "Cedar", "Juniper", "Hazel")
N = 120


@pytest.fixture(autouse=True)
def _keep_small_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caches, "KEPT_FROM", 10)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A store that was recalled from once, and so has the file."""
    with _open(tmp_path) as memory:
        conversation = memory.new_conversation("trees", NOW)
        for number in range(N):
            _say(memory, conversation, number)
        _recalled(memory)
    assert (tmp_path / "index" / ranking_file.NAME).exists()
    return tmp_path


def _open(folder: Path) -> Memory:
    return Memory.open(folder / "m.db", now=NOW, index_dir=folder / "index")


def _say(memory: Memory, conversation: int, number: int) -> int:
    text = f"We planted a {PLANTS[number % 5]} Grove near gate {number} last spring"
    at = NOW + timedelta(hours=number)
    speaker = ("Ann", "Bo")[number % 2]
    return memory.record_message(
        EncodedText(text, text, None), at, conversation_id=conversation, speaker=speaker
    )


def _recalled(memory: Memory) -> list[tuple[int, float, dict[str, float]]]:
    found = memory.recall("Which Cedar Grove did Ann plant near gate 62?", None, NOW, k=20)
    return [(m.id, m.score, m.signals) for m in (*found.memories, *found.near_misses)]


def _afresh(folder: Path) -> list[tuple[int, float, dict[str, float]]]:
    """What a recall finds without any file."""
    with Memory.open(folder / "m.db", now=NOW, index_dir=None) as memory:
        return _recalled(memory)


def _reads_all(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by the number of rows whenever columns are filled from the store."""
    filled: list[int] = []
    fill = caches.Columns._fill

    def counted(self: caches.Columns, rows: np.ndarray, source: list[object]) -> None:
        filled.append(len(source))
        fill(self, rows, source)

    monkeypatch.setattr(caches.Columns, "_fill", counted)
    return filled


def test_a_second_opening_reads_no_row_and_finds_the_same(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = _afresh(place)
    filled = _reads_all(monkeypatch)
    with _open(place) as memory:
        assert _recalled(memory) == expected
    assert sum(filled) == 0


def test_what_was_written_since_is_read_from_the_store(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Memory.open(place / "m.db", now=NOW, index_dir=None) as other:
        first = _recalled(other)[0][0]
        said = _say(other, 1, 62)
        other.forget([first], NOW)
        other.new_conversation("later", NOW)
    expected = _afresh(place)
    filled = _reads_all(monkeypatch)
    with _open(place) as memory:
        found = _recalled(memory)
    assert found == expected
    ids = [memory_id for memory_id, *_ in found]
    assert said in ids
    assert first not in ids
    assert 0 < sum(filled) <= 2


@pytest.mark.parametrize("where", [0, 7, 8, 11, 12, 600, -1, -500])
def test_a_flipped_bit_anywhere_makes_it_anew(
    place: Path, where: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = place / "index" / ranking_file.NAME
    content = bytearray(file.read_bytes())
    content[where] ^= 1
    file.write_bytes(content)
    expected = _afresh(place)
    filled = _reads_all(monkeypatch)
    with _open(place) as memory:
        assert _recalled(memory) == expected
    assert sum(filled) == N
    assert file.read_bytes() != bytes(content)  # whole again
    filled.clear()
    with _open(place) as memory:
        assert _recalled(memory) == expected
    assert sum(filled) == 0


@pytest.mark.parametrize("length", [0, 5, 12, 3000])
def test_a_truncated_file_is_made_anew(place: Path, length: int) -> None:
    file = place / "index" / ranking_file.NAME
    file.write_bytes(file.read_bytes()[:length])
    with _open(place) as memory:
        assert _recalled(memory) == _afresh(place)
    assert file.stat().st_size > 3000


def test_a_missing_or_another_stores_file_is_not_used(
    place: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    with _open(other) as memory:
        conversation = memory.new_conversation("trees", NOW)
        for number in range(N, 0, -1):
            _say(memory, conversation, number)
    (other / "index").mkdir(exist_ok=True)
    shutil.copy(place / "index" / ranking_file.NAME, other / "index" / ranking_file.NAME)
    with _open(other) as memory:
        assert _recalled(memory) == _afresh(other)


def test_a_file_of_a_store_before_an_erasure_goes_even_where_no_new_one_is_kept(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = place / "index" / ranking_file.NAME
    old = file.read_bytes()
    with _open(place) as memory:
        memory.erase([1], NOW)
    file.write_bytes(old)  # as if the eraser was killed before it came to the files
    monkeypatch.setattr(caches, "KEPT_FROM", 10 * N)
    with _open(place) as memory:
        assert _recalled(memory) == _afresh(place)
    assert not file.exists()


def test_an_older_copy_of_the_store_put_back_is_read_anew(place: Path) -> None:
    shutil.copy(place / "m.db", place / "older.db")
    with _open(place) as memory:
        for number in range(N):
            _say(memory, 1, number)
        _recalled(memory)  # the file now knows twice as many
    for suffix in ("", "-wal", "-shm"):
        (place / f"m.db{suffix}").unlink(missing_ok=True)
    shutil.copy(place / "older.db", place / "m.db")
    with _open(place) as memory:
        assert _recalled(memory) == _afresh(place)


def test_the_file_is_private(place: Path) -> None:
    assert (place / "index" / ranking_file.NAME).stat().st_mode & 0o777 == 0o600


def test_recall_prepared_is_read_by_the_next_to_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares: list[float] = []
    with Memory.open(
        tmp_path / "m.db", now=NOW, index_dir=tmp_path / "index", index="lsh"
    ) as memory:
        conversation = memory.new_conversation("trees", NOW)
        vectors = np.random.default_rng(0).standard_normal((N, 48)).astype(np.float32)
        for number, vector in enumerate(vectors):
            text = f"We planted tree {number}"
            memory.record_message(
                EncodedText(text, text, vector), NOW, conversation_id=conversation
            )
        memory.on_progress = shares.append
        memory.prepare_recall()
    assert shares[-1] == 1.0
    filled = _reads_all(monkeypatch)
    shares.clear()
    with Memory.open(
        tmp_path / "m.db", now=NOW, index_dir=tmp_path / "index", index="lsh"
    ) as memory:
        memory.on_progress = shares.append
        assert memory.recall("tree", vectors[7], NOW, k=N).memories
    assert not filled
    assert not shares  # neither columns nor index were made again


def test_an_erasure_leaves_no_file_and_no_name(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    with Memory.open(paths.database, now=NOW, index_dir=paths.index_dir) as memory:
        conversation = memory.new_conversation("trees", NOW)
        for number in range(N):
            _say(memory, conversation, number)
        text = "The elm at the mill was felled"
        memory.record_message(
            EncodedText(text, text, None),
            NOW,
            conversation_id=conversation,
            speaker="Zo\u00eb Vane",
        )
        _recalled(memory)
        kept = paths.index_dir / ranking_file.NAME
        assert "Zo\u00eb Vane".encode() in kept.read_bytes()  # so that `doctor --find` would see it
        unfinished = kept.with_name(f"{kept.name}.1.tmp")
        shutil.copy(kept, unfinished)
        erased = memory.memories(words=["felled"])[0].id
        memory.erase([erased], NOW)
        assert not unfinished.exists()
        assert not kept.exists()
        _recalled(memory)
        assert kept.exists()
    for file in (file for file in tmp_path.rglob("*") if file.is_file()):
        content = file.read_bytes()
        assert not any("Zo\u00eb Vane".encode(code) in content for code in ("utf-8", "utf-32-le"))


def test_a_file_written_while_another_process_erases_does_not_stay(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = ranking_file.save

    def save_late(folder: Path, identity: str, arrays: ranking_file.Arrays) -> None:
        with Memory.open(place / "m.db", now=NOW, index_dir=place / "index") as other:
            other.erase([1], NOW)
        save(folder, identity, arrays)

    (place / "index" / ranking_file.NAME).unlink()
    with monkeypatch.context() as patch, _open(place) as memory:
        patch.setattr(ranking_file, "save", save_late)
        _recalled(memory)
        assert not (place / "index" / ranking_file.NAME).exists()
    with _open(place) as memory:
        assert _recalled(memory) == _afresh(place)
    assert (place / "index" / ranking_file.NAME).exists()


def test_a_file_of_other_columns_is_not_used(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with _open(place) as memory:
        identity = "/".join(str(memory.store.meta(key)) for key in ("store", "generation"))
    arrays = ranking_file.load(place / "index", identity)
    assert arrays is not None
    filled = _reads_all(monkeypatch)
    for changed in (None, arrays["column_cues"].astype(np.int16)):
        other = {
            name: array for name, array in arrays.items() if name not in ("identity", "column_cues")
        }
        ranking_file.save(
            place / "index",
            identity,
            other if changed is None else {**other, "column_cues": changed},
        )
        filled.clear()
        with _open(place) as memory:
            assert _recalled(memory) == _afresh(place)
        assert sum(filled) == 2 * N


def test_after_many_changes_the_file_is_written_anew(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Memory.open(place / "m.db", now=NOW, index_dir=None) as other:
        other.forget(list(range(1, 21)), NOW)
    filled = _reads_all(monkeypatch)
    for expected in (20, 0):
        with _open(place) as memory:
            _recalled(memory)
        assert sum(filled) == expected
        filled.clear()
    with _open(place) as memory:
        assert _recalled(memory) == _afresh(place)


@pytest.mark.soak
def test_kills_while_it_is_written_leave_a_whole_file_or_none(place: Path) -> None:
    """A process writes it again and again and is killed, each time at another moment."""
    writer = (
        "import sys, numpy as np\nfrom pathlib import Path\nfrom assistant.memory import ranking_file\n"
        "while True: ranking_file.save(Path(sys.argv[1]), 'kills', {'a': np.arange(2_000_000)})"
    )
    folder = place / "index"
    for number in range(max(5, int(100 * SOAK_SHARE))):
        process = subprocess.Popen(
            [sys.executable, "-c", writer, str(folder)], env=os.environ.copy()
        )
        time.sleep(0.2 + 0.003 * number)
        process.send_signal(signal.SIGKILL)
        process.wait()
        arrays = ranking_file.load(folder, "kills")
        assert arrays is None or np.array_equal(arrays["a"], np.arange(2_000_000))
    ranking_file.save(folder, "kills", {"a": np.arange(3)})
    assert sorted(file.name for file in folder.glob(f"{ranking_file.NAME}*")) == [ranking_file.NAME]
