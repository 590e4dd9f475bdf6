"""Who says what: each article's position on a question, written from that article's sentences alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from index.article import Article
from index.times import is_newer
from rag import cite
from rag.evidence import Ranked, repeats
from rag.opinion import is_opinion
from rag.types import (
    AnswerSentence,
    Citation,
    Disagreement,
    EvidenceSentence,
    Models,
    citation_json,
    full_text,
    sentence_json,
)

MOST_ARTICLES = 6


@dataclass(frozen=True, slots=True)
class Position:
    """What one article says on a question.

    `quote` is its sentence nearest to the question, whether it says anything or not. `silent` says that it does not
    address the question; then there are no sentences. `newest` is set on the latest of several dates only; `also_in`
    are the articles that say the same word for word.
    """

    article: Article
    sentences: tuple[AnswerSentence, ...]
    quote: Citation
    silent: bool
    opinion: bool
    newest: bool
    also_in: tuple[Article, ...]

    @property
    def text(self) -> str:
        return full_text(self.sentences)

    def to_json(self) -> dict[str, Any]:
        article = self.article
        return {
            "article": article.id,
            "title": article.title,
            "source": article.source,
            "author": article.author,
            "published": article.published,
            "url": article.url,
            "text": self.text,
            "sentences": [sentence_json(s) for s in self.sentences],
            "quote": citation_json(self.quote),
            "silent": self.silent,
            "opinion": self.opinion,
            "newest": self.newest,
            "also_in": [{"article": copy.id, "title": copy.title, "source": copy.source} for copy in self.also_in],
        }


@dataclass(frozen=True, slots=True)
class BySource:
    """The positions of the articles on a question: by date, the oldest first; those that say nothing come last."""

    question: str
    positions: tuple[Position, ...]
    disagreements: tuple[Disagreement, ...]
    models: Models
    prompt: str

    @property
    def citations(self) -> tuple[Citation, ...]:
        """All different quotations, in the order of their numbers."""
        cited = [c for p in self.positions for c in (p.quote, *(c for s in p.sentences for c in s.citations))]
        unique = {citation.number: citation for citation in cited}
        return tuple(unique[number] for number in sorted(unique))

    def to_json(self) -> dict[str, Any]:
        """The object that `dateline ask --by-source --json` prints; docs/contract.md describes it."""
        return {
            "question": self.question,
            "positions": [position.to_json() for position in self.positions],
            "disagreements": [disagreement.to_json() for disagreement in self.disagreements],
            "models": asdict(self.models),
            "prompt": self.prompt,
        }


@dataclass(frozen=True, slots=True)
class Group:
    """The sentences of one article, the most relevant first, and the articles that repeat its best one."""

    ranked: tuple[Ranked, ...]
    copies: tuple[Article, ...] = ()

    @property
    def article(self) -> Article:
        return self.ranked[0].sentence.article


@dataclass(frozen=True, slots=True)
class Draft:
    """What was written of an article from what was read of it; nothing where it does not address the question."""

    group: Group
    read: tuple[EvidenceSentence, ...]
    sentences: tuple[AnswerSentence, ...]


def groups(ranked: Sequence[Ranked]) -> list[Group]:
    """The articles to ask, at most `MOST_ARTICLES`, the best first; word-for-word copies count once."""
    own: dict[str, list[Ranked]] = {}
    for each in ranked:
        own.setdefault(each.sentence.article.id, []).append(each)
    kept: list[Group] = []
    for sentences in own.values():
        best = sentences[0].sentence
        place = next((n for n, group in enumerate(kept) if repeats(best, group.ranked[0].sentence)), None)
        if place is None:
            kept.append(Group(tuple(sentences)))
        else:
            kept[place] = replace(kept[place], copies=(*kept[place].copies, best.article))
    return kept[:MOST_ARTICLES]


def positions(drafts: Sequence[Draft]) -> tuple[Position, ...]:
    """The drafts by date, with citations that are numbered throughout."""
    number = cite.numbering()
    dates = [draft.group.article.published for draft in drafts]
    found = [
        Position(
            article=draft.group.article,
            sentences=tuple(replace(s, citations=tuple(map(number, s.citations))) for s in draft.sentences),
            quote=number(cite.cite([(1,)], [replace(draft.group.ranked[0].sentence, number=1)])[0][0]),
            silent=not draft.sentences,
            opinion=is_opinion(draft.group.article),
            newest=_is_newest(draft.group.article.published, dates),
            also_in=draft.group.copies,
        )
        for draft in drafts
    ]
    return tuple(sorted(found, key=lambda p: (p.silent, not p.article.published, p.article.published)))


def _is_newest(published: str, dates: Sequence[str]) -> bool:
    return published == max(dates) and any(is_newer(published, date) for date in dates)
