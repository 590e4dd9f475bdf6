"""Attribution words: a claim keeps its hedge and a number its "more than", an opinion piece is named as one, and who
says it is no part of what is said. Pure functions over texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Protocol
from urllib.parse import urlsplit

from index.splitting import sentence_texts
from index.times import parse_day
from index.words import content_stems
from rag.mentions import bounds, is_bounded

# What a hedge says of a claim, and how it is said of a whole sentence. In lower case only: "May" is a month.
_HEDGES = (
    (re.compile(r"\b[Aa]lleg(?:ed|edly|es|ing|ations?)\b"), "alleged"),
    (re.compile(r"\b(?:[Uu]nconfirmed|[Uu]nverified|[Rr]umou?r(?:s|ed)?)\b"), "reported without confirmation"),
    (re.compile(r"\b(?:claims?|claimed|claiming|purported(?:ly)?|[Ss]upposedly)\b"), "claimed"),
    (
        re.compile(
            r"\b(?:[Rr]eportedly|(?:[Rr]eports?|[Ss]ources) (?:say|says|said|suggest|suggested)"
            r"|(?:is|are|was|were) (?:reported|said) to|[Aa]pparently)\b"
        ),
        "reported",
    ),
    (re.compile(r"\b(?:believed|thought|suspected) to\b|\bsuspected\b"), "suspected"),
    (re.compile(r"\b(?:likely|probably|expected to)\b"), "thought likely"),
    (re.compile(r"\b(?:may|might|could|possibly|perhaps)\b(?! not be\b)|\b(?:Perhaps|Possibly)\b"), "possible"),
)
_ACCORDING = re.compile(r"\b[Aa]ccording to (?P<who>[^,;:.()“”\"]{3,80}?)(?=[,;:.()“”\"]|$)")
_ATTRIBUTED = re.compile(
    r"\b(?:said|says?|saying|told|according to|report(?:s|ed|edly)|claim(?:s|ed)?|alleg\w+|argu(?:e|es|ed)"
    r"|believ(?:e|es|ed)|state[sd]|announce[sd]?|wrote|writes|maintain(?:s|ed)|insist(?:s|ed)|suggest(?:s|ed)|opinion|view|column"
    r"|den(?:y|ies|ied)|unconfirmed|rumou?r\w*|supposedly|apparently|purported\w*|suspected|thought|expected|likely"
    r"|probably|perhaps|possibly|possible|might|could|would|accus(?:e|es|ed))\b",
    re.IGNORECASE,
)
_CONDITION = re.compile(r"\W*(?:if|unless|should|were|had|provided|as long as)\b[^,]*,", re.IGNORECASE)
_CONDITIONAL = re.compile(r"\b(?:if|unless|should|would|were|provided|as long as)\b", re.IGNORECASE)
_MAY = re.compile(r"\bmay\b")
_PART_END = re.compile(r";|,? (?:but|while|whereas|although)\b|, (?:and|which|who)\b")
_BELONGS = 0.34  # share of the sentence's words that a hedged part holds, if it is what the sentence repeats
_CLAUSE_WORDS = 4  # fewer can hardly be a clause, which "It is alleged that …" needs
_LOWERED = frozenset(
    "a all an another at both each every few he her his in it its many most no on one she some that the their there "
    "these they this those two three four five six seven eight nine ten we".split()
)

# How somebody is named for what is said: "The newspaper report, TITLE (SOURCE, DATE), has reported on DATE that …".
_SAYS = (
    r"(?:has |have |had )?(?:says|said|reports|reported|writes|wrote|tells|told|states|stated|argues|argued|notes|noted"
    r"|claims|claimed|mentions|mentioned)"
)
_PIECE = r"(?:(?i:the|an?|its) )?(?:(?:\w+ )?(?:article|report|column|piece|analysis|story|paper|newspaper),? )?"
_SPACES = r"\s+"
_ANY_ARTICLE = frozenset({"the article", "The article", "this article", "This article"})
_LEAST_OF_TITLE = 3  # words; a shorter title may be what the sentence is about
_MOST_OF_NAME, _MOST_OF_SENTENCE = 300, 2_000  # characters; what is longer is hostile

_OPINION = re.compile(r"\b(?:opinion|op-?ed|editorial|commentary|column|columnist)\b", re.IGNORECASE)
_OPINION_TITLE = re.compile(r"\s*(?:opinion|op-?ed|editorial|commentary|column|comment)\s*[:|–—-]", re.IGNORECASE)
_OPINION_FOLDERS = frozenset(
    "opinion opinions op-ed oped editorial editorials commentary commentisfree columns columnists".split()
)


class Headed(Protocol):
    """What stands at the head of an article: an `Article` has it, and a `Citation`."""

    @property
    def title(self) -> str: ...

    @property
    def source(self) -> str: ...

    @property
    def author(self) -> str: ...

    @property
    def published(self) -> str: ...

    @property
    def url(self) -> str: ...


def is_opinion(article: Headed) -> bool:
    """Whether the title's beginning, the source or the address names it as opinion; what it says is not looked at."""
    if _OPINION_TITLE.match(article.title) or _OPINION.search(article.source):
        return True
    try:
        folders = urlsplit(article.url).path.lower().split("/")
    except ValueError:  # an address that is none
        return False
    return not _OPINION_FOLDERS.isdisjoint(folders)


def unattributed(sentence: str, said_by: Iterable[Headed]) -> str:
    """The sentence without "According to SOURCE (DATE)," and the like; as it is where nothing else is left.

    Who says something, and when, stands in the head of an article and not in the sentences that carry the claim.

    Args:
        said_by: what it may be attributed to. Other names are part of what the sentence claims.
    """
    if len(sentence) > _MOST_OF_SENTENCE:
        return sentence
    heads, spaced = list(said_by), " ".join(sentence.split())
    titles = {each.title for each in heads if len(each.title.split()) >= _LEAST_OF_TITLE}
    named = {*titles, *(name for each in heads for name in (each.source, each.author))}
    names = {name.strip(" .") for name in named if name.strip(" .") and len(name) <= _MOST_OF_NAME} | _ANY_ARTICLE
    # Of what the sentence does not hold no pattern is compiled: all heads of the evidence would take 0.1 s.
    names = {name for name in names if _is_in(name, spaced)}
    if not names:
        return sentence
    by = _any(names)
    when = _any(day for each in heads for day in _days(each.published) if day in spaced)
    head = rf"(?: ?\((?:{by}|{when})(?:, (?:{by}|{when}))*+\))?+"  # (SOURCE, DATE)
    who = rf"{_PIECE}[“\"‘']?{by}(?:,(?=[”\"’']))?[”\"’']?{head}"
    in_title = rf"[Ii]n [“\"‘']?{_any(title for title in titles if _is_in(title, spaced))},?[”\"’']?{head}, "
    on = rf"(?:(?:on|in) )?{when}"
    attributions = (
        rf"^(?:According to|As reported by) {who}, ",
        rf", (?:according to|as reported by) {who}(?:,(?= )|(?=[.;]|$))",
        rf"(?:^|(?<=; ))(?:On {when}, )?{who} {_SAYS}(?: {on})? that ",
        rf"(?:^|(?<=; )){who}(?:: | (?:says|said|writes|wrote) )",
        rf"^{in_title}",
        rf", {who} {_SAYS}(?: {on})?(?=[.;]|$)",
        rf" \({by}(?:, (?:{by}|{when}))*+\)(?=[.;]|$)",
    )
    left = re.sub("|".join(attributions), "", sentence)
    return left if content_stems(left) else sentence


def _is_in(name: str, spaced: str) -> bool:
    """Whether a text, its words one space apart, holds a name."""
    return " ".join(name.split()) in spaced


def _any(texts: Iterable[str]) -> str:
    """A pattern of any of the texts, the longest first, whatever the spaces between their words; of none, no match."""
    ordered = sorted(set(texts), key=lambda text: (-len(text), text))
    if not ordered:
        return r"(?!)"
    return rf"(?:{'|'.join(_SPACES.join(map(re.escape, text.split())) for text in ordered)})(?!\w)"


def _days(published: str) -> set[str]:
    """The ways in which one writes a date that may stop at the year or the month, and what holds it."""
    day, exact = parse_day(published), published[:10]
    if day is None:
        return set()
    forms = ("%Y",), ("%B %Y",), ("%-d %B %Y", "%B %-d, %Y", "%-d %B", "%B %-d")
    return {exact, *(day.strftime(form) for some in forms[: exact.count("-") + 1] for form in some)}


def restore_hedge(sentence: str, cited: Sequence[str], source: str) -> str:
    """The sentence with the hedge of what it rests on, if it lost every hedge and attribution; else as it is.

    Args:
        cited: the quotations that the sentence rests on.
        source: who is named for it: the source, or the title, of the cited article; "" for nobody.
    """
    quote = _lost(sentence, cited)
    if not quote:
        return sentence
    who = _ACCORDING.search(quote)
    hedge = _hedge(quote)
    named = " ".join(source.split()) if hedge or not who else who["who"].strip()
    by = f"according to {named}" if named else ""
    if len(re.findall(r"\w+", sentence)) < _CLAUSE_WORDS:
        told = ", ".join(part for part in (hedge, by) if part)
        return f"{sentence.rstrip(' .')} ({told})."
    rest = _lowered(sentence, quote)
    if not hedge:
        return f"A{by[1:]}, {rest}"
    return f"It is {hedge}, {by}, that {rest}" if by else f"It is {hedge} that {rest}"


def restore_bounds(sentence: str, cited: Sequence[str]) -> str:
    """The sentence with the "more than" that its number has wherever it is quoted; as it is if it has any such word."""
    if is_bounded(sentence):
        return sentence
    quoted: dict[str, set[str]] = {}
    for quote in cited:
        for _, number, bound in bounds(quote):
            quoted.setdefault(number, set()).add(bound)
    for start, number, _ in reversed(bounds(sentence)):
        (bound, *others) = quoted.get(number, {""})
        if bound and not others:
            sentence = f"{sentence[:start]}{bound if start else bound.capitalize()} {sentence[start:]}"
    return sentence


def drops_condition(sentence: str, cited: Sequence[str]) -> bool:
    """Whether the sentence tells as a fact what the quotation that carries most of it tells behind an "if …,"."""
    if _CONDITIONAL.search(sentence):
        return False
    said = set(content_stems(sentence))
    quoted = [text for quote in cited for text in sentence_texts(quote)]
    best = max(quoted, key=lambda text: len(said & set(content_stems(text))), default="")
    return bool(_CONDITION.match(best))


def _lost(sentence: str, cited: Sequence[str]) -> str:
    """The hedged quotation whose hedge the sentence has lost; "" if it has lost none."""
    if _ATTRIBUTED.search(sentence) or _MAY.search(sentence):
        return ""
    said = set(content_stems(sentence))
    parts = [(len(said & set(content_stems(part))), part) for quote in cited for part in _parts(quote)]
    carried, best = max(parts, key=lambda part: part[0], default=(0, ""))
    flat = max((held for held, part in parts if not _is_hedged(part)), default=0)
    return best if _is_hedged(best) and carried > flat and carried >= _BELONGS * len(said) else ""


def _parts(quote: str) -> list[str]:
    """The quotation cut where a hedge no longer reaches; what only says who says so stays with what is said."""
    return [part for sentence in sentence_texts(quote) for part in _PART_END.split(sentence) if part.strip()]


def _is_hedged(text: str) -> bool:
    return bool(_hedge(text) or _ACCORDING.search(text))


def _hedge(text: str) -> str:
    return next((name for pattern, name in _HEDGES if pattern.search(text)), "")


def _lowered(sentence: str, quote: str) -> str:
    """The sentence as it stands inside another: its first letter small, unless that may begin a name."""
    first = re.match(r"\w+", sentence)
    word = first.group() if first else ""
    small = word.lower() in _LOWERED or re.search(rf"\b{re.escape(word.lower())}\b", quote)
    return sentence[:1].lower() + sentence[1:] if (word.istitle() and small) or word == "A" else sentence
