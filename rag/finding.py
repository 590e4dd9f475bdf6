"""A question → everything up to the evidence: what is meant, the days it means, and the sentences, best first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from index.article import Article
from index.errors import QuestionError, StoreError
from index.filters import Filters
from index.relevance import Score
from index.search import Index, checked
from index.settings import Settings
from index.times import TimeHint, time_hint
from prompts import Write
from rag import evidence, listing
from rag.models.asked import asked as asked_like
from rag.question import meant
from rag.types import Kind, Turn

_LISTED_HITS = 60  # chunks that are looked for where articles are to be listed
_OVERVIEW = 8  # articles whose beginnings stand for all
_OPENING = 3  # sentences of an article's beginning that a summary starts from


@dataclass(frozen=True, slots=True)
class Found:
    """What was found for a question: `standalone` is the question on its own; a list has articles, all else sentences
    or nothing. `compares` where it asks what several articles say."""

    question: str
    standalone: str
    asked: str
    kind: Kind = Kind.QUESTION
    when: TimeHint | None = None
    ranked: tuple[evidence.Ranked, ...] = ()
    listed: tuple[Article, ...] = ()
    compares: bool = False

    @property
    def day(self) -> str:
        """The day of the question where it means days ("this week"), else "": what was so in an old article answers a
        question that asks for no time."""
        return self.asked if self.when else ""

    @property
    def wide(self) -> bool:
        """Whether much is to be read at once: several articles are compared, or a text is summed up."""
        return self.compares or self.kind is not Kind.QUESTION


@dataclass(frozen=True, slots=True)
class Finder:
    """Finds in one corpus.

    Args:
        relevance: as `index.relevance.Relevance.scores`.
        trained: whether the model that `write` asks was trained to tell what is meant.
    """

    settings: Settings
    index: Index
    relevance: Score
    trained: bool

    def find(
        self,
        typed: str,
        history: Sequence[Turn],
        asked: str,
        filters: Filters | None,
        write: Write,
        *,
        by_article: bool = False,
    ) -> Found:
        """Everything up to the evidence.

        Args:
            history: the conversation so far, oldest first.
            asked: the ISO date of the question, "" where it is not known.
            filters: which articles may be found.
            write: the model: messages and the most tokens → text.
            by_article: whether every article is to be asked: then all that is typed is a question to them, and each
                keeps its own copy of what another says too.

        Raises:
            QuestionError: an empty or overlong question, or no article fits the filters.
            StoreError: there are no articles yet.
            ModelError: the model can't be used.
        """
        typed = checked(typed)
        meaning = meant(typed, history, write, asked_like(typed, self.index.embedder), trained=self.trained)
        kind, question = meaning.kind, meaning.question
        if by_article and kind is not Kind.QUESTION:
            kind, question = Kind.QUESTION, typed
        if kind in (Kind.TALK, Kind.ABILITY):
            return Found(typed, typed, asked, kind)
        when, count = time_hint(question, asked), _LISTED_HITS if kind is Kind.LIST else evidence.HITS
        hits = self.index.search(question, count, asked=asked, filters=filters, each_copy=by_article)
        if not hits and filters:
            raise QuestionError(f"No article fits the filters ({filters}). `dateline index list` shows what there is.")
        if not hits:
            raise StoreError(
                f"There are no articles in {self.settings.home} yet. Add some: `dateline index add FILE_OR_FOLDER`."
            )
        if kind is Kind.LIST:
            articles = listing.listed(question, self.index, hits, self.relevance, when, filters)
            return Found(typed, question, asked, kind, when, listed=tuple(articles))
        if kind is Kind.OVERVIEW:
            return Found(typed, question, asked, kind, when, self._overview(filters))
        compares = kind is Kind.QUESTION and asked_like(question, self.index.embedder).compares
        ranked = evidence.pool(question, hits, self.index, self.relevance, by_article=by_article or compares)
        if compares:
            ranked = evidence.spread(ranked)
        if kind is Kind.SUMMARY and ranked:
            ranked = (*evidence.openings([ranked[0].sentence.article], _OPENING), *ranked)
        return Found(typed, question, asked, kind, when, ranked, compares=compares)

    def _overview(self, filters: Filters | None) -> tuple[evidence.Ranked, ...]:
        """The beginnings of some articles, spread evenly over all of them by date."""
        rows = self.index.articles(filters)
        chosen = rows[:: max(1, -(-len(rows) // _OVERVIEW))]
        return evidence.openings([self.index.article(row.id) for row in chosen], 2)
