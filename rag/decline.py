"""Answer or decline: one decision, with a confidence that the articles hold the answer."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from index.words import content_stems
from rag.answer import EvidenceSentence, Support

DECLINED_TEXT = "The articles do not say."

_SAYS_SO = re.compile(
    r"\b(?:the )?(?:articles?|sentences?|evidence|texts?|numbered sentences|provided \w+|information)\b[^.]{0,60}?"
    r"\b(?:do(?:es)? not|don[’']t|doesn[’']t|did not|not)\b[^.]{0,20}\b(?:say|state|mention|specify|specified|"
    r"mentioned|stated|contain|hold|provide|provided|include|answer|indicate|reveal|disclose)\b"
    r"|\b(?:is|are|was|were) not (?:explicitly |directly )?(?:mentioned|stated|specified|provided|given)\b"
    r"|\bno (?:information|mention|evidence) (?:is|of|about|on|in)\b|\bcannot be (?:determined|answered)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the assistant declines, and how sure it is (0…1) that the articles answer the question."""

    declined: bool
    confidence: float


def says_so(text: str) -> bool:
    """Whether the text is the model's own refusal: it begins with one, and goes on to nothing else of substance."""
    match = _SAYS_SO.search(text)
    return bool(match and match.start() < 80)


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
