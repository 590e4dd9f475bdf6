"""A question → hits, best first: candidates by meaning and by words, one score, and a second round by names. No LLM."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from index import ingest
from index.article import Article, Chunk
from index.embedding import CHUNK_PIECES, Embedder, Vectors
from index.errors import QuestionError
from index.filters import Filters
from index.ledger import ArticleRow, Ledger, StoredChunk, StoredSentences
from index.ranking import WEIGHTS, Found, Weights, firsts, lift, names, rank
from index.reranking import Reranker
from index.settings import Settings
from index.splitting import split
from index.times import parse_day, time_hint
from index.vectors import ExactProjection, Progress, Projection, open_projection
from index.words import content_tokens, tokens, words

MAX_QUESTION = 2_000  # characters
DEPTH = 100  # chunks of each of the two rankings that become candidates
ARTICLE_DEPTH = 50  # articles that do, by their words
LEXICAL_DEPTH = 1_000  # how far down a candidate's BM25 score is looked for
FILTERED_DEPTH = 1_000  # neighbours looked through for those that a filter allows
RERANKED = 30  # passages that a reranker looks at, where one is named
LINKING = 5  # articles whose sentences may name further ones


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that answers to a question.

    `score` compares only within one search; `cosine` (−1…1) is that of the chunk's vector to
    the question's, `sentence` that of its best sentence's. `text` is `article.text[start:end]`. `copies` are the ids of
    the articles that are copies of this one, for which it speaks.
    """

    article: Article
    article_key: int
    chunk: Chunk
    score: float
    cosine: float
    sentence: float
    copies: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return self.article.text[self.chunk.start : self.chunk.end]


@dataclass(frozen=True, slots=True)
class _Query:
    """A question as both halves of the search see it; words with BM25 scores of chunks and articles, best first."""

    vector: Vectors
    filters: Filters | None
    chunk_words: dict[int, float]
    article_words: dict[int, float]


class Index:
    """One corpus: add, list, remove, search."""

    def __init__(
        self, embedder: Embedder, ledger: Ledger, projection: Projection, reranker: Reranker | None = None
    ) -> None:
        self.embedder = embedder
        self.ledger = ledger
        self.projection = projection
        self.reranker = reranker

    @classmethod
    def open(cls, settings: Settings, briefly: bool = False) -> Index:
        """The corpus of a data directory, made if missing.

        Args:
            briefly: for a question or two, in a process that ends after them.

        Raises:
            EmbedderMismatch, StoreError: the data directory can't be used with these settings.
        """
        embedder = Embedder(settings.embedder)
        ledger = Ledger(settings.ledger_path, embedder.fingerprint)
        reranker = Reranker(settings.reranker) if settings.reranker else None
        return cls(embedder, ledger, open_projection(ledger, settings.chroma_path, briefly), reranker)

    @classmethod
    def in_memory(cls, articles: Iterable[Article], embedder: Embedder) -> Index:
        """A corpus of these articles alone, which ends with the process."""
        ledger = Ledger(None, embedder.fingerprint)
        ledger.publish(list(embedder.embed([split(article, embedder, CHUNK_PIECES) for article in articles])))
        return cls(embedder, ledger, ExactProjection(ledger))

    def close(self) -> None:
        self.projection.close()
        self.ledger.close()

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, paths: list[Path], **options: Any) -> ingest.Summary:
        """See `ingest.add`; the options are those of `ingest.Run`."""
        return ingest.add(self._run(options), paths)

    def sync(self, folder: Path, *, may_empty: bool = False, **options: Any) -> ingest.Summary:
        """See `ingest.sync`; the options are those of `ingest.Run`."""
        return ingest.sync(self._run(options), folder, may_empty=may_empty)

    def _run(self, options: dict[str, Any]) -> ingest.Run:
        return ingest.Run(ledger=self.ledger, embedder=self.embedder, projection=self.projection, **options)

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

    def articles(self, filters: Filters | None = None) -> list[ArticleRow]:
        """All articles, or those that the filters allow, the newest first."""
        return self.ledger.list_articles(filters)

    def search(
        self,
        question: str,
        limit: int = 10,
        *,
        asked: str = "",
        filters: Filters | None = None,
        weights: Weights = WEIGHTS,
        each_copy: bool = False,
    ) -> list[Hit]:
        """The best chunks for a question, best first; fewer than `limit` where the corpus holds no more.

        Args:
            asked: the ISO date that "this week" and the like are meant from; "" for not known.
            filters: which articles may be found.
            each_copy: whether copies of an article stand for themselves; else one speaks for all of them, and of the
                others comes only what it does not say.
        """
        self.projection.catch_up()
        query = self._query(question, filters)
        hint, day = time_hint(question, asked), parse_day(asked)
        found = self._candidates(query)
        ranked = rank(found, hint, day, weights)
        if weights.links and (links := self._links(ranked, query)):
            found += self._of_articles(links.keys() - {f.article for f in found}, query)
            ranked = lift(rank(found, hint, day, weights), links, weights.links)
        groups = {} if each_copy else self.ledger.copies({f.article for f in ranked})
        ranked = self._once(ranked, groups, max(limit, RERANKED))
        ranked = ranked[: max(limit, RERANKED) if self.reranker else limit]
        articles = self.ledger.articles_by_key({f.article for f in ranked})
        copies = {key: self._others(groups[key], each.id) for key, each in articles.items() if key in groups}
        if self.reranker:
            ranked = _reranked(question, ranked, articles, self.reranker)[:limit]
        return [
            Hit(articles[f.article], f.article, f.chunk, f.score, f.cosine, f.sentence, copies.get(f.article, ()))
            for f in ranked
            if f.article in articles
        ]

    def copies(self, article_id: str) -> list[str]:
        """The ids of the other articles that are copies of this one. Raises `UnknownArticle`."""
        key = self.ledger.key(article_id)
        group = self.ledger.copies([key]).get(key)
        return [] if group is None else list(self._others(group, article_id))

    def sentences(self, hit: Hit) -> StoredSentences:
        """All sentences of a hit's article with their vectors."""
        return self.ledger.sentences(hit.article_key)

    def unheard(self, question: str) -> set[str]:
        """The words of a question that carry a topic and that no article holds, in lower case."""
        return self.ledger.unheard(content_tokens(question))

    def _once(self, ranked: Sequence[Found], groups: Mapping[int, int], wanted: int) -> list[Found]:
        """The ranking with one article for each group of copies, the best; of the others what that one does not say."""
        speaking: dict[int, int] = {}
        said: dict[int, frozenset[str]] = {}
        kept: list[Found] = []
        for f in ranked:
            group = groups.get(f.article)
            if group is not None and speaking.setdefault(group, f.article) != f.article:
                said.setdefault(group, self._said(speaking[group]))
                if self._said(f.article, f.chunk) <= said[group]:
                    continue
            kept.append(f)
            if len(kept) == wanted:
                break
        return kept

    def _said(self, article_key: int, chunk: Chunk | None = None) -> frozenset[str]:
        """The sentences of an article, or of a chunk of it, as words alone."""
        article = self.ledger.articles_by_key([article_key]).get(article_key)
        spans = self.ledger.sentences(article_key).spans
        chosen = spans[chunk.first : chunk.last + 1] if chunk else spans
        return frozenset(" ".join(words(article.text[s.start : s.end])) for s in chosen) if article else frozenset()

    def _others(self, group: int, article_id: str) -> tuple[str, ...]:
        return tuple(each for each in self.ledger.ids_of_copies(group) if each != article_id)

    def _query(self, question: str, filters: Filters | None) -> _Query:
        # A question of function words alone ("who are they?") is still looked up by them.
        terms = content_tokens(question) or tokens(question)
        return _Query(
            vector=self.embedder.query(question),
            filters=filters,
            chunk_words=self.ledger.match_chunks(terms, LEXICAL_DEPTH, filters),
            article_words=self.ledger.match_articles(terms, LEXICAL_DEPTH, filters),
        )

    def _candidates(self, query: _Query) -> list[Found]:
        """The nearest chunks, the chunks with most of the words, and one of each article with most of the words."""
        stored = self.ledger.chunks(sorted({*self._nearest(query), *islice(query.chunk_words, DEPTH)}))
        missing = set(islice(query.article_words, ARTICLE_DEPTH)) - {chunk.article for chunk in stored.values()}
        return self._measure(stored.values(), query) + self._of_articles(missing, query)

    def _nearest(self, query: _Query) -> list[int]:
        if not query.filters:
            return [key for key, _ in self.projection.nearest(query.vector, DEPTH)]
        allowed = self.ledger.chunk_keys(query.filters)
        near = [key for key, _ in self.projection.nearest(query.vector, FILTERED_DEPTH) if key in allowed][:DEPTH]
        if len(near) < min(DEPTH, len(allowed)):  # the filter leaves little of what is near: compare all it allows
            keys, vectors = self.ledger.chunk_vectors(sorted(allowed))
            if keys:  # another process may have removed them all meanwhile
                near = [keys[i] for i in np.argsort(-(vectors @ query.vector), kind="stable")[:DEPTH]]
        return near

    def _of_articles(self, articles: Set[int], query: _Query) -> list[Found]:
        """Of each article the chunk with most of the words, the first where none has any."""
        chunks = self.ledger.chunks_of(articles)
        chunks.sort(key=lambda chunk: (-query.chunk_words.get(chunk.key, 0.0), chunk.key))
        return self._measure(firsts(chunks, lambda chunk: chunk.article), query)

    def _measure(self, chunks: Iterable[StoredChunk], query: _Query) -> list[Found]:
        stored = {chunk.key: chunk for chunk in chunks}
        keys, vectors = self.ledger.chunk_vectors(sorted(stored))
        cosines = (vectors @ query.vector).tolist() if keys else []
        sentences = self.ledger.sentence_cosines(keys, query.vector)
        published = self.ledger.published({stored[key].article for key in keys})
        return [
            Found(
                key=key,
                article=stored[key].article,
                chunk=stored[key].chunk,
                published=published.get(stored[key].article, ""),
                cosine=cosine,
                sentence=sentences.get(key, cosine),
                words=query.chunk_words.get(key, 0.0),
                article_words=query.article_words.get(stored[key].article, 0.0),
            )
            for key, cosine in zip(keys, cosines, strict=True)
        ]

    def _links(self, ranked: Sequence[Found], query: _Query) -> dict[int, float]:
        """Articles whose title stands in a sentence of the best ones → how near that sentence is to the question.

        A second round without an LLM: "When did his mother die?" finds his article, which names her, and so hers,
        which holds the date. A headline is no name and stands in no sentence; among headlines this changes nothing.
        """
        named: dict[str, list[tuple[int, float]]] = {}
        best = firsts(ranked, lambda f: f.article)[:LINKING]
        if not best or best[0].score <= 0:  # nothing is near enough to speak for another
            return {}
        articles = self.ledger.articles_by_key({f.article for f in best})
        for f in best:
            stored = self.ledger.sentences(f.article)
            for span, vector in list(zip(stored.spans, stored.vectors, strict=True))[f.chunk.first : f.chunk.last + 1]:
                strength = float(vector @ query.vector) * f.score / best[0].score
                for name in names(articles[f.article].text[span.start : span.end]):
                    named.setdefault(name, []).append((f.article, strength))
        links: dict[int, float] = {}
        for name, keys in self.ledger.named(named, query.filters).items():
            for key in keys:
                strengths = [strength for article, strength in named[name] if article != key]
                links[key] = max([*strengths, links.get(key, 0.0)])
        return links


def _reranked(
    question: str, ranked: Sequence[Found], articles: Mapping[int, Article], reranker: Reranker
) -> list[Found]:
    """The same passages by the reranker's scores; what it holds equal stays in order."""
    alive = [f for f in ranked if f.article in articles]
    texts = [f"{articles[f.article].title}\n{articles[f.article].text[f.chunk.start : f.chunk.end]}" for f in alive]
    scored = [replace(f, score=score) for f, score in zip(alive, reranker.scores(question, texts), strict=True)]
    return sorted(scored, key=lambda f: -f.score)


def checked(question: str) -> str:
    """The question with its white space tidied.

    Raises:
        QuestionError: it is empty, too long, or no text.
    """
    question = " ".join(question.split())
    if not question:
        raise QuestionError("The question is empty; ask something.")
    if any("\ud800" <= c <= "\udfff" for c in question):
        raise QuestionError("The question holds half of a surrogate pair, which is no text; type it again.")
    if len(question) > MAX_QUESTION:
        raise QuestionError(f"The question has {len(question):,} characters; at most {MAX_QUESTION:,} can be asked.")
    return question
