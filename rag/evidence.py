"""Hits → evidence: the sentences of the best articles, the most relevant first, and the few that a model reads.

A small model on a laptop reads about 80 tokens a second, and well only what is short: evidence is sentences, not pages.
"""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TypeVar

import numpy as np

from index.article import Article, Span
from index.embedding import Vectors
from index.errors import UnknownArticle
from index.ledger import StoredSentences
from index.ranking import firsts
from index.relevance import Score
from index.search import Hit, Index
from index.sentences import split_sentences
from index.words import content_stems, words
from rag.types import EvidenceSentence

HITS = 12  # chunks that are looked for; the sentences of their articles compete
_SHOWN = 24  # sentences of an answer's evidence, those that were read among them
_READABLE = 32  # candidates that the cross-encoder reads, the best by their score
_PER_ARTICLE = 100  # sentences of an article, the nearest to the question, that are looked at closely
# What a candidate's score is made of besides its cosine; tuned as docs/tuning.md says.
_WORD_WEIGHT = 0.5  # the question's words in it
_ARTICLE_WEIGHT = 1.0  # its article's score, as a share of the best article's
_RANK_WEIGHT = 0.3  # 1 / the rank of its article
_HEADER_TOKENS = 24  # what an article's header takes in the prompt, about
_NUMBER_TOKENS = 4  # "[12] " and the line break

TokenCounter = Callable[[Sequence[str]], list[int]]
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Ranked:
    """A sentence with the one before it in its article, which says of whom or what it speaks; None for the first."""

    sentence: EvidenceSentence
    before: EvidenceSentence | None


@dataclass(frozen=True, slots=True)
class _Candidate:
    hit: Hit
    spans: tuple[Span, ...]
    position: int
    score: float

    def at(self, position: int, score: float = 0.0) -> EvidenceSentence:
        span = self.spans[position]
        return EvidenceSentence(0, self.hit.article, position, span.start, span.end, score)


def pool(
    question: str, hits: Sequence[Hit], index: Index, relevance: Score, *, by_article: bool = False
) -> tuple[Ranked, ...]:
    """The sentences of the best articles, the most relevant first, each once; not numbered, `score` is the relevance,
    and lower than any for the one before.

    There are none where all of the articles have been removed since they were found.

    Args:
        relevance: as `index.relevance.Relevance.scores`; it reads every sentence after the one before it.
        by_article: whether every article is heard: as many sentences of each are looked at, and one that is another's
            too stays with each.
    """
    stored = [(hit, index.sentences(hit)) for hit in firsts(hits, lambda hit: hit.article_key)]
    near = _candidates(question, index.embedder.query(question), [each for each in stored if each[1].spans], by_article)
    if by_article:
        near = in_turns(near, lambda c: c.hit.article_key)
    pairs = [(c.at(c.position - 1, -math.inf) if c.position else None, c.at(c.position)) for c in near[:_READABLE]]
    logits = relevance(question, [f"{before.text} {own.text}" if before else own.text for before, own in pairs])
    held = {hit.article.id: _of_copies(hit, index) for hit, _ in stored if hit.copies}
    ranked = [
        Ranked(replace(own, score=float(logit), also_in=_also_in(own, held)), before)
        for (before, own), logit in zip(pairs, logits, strict=True)
    ]
    return tuple(sorted(ranked, key=lambda each: -each.sentence.score))


def spread(ranked: Sequence[Ranked]) -> tuple[Ranked, ...]:
    """The best sentence of each article, then the second of each, and so on, for what compares the articles."""
    return tuple(in_turns(ranked, lambda each: each.sentence.article.id))


def in_turns(items: Iterable[_Item], owner: Callable[[_Item], Hashable]) -> list[_Item]:
    """The first item of each owner, then the second of each, and so on; else in their order."""
    seen: Counter[Hashable] = Counter()
    placed = []
    for item in items:
        placed.append((seen[owner(item)], item))
        seen[owner(item)] += 1
    return [item for _, item in sorted(placed, key=lambda pair: pair[0])]


def openings(articles: Iterable[Article], sentences: int) -> tuple[Ranked, ...]:
    """The first sentences of articles, their titles apart: the first of each, then the second of each, and so on."""
    own = [_told(article)[:sentences] for article in articles]
    return tuple(Ranked(of[place], None) for place in range(sentences) for of in own if place < len(of))


def _told(article: Article) -> list[EvidenceSentence]:
    """The sentences of an article without its title and lines that hold no word, as a date at its head."""
    title = words(article.title)
    return [e for e in sentences_of(article) if words(e.text) != title and any(c.isalpha() for c in e.text)]


def sentences_of(article: Article) -> tuple[EvidenceSentence, ...]:
    """All sentences of an article as evidence, in order, neither numbered nor scored."""
    return tuple(
        EvidenceSentence(0, article, place, span.start, span.end, 0.0)
        for place, span in enumerate(split_sentences(article.text))
    )


def reading(
    ranked: Sequence[Ranked],
    count: TokenCounter,
    budget: int,
    *,
    skipping: bool = False,
    after: Sequence[EvidenceSentence] = (),
) -> tuple[EvidenceSentence, ...]:
    """What the model reads: the first of the ranked sentences within the budget, each after the one before it.

    The articles come in the order of their best sentence, their sentences in the order of the text.

    Args:
        count: tokens of each text, by the tokenizer of the model that will read them.
        budget: tokens that headers and sentences may take together.
        skipping: whether what does not fit is passed over; else it is the end, since what follows is less relevant, and
            the best sentence is taken whatever it costs.
        after: what it has read before; it does not come again, and the numbers run on.
    """
    known = {(e.article.id, e.sentence) for e in after}
    ranked = [each for each in ranked if (each.sentence.article.id, each.sentence.sentence) not in known]
    chosen: dict[tuple[str, int], EvidenceSentence] = {}
    articles: dict[str, int] = {}
    spent = 0
    # One call for all of them: a call takes as long as a hundred sentences.
    sizes = iter(count([e.text for each in ranked for e in (each.before, each.sentence) if e]))
    for each in ranked:
        pair = [(e, next(sizes)) for e in (each.before, each.sentence) if e]
        pair = [(e, size) for e, size in pair if (e.article.id, e.sentence) not in known]
        added = [(e, size) for e, size in pair if (e.article.id, e.sentence) not in chosen]
        article = each.sentence.article.id
        cost = sum(size + _NUMBER_TOKENS for _, size in added) + (0 if article in articles else _HEADER_TOKENS)
        if (chosen or skipping) and spent + cost > budget:
            if skipping:
                continue
            break
        spent += cost
        articles.setdefault(article, len(articles))
        for e, _ in pair:
            place = e.article.id, e.sentence
            chosen[place] = max(e, chosen.get(place, e), key=lambda each: each.score)
    told = sorted(chosen.values(), key=lambda e: (articles[e.article.id], e.sentence))
    return renumbered(told, len(after) + 1)


def gathered(read: Sequence[EvidenceSentence], ranked: Sequence[Ranked]) -> tuple[EvidenceSentence, ...]:
    """An answer's evidence: what was read, under its numbers, then the most relevant of the rest."""
    places = {(e.article.id, e.sentence) for e in read}
    rest = [each.sentence for each in ranked if (each.sentence.article.id, each.sentence.sentence) not in places]
    once = firsts([*read, *rest], lambda e: (e.article.id, e.sentence))
    return renumbered(once[: max(_SHOWN, len(read))])


def renumbered(found: Iterable[EvidenceSentence], first: int = 1) -> tuple[EvidenceSentence, ...]:
    """The sentences as they come, numbered from `first`."""
    return tuple(replace(e, number=number) for number, e in enumerate(found, start=first))


def shown(evidence: Sequence[EvidenceSentence]) -> str:
    """Evidence as the model reads it: each article's header, and its sentences under their numbers."""
    blocks = [list(group) for _, group in groupby(evidence, key=lambda e: e.article.id)]
    return "\n\n".join("\n".join([_header(block[0].article), *map(_numbered, block)]) for block in blocks)


def asked_on(day: str) -> str:
    """The day of a question as the prompts tell it; nothing where it is not known."""
    return f" (asked on {day})" if day else ""


def repeats(one: EvidenceSentence, other: EvidenceSentence) -> bool:
    """Whether two sentences are the same word for word: a syndicated text, a teaser."""
    return words(one.text) == words(other.text)


def _of_copies(hit: Hit, index: Index) -> dict[str, str]:
    """Id → words of the articles that are copies of a hit's."""
    found: dict[str, str] = {}
    for copy in hit.copies:
        with contextlib.suppress(UnknownArticle):  # removed since
            found[copy] = " ".join(words(index.article(copy).text))
    return found


def _also_in(sentence: EvidenceSentence, held: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    """Those of the article's copies that hold the sentence word for word."""
    said = " ".join(words(sentence.text))
    return tuple(copy for copy, text in held.get(sentence.article.id, {}).items() if said in text)


def _header(article: Article) -> str:
    about = ", ".join(part for part in (article.source, article.published) if part)
    return f"Article: {article.title}" + (f" ({about})" if about else "")


def _numbered(sentence: EvidenceSentence) -> str:
    return f"[{sentence.number}] {' '.join(sentence.text.split())}"


def _candidates(
    question: str, vector: Vectors, articles: Sequence[tuple[Hit, StoredSentences]], by_article: bool
) -> list[_Candidate]:
    """The sentences of the articles, the nearest to the question first, each once.

    Args:
        vector: the question's unit vector, shape (d,).
    """
    wanted = set(content_stems(question))
    cosines = [sentences.vectors @ vector for _, sentences in articles]
    near = [np.argsort(-own, kind="stable")[:_PER_ARTICLE].tolist() for own in cosines]
    stems = [
        {row: frozenset(content_stems(_text(hit, sentences, row))) for row in rows}
        for (hit, sentences), rows in zip(articles, near, strict=True)
    ]
    weight = _rarity(wanted, [each for of_article in stems for each in of_article.values()])
    total = sum(weight.values()) or 1.0
    best = max((hit.score for hit, _ in articles), default=0.0)
    found: list[_Candidate] = []
    for rank, ((hit, sentences), own, stems_of) in enumerate(zip(articles, cosines, stems, strict=True), start=1):
        lent = _ARTICLE_WEIGHT * (hit.score / best if best > 0 else 0.0) + _RANK_WEIGHT / rank
        for row, held in stems_of.items():
            score = float(own[row]) + _WORD_WEIGHT * sum(weight[word] for word in wanted & held) / total + lent
            found.append(_Candidate(hit, sentences.spans, row, score))
    found.sort(key=lambda c: (-c.score, c.hit.article_key, c.position))
    told = [(c, tuple(words(c.at(c.position).text))) for c in found]
    once = firsts(
        (each for each in told if each[1]), lambda each: (each[1], each[0].hit.article_key if by_article else 0)
    )
    return [c for c, _ in once]


def _text(hit: Hit, sentences: StoredSentences, row: int) -> str:
    span = sentences.spans[row]
    return hit.article.text[span.start : span.end]


def _rarity(wanted: set[str], sentences: Sequence[frozenset[str]]) -> dict[str, float]:
    """How much each word of the question tells, by how few of the sentences at hand hold it."""
    found = Counter(word for stems in sentences for word in stems & wanted)
    return {word: math.log(1 + (len(sentences) + 0.5) / (found[word] + 0.5)) for word in wanted}
