"""The model's text → the sentences that may be shown: cited, judged, hedged again, and none that does not belong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from index.relevance import Score
from rag import cite, support
from rag.answer import AnswerSentence, EvidenceSentence, Support
from rag.attribution import restore_hedge
from rag.nli import Entailment

_BESIDE_THE_QUESTION = -9.0  # the relevance, a logit, up to which a text has nothing to do with a question


@dataclass(frozen=True, slots=True)
class Checked:
    """What the model wrote: the sentences to show, the texts of the others, and how many markers pointed nowhere."""

    sentences: tuple[AnswerSentence, ...]
    removed: tuple[str, ...]
    invented_markers: int


def check(
    text: str, question: str, evidence: Sequence[EvidenceSentence], score: Score, nli: Entailment | None = None
) -> Checked:
    """Each sentence of the model's text with the evidence that carries it; what may not be shown is taken out.

    Args:
        score: how well texts answer a question, as `index.relevance.Relevance.scores` tells it.
        nli: judges support in place of the words; see `rag.support.check`.
    """
    marked = cite.read_markers(text)
    known = {sentence.number for sentence in evidence}
    numbers = [support.supporting(sentence.text, question, sentence.numbers, evidence) for sentence in marked]
    written = [
        support.judged(sentence.text, question, cited, evidence, nli)
        for sentence, cited in zip(marked, cite.cite(numbers, evidence), strict=True)
    ]
    shown = _shown(question, written, score)
    # Cited once more: the numbers of citations run on where a sentence was taken out.
    citations = cite.cite([numbers[n] for n in shown], evidence)
    return Checked(
        tuple(_hedged(replace(written[n], citations=cited)) for n, cited in zip(shown, citations, strict=True)),
        tuple(sentence.text for n, sentence in enumerate(written) if n not in shown),
        sum(number not in known for sentence in marked for number in sentence.numbers),
    )


def _shown(question: str, written: Sequence[AnswerSentence], score: Score) -> list[int]:
    """The places of the sentences that something carries, at least in part, and that belong to the answer.

    What has nothing to do with the question and comes from other articles than all before it does not belong: a small
    model that is to be complete goes on to the next thing it reads.
    """
    carried = [n for n, each in enumerate(written) if each.citations and each.support is not Support.UNSUPPORTED]
    shown = carried[:1]
    articles = {citation.article for n in shown for citation in written[n].citations}
    for n, relevance in zip(carried[1:], score(question, [written[n].text for n in carried[1:]]), strict=True):
        own = {citation.article for citation in written[n].citations}
        if own & articles or relevance > _BESIDE_THE_QUESTION:
            shown.append(n)
            articles |= own
    return shown


def _hedged(sentence: AnswerSentence) -> AnswerSentence:
    """The sentence, judged in the model's own words, with the "reportedly" that it lost of what it rests on."""
    first = sentence.citations[0]
    quotes = [citation.quote for citation in sentence.citations]
    return replace(sentence, text=restore_hedge(sentence.text, quotes, first.source or first.title))
