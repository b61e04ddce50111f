"""The benchmark of a large store, on a small one."""

from pathlib import Path

import pytest

from assistant.bench import store


def test_every_figure_comes_with_how_often_it_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("N_QUERIES", "N_MIXED", "N_RECORDED"):
        monkeypatch.setattr(store, name, 4)
    texts = [f"Gate {number} of the orchard was painted green" for number in range(200)]
    monkeypatch.setattr(store, "collect_sentences", lambda n: texts[:n])
    report = store.run([], n=200, index="exact", folder=tmp_path)
    assert (report["messages"], report["questions"]) == (200, 4)
    assert (report["questions_after_a_message"], report["messages_recorded"]) == (4, 4)
    assert report["indexes"] == ["context: exact", "text: exact"]
    assert report["vectors"] == "random directions"
    for name in ("meaning_ms", "recall_ms", "recall_after_a_message_ms", "record_ms"):
        assert 0 < report[name]["p50"] <= report[name]["p99"]
    first = report["first_recall_ms"]
    assert first["built"] > 0
    assert first["opened"] > 0
    assert first["opened_from_disk"] is None or first["opened_from_disk"] > 0
    assert not list(tmp_path.iterdir())
