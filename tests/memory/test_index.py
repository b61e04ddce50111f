"""Every kind of index behaves the same, keeps up with the store, and is made again when it must be."""

from pathlib import Path

import numpy as np
import pytest

from assistant.memory import index as index_module
from assistant.memory.exact import ExactIndex
from assistant.memory.hnsw import HnswIndex
from assistant.memory.index import RecallIndex
from assistant.memory.index_rows import VectorBatch, VectorIndex
from assistant.memory.lsh import LshIndex
from assistant.records import Progress
from index_fakes import FakeSource, make_batch, make_vectors

KINDS = ("exact", "lsh", "hnsw")


def make_index(kind: str, folder: Path, batch: VectorBatch) -> VectorIndex:
    if kind == "exact":
        index = ExactIndex(48)
        index.add(batch)
        return index
    build = {"lsh": LshIndex.build, "hnsw": HnswIndex.build}[kind]
    return build(folder / f"text.{kind}", "store", 48, [batch])


def open_index(
    folder: Path | None, source: FakeSource, kind: str = "lsh", **options
) -> RecallIndex:
    index = RecallIndex(folder, source, kind=kind, **options)
    index.refresh()
    return index


def found(index: RecallIndex | VectorIndex, query: np.ndarray, k: int = 5, **options) -> list[int]:
    return index.search(query, k, **options)[0].tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_a_vector_is_found_by_itself(kind: str, tmp_path: Path) -> None:
    vectors = make_vectors(300)
    index = make_index(kind, tmp_path, make_batch(list(range(10, 310)), vectors))
    ids, similarities = index.search(vectors[7], 3)
    assert ids[0] == 17
    assert similarities[0] == pytest.approx(1, abs=0.02)
    assert (np.diff(similarities) <= 0).all()
    assert index.n == 300


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_removed_is_not_found_and_can_come_back(kind: str, tmp_path: Path) -> None:
    vectors = make_vectors(50)
    index = make_index(kind, tmp_path, make_batch(list(range(50)), vectors))
    index.remove(np.array([7, 12345]))
    assert 7 not in found(index, vectors[7], 50)
    assert index.n == 49
    index.add(make_batch([7], vectors[7:8], generation=60))
    assert found(index, vectors[7], 1) == [7]
    assert index.n == 50


@pytest.mark.parametrize("kind", KINDS)
def test_adding_an_id_again_replaces_its_vector(kind: str, tmp_path: Path) -> None:
    vectors = make_vectors(50)
    index = make_index(kind, tmp_path, make_batch(list(range(50)), vectors))
    index.add(make_batch([3], -vectors[3:4], generation=60))
    assert found(index, -vectors[3], 1) == [3]
    assert found(index, vectors[3], 50)[-1] == 3
    assert index.n == 50


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.01, 0.3])
def test_a_filter_admits_ids_or_a_bool_for_each_id(kind: str, share: float, tmp_path: Path) -> None:
    vectors = make_vectors(2000)
    index = make_index(kind, tmp_path, make_batch(list(range(0, 4000, 2)), vectors))
    flags = np.random.default_rng(1).random(3500) < share
    for allowed in (flags, np.flatnonzero(flags)):
        ids = found(index, vectors[5], 10, allowed=allowed)
        assert len(ids) == 10
        assert all(i < 3500 and flags[i] for i in ids)
    nothing = np.zeros(0, np.int64)
    assert found(index, vectors[5], 10, allowed=nothing) == []


@pytest.mark.parametrize("n_flags", [100, 301, 700])
@pytest.mark.parametrize("kind", KINDS)
def test_a_filter_fits_ids_without_gaps_too(kind: str, n_flags: int, tmp_path: Path) -> None:
    vectors = make_vectors(300)
    index = make_index(kind, tmp_path, make_batch(list(range(1, 301)), vectors))
    flags = np.random.default_rng(2).random(n_flags) < 0.5
    allowed = np.flatnonzero(flags[:301])
    wanted = set(allowed[allowed > 0].tolist())
    assert set(found(index, vectors[0], 300, allowed=flags)) == wanted
    index.remove(np.array([min(wanted)]))
    assert set(found(index, vectors[0], 300, allowed=flags)) == wanted - {min(wanted)}


@pytest.mark.parametrize("kind", KINDS)
def test_more_than_there_are_gives_all_and_none_gives_none(kind: str, tmp_path: Path) -> None:
    vectors = make_vectors(3)
    index = make_index(kind, tmp_path, make_batch([1, 2, 3], vectors))
    assert sorted(found(index, vectors[0], 50)) == [1, 2, 3]
    index.remove(np.array([1, 2, 3]))
    assert found(index, vectors[0], 50) == []


@pytest.mark.parametrize("kind", KINDS)
def test_similarities_of_named_ids_are_those_of_a_search(kind: str, tmp_path: Path) -> None:
    vectors = make_vectors(200)
    index = make_index(kind, tmp_path, make_batch(list(range(200)), vectors))
    ids, similarities = index.search(vectors[0], 5)
    again = index.similarities(vectors[0], np.append(ids, 999))
    np.testing.assert_allclose(again[:5], similarities, atol=1e-6)
    assert np.isnan(again[5])


@pytest.mark.parametrize("kind", KINDS)
def test_it_keeps_up_with_the_store(kind: str, tmp_path: Path) -> None:
    source = FakeSource()
    source.fill(400)
    index = open_index(tmp_path, source, kind)
    source.fill(50, first=1000, seed=5)
    source.forget(3)
    source.put(4, make_vectors(1, seed=77)[0])
    index.refresh()
    assert index.n == source.count() == 449
    query = make_vectors(1, seed=77)[0]
    assert found(index, query, 1) == [4]
    assert 3 not in found(index, source.rows[3][1], 449)
    reads = source.n_reads
    index.refresh()
    assert source.n_reads == reads  # nothing changed: nothing read


@pytest.mark.parametrize("kind", ["lsh", "hnsw"])
def test_it_comes_back_from_its_file_with_what_was_added_since(kind: str, tmp_path: Path) -> None:
    source = FakeSource()
    source.fill(400)
    with open_index(tmp_path, source, kind) as index:
        source.fill(20, first=1000, seed=5)
        index.refresh()
    source.fill(5, first=2000, seed=6)
    rebuilt: list[Progress] = []
    with open_index(tmp_path, source, kind, on_progress=rebuilt.append) as index:
        assert index.n == 425
        query = make_vectors(5, seed=6)[2]
        assert found(index, query, 3) == source.exact(query, 3)
    assert rebuilt == []


@pytest.mark.parametrize("kind", ["lsh", "hnsw"])
def test_erased_rows_leave_no_vector_in_any_file(kind: str, tmp_path: Path) -> None:
    source = FakeSource()
    source.fill(400)
    codes = make_batch([1], source.rows[5][1][None]).codes.tobytes()
    vector = np.frombuffer(codes, np.int8) * make_batch([1], source.rows[5][1][None]).scales
    traces = (codes, vector.astype(np.float32).tobytes()[:64])
    index = open_index(tmp_path, source, kind)
    source.erase(5)
    index.erase()
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert not any(trace in content for trace in traces)
    assert index.n == 399
    assert 5 not in found(index, make_vectors(1)[0], 399)


@pytest.mark.parametrize("kind", ["lsh", "hnsw"])
def test_another_embedder_or_store_makes_it_again(kind: str, tmp_path: Path) -> None:
    source = FakeSource()
    source.fill(100)
    open_index(tmp_path, source, kind).close()
    other = FakeSource()
    other.name = "another"
    other.fill(60, seed=8)
    with open_index(tmp_path, other, kind) as index:
        assert index.n == 60


def test_rows_that_went_without_a_trace_are_noticed(tmp_path: Path) -> None:
    source = FakeSource()
    source.fill(100)
    with open_index(tmp_path, source) as index:
        source.counter += 1
        del source.rows[9]
        index.refresh()
        assert index.n == 99


def test_auto_is_exact_while_small_and_lsh_when_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "EXACT_BELOW", 200)
    source = FakeSource()
    source.fill(199)
    with open_index(tmp_path, source, "auto") as index:
        assert index.kind == "exact"
        source.fill(1, first=900)
        index.refresh()
        assert index.kind == "lsh"
        source.forget(900)
        index.refresh()
        assert index.kind == "lsh"  # one fewer does not undo it
        for i in range(1, 100):
            source.forget(i)
        index.refresh()
        assert index.kind == "exact"


def test_without_a_folder_everything_is_exact_in_ram() -> None:
    source = FakeSource()
    source.fill(100)
    index = open_index(None, source)
    assert index.kind == "exact"
    assert found(index, source.rows[3][1], 4) == source.exact(source.rows[3][1], 4)


def test_a_second_process_reads_the_file_and_keeps_newer_rows_in_ram(tmp_path: Path) -> None:
    """Two open files of one process hold flock apart as two processes do."""
    source = FakeSource()
    source.fill(300)
    with open_index(tmp_path, source) as writer, open_index(tmp_path, source) as reader:
        assert reader.kind == "lsh"
        size = (tmp_path / "text.lsh").stat().st_size
        source.fill(10, first=900, seed=3)
        reader.refresh()
        assert (tmp_path / "text.lsh").stat().st_size == size  # a reader never writes
        writer.refresh()
        assert (tmp_path / "text.lsh").stat().st_size > size
        for query in make_vectors(10, seed=3):
            expected = source.exact(query, 5)
            assert found(reader, query) == found(writer, query) == expected


def test_a_reader_without_a_usable_file_answers_from_ram(tmp_path: Path) -> None:
    source = FakeSource()
    source.fill(300)
    with open_index(tmp_path, source) as writer:
        (tmp_path / "text.lsh").unlink()
        with open_index(tmp_path, source) as reader:
            assert reader.kind == "exact"
            assert found(reader, source.rows[5][1]) == found(writer, source.rows[5][1])


def test_a_rewrite_does_not_disturb_a_reader(tmp_path: Path) -> None:
    source = FakeSource()
    source.fill(300)
    with open_index(tmp_path, source) as writer, open_index(tmp_path, source) as reader:
        assert isinstance(writer.index, LshIndex)
        writer.index.remove(np.arange(1, 100))
        writer.index.rewrite()
        assert writer.n == 201
        assert found(reader, source.rows[5][1], 1) == [5]


def test_the_lock_goes_to_the_next_process_when_it_is_given_back(tmp_path: Path) -> None:
    source = FakeSource()
    source.fill(300)
    writer = open_index(tmp_path, source)
    reader = open_index(tmp_path, source)
    writer.close()
    source.erase(7)
    reader.refresh()  # made again: the file is its own now
    assert open_index(tmp_path, source).index.generation == reader.index.generation
    assert (tmp_path / "text.lsh").exists()


def test_a_full_disk_leaves_the_index_in_ram(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("assistant.memory.index_file.os.fsync", no_room)
    source = FakeSource()
    source.fill(300)
    with open_index(tmp_path, source) as index:
        assert index.kind == "exact"
        assert found(index, source.rows[5][1]) == source.exact(source.rows[5][1], 5)
    assert not (tmp_path / "text.unfinished").exists()


def test_progress_is_told_while_it_is_made(tmp_path: Path) -> None:
    source = FakeSource()
    source.fill(700)
    told: list[Progress] = []
    open_index(tmp_path, source, on_progress=told.append).close()
    assert [p.done for p in told] == [300, 600, 700]
    assert told[-1].total == 700


def test_every_file_is_private(tmp_path: Path) -> None:
    for kind in ("lsh", "hnsw"):
        source = FakeSource()
        source.fill(100)
        open_index(tmp_path / kind, source, kind).close()
        for file in (tmp_path / kind).iterdir():
            assert file.stat().st_mode & 0o077 == 0, file.name
