"""Answer or decline: one decision, with a calibrated probability that the articles hold the answer, and the reason."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from index.relevance import Score, Scores
from index.words import content_stems, content_words
from rag.answer import EvidenceSentence, Refusal

DECLINED_TEXT = "The articles do not say."

# Fitted by `python -m evals.calibration declining`, which prints them; docs/tuning.md says on which questions.
OFFSET, BEST, SENTENCES = -0.8966, 0.2294, 0.0777
THRESHOLD = 0.29  # at most a tenth of the answerable of each set lies below
MOST_WHEN_DECLINED = 0.3  # what was declined for another reason is still shown as doubtful
_BEST = 3  # sentences whose relevance is averaged
_NAMED = 3  # words that a reason lists
_SUGGESTED = 2  # articles that are pointed at instead

_VERBS = "say|state|mention|specify|contain|hold|provide|include|answer|indicate|reveal|disclose|give|tell"
_SAYS_SO = re.compile(
    r"\W*(?:(?:unfortunately|sorry|however),? )?(?:"
    r"(?:the |these |those )?(?:(?:(?:provided|given|numbered|available) )+texts?|"
    r"(?:(?:provided|given|numbered|available) )*(?:articles?|sentences?|evidence|information))"
    r"(?: provided| given)? (?:(?:do|does|did) not|don[’']t|doesn[’']t|didn[’']t) (?:\w+ly )?(?:" + _VERBS + r")\b"
    r"|no numbered sentence\b|there is no (?:information|mention)\b|no information\b|i (?:do not|don[’']t) know\b"
    r"|(?:it|this|that|the answer) (?:is not|isn[’']t|cannot be|can[’']t be) (?:\w+ly )?"
    r"(?:mentioned|stated|specified|provided|given|determined|answered)\b"
    r"|the \w+(?: \w+){0,3} (?:is|are|was|were) not (?:\w+ly )?(?:mentioned|stated|specified)\b)",
    re.IGNORECASE,
)
_ABOUT_ARTICLES = {"article", "articles", "document", "documents", "text", "texts"}  # said of them, not in them
_WORD = re.compile(r"[^\W_]+(?:[.,’'-][^\W_]+)*")


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the assistant declines, and how likely it is (0…1) that the articles answer the question."""

    declined: bool
    confidence: float


def says_so(text: str) -> bool:
    """Whether the text is the model's own refusal: it begins with one."""
    return bool(_SAYS_SO.match(text))


def answerable(question: str, evidence: Sequence[EvidenceSentence], relevance: Scores, score: Score) -> float:
    """Probability (0…1) that the evidence answers the question; below `THRESHOLD` there is nothing to write from.

    Args:
        evidence: grouped by article.
        relevance: the scores of its sentences.
        score: how well texts answer a question, as `index.relevance.Relevance.scores` tells it.
    """
    if not evidence:
        return 0.0
    best, sentences = relevances(question, evidence, relevance, score)
    return 1 / (1 + math.exp(-(OFFSET + BEST * best + SENTENCES * sentences)))


def relevances(
    question: str, evidence: Sequence[EvidenceSentence], relevance: Scores, score: Score
) -> tuple[float, float]:
    """How well the best article or sentence of the evidence answers, and the mean of the best sentences, as logits."""
    by_article = [list(group) for _, group in groupby(evidence, key=lambda e: e.article.id)]
    together = score(question, [_told(sentences) for sentences in by_article])
    alone = np.sort(relevance)
    return float(max(together.max(), alone[-1])), float(alone[-_BEST:].mean())


def decide(written: str, carried: bool, confidence: float) -> Decision:
    """Decide from the probability that the articles answer, what was written, and what that rests on.

    Args:
        carried: whether the evidence carries any sentence of it.
    """
    if confidence < THRESHOLD or says_so(written) or not carried:
        return Decision(True, min(confidence, MOST_WHEN_DECLINED))
    return Decision(False, confidence)


def explain(question: str, evidence: Sequence[EvidenceSentence], unheard: Set[str]) -> Refusal:
    """What to tell a reader whose question was declined.

    Args:
        unheard: words of the question that no article of the corpus holds, as `Index.unheard` tells them.
    """
    titles = list(dict.fromkeys(e.article.title for e in evidence if e.article.title))[:_SUGGESTED]
    return Refusal(_reason(question, evidence, unheard), tuple(f"What does “{title}” say?" for title in titles))


def _told(sentences: Sequence[EvidenceSentence]) -> str:
    """What an article tells in the evidence, its title before it."""
    return f"{sentences[0].article.title}. {' '.join(sentence.text for sentence in sentences)}"


def _reason(question: str, evidence: Sequence[EvidenceSentence], unheard: Set[str]) -> str:
    asked = _asked(question)
    if named := [word for word in asked if unheard & {*content_words(word)}]:
        return f"None of the articles mentions {_listed(named)}."
    held = {part for e in evidence for part in content_stems(f"{e.article.title} {e.text}")}
    missing = [word for word in asked if not held.issuperset(content_stems(word))]
    if missing and len(missing) < len(asked):
        return f"The nearest passages do not speak of {_listed(missing)}."
    if missing:
        return "Nothing in the articles comes near the question."
    return "The nearest passages speak of this, but none of them states the answer."


def _asked(question: str) -> list[str]:
    """The words of the question that carry a topic, as they are written, each once."""
    words = (word for word in _WORD.findall(question) if {*content_words(word)} - _ABOUT_ARTICLES)
    return list(dict.fromkeys(words))


def _listed(words: Sequence[str]) -> str:
    *others, last = [f"“{word}”" for word in words[:_NAMED]]
    return f"{', '.join(others)} or {last}" if others else last
