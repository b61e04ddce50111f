"""Fixtures of this folder: a server on loopback and a small GGUF file."""

from catalogue_fakes import server, small_gguf

__all__ = ["server", "small_gguf"]
