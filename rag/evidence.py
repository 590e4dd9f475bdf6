"""Hits → evidence: the few sentences worth reading, within a token budget, and the best of them for the model.

A small model on a laptop reads about 80 tokens a second, so evidence is sentences and not pages.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Protocol, TypeVar

import numpy as np

from index.article import Article, Span
from index.embedding import Vectors
from index.ledger import StoredSentences
from index.ranking import firsts
from index.relevance import Score, Scores
from index.search import Hit, Index
from index.splitting import split_sentences
from index.words import content_stems, words
from rag.answer import EvidenceSentence
from rag.reference import ANTECEDENTS, begins_with_reference, may_leave_open
from rag.specifics import specifics

HITS = 12  # chunks that are looked for; the sentences of their articles compete
_MAX_SENTENCES = 24
_POOL = 3 * _MAX_SENTENCES  # from which those are taken that fit the budget
_READABLE = 32  # of them, the best, are read by the cross-encoder
_PER_ARTICLE = 100  # sentences of an article, the nearest to the question, that are looked at closely
# What a sentence's score is made of besides its cosine; tuned as docs/tuning.md says.
_WORD_WEIGHT = 0.5  # the question's words in it
_ARTICLE_WEIGHT = 1.0  # its article's score, as a share of the best article's
_RANK_WEIGHT = 0.3  # 1 / the rank of its article
_NEIGHBOUR_SHARE = 0.75  # the score that an antecedent takes over from the sentence that needs it
_REACH = 2_000  # characters before a sentence in which the one before it is looked for
_SAME = 0.8  # share of common words from which two sentences say the same
_MOST_OF_ONE = 0.5  # of the budget that one article may take where the question compares
_READ_SHARE = 2 / 3  # of the budget that the model gets to read; it errs less over fewer and better sentences
_RELEVANCE_WEIGHT = 0.05  # a sentence's relevance, a logit, beside its score
_HEADER_TOKENS = 24  # what an article's header takes in the prompt, about
_NUMBER_TOKENS = 4  # "[12] " and the line break

_COMPARES = re.compile(
    r"\b(?:differ\w*|compar\w+|contrast\w*|disagree\w*|contradict\w*|versus|vs|both|agree\w*|in common"
    r"|conflict(?:s|ing)? (?:account|report|version|figure)\w*|other (?:articles?|sources?|accounts?)"
    r"|each (?:article|source|account|side)"
    r"|(?:articles|sources|accounts|outlets|papers|sides) (?:say|report|describe|explain|see|view)\w*)\b",
    re.IGNORECASE,
)

TokenCounter = Callable[[Sequence[str]], list[int]]


class _Sentence(Protocol):
    @property
    def article(self) -> Article: ...
    @property
    def text(self) -> str: ...


_AnySentence = TypeVar("_AnySentence", bound=_Sentence)


@dataclass(frozen=True, slots=True)
class _Candidate:
    article: Article
    article_key: int
    position: int
    span: Span
    stems: frozenset[str]
    score: float

    @property
    def text(self) -> str:
        return self.article.text[self.span.start : self.span.end]


def select(
    question: str,
    vector: Vectors,
    hits: Sequence[Hit],
    index: Index,
    count: TokenCounter,
    budget: int,
    *,
    of_each: int | None = None,
) -> tuple[EvidenceSentence, ...]:
    """The best sentences of the best articles, grouped by article (the best first), in the order of the text.

    A question that compares gets sentences of several articles, however well one of them does. There are none where
    all of the articles have been removed since they were found.

    Args:
        vector: the question's unit vector, shape (d,).
        count: tokens of each text, by the tokenizer of the model that will read them.
        budget: tokens that headers and sentences may take together; the best sentence is taken whatever it costs.
        of_each: tokens that each article may take instead, for answers by source: every article then keeps its best
            sentence, and its own copy of what another says too.
    """
    stored = [(hit, index.sentences(hit)) for hit in firsts(hits, lambda hit: hit.article_key)]
    articles = [(hit, sentences) for hit, sentences in stored if sentences.spans]  # else it was removed meanwhile
    compares = bool(of_each or _COMPARES.search(question))
    candidates = _score(question, vector, articles, not compares)
    if of_each:
        chosen = _of_each(candidates, count, of_each)
    else:
        chosen = _within_budget(_once(candidates), count, budget, _MOST_OF_ONE * budget if compares else budget)
    order = {hit.article_key: n for n, (hit, _) in enumerate(articles)}
    ordered = sorted(chosen, key=lambda c: (order[c.article_key], c.position))
    return tuple(
        EvidenceSentence(number, c.article, c.position, c.span.start, c.span.end, c.score)
        for number, c in enumerate(ordered, start=1)
    )


def to_read(
    question: str,
    evidence: Sequence[EvidenceSentence],
    relevance: Scores,
    count: TokenCounter,
    budget: int,
) -> tuple[EvidenceSentence, ...]:
    """The sentences that the model gets to read, best by score and relevance, in their order and under their numbers.

    Args:
        relevance: of each sentence, as `index.relevance.Relevance.scores` tells it.
        budget: that of `select`, of which they take a part.
    """
    scores: dict[int, float] = {}
    weighed = zip(evidence, relevance.tolist(), strict=True)
    for _, group in groupby(weighed, key=lambda pair: pair[0].article.id):
        own = list(group)
        starts = {e.sentence: e.start for e, _ in own}
        relevant = {e.sentence: e.score + _RELEVANCE_WEIGHT * logit for e, logit in own}
        lifted = _with_antecedents(own[0][0].article.text, starts, relevant)
        scores |= {e.number: lifted[e.sentence] for e, _ in own}
    ranked = sorted(evidence, key=lambda e: -scores[e.number])
    most_of_one = _MOST_OF_ONE if _COMPARES.search(question) else 1
    chosen = _within_budget(ranked, count, _READ_SHARE * budget, _READ_SHARE * budget * most_of_one)
    return tuple(sorted(chosen, key=lambda e: e.number))


@dataclass(frozen=True, slots=True)
class Ranked:
    """A sentence with the one before it in its article, which says of whom or what it speaks; None for the first."""

    sentence: EvidenceSentence
    before: EvidenceSentence | None


def pool(question: str, hits: Sequence[Hit], index: Index, relevance: Score) -> tuple[Ranked, ...]:
    """The sentences of the best articles, the most relevant first, each once; not numbered, `score` is the relevance.

    Args:
        relevance: as `index.relevance.Relevance.scores`; it reads every sentence after the one before it.
    """
    stored = [(hit, index.sentences(hit)) for hit in firsts(hits, lambda hit: hit.article_key)]
    articles = {hit.article_key: (hit, told.spans) for hit, told in stored if told.spans}  # else removed meanwhile
    scored = _score(question, index.embedder.query(question), [each for each in stored if each[1].spans], True)
    near = _once(scored)[:_READABLE]

    def at(c: _Candidate, position: int, score: float) -> EvidenceSentence:
        span = articles[c.article_key][1][position]
        return EvidenceSentence(0, c.article, position, span.start, span.end, score)

    pairs = [(at(c, c.position - 1, 0.0) if c.position else None, at(c, c.position, 0.0)) for c in near]
    logits = relevance(question, [f"{before.text} {own.text}" if before else own.text for before, own in pairs])
    ranked = [
        Ranked(replace(own, score=float(logit)), before and replace(before, score=float(logit)))
        for (before, own), logit in zip(pairs, logits, strict=True)
    ]
    return tuple(sorted(ranked, key=lambda each: -each.sentence.score))


def reading(ranked: Sequence[Ranked], count: TokenCounter, budget: int) -> tuple[EvidenceSentence, ...]:
    """What the model reads: the first of the ranked sentences within the budget, each after the one before it.

    The articles come in the order of their best sentence, their sentences in the order of the text.
    """
    chosen: dict[tuple[str, int], EvidenceSentence] = {}
    articles: dict[str, int] = {}
    spent = 0
    for each in ranked:
        pair = {(e.article.id, e.sentence): e for e in (each.before, each.sentence) if e}
        added = {place: e for place, e in pair.items() if place not in chosen}
        article = each.sentence.article.id
        cost = sum(count([e.text for e in added.values()])) + _NUMBER_TOKENS * len(added)
        cost += 0 if article in articles else _HEADER_TOKENS
        if chosen and spent + cost > budget:
            break
        spent += cost
        articles.setdefault(article, len(articles))
        chosen |= added
    ordered = sorted(chosen.values(), key=lambda e: (articles[e.article.id], e.sentence))
    return tuple(replace(e, number=number) for number, e in enumerate(ordered, start=1))


def antecedents(evidence: Sequence[EvidenceSentence]) -> tuple[EvidenceSentence, ...]:
    """The sentences before those that may point back at them, if they are not evidence too; their numbers run on."""
    places = {(e.article.id, e.sentence) for e in evidence}
    first = max((e.number for e in evidence), default=0) + 1
    added: list[EvidenceSentence] = []
    for e in evidence:
        for _ in range(ANTECEDENTS):
            place = e.article.id, e.sentence - 1
            span = _before(e.article.text, e.start) if place not in places and may_leave_open(e.text) else None
            if not span:
                break
            e = EvidenceSentence(first + len(added), e.article, e.sentence - 1, span.start, span.end, 0.0)
            added.append(e)
            places.add(place)
    return tuple(added)


def _before(text: str, start: int) -> Span | None:
    """The sentence that ends before `start`; None if there is none, or no beginning of it within reach."""
    begin = max(0, start - _REACH)
    spans = split_sentences(text[begin:start])
    if not spans or (begin and len(spans) == 1):
        return None
    return Span(begin + spans[-1].start, begin + spans[-1].end)


def shown(evidence: Sequence[EvidenceSentence]) -> str:
    """Evidence as the model reads it: each article's header, and its sentences under their numbers."""
    blocks = [list(group) for _, group in groupby(evidence, key=lambda e: e.article.id)]
    return "\n\n".join("\n".join([_header(block[0].article), *map(_numbered, block)]) for block in blocks)


def _header(article: Article) -> str:
    about = ", ".join(part for part in (article.source, article.published) if part)
    return f"Article: {article.title}" + (f" ({about})" if about else "")


def _numbered(sentence: EvidenceSentence) -> str:
    return f"[{sentence.number}] {' '.join(sentence.text.split())}"


def _score(
    question: str, vector: Vectors, articles: Sequence[tuple[Hit, StoredSentences]], by_article: bool
) -> list[_Candidate]:
    """The sentences of the articles, best first.

    Args:
        by_article: whether a better article lends its sentences more.
    """
    wanted = set(content_stems(question))
    near = [_nearest(sentences.vectors @ vector) for _, sentences in articles]
    stems = [
        {row: frozenset(content_stems(_text(hit, sentences, row))) for row in cosines}
        for (hit, sentences), cosines in zip(articles, near, strict=True)
    ]
    weight = _rarity(wanted, [each for of_article in stems for each in of_article.values()])
    total = sum(weight.values()) or 1.0
    best = max((hit.score for hit, _ in articles), default=0.0)
    candidates: list[_Candidate] = []
    for rank, ((hit, sentences), cosines, stems_of) in enumerate(zip(articles, near, stems, strict=True), start=1):
        share = hit.score / best if best > 0 else 0.0
        lent = _ARTICLE_WEIGHT * share + _RANK_WEIGHT / rank if by_article else 0.0
        scores = {
            row: cosine + _WORD_WEIGHT * sum(weight[word] for word in wanted & stems_of[row]) / total + lent
            for row, cosine in cosines.items()
        }
        starts = {row: sentences.spans[row].start for row in scores}
        for row, score in _with_antecedents(hit.article.text, starts, scores).items():
            span = sentences.spans[row]
            candidates.append(_Candidate(hit.article, hit.article_key, row, span, stems_of[row], score))
    return sorted(candidates, key=lambda c: (-c.score, c.article_key, c.position))


def _nearest(cosines: Vectors) -> dict[int, float]:
    """Row → cosine of the nearest sentences and of those before them, in order."""
    best = np.argsort(-cosines, kind="stable")[:_PER_ARTICLE]
    rows = sorted({*best.tolist(), *(row - 1 for row in best.tolist() if row)})
    return {row: float(cosines[row]) for row in rows}


def _text(hit: Hit, sentences: StoredSentences, row: int) -> str:
    span = sentences.spans[row]
    return hit.article.text[span.start : span.end]


def _rarity(wanted: set[str], sentences: Sequence[frozenset[str]]) -> dict[str, float]:
    """How much each word of the question tells, by how few of the sentences at hand hold it."""
    found = Counter(word for stems in sentences for word in stems & wanted)
    return {word: math.log(1 + (len(sentences) + 0.5) / (found[word] + 0.5)) for word in wanted}


def _with_antecedents(text: str, starts: Mapping[int, int], scores: Mapping[int, float]) -> dict[int, float]:
    """A sentence that refers back lends its score to the one before, which says of whom it speaks.

    Args:
        starts: where each sentence of the article begins in its text; like `scores`, by its position.
    """
    lifted = dict(scores)
    for row, score in scores.items():
        if row - 1 in scores and begins_with_reference(text, starts[row]):
            lifted[row - 1] = max(lifted[row - 1], _NEIGHBOUR_SHARE * score)
    return lifted


def _once(ranked: Sequence[_Candidate]) -> list[_Candidate]:
    """The best sentences, each once: the same words again, or nearly, are a copy (a syndicated text, a teaser)."""
    seen: set[str] = set()
    kept: list[_Candidate] = []
    for candidate in ranked:
        if len(kept) == _POOL:
            break
        key = " ".join(words(candidate.text))
        if key and key not in seen and not any(_is_copy(candidate, other) for other in kept):
            seen.add(key)
            kept.append(candidate)
    return kept


def _is_copy(candidate: _Candidate, other: _Candidate) -> bool:
    common = len(candidate.stems & other.stems)
    if common <= 4 or common < _SAME * len(candidate.stems | other.stems):
        return False
    return candidate.article_key == other.article_key or not _was_changed(candidate.text, other.text)


def _was_changed(one: str, other: str) -> bool:
    """Whether each has a number or a name that the other lacks: a copy that was corrected, which is no copy."""
    mine, others = specifics(one), specifics(other)
    return bool(mine - others) and bool(others - mine)


def _of_each(ranked: Sequence[_Candidate], count: TokenCounter, of_each: int) -> list[_Candidate]:
    """The best sentences of every article, each within its own budget."""
    groups: dict[int, list[_Candidate]] = {}
    for candidate in ranked:
        groups.setdefault(candidate.article_key, []).append(candidate)
    return [c for group in groups.values() for c in _within_budget(_once(group), count, of_each, of_each)]


def _within_budget(
    ranked: Sequence[_AnySentence], count: TokenCounter, budget: float, most_of_one: float
) -> list[_AnySentence]:
    sizes = count([sentence.text for sentence in ranked]) if ranked else []
    chosen: list[_AnySentence] = []
    spent: Counter[str] = Counter()
    for sentence, size in zip(ranked, sizes, strict=True):
        of_article = spent[sentence.article.id]
        cost = size + _NUMBER_TOKENS + (0 if of_article else _HEADER_TOKENS)
        too_much = spent.total() + cost > budget or of_article + cost > most_of_one
        if chosen and (too_much or len(chosen) == _MAX_SENTENCES):
            continue
        chosen.append(sentence)
        spent[sentence.article.id] += cost
    return chosen
