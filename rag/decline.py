"""Answer or decline: one decision, with a confidence that the articles hold the answer."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from index.words import content_stems
from rag.answer import EvidenceSentence, Support

DECLINED_TEXT = "The articles do not say."

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


def decide(
    question: str, written: str, supports: Sequence[Support], cosine: float, evidence: Sequence[EvidenceSentence]
) -> Decision:
    """Decide from what was written and from what it rests on.

    Args:
        supports: of each sentence that was written.
        cosine: of the best hit to the question.
    """
    confidence = _confidence(question, supports, cosine, evidence)
    nothing_holds = all(support is Support.UNSUPPORTED for support in supports)
    if says_so(written) or nothing_holds:
        return Decision(True, min(confidence, 0.3))
    return Decision(False, confidence)


def _confidence(
    question: str, supports: Sequence[Support], cosine: float, evidence: Sequence[EvidenceSentence]
) -> float:
    wanted = set(content_stems(question))
    held = {stem for e in evidence for stem in (*content_stems(e.text), *content_stems(e.article.title))}
    covered = len(wanted & held) / len(wanted) if wanted else 0.0
    carried = sum(s is Support.SUPPORTED for s in supports) / len(supports) if supports else 0.0
    return 1 / (1 + math.exp(-(6.0 * (cosine - 0.45) + 3.0 * (covered - 0.6) + 1.0 * (carried - 0.5))))
