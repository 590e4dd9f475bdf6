"""Answer or decline: one decision, and what a reader is told where it is declined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from index.sentences import sentence_texts
from rag.reader import says_none
from rag.types import EvidenceSentence, Refusal

DECLINED_TEXT = "None of the articles says that."
# Both chosen on news-2024; docs/training.md has the table.
NONE_FROM = 0.95  # the probability of "None …" from which nothing else is written
CARRIED_FROM = 0.3  # the judge's probability that the best sentence is carried, below which it is no answer
_SUGGESTED = 2  # articles that are pointed at instead


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the assistant declines, and how likely it is (0…1) that it has the answer."""

    declined: bool
    confidence: float


def decide(none: float, carried: float, shown: bool, *, trained: bool) -> Decision:
    """Decide whether what was written is an answer.

    Args:
        none: the probability that there is none.
        carried: the judge's probability that the best sentence is carried and is what is asked.
        shown: whether any sentence may be shown.
        trained: whether reader and judge were trained; another model's probabilities are not asked for so much.
    """
    declined = not shown or none >= NONE_FROM or (trained and carried < CARRIED_FROM)
    confidence = (1 - none) * carried
    return Decision(declined, min(confidence, 0.5) if declined else confidence)


def explain(text: str, evidence: Sequence[EvidenceSentence]) -> Refusal:
    """What to tell a reader whose question was declined: what is missing, as the reader says it, and what there is.

    Args:
        text: what was written; shown where it says what is missing.
        evidence: the most relevant first.
    """
    titles = list(dict.fromkeys(e.article.title for e in evidence if e.article.title))[:_SUGGESTED]
    reason = next(iter(sentence_texts(text)), "") if says_none(text) else DECLINED_TEXT
    return Refusal(reason, tuple(f"Summarise the article “{title}”." for title in titles))
