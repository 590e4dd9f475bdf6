"""The model's text → the sentences that may be shown: cited, judged, hedged again, and none that does not belong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from index.ranking import firsts
from index.relevance import Score
from index.words import words
from rag import cite, support
from rag.answer import AnswerSentence, Citation, EvidenceSentence, Support
from rag.attribution import restore_bounds, restore_hedge
from rag.conversation import AUXILIARY
from rag.evidence import antecedents
from rag.features import all_terms, terms
from rag.nli import Entailment

# The relevance, a logit, up to which a text has nothing to do with a question, and how much less relevant than the best
# sentence of an answer another may be; docs/tuning.md says what was seen.
_BESIDE_THE_QUESTION = -6.0
_NEARLY_AS_RELEVANT = 4.0
# The same of quotations that carry a sentence in part: where they are beside the question, the sentence is made up.
_QUOTED_BESIDE_THE_QUESTION = -4.0

_ENDS = re.compile(r"[.!?…:;][\"'”’)\]]*$")

# "Baltimore, Maryland.": a model adds from memory where a place lies, or who somebody is.
_ADDED = re.compile(r"(?P<name>\b[A-Z][\w’'-]*), (?P<more>[A-Z][\w’'-]*(?: [A-Z][\w’'-]*){0,2})(?=[.;]|$)")
_LISTED = re.compile(r", (?:[A-Z][\w’'-]* ){0,2}$")  # before the name: one of several, the last of which is no addition

# Not "Was it closed when it rained?", and not the WHO.
_ASKS_FOR = re.compile(
    rf"(?!\W*(?i:{AUXILIARY})\b).*\b(?:[Ww]ho|[Ww]hom|[Ww]hose|(?i:what|when|where|why|how|which))\b", re.DOTALL
)
# The answer is in the question.
_TO_CHOOSE = re.compile(r"\b(?:or|either|between|versus|vs)\b|\bof\b[^?]*\b(?:and|two)\b", re.IGNORECASE)
# Small words that answer in the question's own words: "none of the hostages", "before the fire".
_TELLS = re.compile(
    r"\b(?:no|not|never|none|nobody|nothing|neither|nor|without|all|most|both|some|few|many|more|less|half|only|each"
    r"|every|once|twice|often|always|before|after|until|since|during)\b|n[’']t\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Checked:
    """What the model wrote: all sentences as it wrote them, each once (`texts`), those to show, those that were taken
    out or changed (`removed`), and how many markers pointed at nothing that it had read."""

    texts: tuple[str, ...]
    sentences: tuple[AnswerSentence, ...]
    removed: tuple[str, ...]
    invented_markers: int


def check(
    text: str,
    question: str,
    evidence: Sequence[EvidenceSentence],
    read: Sequence[EvidenceSentence],
    score: Score | None = None,
    nli: Entailment | None = None,
) -> Checked:
    """Each sentence of the model's text with the evidence that carries it; what may not be shown is taken out.

    Args:
        evidence: all that was found; what carries a sentence is cited, whether the model read it or not, with the
            sentences before that say whom or what it speaks of.
        read: what the model got to read, at which alone its markers can point.
        score: how well texts answer a question, as `index.relevance.Relevance.scores` tells it; None leaves it out.
        nli: judges support in place of the words; see `rag.support.check`.
    """
    # A small model may go in circles: it says a thing once.
    marked = firsts(cite.read_markers(text), lambda each: tuple(words(each.text)))
    told = [_without_addition(sentence.text, question, evidence) for sentence in marked]
    known = {sentence.number for sentence in read}
    pointed = [[number for number in sentence.numbers if number in known] for sentence in marked]
    citable = (*evidence, *antecedents(evidence))
    numbers = [
        support.supporting(sentence, question, named, citable) for sentence, named in zip(told, pointed, strict=True)
    ]
    written = [
        support.judged(sentence, question, cited, evidence, nli)
        for sentence, cited in zip(told, cite.cite(numbers, citable), strict=True)
    ]
    shown = _shown(question, written[: -1 if _is_cut_off(told) else None], score)
    number = cite.numbering()  # anew: the numbers run on where a sentence was taken out
    return Checked(
        tuple(sentence.text for sentence in marked),
        tuple(_hedged(replace(written[n], citations=tuple(map(number, written[n].citations)))) for n in shown),
        tuple(each.text for n, each in enumerate(marked) if n not in shown or each.text != told[n]),
        sum(len(sentence.numbers) - len(named) for sentence, named in zip(marked, pointed, strict=True)),
    )


def _without_addition(sentence: str, question: str, evidence: Sequence[EvidenceSentence]) -> str:
    """The sentence without a last name behind a comma that nothing at hand speaks of; what is before it may hold."""
    added = _ADDED.search(sentence)
    if not added or _LISTED.search(sentence, 0, added.start()):
        return sentence
    heads = (text for e in evidence for text in (e.text, e.article.title, e.article.source, e.article.author))
    said = terms(added["more"])
    if not said or said & all_terms([question, *heads]):
        return sentence
    return sentence[: added.end("name")] + sentence[added.end() :]


def _is_cut_off(sentences: Sequence[str]) -> bool:
    """Whether the last sentence ended with the tokens that there were, so that it may say something else than meant."""
    *whole, last = [bool(_ENDS.search(sentence)) for sentence in sentences] or [True]
    return bool(whole) and all(whole) and not last


def _shown(question: str, written: Sequence[AnswerSentence], score: Score | None) -> list[int]:
    """The places of the sentences that something carries, at least in part, and that belong to the answer.

    One that only says the question again answers nothing, and may affirm what the question takes for granted. The first
    of the others is the answer. A small model that is to be complete goes on to what it reads next, and that answers
    the question less well, or not at all; of another article it may be the other side. Where nothing carries the
    answer, what follows can't stand for it unless the best of it answers nearly as well.
    """
    told = [n for n, each in enumerate(written) if not _echoes(question, each.text)]
    carried = [n for n in told if _is_carried(question, written[n], score)]
    if not score or not carried or len(told) == 1:
        return carried
    relevance = {n: _relevance(question, written[n], score) for n in told}
    best = max(carried, key=lambda n: relevance[n])
    if carried[0] == told[0]:
        answer = carried[0]
    elif relevance[best] > max(relevance.values()) - _NEARLY_AS_RELEVANT:
        answer = best
    else:
        return []
    nearly = relevance[best] - _NEARLY_AS_RELEVANT
    best_of = {c.article: n for n in sorted(carried, key=lambda n: relevance[n]) for c in written[n].citations}

    def belongs(n: int) -> bool:
        return relevance[n] > (_BESIDE_THE_QUESTION if n in best_of.values() else nearly)

    return [n for n in carried if n == answer or belongs(n)]


def _echoes(question: str, sentence: str) -> bool:
    """Whether the sentence says nothing beyond a question that asks for something."""
    if not _ASKS_FOR.match(question) or _TO_CHOOSE.search(question):
        return False
    told = {word.lower() for word in _TELLS.findall(sentence)} - {word.lower() for word in _TELLS.findall(question)}
    return not told and terms(sentence) <= terms(question)


def _is_carried(question: str, sentence: AnswerSentence, score: Score | None) -> bool:
    """Whether something carries the sentence, and speaks to the question where it carries it in part only."""
    if not sentence.citations or sentence.support is Support.UNSUPPORTED:
        return False
    if not score or sentence.support is Support.SUPPORTED:
        return True
    quotes = [citation.quote for citation in sentence.citations]
    return _best(question, quotes, sentence.citations, score) > _QUOTED_BESIDE_THE_QUESTION


def _relevance(question: str, sentence: AnswerSentence, score: Score) -> float:
    """Of what the sentence says, or of the first quotation: "He beat the champion" may leave out at what."""
    first = sentence.citations[:1]
    return _best(question, [sentence.text, *(citation.quote for citation in first)], first, score)


def _best(question: str, texts: Sequence[str], cited: Sequence[Citation], score: Score) -> float:
    """The best of the texts, alone and with a title: "They cost 17 million euros" alone is about nothing."""
    titled = [f"{citation.title}. {text}" for citation, text in zip(cited, texts, strict=False)]
    return float(score(question, [*texts, *titled]).max())


def _hedged(sentence: AnswerSentence) -> AnswerSentence:
    """The sentence, judged in the model's own words, with the "reportedly" or "more than" that it lost."""
    first = sentence.citations[0]
    quotes = [citation.quote for citation in sentence.citations]
    text = restore_bounds(sentence.text, quotes)
    return replace(sentence, text=restore_hedge(text, quotes, first.source or first.title))
