"""The exact things in a text: numbers, days, names and quotations, each in one form however it is written.

What a small model gets wrong is mostly one of these, and they can be compared without a model. Knows nothing of
claims or evidence.
"""

from __future__ import annotations

import re
from functools import lru_cache

from index.words import STOP_WORDS, fold, stem, words

UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_RANKS = "third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()
# "One", "first" and "second" are seldom counts: "one of the first", "a second look".
_WORD_VALUES = {
    **{word: n for n, word in enumerate(UNITS) if word != "one"},
    **{word: 10 * n for n, word in enumerate(TENS, start=2)},
    **{word: n for n, word in enumerate(_RANKS, start=3)},
}
_ONES = {word: n for n, word in enumerate(UNITS[:10]) if n}
_SCALES = {
    **dict.fromkeys(("hundred", "hundreds"), 100),
    **dict.fromkeys(("thousand", "thousands", "k"), 1_000),
    **dict.fromkeys(("million", "millions", "mn", "m"), 1_000_000),
    **dict.fromkeys(("billion", "billions", "bn"), 1_000_000_000),
    **dict.fromkeys(("trillion", "trillions", "tn"), 1_000_000_000_000),
}
MONTHS = "january february march april may june july august september october november december".split()
MONTH_OF = {short: month for month in MONTHS for short in (month, month[:3])} | {"sept": "september"}
_MOST_DIGITS = 15  # of what is still a quantity; a longer run is kept as it stands

_SCALE = "|".join(sorted(_SCALES, key=len, reverse=True))
# 14 million, 14m, $1.5bn, 1,000, 2.5, 41.3 %, 17th, 1990s
_DIGITS = re.compile(rf"(\d+(?:,\d{{3}})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?)(?:[\s-]?({_SCALE})(?![a-z]))?")
_WORDS = re.compile(r"[a-z]+")
_SHORT_RANGE = re.compile(r"\b(\d{2})(\d{2})\s?[-–/]\s?(\d{2})\b(?![-–/]\d)")  # 2005–06: both years
_ISO_DAY = re.compile(r"\b\d{4}-(0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])\b")
# Without a capital, "may" and "march" are verbs.
_MONTH = re.compile(rf"\b({'|'.join(written for name in MONTH_OF for written in (name.title(), name.upper()))})\b")
_NAME = re.compile(r"(?<![.!?“\"'] )(?<!^)\b[A-Z][\w’'-]*")
_QUOTED = re.compile(r"[“\"]([^“”\"]{1,400})[”\"]")
_LEAST_QUOTED = 3  # words; fewer are a title or a nickname, which its capitals or its words stand for


def numbers(text: str) -> frozenset[str]:
    """The quantities, years and ranks of a text in plain digits: `14 million`, `14m` and `14,000,000` are one."""
    folded = _SHORT_RANGE.sub(r"\1\2 \1\3", fold(text))
    found = {_plain(match[1].replace(",", ""), match[2]) for match in _DIGITS.finditer(folded)}
    return frozenset(found | _spelt_out(_WORDS.findall(folded)))


def months(text: str) -> frozenset[str]:
    """The months of a text by their stems, from `October`, `Oct.` and `2004-10-19` alike."""
    named = {MONTH_OF[name.lower()] for name in _MONTH.findall(text)}
    return frozenset(stem(month) for month in named | {MONTHS[int(n) - 1] for n in _ISO_DAY.findall(text)})


def names(text: str) -> frozenset[str]:
    """The stems of words that are written with a capital inside a sentence, numbers and months excepted."""
    found = {word for name in _NAME.findall(text) for word in re.findall(r"\w+", fold(name))}
    return frozenset(stem(word) for word in found - STOP_WORDS - MONTH_OF.keys() if not is_number_word(word))


def is_number_word(word: str) -> bool:
    """Whether a folded word is part of a number, in digits or spelt out."""
    return word[0].isdigit() or word in _WORD_VALUES or (word in _SCALES and len(word) > 2)


def quotations(text: str) -> tuple[str, ...]:
    """What stands in quotation marks, as folded words with a space at each end."""
    inside = (words(quoted) for quoted in _QUOTED.findall(text))
    return tuple(spoken(each) for each in inside if len(each) >= _LEAST_QUOTED)


def spoken(folded: list[str]) -> str:
    """Words in a row with a space at each end, so that one row can be looked for in another."""
    return f" {' '.join(folded)} "


@lru_cache(maxsize=4_096)
def specifics(text: str) -> frozenset[str]:
    """Numbers, months and names of a text."""
    return numbers(text) | months(text) | names(text)


def _spelt_out(found: list[str]) -> set[str]:
    values = set()
    for n, word in enumerate(found):
        if (value := _WORD_VALUES.get(word)) is None:
            continue
        after = found[n + 1] if n + 1 < len(found) else ""
        if word in TENS and after in _ONES:
            value, after = value + _ONES[after], found[n + 2] if n + 2 < len(found) else ""
        elif word in _ONES and n and found[n - 1] in TENS:
            continue
        values.add(_plain(str(value), after if after in _SCALES and len(after) > 2 else ""))
    return values


def _plain(digits: str, scale: str | None) -> str:
    whole, _, part = digits.partition(".")
    if len(digits) > _MOST_DIGITS:
        return digits
    if scale:
        value = float(digits) * _SCALES[scale]
        return f"{value:.6f}".rstrip("0").rstrip(".")
    part = part.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{part}" if part else "")
