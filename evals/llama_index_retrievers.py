"""LlamaIndex's own retrievers over the same articles and with the same embedder, for `dateline eval retrieval`.

Each is what LlamaIndex does by default or advises; nothing in them is ours but the vectors, which are kept in the
cache. Nothing of Dateline's search is used here.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import bm25s  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt
import snowballstemmer
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.llms import MockLLM
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.retrievers import BaseRetriever, QueryFusionRetriever, VectorIndexRetriever
from llama_index.core.retrievers.fusion_retriever import FUSION_MODES
from llama_index.core.schema import BaseNode, MetadataMode, NodeWithScore, QueryBundle

from evals.run import Progress
from index.article import Article

_SPLITTINGS = (  # tokens of a chunk and of its overlap with the next
    ("", 1024, 200),  # LlamaIndex's default; MiniLM reads the first 256 word pieces of it
    ("-small", 200, 20),  # what MiniLM can read whole
)
_FUSED = 100  # chunks of each ranking that the fusion sees at least
_SAVED_EVERY = 500  # vectors: a minute of embedding that a killed run loses at most

logging.getLogger("bm25s").setLevel(logging.WARNING)  # it sets itself to DEBUG

Vectors = npt.NDArray[np.float32]


class Encoder(Protocol):
    """As much of `index.embedding.Embedder` as LlamaIndex needs."""

    name: str

    @property
    def fingerprint(self) -> str: ...

    def query(self, text: str) -> Vectors: ...


@dataclass(frozen=True, slots=True)
class Peer:
    """A retriever of LlamaIndex; `passages(question, limit)` are the articles of the best chunks, best first."""

    name: str
    label: str
    passages: Callable[[str, int], list[str]]


def peers(articles: Iterable[Article], encoder: Encoder, cache: Path, progress: Progress) -> Iterator[Peer]:
    """Every retriever of LlamaIndex that Dateline is compared with, one after the other.

    Args:
        cache: a folder for vectors, by the digest of their texts.
        progress: gets ("embedding for LlamaIndex", done, total).
    """
    documents = [Document(text=a.text, doc_id=a.id, metadata={"title": a.title}) for a in articles]
    for suffix, size, overlap in _SPLITTINGS:
        # Ids of our own: LlamaIndex ranks what is equally near by the ids, and its own are random.
        splitter = SentenceSplitter(
            chunk_size=size, chunk_overlap=overlap, id_func=lambda n, of: f"{of.node_id}-{n:04}"
        )
        nodes = splitter.get_nodes_from_documents(documents)
        texts = [node.get_content(MetadataMode.EMBED) for node in nodes]
        for node, vector in zip(nodes, _embedded(texts, encoder, cache, progress), strict=True):
            node.embedding = vector.tolist()
        dense = VectorIndexRetriever(VectorStoreIndex(nodes, embed_model=_Embedding(encoder)))
        told = f"{size:,}-token chunks"
        yield Peer(f"llamaindex-dense{suffix}", f"LlamaIndex: vectors, {told}", _dense(dense))
        yield Peer(
            f"llamaindex-fusion{suffix}", f"LlamaIndex: vectors + BM25, {told}", _fusion(dense, BM25Retriever(nodes))
        )


def _dense(retriever: VectorIndexRetriever) -> Callable[[str, int], list[str]]:
    def passages(question: str, limit: int) -> list[str]:
        retriever.similarity_top_k = limit
        return _articles(retriever.retrieve(question))

    return passages


def _fusion(dense: VectorIndexRetriever, words: BM25Retriever) -> Callable[[str, int], list[str]]:
    fused = QueryFusionRetriever(
        [dense, words], llm=MockLLM(), mode=FUSION_MODES.RECIPROCAL_RANK, num_queries=1, use_async=False
    )

    def passages(question: str, limit: int) -> list[str]:
        dense.similarity_top_k = words.similarity_top_k = max(limit, _FUSED)
        fused.similarity_top_k = limit
        return _articles(fused.retrieve(question))

    return passages


def _articles(found: Iterable[NodeWithScore]) -> list[str]:
    return [each.node.ref_doc_id or "" for each in found]


def _embedded(texts: Sequence[str], encoder: Encoder, cache: Path, progress: Progress) -> Iterator[Vectors]:
    """The unit vector of each text, shape (d,), out of the cache where it is there."""
    cache.mkdir(parents=True, exist_ok=True)
    for begin in range(0, len(texts), _SAVED_EVERY):
        part = texts[begin : begin + _SAVED_EVERY]
        path = cache / f"{_digest(encoder.fingerprint, *part)}.npy"
        if not path.is_file():
            partial = path.with_suffix(f".{os.getpid()}.npy")
            np.save(partial, np.stack([encoder.query(text) for text in part]))
            partial.replace(path)
        yield from np.load(path)
        progress("embedding for LlamaIndex", begin + len(part), len(texts))


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:32]


class BM25Retriever(BaseRetriever):
    """BM25 over nodes, as `llama-index-retrievers-bm25` 0.8 does it, to the same rankings.

    That package needs PyStemmer below 3, which Snowball's Python side would take over for the whole program: with it,
    Dateline itself would see other stems than those it is tuned and tested with.
    """

    def __init__(self, nodes: Sequence[BaseNode]) -> None:
        super().__init__()
        self.similarity_top_k = 2
        self._nodes = nodes
        self._stemmer = snowballstemmer.stemmer("english")
        self._bm25 = bm25s.BM25()
        self._bm25.index(self._tokens([node.get_content(MetadataMode.EMBED) for node in nodes]), show_progress=False)

    def _tokens(self, texts: list[str]) -> object:
        return bm25s.tokenize(texts, stopwords="en", stemmer=self._stemmer.stemWords, show_progress=False)

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        limit = min(self.similarity_top_k, len(self._nodes))
        rows, scores = self._bm25.retrieve(self._tokens([query_bundle.query_str]), k=limit, show_progress=False)
        return [
            NodeWithScore(node=self._nodes[row], score=score)
            for row, score in zip(rows[0].tolist(), scores[0].tolist(), strict=True)
        ]


class _Embedding(BaseEmbedding):
    """Dateline's embedder as LlamaIndex asks for one."""

    _encoder: Encoder = PrivateAttr()

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(model_name=encoder.name)
        self._encoder = encoder

    def _get_text_embedding(self, text: str) -> list[float]:
        return [float(value) for value in self._encoder.query(text)]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)
