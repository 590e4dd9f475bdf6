"""Evidence that tests write down: articles of a few sentences, and their sentences as they are found."""

from __future__ import annotations

import math
from collections.abc import Sequence

from index.article import Article
from index.sentences import split_sentences
from rag.evidence import Ranked
from rag.types import EvidenceSentence


def article(name: str, *sentences: str, **fields: str) -> Article:
    """An article whose id is its name, its sentences one after the other."""
    return Article(name, fields.pop("title", f"Title of {name}"), " ".join(sentences), **fields)


def sentence(of: Article, position: int, score: float = 0.0, number: int = 0) -> EvidenceSentence:
    """The sentence at a position of an article."""
    span = split_sentences(of.text)[position]
    return EvidenceSentence(number, of, position, span.start, span.end, score)


def ranked(*found: tuple[Article, int, float]) -> tuple[Ranked, ...]:
    """Sentences (article, position, relevance) as `evidence.pool` gives them, each with the one before it, unscored."""
    return tuple(
        Ranked(sentence(of, position, score), sentence(of, position - 1, -math.inf) if position else None)
        for of, position, score in found
    )


def count(texts: Sequence[str]) -> list[int]:
    """Words for tokens."""
    return [len(text.split()) for text in texts]
