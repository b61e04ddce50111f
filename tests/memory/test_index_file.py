"""A cache file that is missing, cut short, foreign or damaged never gives a wrong answer."""

import os
import pickle
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.memory import huge_pages, lsh, lsh_build
from assistant.memory import index as index_module
from assistant.memory.index import RecallIndex
from assistant.memory.index_file import IndexUnusable, load
from assistant.memory.lsh import LshIndex, candidate_count
from conftest import SOAK_SHARE
from index_fakes import FakeSource, make_batch, make_vectors


def make_file(folder: Path, n: int = 400, *, log: int = 30) -> tuple[FakeSource, Path]:
    """A store, and its index file with a base of `n` rows and a log."""
    source = FakeSource()
    source.fill(n)
    with RecallIndex(folder, source, kind="lsh") as index:
        index.refresh()
        source.fill(log, first=n + 1, seed=4)
        source.forget(3)
        index.refresh()
    return source, folder / "text.lsh"


def assert_answers_are_right(folder: Path, source: FakeSource) -> None:
    with RecallIndex(folder, source, kind="lsh") as index:
        index.refresh()
        for query in make_vectors(8, seed=1):
            right = source.exact(query, source.count())
            found = index.search(query, 3)[0].tolist()
            assert len(found) == 3
            assert set(found) <= set(right)  # none dead; how near they are is tests/recall's
            every = index.search(query, index.n)[0].tolist()  # all are ranked by int8: none misread
            assert every == right
        assert index.n == source.count()
        assert set(index.check_files().values()) == {""}  # what was damaged has been made again


def test_a_rewrite_leaves_no_log_and_no_dead(tmp_path: Path) -> None:
    source, file = make_file(tmp_path)
    index = LshIndex(file, "store", writable=True)
    index.rewrite()
    loaded = load(file, "store")
    assert len(loaded.log) == 0
    assert loaded.shape.n_rows == source.count() == index.n
    assert loaded.base.generation == source.counter
    assert (np.diff(loaded.base.ids) > 0).all()
    index.close()
    assert_answers_are_right(tmp_path, source)


def test_a_long_log_makes_the_file_new_where_nobody_waits_or_it_waited_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lsh, "LOG_ROWS_LEAST", 20)
    monkeypatch.setattr(index_module, "PATIENCE", 40)
    source, file = make_file(tmp_path)
    assert len(load(file, "store").log) == 31
    with RecallIndex(tmp_path, source, kind="lsh") as index:
        index.refresh(tidy=True)
        assert len(load(file, "store").log) == 0
        for first, n_logged in ((500, 30), (530, 0), (560, 30)):
            source.fill(30, first=first, seed=first)
            index.refresh()
            assert len(load(file, "store").log) == n_logged
    assert_answers_are_right(tmp_path, source)


@pytest.mark.parametrize("keep", [0, 1, 4095, 4096, 20_000, 0.5, 0.99])
def test_a_file_cut_short_is_made_again(keep: float, tmp_path: Path) -> None:
    source, file = make_file(tmp_path)
    data = file.read_bytes()
    file.write_bytes(data[: int(keep * len(data)) if isinstance(keep, float) else keep])
    assert_answers_are_right(tmp_path, source)


def test_a_torn_record_ends_the_log_and_the_store_fills_it_up(tmp_path: Path) -> None:
    source, file = make_file(tmp_path)
    file.write_bytes(file.read_bytes()[:-7])
    assert len(load(file, "store").log) == 30
    assert_answers_are_right(tmp_path, source)


def test_records_behind_a_damaged_one_are_not_read_after_the_next_append(tmp_path: Path) -> None:
    _, file = make_file(tmp_path)
    loaded = load(file, "store")
    data = bytearray(file.read_bytes())
    data[loaded.shape.log_at + 5 * loaded.shape.record.itemsize + 3] ^= 1
    file.write_bytes(data)
    index = LshIndex(file, "store", writable=True)
    index.add(make_batch([900], make_vectors(1, seed=9), generation=406))
    index.close()
    assert load(file, "store").log["id"].tolist() == [401, 402, 403, 404, 405, 900]


@pytest.mark.parametrize("content", [b"", b"\0" * 9000, b"SQLite format 3\0" * 400])
def test_a_file_that_is_no_index_is_made_again(content: bytes, tmp_path: Path) -> None:
    source, file = make_file(tmp_path)
    file.write_bytes(content)
    with pytest.raises(IndexUnusable):
        load(file, "store")
    assert_answers_are_right(tmp_path, source)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_damage_to_any_bytes_raises_nothing_but_unusable(
    tmp_path: Path, data: st.DataObject
) -> None:
    """A fuzz of the loader: it returns or raises IndexUnusable."""
    file = tmp_path / "text.lsh"
    if not (tmp_path / "whole").exists():
        make_file(tmp_path)
        (tmp_path / "whole").write_bytes(file.read_bytes())
    content = bytearray((tmp_path / "whole").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.one_of(st.integers(0, 120), st.integers(0, len(content) - 9)))
        content[at : at + 8] = data.draw(st.binary(min_size=8, max_size=8))
    file.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with suppress(IndexUnusable):
        LshIndex(file, "store", writable=False).close()


def make_uneven_vectors(n: int) -> np.ndarray:
    """384 dimensions of which a few hold most of the variance, as embeddings have them."""
    spread = np.linspace(1, 0, 384) ** 3 + 0.02
    rows = np.random.default_rng(3).standard_normal((n, 384)) * spread
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_codes_of_the_principal_axes_come_back_from_the_file(tmp_path: Path) -> None:
    vectors, file = make_uneven_vectors(5000), tmp_path / "text.lsh"
    index = LshIndex.build(file, "x", 384, [make_batch(list(range(5000)), vectors)])
    again = LshIndex(file, "x", writable=False)
    axes = load(file, "x").base.axes
    assert axes is not None
    assert len(axes) < 200
    np.testing.assert_allclose(axes @ axes.T, np.eye(len(axes)), atol=1e-5)
    exact = vectors[:50] @ vectors.T
    hits = 0
    for query, similarities in zip(vectors[:50], exact, strict=True):
        found = index.search(query, 10)[0].tolist()
        assert again.search(query, 10)[0].tolist() == found
        hits += len(set(found) & set(np.argsort(-similarities)[:10].tolist()))
    assert hits >= 475  # of 500
    data = bytearray(file.read_bytes())
    data[load(file, "x").shape.axes_at + 777] ^= 4
    file.write_bytes(data)
    with pytest.raises(IndexUnusable):
        load(file, "x")
    index.close()


def test_vectors_that_lie_evenly_are_encoded_whole(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).standard_normal((4500, 192)).astype(np.float32)
    vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    LshIndex.build(tmp_path / "i", "x", 192, [make_batch(list(range(4500)), vectors)]).close()
    axes = load(tmp_path / "i", "x").base.axes
    assert axes is None or len(axes) > 160


def encode_axes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have codes of the principal axes in small files too."""
    monkeypatch.setattr(lsh_build, "AXES_LEAST_ROWS", 200)
    monkeypatch.setattr(lsh_build, "AXES_LEAST_DIMENSION", 24)
    monkeypatch.setattr(lsh_build, "AXES_VARIANCE", 0.6)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("with_axes", [False, True])
def test_no_flipped_byte_gives_a_wrong_answer(
    with_axes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if with_axes:
        encode_axes(monkeypatch)
    source, file = make_file(tmp_path)
    assert (load(file, "store").base.axes is not None) == with_axes
    whole = file.read_bytes()
    random = np.random.default_rng(0)
    for _ in range(max(20, int(200 * SOAK_SHARE))):
        content = bytearray(whole)
        content[random.integers(len(content))] ^= 1 << random.integers(8)
        file.write_bytes(content)
        assert_answers_are_right(tmp_path, source)


def change(source: FakeSource, number: int) -> None:
    """The change of this number: an insert, or after every second one a forgetting too."""
    source.fill(1, first=1000 + number, seed=number)
    if number % 3 == 0:
        live = [i for i, row in source.rows.items() if row[2]]
        source.forget(live[number * 7919 % len(live)])


CHILD = """
import os, pickle, sys
from pathlib import Path
from index_fakes import FakeSource
from test_index_file import change
from assistant.memory import lsh, lsh_build
from assistant.memory.index import RecallIndex
lsh.LOG_ROWS_LEAST = 12  # so that rewrites are frequent
if sys.argv[2] == "axes":
    lsh_build.AXES_LEAST_ROWS = 200
    lsh_build.AXES_LEAST_DIMENSION = 24
    lsh_build.AXES_VARIANCE = 0.6
folder = Path(sys.argv[1])
source = pickle.loads((folder / "store").read_bytes())
done = (folder / "changes").stat().st_size
journal = os.open(folder / "changes", os.O_WRONLY | os.O_APPEND)
with RecallIndex(folder, source, kind="lsh") as index:
    index.refresh()
    print("ready", flush=True)
    for number in range(done, done + 10_000):
        os.write(journal, b".")  # the store's commit: the index comes after it
        change(source, number)
        index.refresh(tidy=True)
"""


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_no_kill_during_insert_remove_or_rewrite_gives_a_wrong_answer(tmp_path: Path) -> None:
    """The parent's rows stand for the store; what the journal holds past them was committed too."""
    random = np.random.default_rng(1)
    here = Path(__file__).parent
    journal = tmp_path / "changes"
    journal.touch()
    source, done = FakeSource(), 0
    source.fill(300)
    n_kills = max(4, int(200 * SOAK_SHARE))
    for number in range(n_kills):
        (tmp_path / "store").write_bytes(pickle.dumps(source))
        with subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path), ("whole", "axes")[number % 2]],
            stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": f"{here.parent}:{here}"},
        ) as child:  # fmt: skip
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
            with suppress(subprocess.TimeoutExpired):
                child.wait(timeout=float(random.uniform(0.0, 0.3)))
            child.send_signal(signal.SIGKILL)
        journalled = journal.stat().st_size
        for at in range(done, journalled):
            change(source, at)
        done = journalled
        assert_answers_are_right(tmp_path, source)
    print(f"{n_kills} kills during {done} changes, 0 wrong answers")
    assert done > n_kills


def test_more_candidates_are_taken_for_more_neighbours_and_more_rows() -> None:
    assert candidate_count(10, 100_000) == 104
    assert candidate_count(10, 1_000_000) > candidate_count(10, 100_000)
    assert candidate_count(50, 1000) > candidate_count(10, 1000)
    assert candidate_count(10, 100_000, whole=False) > candidate_count(10, 100_000)


@pytest.mark.parametrize("n_bytes", [0, 1, 5000, (2 << 20) + 7, (5 << 20) - 1])
def test_ram_in_huge_pages_is_zeros_of_our_own(n_bytes: int) -> None:
    data, other = huge_pages.zeros(n_bytes), huge_pages.zeros(n_bytes)
    assert data.shape == (n_bytes,)
    assert not data.any()
    data[:] = 1
    assert not other.any()
