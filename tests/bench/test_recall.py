"""How the recall benchmark counts."""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from assistant.bench import filler, graph, index_data
from assistant.bench.locomo import load_dialogues
from assistant.bench.recall import Plan, fit, rank_all, run
from assistant.bench.recall_store import Texts, open_store
from assistant.memory.weights import WEIGHTS
from assistant.records import FloatArray, RecalledMemory


class HashEmbedder:
    """Each word a fixed direction: texts that share words are near."""

    id = "hash"
    dimension = 64

    def embed(self, texts: list[str]) -> FloatArray:
        made = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split():
                made[row] += np.random.default_rng(sum(map(ord, word))).standard_normal(64)
        return made / np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-9)

    def split(self, text: str) -> list[tuple[int, int]]:
        return []


def memory(number: int, score: float) -> RecalledMemory:
    from datetime import UTC, datetime

    return RecalledMemory(
        number, "message", "", "", "user", datetime(2026, 1, 1, tzinfo=UTC), 1, 1, score, {}
    )


def test_a_tie_counts_against_us() -> None:
    ranked = [memory(1, 3.0), memory(2, 2.0), memory(3, 2.0), memory(4, 1.0)]
    assert rank_all(ranked, [1, 2, 3, 4]) == (1, 3, 3, 4)
    assert rank_all(ranked, [9])[0] > 1000


SAID = ["The harbour has red boats.", "My cat is called Pip.", "It rained all night."]


def dialogue_file(folder: Path) -> Path:
    file = folder / "1.json"
    file.write_text(
        json.dumps(
            {
                "speaker_a": "Ada",
                "speaker_b": "Ben",
                "session_1_date_time": "1:05 pm on 3 March, 2024",
                "session_1": [
                    {"speaker": "Ada", "dia_id": f"D1:{n}", "text": text}
                    for n, text in enumerate(SAID, 1)
                ],
                "qa": [
                    {
                        "question": "What is Ada's cat called?",
                        "answer": "Pip",
                        "category": 4,
                        "evidence": ["D1:2; D1:99"],
                    },
                    {"question": "Nothing?", "answer": "", "category": 4, "evidence": ["D9:9"]},
                    {"question": "What colour are the boats?", "category": 5, "evidence": ["D1:1"]},
                ],
            }
        )
    )
    return file


def test_the_report_counts_questions_with_evidence_that_resolves(tmp_path: Path) -> None:
    dialogues = load_dialogues([dialogue_file(tmp_path)])
    assert [q.evidence for q in dialogues[0].questions] == [("D1:2",), ("D1:1",)]
    plan = Plan(dialogues, Texts(dialogues, HashEmbedder()))
    report = run(plan)
    assert report["questions"] == 1
    assert report["recall_at"]["5"] == 1.0
    assert set(report["by_category"]) == {"4", "5"}
    by_index = run(plan, indexes=("exact", "lsh", "hnsw"))
    for kind in ("exact", "lsh", "hnsw"):
        assert by_index[kind]["recall_at"] == report["recall_at"], kind
    assert {"recall_at", "all_at", "pooled", "embed_ms", "query_ms"} <= set(report)
    assert report["episodes"] == {"turns": 3, "begun_by": {"start": 1}, "boundary_shares": {}}


def test_a_filled_store_holds_the_filling_among_the_same_speakers_and_days(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentences = [f"Sentence {n} documents the argument of function {n}." for n in range(130)]
    monkeypatch.setattr(index_data, "collect_sentences", lambda n: sentences[:n])
    monkeypatch.setattr(filler, "collect_sentences", lambda n: sentences[:n])
    monkeypatch.setattr(index_data, "N_QUERIES", 10)
    monkeypatch.setattr(filler, "N_QUERIES", 10)
    monkeypatch.setattr(filler, "N_REAL", 120)
    monkeypatch.setattr(index_data.prepare, "__defaults__", (120,))
    filling = filler.Filler(tmp_path, HashEmbedder(), lambda line: None)
    dialogues = load_dialogues([dialogue_file(tmp_path)])
    report = run(Plan(dialogues, Texts(dialogues, HashEmbedder()), n_filled=103, filler=filling))
    assert report["filled"]["messages"] == 103
    assert report["pooled"]["messages"] == 3
    assert report["filled"]["recall_at"]["5"] == 1.0
    with open_store(HashEmbedder(), dialogues[0].sessions[0].date) as memory:
        filling.record(memory, dialogues, 100)
        said = [m for c in memory.conversations() for m in memory.messages(c.id)]
        assert sorted(m.text for m in said) == sorted(sentences[:100])
        assert {m.speaker for m in said} == {"Ada", "Ben"}
        assert {m.created for m in said} == {dialogues[0].sessions[0].date}
        assert memory.episodes()


class Meter:
    """A model to whom only the word "cat" is a surprise."""

    def tokenize(self, text: str) -> list[int]:
        return [int(word == "cat") for word in text.split()]

    def surprise(self, tokens: Sequence[int], *, sequence: int, n_context: int = 0) -> list[float]:
        return [10.0 * token + 1 for token in tokens[n_context:]]

    def stop(self) -> None: ...


def test_episodes_of_a_recorded_dialogue_begin_by_surprise_where_it_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "SAID", ["It rains."] * 6 + SAID)
    dialogues = load_dialogues([dialogue_file(tmp_path)])
    texts = Texts(dialogues, HashEmbedder())
    texts.measure_surprises(dialogues, Meter(), lambda line: None)
    begun = run(Plan(dialogues, texts))["episodes"]
    assert begun["begun_by"] == {"start": 1, "surprise": 1}
    assert begun["boundary_shares"] == {"surprise": 1.0, "embedding": 0.0}


def test_a_fit_says_what_it_is_worth_without_a_signal(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    dialogues = load_dialogues([dialogue_file(tmp_path), dialogue_file(tmp_path / "a")])
    dialogues = [replace(dialogue, name=str(n)) for n, dialogue in enumerate(dialogues)]
    report = fit(Texts(dialogues, HashEmbedder()), dialogues, without=["episode"])
    assert report["left_out"]["questions"] == 2
    assert report["left_out_without"]["episode"]["questions"] == 2
    assert set(report["weights"]) == set(WEIGHTS)


def test_the_graph_benchmark_says_how_far_its_ranks_are_from_1(tmp_path: Path) -> None:
    report = graph.run([dialogue_file(tmp_path)], n=3, n_questions=4)
    assert (report["messages"], report["questions"]) == (3, 4)
    assert report["nodes"] >= 3
    assert report["furthest_from_1"] < 1e-4
    assert report["with_seeds_ms"]["p50"] >= report["pagerank_ms"]["p50"] > 0
