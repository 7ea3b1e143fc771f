"""Embedders: sentence-transformers by name, the packaged offline MiniLM, and a hash fallback."""

from agentmem.embed.choose import choose_embedder

__all__ = ["choose_embedder"]
