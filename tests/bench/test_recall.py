"""How the recall benchmark counts."""

import json
from pathlib import Path

import numpy as np

from assistant.bench.locomo import load_dialogues
from assistant.bench.recall import rank_all, run
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


def test_the_report_counts_questions_with_evidence_that_resolves(tmp_path: Path) -> None:
    file = tmp_path / "1.json"
    said = ["The harbour has red boats.", "My cat is called Pip.", "It rained all night."]
    file.write_text(
        json.dumps(
            {
                "speaker_a": "Ada",
                "speaker_b": "Ben",
                "session_1_date_time": "1:05 pm on 3 March, 2024",
                "session_1": [
                    {"speaker": "Ada", "dia_id": f"D1:{n}", "text": text}
                    for n, text in enumerate(said, 1)
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
    (dialogue,) = load_dialogues([file])
    assert [q.evidence for q in dialogue.questions] == [("D1:2",), ("D1:1",)]
    report = run([file], HashEmbedder())
    assert report["questions"] == 1
    assert report["recall_at"]["5"] == 1.0
    assert set(report["by_category"]) == {"4", "5"}
    by_index = run([file], HashEmbedder(), indexes=("exact", "lsh", "hnsw"))
    for kind in ("exact", "lsh", "hnsw"):
        assert by_index[kind]["recall_at"] == report["recall_at"], kind
    assert {"recall_at", "all_at", "pooled", "embed_ms", "query_ms"} <= set(report)
