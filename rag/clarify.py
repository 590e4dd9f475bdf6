"""Whether a question leaves open what it is about, and the one question to ask back. Needs no LLM.

A question is underspecified where it points at a thing as known ("this court", "the loan", "its price") that neither
the question nor the conversation has named. Where the passages that were found are all of one article, that article is
what is meant, and nothing is asked; nor is it in doubt, for a needless question back costs a turn.

The rules are narrow: of MTRAG-UN's underspecified questions they find 9 of 13 in the tuning half, by which they were
made, and none of 17 in the reporting half, without a false alarm at 90 other questions of both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from index.words import content_stems, content_words, fold, stem
from rag.answer import Turn
from rag.conversation import names_something, pronouns, refers_back

_OPTIONS = 3
_KINDS = 3  # that the conversation has to tell apart before "the …" of them is open
_MOST = 4  # content words of a first question whose "the …" nothing describes
_NEW_TOPIC = 4  # content words from which a question that shares none with the conversation begins a topic
_NAMED_BEFORE = 2  # content words before "this …" by which the question itself may have named it
_NUMBERED = 3  # titles of one series from which "the season" is open
_BARE = 2  # content words of a request that names nothing

_TIME = (
    r"(?:moment|time|day|night|week|weekend|month|year|decade|century|season|morning|afternoon|evening|spring|summer"
    r"|autumn|fall|winter)s?\b"
)
_KIND = r"(?P<noun>[A-Z][\w’'-]*(?: [A-Z][\w’'-]*)*|[a-z][\w-]*)\b(?! of\b)"
_POINTED = re.compile(rf"\b[Tt]h(?:is|ese) (?:particular |specific |very |same )?(?!{_TIME}){_KIND}")
_ANY_ONE = re.compile(r"\b(?:a|an) (?:specific|particular|certain) (?P<noun>[a-z]\w+)", re.IGNORECASE)
_TOLD = re.compile(r"\b(?:tell|inform\w*|talk|learn|describe|recommend)\b", re.IGNORECASE)
_REQUEST = re.compile(r"(?:please )?(?:tell me|talk|give me information|what can you tell me) about\b", re.IGNORECASE)
# "The …" where nothing behind it says which: at the end, or before a verb at the end.
_DEFINITE = re.compile(
    r"\b(?:in|of|for|at|during|by|after|before|to|with|from|on|is|was|are|were) the (?P<last>[a-z]\w+)\W*$"
    r"|\b(?:do|does|did) the (?P<subject>[a-z]\w+) [a-z]\w+\W*$"
)
_OF_NAME = re.compile(r"\bthe (?P<noun>[a-z]\w+) of (?:the )?(?P<name>[A-Z][\w’'-]*(?: [A-Z][\w’'-]*)*)")
_RANKED = re.compile(r"\b(?:first|last|latest|next|final|only|\w+est|\w+th|most|current|\d+)\b", re.IGNORECASE)
_ASKS_FOR = re.compile(r"(?:who|what|which|whose)\b", re.IGNORECASE)
_ARTICLE = re.compile(r"^(?:The|An?|This|Each|Our|Your|My|In|At|For|New) ")
_WHO = {"he", "she", "him", "her", "his", "hers", "himself", "herself"}


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage that was found for the question: its article's id and title, and its text."""

    article: str
    title: str
    text: str


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


def clarify(question: str, history: Sequence[Turn], found: Sequence[Passage]) -> Clarification | None:
    """The one question to ask back, or None where the question says enough.

    Args:
        question: as it was asked, before anything of the conversation was filled in.
        history: the conversation so far, oldest first.
        found: the passages that were found for it, best first.
    """
    if len({passage.article for passage in found}) == 1:
        return None
    asked = " ".join(question.split())
    said = " ".join(turn.content for turn in history)
    noun = _left_open_in(asked, said, history, found) if history else _left_open(asked, found)
    if noun is None:
        return None
    return Clarification(_which(noun), _options(noun, [*(p.title for p in found), said, *(p.text for p in found)]))


def _left_open(question: str, found: Sequence[Passage]) -> str | None:
    """What a first question leaves open: a noun, a pronoun, or None."""
    return (
        _pointed_at(question, found)
        or _any_one(question)
        or _one_of_a_series(question, found)
        or _unknown(question, _MOST)
        or _pronoun(question)
        or _bare(question, found)
    )


def _left_open_in(question: str, said: str, history: Sequence[Turn], found: Sequence[Passage]) -> str | None:
    """What a question leaves open after what was `said` in the conversation."""
    return (
        _pointed_at_many(question, said)
        or _one_of_the_kinds(question, said)
        or _any_one(question)
        or (None if refers_back(question, history) else _of_a_new_topic(question, said))
    )


# What may be left open


def _pointed_at(question: str, found: Sequence[Passage]) -> str | None:
    """ "This court", which nothing before it in the question names."""
    pointed = _POINTED.search(question)
    if not pointed or len(content_words(question[: pointed.start()])) >= _NAMED_BEFORE:
        return None
    return _phrase(pointed["noun"], question[pointed.end() :], " ".join(f"{p.title} {p.text}" for p in found))


def _pointed_at_many(question: str, said: str) -> str | None:
    """ "This partner" after a conversation about partners in general."""
    pointed = _POINTED.search(question)
    if not pointed:
        return None
    noun = _phrase(pointed["noun"], question[pointed.end() :], said)
    many = len(re.findall(rf"\b{re.escape(noun)}s\b", said, re.IGNORECASE))
    one = rf"\b(?:the|this|that|an?|my|our|your|his|her|its|their|[A-Z]\w+) (?:\w+ )?{re.escape(noun)}\b(?![’'])"
    return noun if many > len(re.findall(one, said)) else None


def _one_of_the_kinds(question: str, said: str) -> str | None:
    """ "The pump" after several kinds of pumps were told apart."""
    for noun in re.findall(r"\bthe ([A-Za-z][\w-]+)(?=\W*$| [a-z])", question):
        if len(_kinds(noun, said)) >= _KINDS:
            return str(noun)
    return None


def _kinds(noun: str, said: str) -> list[str]:
    """The longest enumeration of such things in a sentence: "inlet pumps, relay pumps and storm pumps"."""
    item = rf"[A-Za-z][\w-]* {re.escape(noun)}s"
    listed = re.findall(rf"\b({item}(?:, {item})+,? (?:and|or) {item})\b", said)
    return re.findall(rf"\b{item}\b", max(listed, key=len)) if listed else []


def _any_one(question: str) -> str | None:
    """ "Tell me about a specific town"."""
    wanted = _ANY_ONE.search(question)
    return wanted["noun"] if wanted and _TOLD.search(question[: wanted.start()]) else None


def _one_of_a_series(question: str, found: Sequence[Passage]) -> str | None:
    """ "The season of …" where the titles number its seasons."""
    wanted = _OF_NAME.search(question)
    if not wanted or _RANKED.search(question[: wanted.start()]) or re.search(r"\d", question):
        return None
    series = re.compile(rf"\b{re.escape(wanted['noun'])} (?:\d+|[IVX]+)\b", re.IGNORECASE)
    numbers = {each[0].lower() for passage in found if (each := series.search(passage.title))}
    return wanted["noun"] if len(numbers) >= _NUMBERED else None


def _unknown(question: str, most: int) -> str | None:
    """ "The loan" in a question that says little else, and no name."""
    definite = _DEFINITE.search(question)
    if not definite or names_something(question) or _RANKED.search(question) or question.islower():
        return None  # in a question without capitals, a name can't be told
    return (definite["last"] or definite["subject"]) if len(content_words(question)) <= most else None


def _of_a_new_topic(question: str, said: str) -> str | None:
    stems, known = content_stems(question), set(content_stems(said))
    noun = _unknown(question, 2 * _NEW_TOPIC)
    if noun is None or len(stems) < _NEW_TOPIC or stem(fold(noun)) in known:
        return None
    return noun if len(known.intersection(stems)) <= 1 else None


def _pronoun(question: str) -> str | None:
    """A pronoun before anything that it could stand for, in a question without a name."""
    left = pronouns(question)
    if not left or names_something(question) or question.islower():
        return None
    before, behind = re.split(rf"\b{left[0]}\b", question, maxsplit=1, flags=re.IGNORECASE)
    said = len(content_words(before))
    is_open = said == 0 or (said == 1 and (not content_words(behind) or not _ASKS_FOR.match(before)))
    return left[0] if is_open else None


def _bare(question: str, found: Sequence[Passage]) -> str | None:
    """A request about a word or two that no article is about."""
    wanted = _REQUEST.match(question)
    if not wanted or names_something(question) or not found:
        return None
    about = question[wanted.end() :]
    stems = set(content_stems(about))
    if not 0 < len(stems) <= _BARE or any(not p.title or stems <= set(content_stems(p.title)) for p in found):
        return None
    return " ".join(content_words(about))


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
        return "Whom do you mean?"
    return (
        "What do you mean?"
        if noun in {"it", "its", "they", "them", "their", "itself"}
        else f"Which {noun} do you mean?"
    )


def _options(noun: str, texts: Sequence[str]) -> tuple[str, ...]:
    """What was told apart, or names of that kind in the texts: "Ashby Bridge", "Bridge of Ashby", "bridge 7"."""
    if len(kinds := _kinds(noun, " ".join(texts))) >= _KINDS:
        return tuple(kinds[:_OPTIONS])
    kind = noun if noun.istitle() else noun.split()[-1]
    head, word = f"(?i:{re.escape(kind)})", r"[A-Z](?![a-z]*[A-Z])[\w’'-]*"
    name = re.compile(rf"\b(?:(?:{word} ){{1,2}}{head}|{head} of {word}(?: {word})?|{head} \d+)\b")
    told: dict[str, str] = {}
    for each in (found for text in texts for found in name.findall(text)):
        option = _ARTICLE.sub("", each)
        if " " in option and stem(fold(option)) != stem(fold(noun)):
            told.setdefault(fold(option), option)
    return tuple(told.values())[:_OPTIONS] if len(told) > 1 else ()
