"""Articles as a list, by their titles, sources and dates; and the one line that answers small talk."""

from __future__ import annotations

import re
from collections.abc import Sequence

from index.article import Article
from index.filters import Filters
from index.relevance import Score
from index.search import Hit, Index
from index.times import TimeHint, day_in_words
from rag import cite
from rag.evidence import renumbered, sentences_of
from rag.types import AnswerSentence, EvidenceSentence, Kind, Support

MOST = 20  # articles of a list
# A passage of an article that is about the matter has at least this relevance, a logit: the cross-encoder's even odds.
# Not measured.
_ABOUT = 0.0

SAYS = {
    Kind.TALK: "Ask me something about the articles, and I will answer from them.",
    Kind.ABILITY: "I answer questions from the articles in this collection, show the sentences that each answer rests "
    "on, compare what the sources say, summarise and list articles, and say so when the articles do not say.",
}


def listed(
    question: str,
    index: Index,
    hits: Sequence[Hit],
    relevance: Score,
    when: TimeHint | None,
    filters: Filters | None,
) -> list[Article]:
    """The articles that a list is of: those on its matter, or of the source, author or time that it names; the newest
    first.

    Args:
        hits: what the search finds for the question.
        relevance: as `index.relevance.Relevance.scores`.
        when: the days that the question means.
        filters: which articles may be listed.
    """
    rows = index.articles(filters)
    asks = question.casefold()
    named = {row.id for row in rows if _is_named(row.source, asks) or _is_named(row.author, asks)}
    if when:
        dated = {row.id for row in rows if row.published and _is_of(row.published, when)}
        named = named & dated if named else dated
    if not named:
        scores = relevance(question, [f"{hit.article.title}. {hit.text}" for hit in hits])
        named = {hit.article.id for hit, score in zip(hits, scores, strict=True) if score >= _ABOUT}
    wanted = named if named or when else {row.id for row in rows}
    return [index.article(row.id) for row in rows if row.id in wanted]


def sentences(articles: Sequence[Article]) -> tuple[AnswerSentence, ...]:
    """A line for each article, which its first sentence stands for."""
    number = cite.numbering()
    lines = []
    for article in articles[:MOST]:
        about = ", ".join(part for part in (article.source, day_in_words(article.published)) if part)
        citations = tuple(number(each) for each in cite.cite([(1,)], found([article]))[0])
        text = f"“{article.title or article.id}”" + (f" ({about})" if about else "") + "."
        lines.append(AnswerSentence(text, citations, Support.SUPPORTED, 1.0))
    return tuple(lines)


def text(articles: Sequence[Article]) -> str:
    """What stands before the lines: how many there are."""
    return f"{len(articles)} article{'' if len(articles) == 1 else 's'}" + (
        f", of which the newest {MOST}:" if len(articles) > MOST else ":"
    )


def found(articles: Sequence[Article]) -> tuple[EvidenceSentence, ...]:
    """The evidence of a list: the first sentence of each article."""
    return renumbered(e for article in articles[:MOST] for e in sentences_of(article)[:1])


def _is_named(name: str, asks: str) -> bool:
    """Whether a name stands in a question as words of their own: AP does not stand in Japan."""
    own = name.casefold()
    return bool(own) and own in asks and bool(re.search(rf"(?<!\w){re.escape(own)}(?!\w)", asks))


def _is_of(published: str, when: TimeHint) -> bool:
    """Whether an ISO date that may stop at the year or the month is one of the days that are meant, or may be."""
    day = published[:10]
    first, last = (side.isoformat()[: len(day)] if side else day for side in (when.first, when.last))
    return first <= day <= last
