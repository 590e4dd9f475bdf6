"""What was found for a question → one order: scores as weighted sums, pure functions over numbers.

The weights were chosen on tuning sets, as docs/tuning.md says. Parts that compare only within one question (BM25) are
shares of the best; cosines are taken as they are.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain
from typing import TypeVar

from index.article import Chunk
from index.times import TimeHint, parse_day
from index.words import words

_NEAR_DAYS = 7  # e-folding of the preference for the days that the question means
_LATE_DAYS = 3  # an event is reported up to so many days later without loss
_FRESH_DAYS = 30  # e-folding of the preference for what was new on the day of the question
_MOST_NAME_WORDS = 8
_MOST_RUN_WORDS = 100  # of one run that are looked at; a longer one is a table or a heading, not prose
_Item = TypeVar("_Item")

# A run of capitalised words, small ones inside allowed: "Ermengarde of Tours", "Me and Bobby McGee".
_NAME = re.compile(
    r"[A-Z][\w’'.\-]*(?:\s+(?:(?:of|the|de|von|van|der|di|la|le|and|in|al|bin|ibn|mac|da|del|y|for|to|a|on)\s+){0,2}"
    r"[A-Z0-9][\w’'.\-]*)*"
)


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each part counts; 0 leaves it out."""

    cosine: float = 0.5  # of the chunk's vector to the question's
    sentence: float = 1.0  # of the chunk's best sentence's vector
    words: float = 0.2  # BM25 of the chunk, as a share of the best
    article_words: float = 0.6  # BM25 of the whole article, as a share of the best
    time: float = 0.3  # published on the days that the question means
    fresh: float = 0.2  # published around the day of the question, where it means no other days
    links: float = 1.0  # named as a title in a sentence of one of the best articles


WEIGHTS = Weights()


@dataclass(frozen=True, slots=True)
class Found:
    """A chunk that may answer to a question. `words` and `article_words` are BM25 scores; 0 for no word."""

    key: int
    article: int
    chunk: Chunk
    published: str
    cosine: float
    sentence: float
    words: float
    article_words: float
    score: float = 0.0


def rank(found: Iterable[Found], hint: TimeHint | None, asked: date | None, weights: Weights) -> list[Found]:
    """The chunks with their scores, best first.

    An article's best chunk speaks for the article. Its second stands at half its own score, its third at a third, so
    that several articles come before much of one.
    """
    chunks = list(found)
    best_words = max((f.words for f in chunks), default=0.0) or 1.0
    best_article_words = max((f.article_words for f in chunks), default=0.0) or 1.0
    scored = [
        replace(
            f,
            score=weights.cosine * f.cosine
            + weights.sentence * f.sentence
            + weights.words * f.words / best_words
            + weights.article_words * f.article_words / best_article_words
            + _timeliness(f.published, hint, asked, weights),
        )
        for f in chunks
    ]
    return _spread(scored)


def lift(ranked: Sequence[Found], links: Mapping[int, float], weight: float) -> list[Found]:
    """The ranking again, with the articles higher that the best ones name; none of them passes the best.

    Args:
        links: article → strength (0…1) of the sentence that names it.
    """
    best = ranked[0]
    ceiling = math.nextafter(best.score, -math.inf)
    lifted = []
    for f in ranked:
        if (strength := links.get(f.article)) and f.article != best.article:
            f = replace(f, score=max(f.score, min(f.score + weight * strength, ceiling)))
        lifted.append(f)
    return sorted(lifted, key=lambda f: (-f.score, f.key))


def names(text: str) -> set[str]:
    """Every run of words in a text that may be the name of something, as `ledger.name_of` folds a title."""
    found: set[str] = set()
    for match in _NAME.finditer(text):
        parts = [words(part) for part in match.group().split(maxsplit=_MOST_RUN_WORDS)[:_MOST_RUN_WORDS]]
        for begin in range(len(parts)):
            for end in range(begin + 1, min(len(parts), begin + _MOST_NAME_WORDS) + 1):
                found.add(" ".join(chain.from_iterable(parts[begin:end])))
    return {name for name in found if len(name) > 3}


def firsts(ranked: Iterable[_Item], key: Callable[[_Item], Hashable]) -> list[_Item]:
    """The first of each key, in order: the best hit of each article, from hits that come best first."""
    found: dict[Hashable, _Item] = {}
    for item in ranked:
        found.setdefault(key(item), item)
    return list(found.values())


def _spread(scored: Iterable[Found]) -> list[Found]:
    """Best first, each further chunk of an article at a smaller share of its score."""
    seen: dict[int, int] = {}
    result = []
    for f in sorted(scored, key=lambda f: (-f.score, f.key)):
        seen[f.article] = seen.get(f.article, 0) + 1
        share = 1 / seen[f.article] if f.score > 0 else seen[f.article]
        result.append(replace(f, score=f.score * share))
    return sorted(result, key=lambda f: (-f.score, f.key))


def _timeliness(published: str, hint: TimeHint | None, asked: date | None, weights: Weights) -> float:
    """Undated articles and questions without a time get nothing, and lose nothing against each other."""
    day = parse_day(published)
    if day is None:
        return 0.0
    if hint:
        off = hint.days_off(day)
        if hint.last and day > hint.last:
            off = max(0, off - _LATE_DAYS)
        return weights.time * math.exp(-off / _NEAR_DAYS)
    return weights.fresh * math.exp(-abs((asked - day).days) / _FRESH_DAYS) if asked else 0.0
