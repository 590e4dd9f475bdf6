"""Answer or decline: one decision, with a confidence that the articles hold the answer."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

DECLINED_TEXT = "The articles do not say."

# Logistic regression of "answerable" on the best cosine of a hit or a sentence; docs/tuning.md says on which questions.
_SLOPE, _OFFSET = 14.65, -8.91
THRESHOLD = 0.05
MOST_WHEN_DECLINED = 0.3  # a near miss that was declined is still shown as doubtful

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


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the assistant declines, and how sure it is (0…1) that the articles answer the question."""

    declined: bool
    confidence: float


def says_so(text: str) -> bool:
    """Whether the text is the model's own refusal: it begins with one."""
    return bool(_SAYS_SO.match(text))


def nearness(cosine: float) -> float:
    """Probability (0…1) that the articles hold an answer, from the best cosine to the question alone.

    Below `THRESHOLD` there is nothing to write an answer from.
    """
    return 1 / (1 + math.exp(-(_SLOPE * cosine + _OFFSET)))


def decide(written: str, bare: Sequence[bool], cosine: float) -> Decision:
    """Decide from how near the articles come to the question, what was written, and what that rests on.

    Args:
        bare: for each sentence that was written, whether it rests on nothing at all: no sentence to cite, or names
            that no article supplied. What is merely unsupported is shown as such.
        cosine: the best of a hit, or of a sentence of one, to the question.
    """
    confidence = nearness(cosine)
    if confidence < THRESHOLD or says_so(written) or all(bare):
        return Decision(True, min(confidence, MOST_WHEN_DECLINED))
    return Decision(False, confidence)
