"""Hits → evidence: the few sentences worth reading, within a token budget.

A small model on a laptop reads about 80 tokens a second, so evidence is sentences and not pages.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from index.article import Article, Span
from index.embedding import Vectors
from index.search import Hit, HitSentences, Index
from index.words import content_stems, words
from rag.answer import EvidenceSentence

HITS = 12  # chunks whose sentences compete
_MAX_SENTENCES = 24
_WORD_WEIGHT = 0.5  # of the question's words in a sentence against the cosine; tuned as docs/tuning.md says
_HIT_WEIGHT = 0.3  # of the hit's own fused score, as a share of the best hit's
_NEIGHBOUR_SHARE = 0.75  # the score that an antecedent takes over from the sentence that needs it
_HEADER_TOKENS = 24  # what an article's header takes in the prompt, about
_NUMBER_TOKENS = 4  # "[12] " and the line break

# A sentence that begins so says of whom or what only together with the one before.
_REFERS_BACK = re.compile(
    r"(?:but |and |yet |still, |however, |in response, |meanwhile, )?"
    r"(?:he|she|they|it|his|her|their|its|this|that|these|those|such|the (?:group|firm|company|move|attack|two|latter|"
    r"former|agency|minister|ministry|president|incident|decision|report|statement|deal|law|bill|ruling|man|woman))\b",
    re.IGNORECASE,
)

TokenCounter = Callable[[Sequence[str]], list[int]]


@dataclass(frozen=True, slots=True)
class _Candidate:
    article: Article
    article_key: int
    position: int
    span: Span
    score: float

    @property
    def text(self) -> str:
        return self.article.text[self.span.start : self.span.end]


def select(
    question: str, vector: Vectors, hits: Sequence[Hit], index: Index, count: TokenCounter, budget: int
) -> tuple[EvidenceSentence, ...]:
    """The best sentences of the best hits, grouped by article (the best first), in the order of the text.

    Args:
        vector: the question's unit vector, shape (d,).
        count: tokens of each text, by the tokenizer of the model that will read them.
        budget: tokens that headers and sentences may take together; the best sentence is taken whatever it costs.
    """
    candidates = _score(question, vector, [index.sentences(hit) for hit in hits[:HITS]])
    chosen = _within_budget(candidates, count, budget)
    best_of_article: dict[int, float] = {}
    for candidate in chosen:
        best = best_of_article.get(candidate.article_key, -math.inf)
        best_of_article[candidate.article_key] = max(best, candidate.score)
    ordered = sorted(chosen, key=lambda c: (-best_of_article[c.article_key], c.article_key, c.position))
    return tuple(
        EvidenceSentence(number, c.article, c.position, c.span.start, c.span.end, c.score)
        for number, c in enumerate(ordered, start=1)
    )


def _score(question: str, vector: Vectors, groups: Sequence[HitSentences]) -> list[_Candidate]:
    """All sentences of the hits, best first, each once however often its text is repeated."""
    wanted = set(content_stems(question))
    texts = [[set(content_stems(g.hit.article.text[s.start : s.end])) for s in g.spans] for g in groups]
    weight = _rarity(wanted, [stems for group in texts for stems in group])
    total = sum(weight.values()) or 1.0
    best_hit = max((g.hit.score for g in groups), default=0.0) or 1.0
    candidates: dict[tuple[int, int], _Candidate] = {}
    for group, stems_of in zip(groups, texts, strict=True):
        article = group.hit.article
        titled = set(content_stems(article.title))
        scores = []
        for row, stems in enumerate(stems_of):
            # A word of the question that stands in the title counts half for every sentence of the article.
            overlap = sum(weight[w] * (1.0 if w in stems else 0.5) for w in wanted & (stems | titled)) / total
            cosine = float(group.vectors[row] @ vector)
            scores.append(cosine + _WORD_WEIGHT * overlap + _HIT_WEIGHT * group.hit.score / best_hit)
        for row, score in enumerate(_with_antecedents(group, scores)):
            key = (group.hit.article_key, group.first + row)
            candidates[key] = _Candidate(article, key[0], key[1], group.spans[row], score)
    ranked = sorted(candidates.values(), key=lambda c: (-c.score, c.article_key, c.position))
    return _once(ranked)


def _rarity(wanted: set[str], sentences: Sequence[set[str]]) -> dict[str, float]:
    """How much each word of the question tells, by how few of the sentences at hand hold it."""
    found = Counter(word for stems in sentences for word in stems & wanted)
    return {word: math.log(1 + (len(sentences) + 0.5) / (found[word] + 0.5)) for word in wanted}


def _with_antecedents(group: HitSentences, scores: list[float]) -> list[float]:
    """A sentence that refers back lends its score to the one before, which says of whom it speaks."""
    lifted = list(scores)
    text = group.hit.article.text
    for row in range(1, len(scores)):
        span = group.spans[row]
        if _REFERS_BACK.match(text, span.start):
            lifted[row - 1] = max(lifted[row - 1], _NEIGHBOUR_SHARE * scores[row])
    return lifted


def _once(ranked: Sequence[_Candidate]) -> list[_Candidate]:
    seen: set[str] = set()
    kept = []
    for candidate in ranked:
        key = " ".join(words(candidate.text))
        if key and key not in seen:
            seen.add(key)
            kept.append(candidate)
    return kept


def _within_budget(ranked: Sequence[_Candidate], count: TokenCounter, budget: int) -> list[_Candidate]:
    pool = ranked[: 3 * _MAX_SENTENCES]
    sizes = count([candidate.text for candidate in pool]) if pool else []
    chosen: list[_Candidate] = []
    articles: set[int] = set()
    left = budget
    for candidate, size in zip(pool, sizes, strict=True):
        cost = size + _NUMBER_TOKENS + (0 if candidate.article_key in articles else _HEADER_TOKENS)
        if chosen and (cost > left or len(chosen) == _MAX_SENTENCES):
            continue
        chosen.append(candidate)
        articles.add(candidate.article_key)
        left -= cost
    return chosen
