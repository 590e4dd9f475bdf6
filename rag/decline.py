"""Answer or decline: one decision, and what a reader is told where it is declined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from index.splitting import sentence_texts
from rag.reader import says_none
from rag.types import EvidenceSentence, Refusal

DECLINED_TEXT = "None of the articles says that."
# Chosen on news-2024; docs/training.md has the table.
NONE_FROM = 0.8  # the probability of "None …" from which nothing else is written; above .5, or it would not be
READ_ON_FROM = 0.5  # the same, from which more is read before it is decided
_SUGGESTED = 2  # articles that are pointed at instead


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the assistant declines, and how likely it is (0…1) that it has the answer."""

    declined: bool
    confidence: float


def decide(none: float, shown: bool) -> Decision:
    """Decide from the probability that there is no answer, and from whether any sentence of it may be shown."""
    return Decision(not shown, 1 - none if shown else min(1 - none, 0.5))


def explain(text: str, evidence: Sequence[EvidenceSentence]) -> Refusal:
    """What to tell a reader whose question was declined: what is missing, as the reader says it, and what there is.

    Args:
        text: what was written; shown where it says what is missing.
        evidence: the most relevant first.
    """
    titles = list(dict.fromkeys(e.article.title for e in evidence if e.article.title))[:_SUGGESTED]
    reason = next(iter(sentence_texts(text)), "") if says_none(text) else DECLINED_TEXT
    return Refusal(reason, tuple(f"Summarise the article “{title}”." for title in titles))
