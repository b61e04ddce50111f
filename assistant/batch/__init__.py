"""JSONL in, JSONL out, resumable: `rows` in, `output` out, `run` between them."""
