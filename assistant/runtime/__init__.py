"""A GGUF model on the low-level llama.cpp API. Knows nothing of memories, dates or front ends."""
