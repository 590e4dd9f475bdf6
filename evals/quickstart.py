"""The embedder as LlamaIndex's quickstart uses it: sentence-transformers by PyTorch in 32 bits, ten texts at a time."""

from __future__ import annotations

from functools import cache
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import PrivateAttr

from index.embedding import bundled_path


class QuickstartEmbedding(BaseEmbedding):
    """As `llama-index-embeddings-huggingface` does it."""

    _model: Any = PrivateAttr()

    def __init__(self) -> None:
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        super().__init__(model_name="all-MiniLM-L6-v2")
        self._model = SentenceTransformer(bundled_path(), device="cpu", local_files_only=True)

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        vectors = self._model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
        return [[float(value) for value in vector] for vector in vectors]

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


@cache
def embedding() -> QuickstartEmbedding:
    """The one of this process: loading it is no part of what is measured."""
    return QuickstartEmbedding()
