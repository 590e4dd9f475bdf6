"""The one tokenizer of words, for articles, questions and coverage; the lexical index keeps what it says.

A word is a run of letters, marks and digits in any script; its form is lower case without diacritics. Scripts without
spaces (Chinese, Japanese, Thai, …) are cut into characters and pairs of characters. Words that are written in several
ways have a key for each: cease-fire also as ceasefire, 1,200 as 1200, Müller as Mueller.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache

import regex
import snowballstemmer

VERSION = 1  # of what the lexical index keeps; another one is written anew from the articles' texts
# Function words, and the words that only ask ("who", "tell"): they carry no topic.
STOP_WORDS = frozenset(
    "a about after again all also am an and any are as at be because been before being between both but by can could "
    "did do does doing done each else ever few for from further get give had has have having he her here hers him his "
    "how i if in into is it its itself just let like may me might more most much must my no nor not now of off on once "
    "only or other our out over own please same say says said shall she should so some such tell than that the their "
    "them then there these they this those through to too under until up upon us very was we were what when where "
    "which while who whom whose why will with would you your s t d ll m re ve".split()
)

_PART = r"[\p{L}\p{M}\p{N}]+(?:[.,]\p{Nd}+)*"
_WORD = regex.compile(_PART)
# A word with what may stand within it: hyphens of all kinds, apostrophes, the spaces that group the digits of a number.
_TOKEN = regex.compile(rf"{_PART}(?:(?:[-‐‑'’ʼ\u200c\u200d]|(?<=\p{{Nd}})[\u00a0\u202f\u2009](?=\p{{Nd}})){_PART})*")
_PLAIN = regex.compile(r"[a-z]+")
_ASCII = regex.compile(r"[a-z0-9]+(?:[.,]\d+)*(?:[-'][a-z0-9]+(?:[.,]\d+)*)*")  # the same, and faster
_GROUPED = regex.compile(
    r"\p{Nd}{1,3}(?:[,'’\u00a0\u202f\u2009]\p{Nd}{2,3})*[,'’\u00a0\u202f\u2009]\p{Nd}{3}(?:\.\p{Nd}+)?"
)
_GROUPING = regex.compile(r"[,'’\u00a0\u202f\u2009]")
_JOINTS = regex.compile(r"[-‐‑'’ʼ\u200c\u200d]")
_DOTTED = regex.compile(r"\p{Nd}{1,3}(?:\.\p{Nd}{3})+(?:,\p{Nd}+)?")
_AND_UNIT = regex.compile(r"(\p{Nd}+(?:[.,]\p{Nd}+)*)(\p{L}[\p{L}\p{M}]*)")
_SPACELESS = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}ー\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}][\p{Han}\p{Hiragana}\p{Katakana}ー\p{Thai}"
    r"\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}\p{M}]*"
)
# An accent, in the scripts whose letters are read without it as well; in others a mark is a vowel, or another letter.
_ACCENT = regex.compile(r"(?<=[\p{Latin}\p{Greek}\p{Cyrillic}\p{Arabic}\p{Hebrew}])\p{Mn}+")
_FRACTION = regex.compile(r"(?<=\p{Nd})[¼-¾⅐-⅞]")
_OTHER_DIGIT = regex.compile(r"[\p{Nd}--0-9]", regex.VERSION1)
_WITHOUT_PARTS = str.maketrans(
    {"ı": "i", "ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ħ": "h", "ŧ": "t", "ə": "e",
     "’": "'", "ʼ": "'", "‐": "-", "‑": "-", "⁄": "/", "ـ": ""}
)  # fmt: skip
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})
_stemmer = snowballstemmer.stemmer("english")  # in C where PyStemmer is installed, with the same stems


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """The stem of one lower-case word (Snowball's English rules)."""
    return str(_stemmer.stemWord(word))


def fold(text: str) -> str:
    """Lower case without diacritics, compatible characters made one: `Türkiye` and `turkiye` meet, `ﬁ` and `fi`."""
    if text.isascii():
        return text.lower()
    text = _FRACTION.sub(r" \g<0>", text)
    plain = _ACCENT.sub("", unicodedata.normalize("NFKD", text.casefold()))
    plain = unicodedata.normalize("NFC", plain.casefold()).translate(_WITHOUT_PARTS)
    return _OTHER_DIGIT.sub(lambda match: str(unicodedata.digit(match.group())), plain)


def words(text: str) -> list[str]:
    """All words in order, folded; `3,000` and `2.5` stay whole."""
    return _WORD.findall(fold(text))


def content_words(text: str) -> list[str]:
    """The words that carry a topic, in order, not stemmed."""
    return [word for word in words(text) if word not in STOP_WORDS]


def content_stems(text: str) -> list[str]:
    """The stems of the words that carry a topic, in order."""
    return [stem(word) for word in content_words(text)]


def keys(text: str) -> list[str]:
    """What the lexical index keeps of a text: the keys of all its words, in order."""
    return [key for token in tokens(text) for key in keys_of(token)]


def tokens(text: str) -> list[str]:
    """The words of a text as they stand there, with the hyphens and signs within them; in lower case, composed."""
    if text.isascii():
        return _ASCII.findall(text.lower())
    return _TOKEN.findall(unicodedata.normalize("NFC", text).lower())


def content_tokens(text: str) -> list[str]:
    """The words of `tokens` that carry a topic, in order."""
    return [token for token in tokens(text) if not STOP_WORDS.issuperset(words(token))]


@lru_cache(maxsize=200_000)
def keys_of(token: str) -> tuple[str, ...]:
    """The keys that one word of `tokens` is kept under."""
    if _PLAIN.fullmatch(token):
        return (stem(token),)
    return tuple(dict.fromkeys(key for spelling in spellings(token) for key in spelling))


def spellings(token: str) -> list[tuple[str, ...]]:
    """The ways of writing one word of `tokens`, each as its keys: a text that holds all of one holds the word."""
    return [tuple(key for word in words(written) for key in _cut(word)) for written in _written(token)]


def _written(token: str) -> Iterator[str]:
    """As it stands; without hyphens; a number without the signs that group its digits, or apart from its unit; umlauts
    as two letters."""
    yield token
    if (bare := _JOINTS.sub("", token)) != token and not bare.isdigit():
        yield bare
    if match := _GROUPED.match(token):
        yield _GROUPING.sub("", match.group()) + token[match.end() :]
    elif match := _DOTTED.match(token):
        yield match.group().replace(".", "") + token[match.end() :]
    if match := _AND_UNIT.fullmatch(token):
        yield f"{match[1]} {match[2]}"
    if (spelled := token.translate(_UMLAUTS)) != token:
        yield spelled


def _cut(word: str) -> Iterator[str]:
    """A folded word as it is kept: its stem, or characters and pairs of them where the script has no spaces."""
    if word.isascii():
        yield stem(word)
        return
    begin = 0
    for match in _SPACELESS.finditer(word):
        run = match.group()
        if begin < match.start():
            yield _stem_of(word[begin : match.start()])
        yield from run
        yield from (run[n : n + 2] for n in range(len(run) - 1))
        begin = match.end()
    if begin < len(word):
        yield _stem_of(word[begin:])


def _stem_of(word: str) -> str:
    return stem(word) if word.isascii() else word
