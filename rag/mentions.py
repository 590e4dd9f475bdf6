"""The specifics of a sentence as values that can be compared: numbers, dates, names. Knows words; knows no articles.

A number is an interval, because "about 40" and "more than 30" leave room; a date is as exact as it is written. Values
conflict only where no reading of both can be true.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cached_property

from index.words import STOP_WORDS, content_stems, fold
from rag.specifics import MONTH_OF, MONTHS, TENS, UNITS

_ABOUT = 0.15  # "about 40" reaches from 34 to 46
_ROUND = 0.05  # a round number from 100 on is a rounded one: 1,200 may be 1,234

_WORD_VALUES = {  # not "one", which mostly counts nothing
    **{word: n for n, word in enumerate(UNITS) if n > 1},
    **{word: 10 * n for n, word in enumerate(TENS, start=2)},
}
_SCALES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12, "m": 1e6, "bn": 1e9}
_CURRENCIES = {
    "$": "dollar", "us$": "dollar", "€": "euro", "£": "pound", "dollars": "dollar", "dollar": "dollar", "euros": "euro",
    "euro": "euro", "pounds": "pound", "rupees": "rupee", "rubles": "ruble", "roubles": "ruble", "yuan": "yuan",
    "yen": "yen", "francs": "franc", "crowns": "crown",
}  # fmt: skip
_PERCENT = {"%", "percent", "per cent", "pct"}
PERCENT = "%"

_LOWER = r"more than|over|at least|no fewer than|no less than|above|exceeding|upwards of"
_UPPER = r"fewer than|less than|under|below|at most|up to|no more than|not more than|as many as"
_NEAR = r"about|around|roughly|approximately|approx\.?|some|nearly|almost|close to|an estimated|estimated|circa"
_BOUND = re.compile(rf"\b(?:{_LOWER}|{_UPPER}|{_NEAR}|estimat\w+|or (?:more|less|fewer|so))\b", re.IGNORECASE)
_DIGITS = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_ONE = rf"(?:{_DIGITS}|(?:{'|'.join(_WORD_VALUES)})\b)"
_NUMBER = re.compile(
    rf"(?P<between>\bbetween\s+)?(?P<lead>\b(?:{_LOWER}|{_UPPER}|{_NEAR})\s+)?(?P<money>us\$|[$€£]\s?)?"
    rf"(?<![\w.,–-])(?P<first>{_ONE})(?:\s+(?(between)and|(?:to|or))\s+(?:us\$|[$€£])?(?P<second>{_ONE}))?"
    rf"(?P<scale>\s?(?:hundred|thousand|million|billion|trillion|bn|m)\b)?"
    rf"(?P<unit>\s?(?:%|percent\b|per cent\b|pct\b|(?:us )?dollars?\b|euros?\b|pounds\b|rupees\b|rou?bles\b|yuan\b"
    rf"|yen\b|francs\b|crowns\b))?(?![\w%]|[,.–-]\d|[–/:-]\w)",
    re.IGNORECASE,
)
# "6-4", "Q1", "S17E01", "46th" and the like name or score something and count nothing.

_MONTHS = {written: MONTHS.index(month) + 1 for written, month in MONTH_OF.items()}
_MONTH = "|".join(sorted((name.title() for name in _MONTHS), key=len, reverse=True))
_YEAR = r"(?:1[89]|20)\d\d"
_DAY = r"(?:[12]\d|3[01]|0?[1-9])(?:st|nd|rd|th)?"
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DATE = re.compile(
    rf"\b(?:(?P<iso>{_YEAR}-\d\d-\d\d)"
    rf"|(?P<month1>{_MONTH})\.? (?P<day1>{_DAY})(?:,? (?P<year1>{_YEAR}))?"
    rf"|(?P<day2>{_DAY})(?: of)? (?P<month2>{_MONTH})\b\.?(?:,? (?P<year2>{_YEAR}))?"
    rf"|(?P<month3>{_MONTH})\.?,? (?P<year3>{_YEAR})"
    rf"|(?P<month4>January|February|April|June|July|August|September|October|November|December)"
    rf"|(?<=[Ii]n )(?P<month5>March|May)"
    rf"|(?P<year4>{_YEAR})"
    rf"|(?P<weekday>{'|'.join(WEEKDAYS)}))(?![\w%]|-\d)"
)
_NAME_WORD = r"[^\W\d_a-z][\w’'&-]*\.?"
_NAME = re.compile(rf"{_NAME_WORD}(?:\s+(?:(?:of|the|de|van|von|al|bin|da|del)\s+){{0,2}}{_NAME_WORD})*")
_WORD = re.compile(r"[^\W_]+(?:[.,’'-]?[^\W_]+)*")


@dataclass(frozen=True, slots=True)
class Number:
    """What a number may mean: everything from `low` to `high`; `unit` is a currency, `%` or "" for a plain count."""

    low: float
    high: float
    unit: str

    def conflicts(self, other: Number) -> bool:
        return self.unit == other.unit and (self.high < other.low or other.high < self.low)


@dataclass(frozen=True, slots=True)
class Day:
    """A date as far as it is written; 0 stands for what is not."""

    year: int = 0
    month: int = 0
    day: int = 0
    weekday: int = 0  # from 1, Monday

    def conflicts(self, other: Day) -> bool:
        mine, others = (
            (self.year, self.month, self.day, self.weekday),
            (other.year, other.month, other.day, other.weekday),
        )
        return any(a and b and a != b for a, b in zip(mine, others, strict=True))


@dataclass(frozen=True, slots=True)
class Name:
    """A run of words with capitals, folded."""

    words: tuple[str, ...]

    def conflicts(self, other: Name) -> bool:
        """Whether they share no word, however they are spaced: "Holm" and "Ada Holm" may be one person."""
        mine, others = (re.sub(r"[’']s?|\W", "", "".join(name.words)) for name in (self, other))
        return not set(self.words) & set(other.words) and mine not in others and others not in mine


@dataclass(frozen=True, slots=True)
class Mention:
    """A value where it stands in a sentence: `sentence[start:end]`."""

    value: Number | Day | Name
    start: int
    end: int


@dataclass(frozen=True)
class Reading:
    """A sentence, read: its specifics in order, none of which overlap."""

    text: str
    mentions: tuple[Mention, ...]

    @cached_property
    def stems(self) -> frozenset[str]:
        return frozenset(content_stems(self.text))

    def between(self, start: int, end: int) -> list[str]:
        """The content stems of a part, its numbers and dates left out."""
        kept, position = [], start
        for mention in self.mentions:
            if not isinstance(mention.value, Name) and start <= mention.start < end:
                kept.append(self.text[position : mention.start])
                position = mention.end
        return content_stems(" ".join([*kept, self.text[position:end]]))


def read(sentence: str) -> Reading:
    """The numbers, dates and names of a sentence."""
    dates = [Mention(_day(match), match.start(), match.end()) for match in _DATE.finditer(sentence)]
    numbers = [m for m in _numbers(sentence) if not any(_overlap(m, date) for date in dates)]
    taken = [*dates, *numbers]
    names = [m for m in _names(sentence) if not any(_overlap(m, other) for other in taken)]
    return Reading(sentence, tuple(sorted([*taken, *names], key=lambda m: m.start)))


def bounds(sentence: str) -> list[tuple[int, str, str]]:
    """Of each number where it begins, its digits and scale, and what bounds it: "more than", "about", or "". Of a range
    ("50 to 60") nothing."""
    return [
        (
            match.start("money" if match["money"] else "first"),
            f"{match['first'].replace(',', '')}{(match['scale'] or '').strip()}".lower(),
            " ".join((match["lead"] or "").lower().split()),
        )
        for match in _NUMBER.finditer(sentence)
        if not match["second"]
    ]


def is_bounded(sentence: str) -> bool:
    """Whether the sentence has any word that may bound a number, wherever it stands."""
    return bool(_BOUND.search(sentence))


def _overlap(one: Mention, other: Mention) -> bool:
    return one.start < other.end and other.start < one.end


def _numbers(sentence: str) -> list[Mention]:
    return [Mention(_number(match), match.start(), match.end()) for match in _NUMBER.finditer(sentence)]


def _number(match: re.Match[str]) -> Number:
    word = (match["unit"] or match["money"] or "").strip().lower().removeprefix("us ")
    unit = PERCENT if word in _PERCENT else _CURRENCIES.get(word, "")
    written = (match["scale"] or "").strip().lower()
    scale = 1.0 if written == "m" and not unit else _SCALES.get(written, 1.0)  # "14 m" without a currency are metres
    low, high = _interval(match["first"], scale)
    if match["second"]:
        high = _interval(match["second"], scale)[1]
    lead = (match["lead"] or "").strip()
    if re.fullmatch(_LOWER, lead, re.IGNORECASE):
        return Number(low, math.inf, unit)
    if re.fullmatch(_UPPER, lead, re.IGNORECASE):
        return Number(-math.inf, high, unit)
    if lead:
        return Number(low * (1 - _ABOUT), high * (1 + _ABOUT), unit)
    return Number(low, high, unit)


def _interval(written: str, scale: float) -> tuple[float, float]:
    """From where to where a number as written may be a rounding of the true one."""
    digits = written.replace(",", "").lower()
    if digits in _WORD_VALUES:
        value, room = _WORD_VALUES[digits] * scale, 0.0 if scale == 1 else scale / 2
        return value - room, value + room
    value = float(digits) * scale
    decimals = len(digits.partition(".")[2])
    if decimals or scale > 1:
        room = scale / 2 / 10**decimals
    else:
        room = _ROUND * value if value >= 100 and digits.endswith("0") else 0.0
    return value - room, value + room


def _day(match: re.Match[str]) -> Day:
    if match["iso"]:
        year, month, day = (int(part) for part in match["iso"].split("-"))
        return Day(year, month, day)
    if match["weekday"]:
        return Day(weekday=WEEKDAYS.index(match["weekday"]) + 1)
    parts = {name.rstrip("12345"): text for name, text in match.groupdict().items() if text}
    day = int(re.sub(r"\D", "", parts.get("day", "0")))
    return Day(int(parts.get("year", "0")), _MONTHS.get(parts.get("month", "").lower(), 0), day)


def _names(sentence: str) -> list[Mention]:
    found = []
    for match in _NAME.finditer(sentence):
        words = list(_WORD.finditer(sentence, match.start(), match.end()))
        while words and fold(words[0].group()) in STOP_WORDS:  # "The", at the beginning of a sentence
            words = words[1:]
        folded = tuple(fold(word.group()).removesuffix("'s").removesuffix("’s") for word in words)
        if folded:
            found.append(Mention(Name(folded), words[0].start(), words[-1].end()))
    return found
