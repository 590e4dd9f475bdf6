"""A claim and the sentences that should carry it → a few numbers about how well they do.

Knows no thresholds and no weights: rag/support.py decides.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from index.words import content_words, stem, words
from rag.specifics import is_number_word, months, names, numbers, quotations, spoken

Terms = frozenset[str]

FEATURES = ("best", "clause", "exact_missing", "names_missing", "quoted_missing")
_READ = 4_000  # characters of a text; no sentence is longer
_TOGETHER = 3  # sentences that may carry a claim together
_LEAST_OF_CLAUSE = 2  # terms; what holds fewer belongs to the clause before

# Where a sentence goes on to say another thing: punctuation, and the words that begin a clause.
_CUT = re.compile(
    r"[,;:()–—]\s*|\s-\s"
    r"|\s(?=(?:and|but|which|who|where|when|while|after|before|because|although|as|with|that|by)\b)"
)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a sentence owes: `terms` are stems and plain numbers, `clauses` the terms of each thing that it says.

    `taken` are the terms that it takes over from the question. `exact` are numbers and months; `quoted` are quotations,
    as `rag.specifics.quotations` gives them.
    """

    terms: Terms
    taken: Terms
    clauses: tuple[Terms, ...]
    exact: Terms
    names: Terms
    quoted: tuple[str, ...]


@lru_cache(maxsize=4_096)
def terms(text: str) -> Terms:
    """The stems of a text's content words, its numbers in plain digits and its months by their stems."""
    text = text[:_READ]
    stems = {stem(word) for word in content_words(text) if not is_number_word(word)}
    return frozenset(stems | numbers(text) | months(text))


def all_terms(texts: Sequence[str]) -> Terms:
    """The terms of several texts together."""
    return frozenset().union(*map(terms, texts))


def read_claim(sentence: str, given: str = "", around: Sequence[str] = ()) -> Claim:
    """What `sentence` says beyond `given`; all that it says where that is nothing.

    Numbers and names of `given` are owed all the same, unless the texts of `around` speak of them too.
    """
    sentence = sentence[:_READ]
    said = terms(sentence)
    owed = said - terms(given) or said
    clauses = tuple(clause & owed for clause in _clauses(sentence) if clause & owed)
    known = terms(given) & all_terms(around)
    exact = numbers(sentence) | months(sentence)
    return Claim(
        owed, said & terms(given), clauses or (owed,), exact - known, names(sentence) - known, quotations(sentence)
    )


def features(claim: Claim, evidence: Sequence[str]) -> dict[str, float]:
    """How well the sentences of `evidence` hold a claim, by the names of FEATURES.

    `best`: share (0…1) of the claim's terms that its best sentence holds. `clause`: the same of the worst clause, each
    clause with the sentence that is best for it. `exact_missing`, `names_missing`: log(1 + n), n the numbers and
    months, or the names, that no sentence holds. `quoted_missing`: 1 if a quotation is nowhere word for word, else 0.
    """
    held = [terms(text) for text in evidence]
    everything = frozenset().union(*held)
    return {
        "best": _best(claim.terms, held),
        "clause": min(_best(clause, held) for clause in claim.clauses),
        "exact_missing": math.log1p(len(claim.exact - everything)),
        "names_missing": math.log1p(len(claim.names - everything)),
        "quoted_missing": float(misquotes(claim, evidence)),
    }


def misquotes(claim: Claim, evidence: Sequence[str]) -> bool:
    """Whether a quotation of the claim stands nowhere word for word."""
    running = [spoken(words(text[:_READ])) for text in evidence] if claim.quoted else []
    return any(all(quote not in text for text in running) for quote in claim.quoted)


def carriers(owed: Terms, evidence: Sequence[str]) -> tuple[int, ...]:
    """Positions of the at most three sentences that hold most of the terms together, the best of them first."""
    held = [terms(text) for text in evidence]
    taken: list[int] = []
    left = owed
    while len(taken) < _TOGETHER:
        best = max(range(len(held)), key=lambda n: len(left & held[n]), default=-1)
        if best < 0 or not left & held[best]:
            break
        taken.append(best)
        left -= held[best]
    return tuple(taken)


def share_held(owed: Terms, evidence: Sequence[str]) -> float:
    """Share (0…1) of the terms that the best three sentences of the evidence hold together."""
    return share(owed, all_terms([evidence[n] for n in carriers(owed, evidence)]))


def share(owed: Terms, held: Terms) -> float:
    """Share (0…1) of the terms that are held; all of none."""
    return len(owed & held) / len(owed) if owed else 1.0


def _best(owed: Terms, held: Sequence[Terms]) -> float:
    return max((share(owed, each) for each in held), default=0.0)


def _clauses(sentence: str) -> list[Terms]:
    """The terms of each clause; one that holds too few to say anything goes with the one before."""
    clauses: list[Terms] = []
    for part in _CUT.split(sentence):
        found = terms(part)
        if clauses and min(len(found), len(clauses[-1])) < _LEAST_OF_CLAUSE:
            clauses[-1] |= found
        elif found:
            clauses.append(found)
    return clauses
