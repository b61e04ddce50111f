"""The one JSON shape of an answer: what `ask --json` prints and what a batch writes for each row.

    {"v": 1, "id", "status": "ok" | "stopped" | "error", "answer", "memories": [{"id", "kind",
     "date", "score", "source_turn", "text"}], "model": {"name", "sha256"},
     "usage": {"prompt", "completion"}, "ms": {"recall", "first_token", "total"}, "error", "meta"}

Knows records alone. `answer` is null where there is none, `error` null where nothing failed.
"""

from collections.abc import Mapping
from typing import Any

from assistant.errors import AssistantError
from assistant.records import Recall, RecalledMemory, Reply

Json = dict[str, Any]


def answer_shape(
    id: object,
    reply: Reply,
    recall: Recall,
    model: Json,
    *,
    error: AssistantError | None = None,
    meta: Mapping[str, object] | None = None,
) -> Json:
    """One answer. A partial one keeps its text beside its status."""
    usage = reply.usage
    status = "error" if error else "stopped" if reply.partial else "ok"
    return {
        "v": 1,
        "id": id,
        "status": status,
        "answer": reply.text if reply.text or not error else None,
        "memories": [memory_shape(memory) for memory in recall.memories],
        "model": model,
        "usage": {"prompt": usage.n_prompt, "completion": usage.n_completion},
        "ms": {
            "recall": round(usage.recall_ms, 1),
            "first_token": round(usage.first_token_ms, 1),
            "total": round(usage.total_ms, 1),
        },
        "error": error_shape(error) if error else None,
        "meta": dict(meta or {}),
    }


def memory_shape(memory: RecalledMemory) -> Json:
    """One memory that was given to the model, in the person's own words."""
    return {
        "id": memory.id,
        "kind": memory.kind,
        "date": memory.created.isoformat(timespec="seconds"),
        "score": round(memory.score, 4),
        "source_turn": memory.turn_id,
        "text": memory.text,
    }


def error_shape(error: AssistantError) -> Json:
    return {
        "type": type(error).__name__,
        "what": error.what,
        "remedy": error.remedy,
        "exit_code": error.exit_code,
    }
