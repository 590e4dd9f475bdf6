"""Whether a question leaves open what it is about, and the one question to ask back. Needs no LLM.

A question is underspecified where it points at a thing as known ("this court", "its price") that neither the question
nor the conversation has named. Where the evidence is all of one article, that article is what is meant, and nothing is
asked; nor is it in doubt, for a needless question back costs a turn.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from index.words import content_words, fold, stem
from rag.answer import EvidenceSentence, Turn
from rag.conversation import names_something, pronouns

_OPTIONS = 3
_NAMED_BEFORE = 2  # content words before "this …" by which the question itself may have named it

_TIME = (
    r"(?:moment|time|day|night|week|weekend|month|year|decade|century|season|morning|afternoon|evening|spring|summer"
    r"|autumn|fall|winter)s?\b"
)
_KIND = r"(?P<noun>[A-Z][\w’'-]*(?: [A-Z][\w’'-]*)*|[a-z][\w-]*)\b(?! of\b)"
_POINTED = re.compile(rf"\b[Tt]h(?:is|ese) (?:particular |specific |very |same )?(?!{_TIME}){_KIND}")
_ASKS_FOR = re.compile(r"(?:who|what|which|whose)\b", re.IGNORECASE)
_ARTICLE = re.compile(r"^(?:The|An?|This|Each|Our|Your|My|In|At|For|New) ")
_WHAT = {"it", "its", "they", "them", "their", "itself"}
_WHO = {"he", "she", "him", "her", "his", "hers", "himself", "herself"}


@dataclass(frozen=True, slots=True)
class Clarification:
    """What to ask back, and up to three things that may be meant, best first."""

    question: str
    options: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The question with the options, as it is said; it ends with the question mark."""
        if not self.options:
            return self.question
        *others, last = self.options
        return f"{self.question[:-1]}: {', '.join(others)}{' or ' if others else ''}{last}, or something else?"


def clarify(question: str, history: Sequence[Turn], found: Sequence[EvidenceSentence]) -> Clarification | None:
    """The one question to ask back, or None where the question says enough.

    Args:
        question: as it was asked, before anything of the conversation was filled in.
        history: the conversation so far, oldest first.
        found: the evidence that was found for it, best first.
    """
    if len({e.article.id for e in found}) == 1:
        return None
    asked = " ".join(question.split())
    said = " ".join(turn.content for turn in history)
    noun = _pointed_at_many(asked, said) if history else _left_open(asked, found)
    if noun is None:
        return None
    return Clarification(
        _which(noun), _options(noun, [*(e.article.title for e in found), said, *(e.text for e in found)])
    )


def _left_open(question: str, found: Sequence[EvidenceSentence]) -> str | None:
    """What a first question leaves open: a noun, a pronoun, or None."""
    return _pointed_at(question, found) or _pronoun(question)


# What may be left open


def _pointed_at(question: str, found: Sequence[EvidenceSentence]) -> str | None:
    """ "This court", which nothing before it in the question names."""
    pointed = _POINTED.search(question)
    if not pointed or len(content_words(question[: pointed.start()])) >= _NAMED_BEFORE:
        return None
    return _phrase(pointed["noun"], question[pointed.end() :], " ".join(f"{e.article.title} {e.text}" for e in found))


def _pointed_at_many(question: str, said: str) -> str | None:
    """ "This partner" after a conversation about partners in general."""
    pointed = _POINTED.search(question)
    if not pointed:
        return None
    noun = _phrase(pointed["noun"], question[pointed.end() :], said)
    many = len(re.findall(rf"\b{re.escape(noun)}s\b", said, re.IGNORECASE))
    one = rf"\b(?:the|this|that|an?|my|our|your|his|her|its|their|[A-Z]\w+) (?:\w+ )?{re.escape(noun)}\b(?![’'])"
    return noun if many > len(re.findall(one, said)) else None


def _pronoun(question: str) -> str | None:
    """A pronoun before anything that it could stand for, in a question without a name."""
    left = pronouns(question)
    if not left or names_something(question) or question.islower():
        return None
    before, behind = re.split(rf"\b{left[0]}\b", question, maxsplit=1, flags=re.IGNORECASE)
    said = len(content_words(before))
    is_open = said == 0 or (said == 1 and (not content_words(behind) or not _ASKS_FOR.match(before)))
    return left[0] if is_open else None


# What is asked back


def _phrase(noun: str, rest: str, texts: str) -> str:
    """The noun with the word behind it if the texts know the two as one phrase or a capital begins it."""
    behind = re.match(r" ([a-z][\w-]+)", rest)
    if not behind:
        return noun
    longer = f"{noun} {behind[1]}"
    known = re.search(rf"\b{re.escape(longer)}\b", texts, re.IGNORECASE)
    return longer if known or (noun[:1].isupper() and " " not in noun) else noun


def _which(noun: str) -> str:
    if noun in _WHO:
        return f"Whom do you mean by “{noun}”?"
    return f"What do you mean by “{noun}”?" if noun in _WHAT else f"Which {noun} do you mean?"


def _options(noun: str, texts: Sequence[str]) -> tuple[str, ...]:
    """What was told apart, or names of that kind in the texts: "Ashby Bridge", "Bridge of Ashby", "bridge 7"."""
    kind = noun if noun.istitle() else noun.split()[-1]
    head, word = f"(?i:{re.escape(kind)})", r"[A-Z](?![a-z]*[A-Z])[\w’'-]*"
    name = re.compile(rf"\b(?:(?:{word} ){{1,2}}{head}|{head} of {word}(?: {word})?|{head} \d+)\b")
    told: dict[str, str] = {}
    for each in (found for text in texts for found in name.findall(text)):
        option = _ARTICLE.sub("", each)
        if " " in option and stem(fold(option)) != stem(fold(noun)):
            told.setdefault(fold(option), option)
    return tuple(told.values())[:_OPTIONS] if len(told) > 1 else ()
