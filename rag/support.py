"""Does this evidence support this sentence? Supported, partial or unsupported, with a probability.

A small model weighs how much of what the sentence says stands in the evidence, clause by clause, and whether its
numbers, names and quotations do (rag/features.py). A model of natural-language inference may be named to take its
place. Above either stand rules: a number or a quotation that the evidence does not hold, a name that nothing at hand
does, and a year of which the quotations do not speak, are not supported.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from index.times import parse_day
from rag.answer import AnswerSentence, Citation, EvidenceSentence, Support
from rag.attribution import drops_condition, unattributed
from rag.features import Claim, Terms, all_terms, carriers, features, misquotes, read_claim, share, share_held, terms
from rag.mentions import Name, read
from rag.nli import Entailment
from rag.reference import ANTECEDENTS, leaves_open, may_leave_open
from rag.specifics import names, numbers, specifics

# Fitted by `python -m evals.calibration support`, which prints them; what was seen stands in docs/tuning.md.
INTERCEPT = -2.7173
WEIGHTS = {
    "best": 4.1971,
    "clause": 2.5652,
    "exact_missing": -3.0172,
    "names_missing": -0.7872,
    "quoted_missing": -1.6175,
}
SUPPORTED = 0.51  # probability from which a sentence is supported
PARTIAL = 0.51  # share of its terms held from which another is so in part
SURE = 0.8  # probability from which a sentence of an answer is shown as supported: readers rely on it
# And only if so much stands in what it cites: the share
ASKED = 0.4  # of what is asked,
SAID = 0.8  # of what it says beyond the question,
TAKEN = 0.6  # and of what it takes over from the question, where more than a word of that is missing
_CAPPED = SUPPORTED - 0.01  # the most for a sentence whose numbers, names or quotations are not there

_ATTACH_FIRST = 0.2  # share of the sentence's terms that its first citation has to hold
_ATTACH_NEXT = 0.1  # and that a further one has to add
_ATTACH_UNTIL = 0.8  # probability from which no further one is needed
_MOST_ATTACHED = 4
_BEFORE = 300  # characters, two or three sentences
_ASKING = re.compile(  # what tells only the kind of answer, and what a follow-up is told of the conversation
    r" \(.*\)$|\b(?:how \w+|(?:what|which) (?:years?|days?|dates?|months?|kinds?|types?|sorts?|names?|numbers?))\b",
    re.IGNORECASE | re.DOTALL,
)
_OF_TWO = re.compile(r"\b(?:and|or|both|versus|vs)\b", re.IGNORECASE)  # a sentence may answer to one of two things
_YEAR = re.compile(r"(?<![\d.,$€£])(?:1[5-9]|20)\d\d(?![.,]?\d)\b")


@dataclass(frozen=True, slots=True)
class Verdict:
    """How far evidence carries a sentence, and the probability (0…1) that it carries all of it."""

    support: Support
    probability: float


def check(
    sentence: str, given: str, evidence: Sequence[str], around: Sequence[str] = (), nli: Entailment | None = None
) -> Verdict:
    """How far the texts of `evidence` carry `sentence`, an answer to the question `given`.

    A sentence without a word that could be looked for is not supported.

    Args:
        given: its words need no evidence.
        around: what stands around the evidence, titles included. A name or number that the answer takes over from the
            question needs to be spoken of there at least, or the evidence is about something else.
        nli: its probability of entailment takes the place of that by the words.

    Raises:
        ConfigError: the NLI model can't be used.
    """
    claim = read_claim(sentence, given, around)
    if not evidence or not claim.terms:
        return Verdict(Support.UNSUPPORTED, 0.0)
    probability = _entailed(sentence, claim, evidence, nli) if nli else _by_words(claim, evidence)
    if _lacks(claim, evidence, around):
        probability = min(probability, _CAPPED)
    if probability >= SUPPORTED:
        return Verdict(Support.SUPPORTED, probability)
    in_part = share_held(claim.terms, evidence) >= PARTIAL
    return Verdict(Support.PARTIAL if in_part else Support.UNSUPPORTED, probability)


def supporting(
    sentence: str, given: str, named: Sequence[int], evidence: Sequence[EvidenceSentence]
) -> tuple[int, ...]:
    """The numbers of the few evidence sentences that carry a sentence, the one that holds most of it first.

    Citations point at what a sentence rests on, and a small model's markers are often one sentence off: `named`, the
    markers, and the words of the question only decide between sentences that hold equally much. Last come the sentences
    before those that name what these leave unnamed.
    """
    around = [text for e in evidence for text in (e.text, e.article.title)]
    claimed = unattributed(sentence, (e.article for e in evidence))
    claim = read_claim(claimed, given, around)
    held = {e.number: terms(e.text) for e in evidence}
    texts = {e.number: e.text for e in evidence}
    asked, exact = terms(given), numbers(given)
    left, chosen = claim.terms, list[int]()

    def rank(n: int) -> tuple[int, int, int]:
        # Of two finals that of the year that is asked about.
        return len(left & held[n]), len(asked & held[n]) + 2 * len(exact & held[n]) + (n in named), -n

    while left and held and len(chosen) < _MOST_ATTACHED:
        best = max(held, key=rank)
        added = len(left & held[best])
        if not added or added < (_ATTACH_NEXT if chosen else _ATTACH_FIRST) * len(claim.terms):
            break
        if chosen and _by_words(claim, [texts[n] for n in chosen]) >= _ATTACH_UNTIL:
            break
        chosen.append(best)
        left -= held[best]
    return (*chosen, *_antecedents(chosen, _named(claimed) | specifics(given), evidence))


def _antecedents(chosen: Sequence[int], named: Terms, evidence: Sequence[EvidenceSentence]) -> list[int]:
    """The numbers of the sentences right before the chosen ones that say whom or what these only call "she" or "it".

    Args:
        named: names and numbers of what is claimed, and of what is asked.
    """
    by_number = {e.number: e for e in evidence}
    places = {(e.article.id, e.sentence): e for e in evidence}
    carrying = [by_number[n] for n in chosen]
    unnamed = named - all_terms([text for e in carrying for text in (e.text, e.article.title)])
    added: list[int] = []
    for e in carrying:
        for _ in range(ANTECEDENTS):
            before = places.get((e.article.id, e.sentence - 1))
            if not before or before.number in (*chosen, *added):
                break
            if not may_leave_open(e.text) and not unnamed & terms(before.text):
                break
            added.append(before.number)
            unnamed -= terms(before.text)
            e = before
    return added


def judged(
    text: str,
    given: str,
    cited: tuple[Citation, ...],
    evidence: Sequence[EvidenceSentence],
    nli: Entailment | None = None,
) -> AnswerSentence:
    """A sentence that was written, with what it cites and how far that carries it; see `check`.

    One that is supported more likely than not, and no surer, is shown as supported in part. Where words alone judge, so
    is one that says more, or takes more over from the question, than the quotations speak of, and where these speak of
    something else than is asked, or the sentence leaves open what it means or leaves out a condition. To whom it
    attributes what it says is not to be found in the quotations, but it has to be the head of what is cited. What is
    quoted of another year supports nothing.

    Args:
        evidence: what was found, with the articles that are cited. Their titles, and what stands right before each
            quotation, say of whom and what it speaks.
    """
    texts = {e.article.id: e.article.text for e in evidence}
    around = [told for c in cited for told in (c.title, texts[c.article][max(0, c.start - _BEFORE) : c.start])]
    claimed = unattributed(text, cited)
    if _is_of_another_year(claimed, given, cited):
        return AnswerSentence(text, cited, Support.UNSUPPORTED, 0.0)
    verdict = check(claimed, given, [citation.quote for citation in cited], around, nli)
    sure = verdict.probability >= SURE and bool(nli or _is_said(claimed, given, cited))
    shown = Support.PARTIAL if verdict.support is Support.SUPPORTED and not sure else verdict.support
    return AnswerSentence(text, cited, shown, verdict.probability)


def _is_of_another_year(claimed: str, given: str, cited: Sequence[Citation]) -> bool:
    """Whether a year that the claim takes over from the question is none of which the quotations speak.

    Who won in 2022 has not won in 2026, be the article about 2026. "From 2019 to 2022" speaks of 2020 too, and "next
    year" in an article of 2025 of 2026.
    """
    asked = {int(year) for year in set(_YEAR.findall(claimed)) & set(_YEAR.findall(given))}
    quotes = [citation.quote for citation in cited]
    quoted = {int(year) for quote in quotes for year in numbers(quote) if _YEAR.fullmatch(year)}
    if not asked or not quoted or not any(map(_YEAR.search, quotes)):
        return False
    told = {day.year for citation in cited if (day := parse_day(citation.published))}
    return not any(min(quoted) <= year <= max(quoted) or told & {year - 1, year, year + 1} for year in asked)


def _is_said(claimed: str, given: str, cited: Sequence[Citation]) -> bool:
    """Whether quotations and titles hold most of what is claimed, and enough of what that takes over from the question,
    and of what is asked.

    Their "she" may be whom the question is about, and may be somebody else; a sentence that leaves open whom it means
    needs the sentence before it. One word that is no name and no number may be said in another way.
    """
    quotes = [citation.quote for citation in cited]
    if (leaves_open(claimed) and all(map(leaves_open, quotes))) or drops_condition(claimed, quotes):
        return False
    claim = read_claim(claimed, given)
    held = all_terms([text for citation in cited for text in (citation.quote, citation.title)])
    if _names_another(claimed, given, held) or not _speaks_to(given, held):
        return False
    missing = claim.taken - held
    is_taken = share(claim.taken, held) >= TAKEN or (len(missing) == 1 and not missing & _named(claimed))
    return is_taken and share(claim.terms, held) >= SAID


def _speaks_to(given: str, held: Terms) -> bool:
    """Whether enough of what is asked is held: "Two people died" may have been anywhere."""
    asked = terms(_ASKING.sub(" ", given))
    return share(asked, held) >= (ASKED / 2 if _OF_TWO.search(given) else ASKED)


def _names_another(claimed: str, given: str, held: Terms) -> bool:
    """Whether nothing of a name of the claim is held: "Ada Holm" may be Holm, but China is not Pakistan."""
    for name in read(claimed).mentions:
        stems = terms(claimed[name.start : name.end])
        is_named = name.start or stems & _names(given)  # a capital alone begins a sentence
        if isinstance(name.value, Name) and is_named and stems and not stems & held:
            return True
    return False


def _named(claimed: str) -> Terms:
    return _names(claimed) | numbers(claimed)


def _names(text: str) -> Terms:
    """The names, one at the very beginning included, which `names` takes for any word."""
    return names(f"so {text}")


def _lacks(claim: Claim, evidence: Sequence[str], around: Sequence[str]) -> bool:
    """Whether a number or a quotation is not in the evidence, or a name nowhere at all."""
    return bool(
        claim.exact - all_terms(evidence) or claim.names - all_terms([*evidence, *around]) or misquotes(claim, evidence)
    )


def _by_words(claim: Claim, evidence: Sequence[str]) -> float:
    found = features(claim, evidence)
    return 1 / (1 + math.exp(-INTERCEPT - sum(weight * found[name] for name, weight in WEIGHTS.items())))


def _entailed(sentence: str, claim: Claim, evidence: Sequence[str], nli: Entailment) -> float:
    """By the sentences that hold most of the claim, one by one and together."""
    best = [evidence[n] for n in carriers(claim.terms, evidence)] or list(evidence[:1])
    together = [" ".join(best)] if len(best) > 1 else []
    return max(nli.probabilities(sentence, [*best, *together]))
