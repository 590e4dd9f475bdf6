"""Articles that say different things on the same question, as the judge sees their sentences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

from index.times import day_in_words, is_newer
from rag.judge import Relation
from rag.types import Disagreement, EvidenceSentence, Value

# Even odds; not measured.
SURE = 0.5  # the probability from which two sentences are shown as told differently
_PAIRS = 1  # of the most relevant sentences of different articles that are compared: each costs about two seconds
_MARGIN = 1.0  # logits of relevance by which the second may be less relevant than the first

Relate = Callable[[str, EvidenceSentence, EvidenceSentence], dict[Relation, float]]


def disagreements(question: str, read: Sequence[EvidenceSentence], relate: Relate) -> tuple[Disagreement, ...]:
    """What the best sentences of different articles tell differently on a question; the older one first.

    Args:
        read: what was read; `score` is a sentence's relevance.
        relate: how probably two sentences relate in each way, as `Judge.relation` tells it.
    """
    best: dict[str, EvidenceSentence] = {}
    for e in sorted(read, key=lambda e: -e.score):
        best.setdefault(e.article.id, e)
    ranked = list(best.values())
    near = [pair for pair in combinations(ranked, 2) if pair[1].score >= ranked[0].score - _MARGIN]
    found = []
    for pair in near[:_PAIRS]:
        one, other = sorted(pair, key=lambda e: e.article.published)
        share = relate(question, one, other)
        against, later = share[Relation.AGAINST], share[Relation.LATER]
        if against + later >= SURE:
            is_later = is_newer(other.article.published, one.article.published)
            found.append(Disagreement((_value(one), _value(other)), is_later and later > against))
    return tuple(found)


def heading(disagreement: Disagreement) -> str:
    """What stands before a disagreement's values."""
    return "A later article says otherwise" if disagreement.update else "The articles differ"


def in_words(disagreement: Disagreement) -> str:
    """Who says what, and when, on one line."""
    return "; ".join(f"{_who(value)}: “{value.text}”" for value in disagreement.values)


def _value(e: EvidenceSentence) -> Value:
    article = e.article
    return Value(" ".join(e.text.split()), article.id, article.title, article.source, article.published, e.number)


def _who(value: Value) -> str:
    name = value.source or value.title or value.article
    return f"{name} ({day_in_words(value.published)})" if value.published else name
