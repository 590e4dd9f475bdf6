"""A question → hits, best first: dense and lexical search, fused by reciprocal rank. No LLM."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index import ingest
from index.article import Article, Chunk, Span
from index.embedding import Embedder, Vectors
from index.ledger import ArticleRow, Ledger
from index.settings import Settings
from index.vectors import Progress, open_projection
from index.words import content_words, words

DEPTH = 100  # how far down each of the two lists counts
RRF_K = 60  # Cormack, Clarke & Büttcher 2009: "reciprocal rank fusion"


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that answers to a question.

    `score` is the fused score, comparable only within one search; `cosine` (−1…1) is that of the chunk's vector to
    the question's. `text` is `article.text[start:end]`.
    """

    article: Article
    article_key: int
    chunk: Chunk
    score: float
    cosine: float

    @property
    def text(self) -> str:
        return self.article.text[self.chunk.start : self.chunk.end]


@dataclass(frozen=True)
class HitSentences:
    """All sentences of a hit's chunk: positions in the article, spans, and unit vectors of shape (n, d)."""

    hit: Hit
    first: int
    spans: tuple[Span, ...]
    vectors: Vectors


class Index:
    """The corpus of one data directory: add, list, remove, search.

    Raises:
        EmbedderMismatch, StoreError: the data directory can't be used with these settings.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.embedder = Embedder(settings.embedder)
        self.ledger = Ledger(settings.ledger_path, self.embedder.fingerprint)
        self.projection = open_projection(self.ledger, settings.chroma_path)

    def close(self) -> None:
        self.projection.close()
        self.ledger.close()

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(
        self,
        paths: list[Path],
        *,
        replace_ids: bool = False,
        report: Callable[[ingest.Outcome], None] = lambda outcome: None,
        progress: Callable[[str, int, int], None] = lambda step, done, total: None,
    ) -> ingest.Summary:
        """See `ingest.add`."""
        return ingest.add(
            paths, ledger=self.ledger, embedder=self.embedder, projection=self.projection,
            replace_ids=replace_ids, report=report, progress=progress,
        )  # fmt: skip

    def remove(self, ids: Iterable[str]) -> None:
        """Delete articles everywhere. Raises `UnknownArticle`, and then deletes nothing."""
        with self.ledger.writing():
            self.ledger.remove(ids)
            self.projection.catch_up()

    def catch_up(self, progress: Progress | None = None) -> None:
        """Bring the vector store to the ledger's present state; `search` does it too."""
        self.projection.catch_up(progress)

    def article(self, article_id: str) -> Article:
        """Raises `UnknownArticle`."""
        return self.ledger.article(article_id)

    def articles(self) -> list[ArticleRow]:
        return self.ledger.list_articles()

    def search(self, question: str, limit: int = 10) -> list[Hit]:
        """The best chunks for a question, best first; fewer than `limit` where the corpus holds no more."""
        self.projection.catch_up()
        vector = self.embedder.query(question)
        # A question of function words alone ("who are they?") is still looked up by them.
        terms = content_words(question) or words(question)
        dense = self.projection.nearest(vector, DEPTH)
        lexical = self.ledger.match_words(terms, DEPTH)
        return self._fuse(vector, [key for key, _ in dense], [key for key, _ in lexical], limit)

    def sentences(self, hit: Hit) -> HitSentences:
        """The sentences of a hit's chunk with their vectors."""
        stored = self.ledger.sentences(hit.article_key)
        inside = slice(hit.chunk.first, hit.chunk.last + 1)
        return HitSentences(hit, hit.chunk.first, stored.spans[inside], stored.vectors[inside])

    def _fuse(self, vector: Vectors, dense: list[int], lexical: list[int], limit: int) -> list[Hit]:
        stored = self.ledger.chunks(list({*dense, *lexical}))
        scores: dict[int, float] = dict.fromkeys(stored, 0.0)
        for ranking in (dense, lexical):
            alive = [key for key in ranking if key in stored]
            _add_reciprocal_ranks(scores, alive)
            # An article that holds one of the best chunks lends weight to all of its chunks.
            of_article = {key: stored[key].article for key in alive}
            best = {article: n for n, article in enumerate(dict.fromkeys(of_article.values()), start=1)}
            for key in scores:
                if rank := best.get(stored[key].article):
                    scores[key] += 1.0 / (RRF_K + rank)
        order = sorted(scores, key=lambda key: (-scores[key], key))[:limit]
        articles = self.ledger.articles_by_key({stored[key].article for key in order})
        keys, vectors = self.ledger.chunk_vectors(order)
        cosines = dict(zip(keys, (vectors @ vector if keys else np.zeros(0)), strict=True))
        return [
            Hit(articles[stored[key].article], stored[key].article, stored[key].chunk, scores[key], float(cosines[key]))
            for key in order
            if stored[key].article in articles and key in cosines
        ]


def _add_reciprocal_ranks(scores: dict[int, float], ranking: list[int]) -> None:
    for rank, key in enumerate(ranking, start=1):
        scores[key] += 1.0 / (RRF_K + rank)
