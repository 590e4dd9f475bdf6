"""What a sentence leaves open: "she", "that story" and "the step" say of whom or what only with the sentence before.

By its words alone, so that a doubt is more often a reference than none. Knows nothing of evidence or claims.
"""

from __future__ import annotations

import re

from index.splitting import sentence_texts
from index.words import content_words

ANTECEDENTS = 2  # sentences before one that may say of whom or what it speaks

_PRONOUN = r"(?:he|she|they|it|his|her|him|their|them|its)"
_BEGINS = re.compile(
    rf"(?:but |and |yet |still, |however, |in response, |meanwhile, )?"
    rf"(?:{_PRONOUN}|this|that|these|those|such|the (?:group|firm|company|move|attack|two|latter|"
    r"former|agency|minister|ministry|president|incident|decision|report|statement|deal|law|bill|ruling|man|woman))\b",
    re.IGNORECASE,
)
# Nouns that stand for what was just said ("shell nouns", Schmid 2000), if nothing behind them says of what.
_SHELL_NOUN = (
    "claims?|cause|change|effort|event|finding|idea|need|operation|plan|practice|problem|proof|proposal|proposition"
    "|reason|remarks?|result|scheme|step|strikes?|suggestion|talks|task|threat|visit|view|war(?:ning)?"
)
_OF_WHAT = "of|for|that|to|in|on|between|by|with|from|about|against|who|which|over"
# What "this" is plain of: the article's date tells the time, the article is itself.
_PLAIN = (
    "week|weekend|month|year|season|summer|winter|spring|autumn|morning|evening|day|article|column|paper|newspaper"
    "|report|account|study|series"
)
_PREPOSITION = "for|of|on|at|by|to|from|with|after|before|since|about|against|despite"
_POINTS = re.compile(
    rf"^(?:\w+ )?the (?:{_SHELL_NOUN})\b(?! (?:{_OF_WHAT})\b)"
    rf"|\b(?:this|these|such) (?!(?:as|{_PLAIN})\b)[a-z]"
    rf"|\b(?:{_PREPOSITION}) (?:that|those) (?!(?:who|which|of|{_PLAIN})\b)[a-z]"
    r"|\bthat [a-z]+[.;]|\bthis(?: as\b|[.,;])"
    r"|\bboth [a-z]+s\b(?! and\b)",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"[“\"][^“”\"]*[”\"]")
_PERSON = re.compile(r"\b(?:he|she|his|her|him)\b", re.IGNORECASE)
_PRONOUNS = re.compile(rf"\b{_PRONOUN}\b", re.IGNORECASE)


def begins_with_reference(text: str, start: int = 0) -> bool:
    """Whether the sentence that begins at `start` begins by pointing at the one before it."""
    return bool(_BEGINS.match(text, start))


def leaves_open(text: str) -> bool:
    """Whether the first sentence of the text says of whom or what it speaks only together with the one before it."""
    first = next(iter(sentence_texts(text)), "")
    told = _QUOTED.sub("“”", first)
    if begins_with_reference(told) or _POINTS.search(told):
        return True
    pronoun = _PRONOUNS.search(told)
    return pronoun is not None and not content_words(told[: pronoun.start()])


def may_leave_open(text: str) -> bool:
    """The same in doubt: a "he" or "her" after a name may be another, whom only the sentence before names."""
    return leaves_open(text) or bool(_PERSON.search(_QUOTED.sub("“”", text)))
